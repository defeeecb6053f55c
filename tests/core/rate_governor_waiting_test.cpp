// Who waits for capacity, for how long, and who goes first.
#include "tests/core/governor_world.hpp"

#include <map>
#include <set>

namespace mainstay::rate_governor_waiting_test {
namespace {

using namespace testing;

BOOST_AUTO_TEST_SUITE(rate_governor_waiting_suite)

BOOST_AUTO_TEST_CASE(whoever_can_be_served_in_time_waits_and_is_served_then) {
  world w({key("a", {.rpm = 1})});
  w.done(w.granted().id);
  const auto id = w.waits(w.ask("m", 61s));
  BOOST_CHECK(w.gov.next_wake(w.now) == t0 + 60s);
  BOOST_TEST(w.tick().empty());
  w.now = t0 + 60s;
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
  BOOST_CHECK(w.gov.next_wake(w.now) == t0 + 10min); // the lease's expiry
}

BOOST_AUTO_TEST_CASE(whoever_cannot_be_served_in_time_is_told_at_once_when_to_come_back) {
  world w({key("a", {.rpm = 1})});
  w.done(w.granted().id);
  BOOST_CHECK(w.refused(w.ask("m", 59s)).not_before == t0 + 60s);
}

BOOST_AUTO_TEST_CASE(a_slot_may_come_free_at_any_time_so_one_waits_for_it) {
  world w({key("a")}, 1);
  const auto held = w.granted();
  const auto id = w.waits(w.ask("m", 1s));
  w.done(held.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_over_ends_in_one_refusal) {
  world w({key("a")}, 1);
  w.granted();
  const auto id = w.waits(w.ask("m", 1s));
  BOOST_CHECK(w.gov.next_wake(w.now) == t0 + 1s);
  w.now += 1s;
  const auto answers = w.tick();
  BOOST_REQUIRE(answers.size() == 1u);
  BOOST_CHECK(std::get<refusal>(answers[0]).id == id);
  BOOST_CHECK(std::get<refusal>(answers[0]).why == refusal_reason::over_limit);
  BOOST_TEST(w.tick().empty());
}

BOOST_AUTO_TEST_CASE(capacity_that_came_too_late_is_not_given_to_who_stopped_waiting) {
  world w({key("a")}, 1);
  const auto held = w.granted();
  w.waits(w.ask("m", 1s));
  w.now += 2s;
  w.done(held.id);
  const auto answers = w.tick();
  BOOST_REQUIRE(answers.size() == 1u);
  BOOST_CHECK(std::holds_alternative<refusal>(answers[0]));
}

BOOST_AUTO_TEST_CASE(when_the_last_key_dies_those_who_wait_for_it_hear_at_once) {
  world w({key("a", {.concurrency = 1})});
  w.granted();
  const auto first = w.waits(w.ask("m", 1h)), second = w.waits(w.ask("m", 2h));
  w.gov.on_standing({.key = "a", .disabled = true});
  std::set<request_id> told;
  for (const auto& a : w.tick()) {
    BOOST_CHECK(std::get<refusal>(a).why == refusal_reason::no_key);
    told.insert(std::get<refusal>(a).id.request);
  }
  BOOST_CHECK((told == std::set{first.request, second.request}));
}

BOOST_AUTO_TEST_CASE(when_a_rest_outlasts_a_wait_the_waiter_hears_at_once) {
  world w({key("a", {.concurrency = 1})});
  w.granted();
  const auto impatient = w.waits(w.ask("m", 10s));
  w.waits(w.ask("m", 60s));
  w.gov.on_standing({.key = "a", .not_before = t0 + 30s});
  const auto answers = w.tick();
  BOOST_REQUIRE(answers.size() == 1u);
  const auto no = std::get<refusal>(answers[0]);
  BOOST_CHECK(no.id == impatient);
  BOOST_CHECK(no.why == refusal_reason::resting);
  BOOST_CHECK(no.not_before == t0 + 30s);
}

BOOST_AUTO_TEST_CASE(an_enabled_key_serves_those_who_wait) {
  world w({key("a", {.concurrency = 1}), key("b")});
  w.gov.on_standing({.key = "b", .disabled = true});
  w.granted();
  const auto id = w.waits(w.ask("m", 10s));
  w.gov.on_standing({.key = "b"});
  BOOST_CHECK(w.gov.next_wake(w.now) <= w.now);
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
}

BOOST_AUTO_TEST_CASE(waiters_go_before_newcomers_of_their_pool) {
  world w({key("a", {.rpm = 1})});
  w.done(w.granted().id);
  const auto first = w.waits(w.ask("m", 5min));
  w.now += 60s;
  const auto second = w.waits(w.ask("m", 5min)); // there is room, but not for this one first
  BOOST_CHECK(w.gov.next_wake(w.now) <= w.now);
  BOOST_CHECK(w.granted_by_tick() == std::vector{first});
  w.done(first);
  w.now += 60s;
  BOOST_CHECK(w.granted_by_tick() == std::vector{second});
}

BOOST_AUTO_TEST_CASE(asking_again_replaces_the_place_in_the_queue) {
  world w({key("a")}, 1);
  const auto held = w.granted();
  auto r = w.ask("m", 1s);
  w.waits(r);
  r.wait_until = w.now + 60s;
  w.waits(r);
  BOOST_TEST(w.gov.look(w.now).waiting[1] == 1u);
  w.now += 10s;
  BOOST_TEST(w.tick().empty());
  w.done(held.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{r.id});
}

BOOST_AUTO_TEST_CASE(who_withdraws_gets_no_answer_and_leaves_the_next_in_front) {
  world w({key("a")}, 1);
  const auto held = w.granted();
  const auto first = w.waits(w.ask("m", 10s)), second = w.waits(w.ask("m", 20s));
  w.gov.withdraw(first);
  w.done(held.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{second});
  BOOST_TEST(w.gov.look(w.now).waiting[1] == 0u);
}

BOOST_AUTO_TEST_CASE(a_withdrawal_that_crossed_its_grant_gives_the_reservation_back) {
  world w({key("a", {.rpm = 1})});
  const auto g = w.granted();
  w.gov.withdraw(g.id);
  BOOST_TEST(w.gov.look(w.now).leases == 0u);
  w.granted();
}

BOOST_AUTO_TEST_CASE(a_full_queue_refuses) {
  world w({key("a")}, 1);
  w.settings.queue_capacity = 2;
  w.gov.reconfigure(w.settings);
  w.granted();
  w.waits(w.ask("m", 10s));
  w.waits(w.ask("other", 10s));
  BOOST_CHECK(w.refused(w.ask("m", 10s)).why == refusal_reason::queue_full);
}

BOOST_AUTO_TEST_CASE(one_pools_waiters_never_block_another) {
  world w({key("a")});
  w.gov.on_circuit({"p", "bad", circuit_state::open, t0 + 60s});
  for (int i = 0; i < 100; ++i) w.waits(w.ask("bad", 5min));
  w.granted(w.ask("good"));
  // Also when both wait for the same slots: the blocked ones do not stand in front.
  world x({key("a")}, 1);
  const auto held = x.granted();
  for (int i = 0; i < 100; ++i) x.waits(x.ask("bad", 5min));
  const auto good = x.waits(x.ask("good", 5min));
  x.gov.on_circuit({"p", "bad", circuit_state::open, t0 + 60s});
  x.done(held.id);
  BOOST_CHECK(x.granted_by_tick() == std::vector{good});
}

BOOST_AUTO_TEST_CASE(pools_that_share_a_key_take_turns) {
  world w({key("a")}, 1);
  auto held = w.granted().id;
  for (int i = 0; i < 20; ++i) w.waits(w.ask("crowded", 5min));
  for (int i = 0; i < 3; ++i) w.waits(w.ask("quiet", 5min));
  int until_quiet_is_done = 0;
  for (int quiet = 0; quiet < 3; ++until_quiet_is_done) {
    w.done(held);
    const auto ids = w.granted_by_tick();
    BOOST_REQUIRE(ids.size() == 1u);
    held = ids[0];
    quiet += held.request > 21;
  }
  BOOST_TEST(until_quiet_is_done <= 7);
}

BOOST_AUTO_TEST_CASE(the_order_in_which_targets_are_written_does_not_make_another_pool) {
  world w({key("a"), key("c", {}, "q")}, 1);
  auto one = w.ask("m", 1min), other = w.ask("m", 2min);
  one.targets = {{"p", "m"}, {"q", "m"}};
  other.targets = {{"q", "m"}, {"p", "m"}};
  auto first = one, second = other;
  first.id = {1000, 1}, second.id = {1000, 2};
  const auto a = w.granted(first), b = w.granted(second);
  BOOST_TEST(a.key != b.key);
  w.waits(one);
  w.waits(other);
  w.done(a.key == "a" ? a.id : b.id); // p is free
  const auto answers = w.tick();
  BOOST_REQUIRE(answers.size() == 1u);
  BOOST_CHECK(std::get<grant>(answers[0]).id == one.id);
  w.done(one.id);
  const auto more = w.tick();
  BOOST_REQUIRE(more.size() == 1u);
  BOOST_TEST(std::get<grant>(more[0]).target_index == 1u); // p, as that request wrote it
}

BOOST_AUTO_TEST_CASE(who_excludes_the_free_key_does_not_stand_before_those_who_may_use_it) {
  world w({key("a", {.concurrency = 1}), key("b", {.concurrency = 1})});
  const auto first = w.granted(), second = w.granted();
  auto picky = w.ask("m", 10s);
  picky.excluded_keys = {first.key};
  w.waits(picky);
  const auto easy = w.waits(w.ask("m", 60s));
  w.done(first.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{easy});
  w.done(second.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{picky.id});
}

BOOST_AUTO_TEST_CASE(one_who_needs_many_tokens_is_not_starved_by_many_who_need_few) {
  world w({key("a", {.tpm = 1000})});
  std::optional<lease_id> big;
  int before = 0, after = 0;
  std::optional<instant> went;
  for (int s = 0; s < 300; ++s, w.now += 1s) {
    auto small = w.ask("m", 10min);
    small.client = "other";
    small.tokens = 50;
    if (std::holds_alternative<grant>(w.acquire(small))) ++before, w.done(small.id);
    if (s == 120) { // the limit is used up steadily by then
      auto r = w.ask("m", 10min);
      r.tokens = 400;
      big = w.waits(r);
    }
    for (const auto id : w.granted_by_tick()) {
      ++(went ? after : before);
      if (id == big) went = w.now;
      w.done(id);
    }
  }
  BOOST_REQUIRE(went.has_value());
  BOOST_CHECK(*went <= t0 + 120s + 60s);
  BOOST_TEST(before > 20);
  BOOST_TEST(after > 20);
}

BOOST_AUTO_TEST_CASE(tokens_held_back_for_one_who_cannot_use_them_are_there_for_others) {
  world w({key("a", {.tpm = 1000})});
  auto first = w.ask();
  first.tokens = 800;
  w.granted(first);
  auto big = w.ask("bad", 10min), small = w.ask("good", 10min);
  big.tokens = 500;
  small.tokens = 150;
  w.waits(big);
  BOOST_TEST(w.tick().empty());
  w.gov.settle(first.id, {.tokens = 700}, w.now);
  BOOST_TEST(w.tick().empty());
  w.waits(small); // 300 are free, all of them held back
  w.gov.on_circuit({"p", "bad", circuit_state::open, t0 + 5min});
  BOOST_CHECK(w.granted_by_tick() == std::vector{small.id});
}

BOOST_AUTO_TEST_CASE(levels_share_what_becomes_free_by_their_weights) {
  world w({key("a")}, 1);
  auto held = w.granted().id;
  std::map<request_id, priority> level;
  for (int i = 0; i < 26; ++i)
    for (const auto l : {priority::low, priority::normal, priority::high}) {
      auto r = w.ask("m", 5min);
      r.level = l;
      level[w.waits(r).request] = l;
    }
  std::map<priority, int> served;
  for (int i = 0; i < 26; ++i) {
    w.done(held);
    held = w.granted_by_tick().at(0);
    ++served[level[held.request]];
  }
  BOOST_TEST(served[priority::high] == 16);
  BOOST_TEST(served[priority::normal] == 8);
  BOOST_TEST(served[priority::low] == 2);
}

// One slot, each call a tenth of a second: ten a second.
struct busy_world : world {
  busy_world() : world({key("a")}, 1) { held = granted().id; }
  lease_id held;
  std::map<refusal_reason, int> told;

  capacity_request patient(duration patience, priority level = priority::normal, std::string client = "app") {
    auto r = ask("m", patience);
    r.level = level;
    r.client = std::move(client);
    return r;
  }
  void one_more() {
    now += 100ms;
    done(held);
    for (const auto& a : tick())
      if (const auto* g = std::get_if<grant>(&a))
        held = g->id;
      else
        ++told[std::get<refusal>(a).why];
  }
};

BOOST_AUTO_TEST_CASE(who_would_wait_in_vain_behind_the_others_hears_at_once_when_to_come_back) {
  busy_world w;
  for (int i = 0; i < 1150; ++i) w.waits(w.patient(100s));
  for (int i = 0; i < 100; ++i) w.one_more();
  capacity_answer last;
  int let_in = 0;
  while (std::holds_alternative<queued>(last = w.acquire(w.patient(90s)))) ++let_in;
  const auto no = std::get<refusal>(last);
  BOOST_TEST(let_in > 20); // 1,080 calls take a fifth longer than it would wait
  BOOST_CHECK(no.why == refusal_reason::backlog);
  BOOST_TEST(let_in < 60);
  BOOST_CHECK(no.not_before > w.now + 105s && no.not_before < w.now + 112s);
  w.waits(w.patient(90s, priority::high));                   // goes before them
  w.waits(w.patient(10s));                                   // has less time than they
  w.waits(w.patient(90s, priority::normal, "a modest one")); // has turns of its own
}

BOOST_AUTO_TEST_CASE(whoever_turns_out_to_wait_in_vain_hears_it_before_its_time_is_over) {
  busy_world w;
  for (int i = 0; i < 2000; ++i) w.waits(w.patient(50s)); // nothing is known yet: all are let in
  for (int i = 0; i < 200; ++i) w.one_more();
  BOOST_TEST(w.told[refusal_reason::backlog] > 1400); // 500 can be served in all
  BOOST_TEST(w.told[refusal_reason::backlog] < 1500);
  for (int i = 0; i < 290; ++i) w.one_more(); // until their time is over, somebody is served with each call that ends
  BOOST_TEST(w.told[refusal_reason::over_limit] == 0);
}

BOOST_AUTO_TEST_CASE(after_an_outage_nobody_is_turned_away_for_how_slow_it_was) {
  busy_world w;
  for (int i = 0; i < 700; ++i) w.waits(w.patient(100s));
  for (int i = 0; i < 100; ++i) w.one_more();
  w.gov.on_circuit({"p", "m", circuit_state::open, w.now + 5s});
  w.now += 5s;
  w.gov.on_circuit({"p", "m", circuit_state::closed, {}});
  w.waits(w.patient(30s));
}

BOOST_AUTO_TEST_CASE(a_full_queue_says_how_long_it_is) {
  busy_world w;
  w.settings.queue_capacity = 300;
  w.gov.reconfigure(w.settings);
  for (int i = 0; i < 300; ++i) w.waits(w.patient(100s));
  BOOST_CHECK(w.refused(w.patient(100s)).not_before == instant::max()); // nobody can tell yet
  for (int i = 0; i < 100; ++i) w.one_more();
  for (int i = 0; i < 100; ++i) w.waits(w.patient(100s));
  const auto no = w.refused(w.patient(100s));
  BOOST_CHECK(no.why == refusal_reason::queue_full);
  BOOST_CHECK(no.not_before > w.now + 25s && no.not_before < w.now + 35s);
}

BOOST_AUTO_TEST_CASE(ten_times_as_many_waiters_make_a_decision_hardly_dearer) {
  const auto cost_with = [](int waiters) {
    busy_world w;
    w.settings.queue_capacity = 20000;
    w.gov.reconfigure(w.settings);
    for (int i = 0; i < waiters; ++i)
      w.waits(w.patient(1h, static_cast<priority>(i % 3), "client " + std::to_string(i % 40)));
    auto best = duration::max();
    for (int round = 0; round < 5; ++round) {
      const auto begun = std::chrono::steady_clock::now();
      for (int i = 0; i < 100; ++i) {
        w.waits(w.patient(1h, priority::normal, "client 1"));
        w.one_more();
      }
      best = std::min<duration>(best, std::chrono::steady_clock::now() - begun);
    }
    return std::chrono::duration<double, std::micro>(best).count() / 100;
  };
  const auto few = cost_with(1000), many = cost_with(10000);
  BOOST_TEST_MESSAGE("one waiter in, one served: " << few << " us among 1,000, " << many << " us among 10,000");
  BOOST_TEST(many < 4 * few + 20);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::rate_governor_waiting_test
