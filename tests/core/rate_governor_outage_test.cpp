// A model without a target, and its return: who is lent a key, who waits, who is told at once.
#include "tests/core/governor_world.hpp"

#include <map>
#include <random>
#include <set>

namespace rate_governor_outage_test {

using namespace mainstay;
using namespace mainstay::testing;

namespace {

struct outage_world : world {
  outage_world() : world({key("k"), key("l", {}, "q")}, 100) {}
  void down(std::uint32_t full = 20) { tell(outage_phase::down, full); }
  void returns(duration ramp = 60s, std::uint32_t full = 20) { tell(outage_phase::returning, full, ramp); }
  void up() { tell(outage_phase::up, 20); }
  void tell(outage_phase phase, std::uint32_t full, duration ramp = 60s) {
    gov.on_outage({"smart", phase, now, ramp, full}, now);
  }
  void opens(duration until) { gov.on_circuit({"p", "", circuit_state::open, now + until}); }
  void closes() { gov.on_circuit({"p", "", circuit_state::closed, now}); }
  capacity_request of(const std::string& model, duration patience = 120s) {
    auto r = ask("m", patience);
    r.model = model;
    return r;
  }
  std::size_t granted_at_once(int asked) {
    std::size_t n = 0;
    for (int i = 0; i < asked; ++i) n += std::holds_alternative<grant>(acquire(of("smart")));
    return n;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(rate_governor_in_an_outage)

BOOST_AUTO_TEST_CASE(a_refusal_tells_that_every_target_is_down) {
  outage_world w;
  w.opens(10s);
  auto r = w.of("smart");
  r.wait_for_circuits = false;
  BOOST_TEST(!w.refused(r).outage);
  w.down();
  BOOST_TEST(w.refused(r).outage);
  auto other = w.of("other");
  other.wait_for_circuits = false;
  BOOST_TEST(!w.refused(other).outage);
}

BOOST_AUTO_TEST_CASE(a_few_may_try_while_others_of_the_model_wait_and_other_models_do_not) {
  outage_world w;
  w.down();
  BOOST_TEST(w.granted_at_once(10) == 2u);
  for (int i = 0; i < 10; ++i) w.granted(w.of("other"));
  auto moves_on = w.of("smart");
  moves_on.wait_for_circuits = false;
  BOOST_TEST(w.refused(moves_on).outage); // behind a trial nobody is kept who has another way
  BOOST_TEST(w.granted_by_tick().empty());
}

BOOST_AUTO_TEST_CASE(at_least_one_may_try_however_small_its_share) {
  outage_world w;
  w.down(1);
  BOOST_TEST(w.granted_at_once(3) == 1u);
}

BOOST_AUTO_TEST_CASE(calls_from_before_take_no_room) {
  outage_world w;
  for (int i = 0; i < 10; ++i) w.granted(w.of("smart"));
  w.down();
  BOOST_TEST(w.granted_at_once(10) == 2u);
}

BOOST_AUTO_TEST_CASE(who_waited_before_it_is_held_back_too) {
  outage_world w;
  w.opens(10s);
  for (int i = 0; i < 10; ++i) w.waits(w.of("smart"));
  w.down();
  w.now += 10s;
  BOOST_TEST(w.granted_by_tick().size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_trial_that_ends_lets_the_next_one_try) {
  outage_world w;
  w.down(1);
  const auto first = w.granted(w.of("smart"));
  const auto second = w.waits(w.of("smart"));
  BOOST_TEST(w.granted_by_tick().empty());
  w.done(first.id);
  BOOST_TEST((w.granted_by_tick() == std::vector<lease_id>{second}));
}

BOOST_AUTO_TEST_CASE(load_returns_as_the_share_grows_by_itself) {
  outage_world w;
  w.down();
  w.returns();
  BOOST_TEST(w.granted_at_once(100) == 2u);
  std::size_t out = 2;
  for (int second = 1; second < 60; ++second) {
    w.now = t0 + std::chrono::seconds(second) + 2ms;
    out += w.granted_by_tick().size();
    const auto share = 0.1 + 0.9 * second / 60;
    BOOST_TEST(out == static_cast<std::size_t>(std::max(1.0, share * 20)));
  }
  w.now = t0 + 60s;
  out += w.granted_by_tick().size();
  BOOST_TEST(out == 100u);
}

BOOST_AUTO_TEST_CASE(its_alarm_comes_when_there_is_room_for_one_more) {
  outage_world w;
  w.returns();
  BOOST_TEST(w.granted_at_once(5) == 2u);
  w.tick();
  const auto next = w.gov.next_wake(w.now);
  BOOST_TEST((next > w.now + 3s && next < w.now + 4s)); // 3 of 20 are 15%
  w.now = next;
  BOOST_TEST(w.granted_by_tick().size() == 1u);
}

BOOST_AUTO_TEST_CASE(up_again_everybody_goes) {
  outage_world w;
  w.returns();
  BOOST_TEST(w.granted_at_once(30) == 2u);
  w.up();
  BOOST_TEST(w.granted_by_tick().size() == 28u);
  BOOST_TEST(w.granted_at_once(10) == 10u);
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_who_is_held_back) {
  outage_world w;
  w.down(1);
  const auto first = w.granted(w.of("smart"));
  const auto second = w.waits(w.of("smart"));
  w.gov.reconfigure(w.settings);
  BOOST_TEST(w.granted_by_tick().empty());
  w.done(first.id);
  BOOST_TEST((w.granted_by_tick() == std::vector<lease_id>{second}));
  w.up();
  w.gov.reconfigure(w.settings);
  w.done(second);
  BOOST_TEST(w.granted_at_once(10) == 10u);
}

BOOST_AUTO_TEST_CASE(high_levels_return_first) {
  outage_world w;
  w.down(1);
  const auto trial = w.granted(w.of("smart"));
  auto low = w.of("smart"), high = w.of("smart");
  low.level = priority::low;
  high.level = priority::high;
  w.waits(low);
  w.waits(high);
  w.done(trial.id);
  BOOST_TEST((w.granted_by_tick() == std::vector<lease_id>{high.id}));
}

BOOST_AUTO_TEST_CASE(the_view_tells_who_waits_for_a_model_that_is_held_back) {
  outage_world w;
  w.down();
  w.granted_at_once(5);
  const auto view = w.gov.look(w.now);
  BOOST_TEST_REQUIRE(view.held.size() == 1u);
  BOOST_TEST((view.held[0].model == "smart" && view.held[0].waiting == 3u));
  BOOST_TEST((view.held[0].in_flight == 2u && view.held[0].room == 2u));
}

/// Outages come and go at random while requests of two models come, end and leave: nobody is lent more than the share,
/// nobody is forgotten, and in the end nothing is left.
BOOST_AUTO_TEST_CASE(a_walk_forgets_nobody) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    std::mt19937 draw(seed);
    outage_world w;
    std::set<request_id> waiting;
    std::map<request_id, std::pair<lease_id, bool>> lent; // and whether it takes room
    auto phase = outage_phase::up;
    instant since{};
    std::size_t room_taken = 0, held_grants = 0;
    const auto most = [&] {
      const double share = phase == outage_phase::down ? 0.1 : returning_share(since, 10s, w.now);
      return phase == outage_phase::up || share >= 1 ? std::size_t{1000} : static_cast<std::size_t>(share * 30);
    };
    const auto on_grant = [&](const grant& g, bool smart) {
      const bool takes = smart && phase != outage_phase::up;
      if (takes) BOOST_TEST_REQUIRE(room_taken < most());
      room_taken += takes;
      held_grants += takes;
      lent[g.id.request] = {g.id, takes};
    };
    std::map<request_id, bool> smart;
    const auto settle = [&](decltype(lent)::iterator it) {
      room_taken -= it->second.second;
      w.done(it->second.first);
      lent.erase(it);
    };
    for (int step = 0; step < 3000; ++step) {
      w.now += std::chrono::milliseconds(draw() % 50);
      switch (draw() % 8) {
      case 0:
      case 1:
      case 2:
      case 3: {
        auto r = w.of(draw() % 2 ? "smart" : "other", std::chrono::seconds(draw() % 5));
        r.level = static_cast<priority>(draw() % 3);
        smart[r.id.request] = r.model == "smart";
        auto answer = w.acquire(r);
        if (auto* g = std::get_if<grant>(&answer)) on_grant(*g, r.model == "smart");
        if (std::holds_alternative<queued>(answer)) waiting.insert(r.id.request);
        break;
      }
      case 4:
      case 5:
      case 6:
        if (!lent.empty()) settle(std::next(lent.begin(), static_cast<long>(draw() % lent.size())));
        break;
      default:
        if (draw() % 10 == 0) {
          const auto before = phase;
          phase = static_cast<outage_phase>(draw() % 3);
          since = w.now;
          w.tell(phase, 30, 10s);
          if (before == outage_phase::up || phase == outage_phase::up) break;
        } else if (draw() % 3 == 0) {
          draw() % 2 ? w.opens(500ms) : w.closes();
        } else if (!waiting.empty()) {
          const auto who = *waiting.begin();
          w.gov.release_owner(who, w.now);
          waiting.erase(who);
        }
      }
      for (auto& a : w.tick()) {
        const auto who = std::visit([](auto& x) { return x.id.request; }, a);
        BOOST_TEST_REQUIRE(waiting.erase(who) == 1u);
        if (auto* g = std::get_if<grant>(&a)) on_grant(*g, smart.at(who));
      }
      std::size_t held = 0;
      for (auto& m : w.gov.look(w.now).held) held = m.in_flight;
      if (phase != outage_phase::up) BOOST_TEST_REQUIRE(held == room_taken);
    }
    w.up();
    w.closes();
    while (!lent.empty()) settle(lent.begin());
    for (auto& a : w.tick()) {
      const auto who = std::visit([](auto& x) { return x.id.request; }, a);
      BOOST_TEST_REQUIRE(waiting.erase(who) == 1u);
      if (auto* g = std::get_if<grant>(&a)) w.done(g->id);
    }
    BOOST_TEST(waiting.empty());
    BOOST_TEST(w.gov.look(w.now).leases == 0u);
    BOOST_TEST(held_grants > 50u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace rate_governor_outage_test
