// Under high load the last part of every key's window is kept for the urgent, and nobody is kept out for ever.
#include "tests/core/governor_world.hpp"
#include "tests/support/seeds.hpp"

#include <algorithm>
#include <random>

namespace rate_governor_pressure_test {

using namespace mainstay;
using namespace mainstay::testing;

namespace {

capacity_request of_level(world& w, priority level, duration patience = 0s) {
  auto r = w.ask("m", patience);
  r.level = level;
  return r;
}

/// Granted and answered at once: what stays is its place in the window.
void use(world& w, int requests) {
  for (int i = 0; i < requests; ++i) {
    const auto r = of_level(w, priority::high);
    w.granted(r);
    w.done(r.id);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(rate_governor_pressure_suite)

BOOST_AUTO_TEST_CASE(under_high_load_low_leaves_a_fifth_of_the_window_to_the_others) {
  world w({key("k", {.rpm = 10})});
  w.gov.set_pressure(load_pressure::high);
  use(w, 7);
  w.granted(of_level(w, priority::low)); // the eighth
  BOOST_TEST((w.refused(of_level(w, priority::low)).why == refusal_reason::over_limit));
  w.granted(of_level(w, priority::normal));
  w.granted(of_level(w, priority::high));
}

BOOST_AUTO_TEST_CASE(beyond_that_normal_leaves_the_last_tenth_to_high) {
  world w({key("k", {.rpm = 10})});
  w.gov.set_pressure(load_pressure::beyond);
  use(w, 8);
  w.granted(of_level(w, priority::normal)); // the ninth
  w.refused(of_level(w, priority::normal));
  w.refused(of_level(w, priority::low));
  w.granted(of_level(w, priority::high));
}

BOOST_AUTO_TEST_CASE(tokens_are_kept_like_requests_and_what_asks_for_more_than_the_rest_goes_when_nothing_is_in_use) {
  world w({key("k", {.tpm = 1000})});
  w.gov.set_pressure(load_pressure::high);
  auto low = of_level(w, priority::low);
  low.tokens = 900;
  w.granted(low);
  w.done(low.id, 100);
  low = of_level(w, priority::low);
  low.tokens = 701;
  w.refused(low);
  low.tokens = 700;
  w.granted(low);
}

BOOST_AUTO_TEST_CASE(without_pressure_nothing_is_kept) {
  world w({key("k", {.rpm = 10})});
  use(w, 9);
  w.granted(of_level(w, priority::low));
}

BOOST_AUTO_TEST_CASE(who_is_held_back_waits_while_the_urgent_pass_him_and_goes_when_the_window_moves_on) {
  world w({key("k", {.rpm = 10})});
  w.gov.set_pressure(load_pressure::high);
  use(w, 4);
  w.now += 35s; // these four leave the window 25 s from now: before anybody's patience ends
  use(w, 4);
  const auto low = w.waits(of_level(w, priority::low, 100s));
  const auto high = of_level(w, priority::high, 100s);
  if (std::holds_alternative<queued>(w.acquire(high))) BOOST_TEST((w.granted_by_tick() == std::vector{high.id}));
  BOOST_TEST(w.granted_by_tick().empty());
  w.now += 25s - 1ms;
  BOOST_TEST(w.granted_by_tick().empty());
  BOOST_TEST((w.gov.next_wake(w.now) <= w.now + 1ms));
  w.now += 1ms;
  BOOST_TEST((w.granted_by_tick() == std::vector{low}));
}

BOOST_AUTO_TEST_CASE(who_is_held_back_goes_as_soon_as_the_pressure_ends) {
  world w({key("k", {.rpm = 10})});
  w.gov.set_pressure(load_pressure::beyond);
  use(w, 8);
  const auto low = w.waits(of_level(w, priority::low, 20s));
  BOOST_TEST(w.granted_by_tick().empty());
  w.gov.set_pressure(load_pressure::none);
  BOOST_TEST((w.granted_by_tick() == std::vector{low}));
}

BOOST_AUTO_TEST_CASE(after_thirty_seconds_nobody_is_held_back_any_more) {
  world w({key("k", {.rpm = 10})});
  w.gov.set_pressure(load_pressure::beyond);
  use(w, 9);
  const auto low = w.waits(of_level(w, priority::low, 100s)), normal = w.waits(of_level(w, priority::normal, 100s));
  BOOST_TEST(w.granted_by_tick().empty());
  BOOST_TEST((w.gov.next_wake(w.now) == w.now + load_reserve::longest_hold));
  w.now += load_reserve::longest_hold;
  BOOST_TEST((w.granted_by_tick() == std::vector{normal}));
  w.now += 60s;
  BOOST_TEST((w.granted_by_tick() == std::vector{low}));
}

BOOST_AUTO_TEST_CASE(tokens_are_not_promised_to_who_is_held_back) {
  world w({key("k", {.tpm = 1000})});
  w.gov.set_pressure(load_pressure::high);
  auto first = of_level(w, priority::high);
  first.tokens = 600;
  w.granted(first);
  w.done(first.id);
  auto low = of_level(w, priority::low, 100s);
  low.tokens = 300;
  w.waits(low);
  BOOST_TEST(w.granted_by_tick().empty());
  auto high = of_level(w, priority::high, 100s);
  high.tokens = 400;
  if (std::holds_alternative<queued>(w.acquire(high))) BOOST_TEST((w.granted_by_tick() == std::vector{high.id}));
}

BOOST_AUTO_TEST_CASE(whoever_is_held_back_until_his_wait_is_over_hears_it_then) {
  world w({key("k", {.rpm = 10})});
  w.gov.set_pressure(load_pressure::high);
  use(w, 9);
  const auto low = w.waits(of_level(w, priority::low, 5s));
  w.now += 5s;
  const auto answers = w.tick();
  BOOST_REQUIRE(answers.size() == 1);
  const auto* no = std::get_if<refusal>(&answers[0]);
  BOOST_TEST((no && no->id == low && no->why == refusal_reason::over_limit));
}

BOOST_AUTO_TEST_CASE(a_crowd_that_is_held_back_does_not_stand_before_the_urgent) {
  world w({key("k", {.rpm = 20})});
  w.gov.set_pressure(load_pressure::high);
  use(w, 16);
  for (int i = 0; i < 20; ++i) {
    auto low = of_level(w, priority::low, 100s);
    low.client = "client " + std::to_string(i);
    w.waits(low);
  }
  BOOST_TEST(w.granted_by_tick().empty());
  w.now += 29s; // and has aged
  for (int i = 0; i < 4; ++i) {
    const auto high = of_level(w, priority::high, 100s);
    if (std::holds_alternative<queued>(w.acquire(high))) BOOST_TEST((w.granted_by_tick() == std::vector{high.id}));
  }
}

/// One call at a time, ten a second; of 60,000 requests a minute, 100 or 59,000 used.
struct slow_world : world {
  explicit slow_world(limit_set limits) : world({key("k", limits)}, 1) {
    gov.set_pressure(load_pressure::high);
    held = granted().id;
    for (int i = 0; i < 300; ++i) {
      auto low = of_level(*this, priority::low, 200s);
      waits(low);
    }
    now += 20s; // they have aged
    for (int i = 0; i < 30; ++i) one_more(priority::normal);
  }
  lease_id held;
  /// Somebody comes who goes at once, for how quick it is to be known.
  void one_more(priority level) {
    waits(of_level(*this, level, 100s));
    now += 100ms;
    done(held);
    for (const auto& id : granted_by_tick()) held = id;
  }
  /// How many of the normal ones with that patience are let in.
  int let_in(duration patience, int most) {
    int n = 0;
    while (n < most && std::holds_alternative<queued>(acquire(of_level(*this, priority::normal, patience)))) ++n;
    return n;
  }
};

BOOST_AUTO_TEST_CASE(who_is_held_back_does_not_count_as_a_crowd_before_the_others) {
  slow_world w({.rpm = 60});
  BOOST_TEST(w.let_in(50s, 450) == 450);
}

BOOST_AUTO_TEST_CASE(a_flood_of_the_urgent_lets_the_least_urgent_through_in_the_end) {
  world w({key("k", {.rpm = 60})});
  w.gov.set_pressure(load_pressure::beyond);
  std::vector<lease_id> lows;
  std::size_t low_served = 0;
  for (int second = 0; second < 300; ++second, w.now += 1s) {
    for (int i = 0; i < 3; ++i) w.acquire(of_level(w, priority::high, 60s)); // thrice what the key may
    if (second < 20) {
      const auto low = of_level(w, priority::low, 290s);
      w.acquire(low);
      lows.push_back(low.id);
    }
    for (const auto& a : w.tick())
      if (const auto* g = std::get_if<grant>(&a)) {
        low_served += std::find(lows.begin(), lows.end(), g->id) != lows.end();
        w.done(g->id);
      }
  }
  BOOST_TEST(low_served >= 5u);
}

BOOST_AUTO_TEST_CASE(however_the_pressure_walks_windows_hold_levels_keep_their_part_and_everybody_is_answered_once) {
  for (unsigned seed = 1; seed <= test::rounds(20); ++seed) {
    std::mt19937 random(seed);
    const auto up_to = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
    world w({key("k", {.rpm = 20, .tpm = 2000}), key("l", {.rpm = 10})});
    std::vector<std::pair<lease_id, instant>> waiting;
    load_pressure pressure{};
    const auto answered = [&](lease_id id) {
      const auto it = std::find_if(waiting.begin(), waiting.end(), [&](auto& p) { return p.first == id; });
      BOOST_TEST_REQUIRE((it != waiting.end()));
      waiting.erase(it);
    };
    for (int step = 0; step < 2000; ++step) {
      w.now += std::chrono::milliseconds(up_to(600));
      if (up_to(50) == 0) w.gov.set_pressure(pressure = static_cast<load_pressure>(up_to(3)));
      auto r = of_level(w, static_cast<priority>(up_to(3)), std::chrono::seconds(up_to(60)));
      r.tokens = static_cast<std::uint64_t>(up_to(300));
      const auto answer = w.acquire(r);
      if (std::holds_alternative<queued>(answer)) waiting.emplace_back(r.id, r.wait_until);
      if (std::holds_alternative<grant>(answer)) {
        const auto v = w.gov.look(w.now);
        const auto share = load_reserve{pressure}.share(r.level, 0s);
        const auto& g = std::get<grant>(answer);
        const auto used = std::find_if(v.keys.begin(), v.keys.end(), [&](auto& k) { return k.key == g.key; })->rpm_used;
        BOOST_TEST_REQUIRE(used <= 1 - share + 1e-9);
        w.done(r.id);
      }
      for (const auto& a : w.tick()) {
        const auto id = std::visit([](auto& one) { return one.id; }, a);
        answered(id);
        if (std::holds_alternative<grant>(a)) w.done(id);
      }
      for (const auto& k : w.gov.look(w.now).keys) BOOST_TEST_REQUIRE((k.rpm_used <= 1 && k.tpm_used <= 1));
      for (const auto& [id, until] : waiting) BOOST_TEST_REQUIRE((until >= w.now));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace rate_governor_pressure_test
