// Order, pace and pauses of durable requests that wait to be run.
#include "core/replay_queue.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <vector>

namespace replay_queue_test {

using namespace mainstay;

namespace {

instant at(duration d) { return instant{1h} + d; }

} // namespace

BOOST_AUTO_TEST_SUITE(replay)

BOOST_AUTO_TEST_CASE(what_is_put_off_leaves_the_pace_alone) {
  replay_queue q;
  const instant now{1000s};
  for (int n = 1; n <= 4; ++n) q.add(n, priority::normal, now);
  for (int n = 1; n <= 4; ++n) BOOST_TEST_REQUIRE(q.next(now).has_value());
  q.put_off(1, now, 0);
  BOOST_TEST(q.at_once() == 4u);
  BOOST_TEST(q.parked() == 1u);
  q.park(2, now, 0);
  BOOST_TEST(q.at_once() == 2u);
}

BOOST_AUTO_TEST_CASE(a_group_that_is_held_waits_without_pauses_and_comes_back_in_order_and_gently) {
  replay_queue q({4, 64, 1s, 300s});
  q.add(1, priority::normal, at(0s), "smart");
  q.add(2, priority::high, at(0s), "smart");
  q.add(3, priority::low, at(0s), "other");
  q.add(4, priority::normal, at(100s), "smart"); // not before
  q.add_running(5, priority::high, "smart");
  q.add_running(6, priority::high);
  q.hold({"smart"}, at(0s));
  BOOST_TEST((q.next(at(0s)) == 3));
  BOOST_TEST(!q.next(at(0s)));
  q.park(5, at(1s), 0);
  q.belongs_to(6, "smart");
  q.park(6, at(1s), 0);
  BOOST_TEST(!q.next(at(50s)));
  BOOST_TEST(q.parked() == 4u);
  BOOST_TEST((q.due() == at(100s)));
  BOOST_TEST(!q.next(at(100s)));
  auto held = q.held();
  BOOST_TEST_REQUIRE(held.size() == 1u);
  BOOST_TEST((held[0].name == "smart" && held[0].now == 5u && held[0].in_all == 5u));
  q.hold({}, at(100s));
  std::vector<replay_queue::number> order;
  q.done(3, true);
  while (auto n = q.next(at(100s))) order.push_back(*n);
  BOOST_TEST(order == (std::vector<replay_queue::number>{2, 5, 6, 1}));
  BOOST_TEST(q.at_once() == 4u);
}

BOOST_AUTO_TEST_CASE(of_a_held_group_only_those_run_that_are_let_try) {
  replay_queue q;
  q.hold({"smart"}, at(0s));
  for (int n = 1; n <= 5; ++n) q.add(n, priority::normal, at(0s), "smart");
  BOOST_TEST(!q.next(at(0s)));
  BOOST_TEST(q.let_try("other", 2) == 0u);
  BOOST_TEST(q.let_try("smart", 2) == 2u);
  BOOST_TEST((q.next(at(1s)) == 1));
  q.hold({"smart", "other"}, at(1s)); // said again: who may try may still
  BOOST_TEST((q.next(at(1s)) == 2));
  BOOST_TEST(!q.next(at(1s)));
  q.park(1, at(2s), 0); // in vain
  q.done(2, true);
  auto held = q.held();
  BOOST_TEST((held[1].name == "smart" && held[1].now == 4u && held[1].in_all == 5u));
  BOOST_TEST(q.at_once() == 4u);
}

BOOST_AUTO_TEST_CASE(who_tried_in_vain_just_before_the_end_of_the_holding_runs_again_without_a_pause) {
  replay_queue q;
  q.hold({"smart"}, at(0s));
  q.add(1, priority::normal, at(0s), "smart");
  q.next(at(0s));
  q.let_try("smart", 1);
  BOOST_TEST((q.next(at(1s)) == 1));
  q.hold({}, at(2s));
  q.park(1, at(3s), 0);
  BOOST_TEST(q.at_once() == 4u);
  BOOST_TEST((q.next(at(3s)) == 1));
  q.park(1, at(4s), 0); // that was another failure
  BOOST_TEST(!q.next(at(4s)));
}

BOOST_AUTO_TEST_CASE(levels_go_before_age_and_age_before_nothing) {
  replay_queue q({10, 10});
  q.add(1, priority::low, at(0s));
  q.add(2, priority::normal, at(0s));
  q.add(3, priority::high, at(0s));
  q.add(4, priority::high, at(0s));
  q.add(5, priority::normal, at(0s));
  std::vector<replay_queue::number> order;
  while (auto n = q.next(at(0s))) order.push_back(*n);
  BOOST_TEST(order == (std::vector<replay_queue::number>{3, 4, 2, 5, 1}));
}

BOOST_AUTO_TEST_CASE(nobody_runs_before_its_time_and_due_says_when_that_is) {
  replay_queue q;
  BOOST_TEST(!q.due());
  q.add(1, priority::high, at(10s));
  BOOST_TEST((q.due() == at(10s)));
  BOOST_TEST(!q.next(at(9s)));
  BOOST_TEST((q.next(at(10s)) == 1));
  BOOST_TEST(!q.due());
  BOOST_TEST(q.is_running(1));
}

BOOST_AUTO_TEST_CASE(few_run_at_a_time_more_with_successes_and_fewer_with_failures) {
  replay_queue q({2, 3});
  for (int n = 1; n <= 100; ++n) q.add(n, priority::normal, at(0s));
  BOOST_TEST((q.next(at(0s)) == 1));
  BOOST_TEST((q.next(at(0s)) == 2));
  BOOST_TEST(!q.next(at(0s)));
  BOOST_TEST(!q.due());
  int n = 1;
  for (int i = 0; i < 10; ++i) {
    q.done(n++, true);
    while (q.next(at(0s))) {}
  }
  BOOST_TEST(q.at_once() == 3u);
  BOOST_TEST(q.running() == 3u);
  q.park(n, at(0s), 0);
  BOOST_TEST(q.at_once() == 1u);
  q.park(n + 1, at(0s), 0);
  BOOST_TEST(q.at_once() == 1u);
  BOOST_TEST(!q.next(at(0s)));
  q.park(n + 2, at(0s), 0);
  BOOST_TEST(!!q.next(at(0s)));
  BOOST_TEST(!q.next(at(0s)));
}

BOOST_AUTO_TEST_CASE(pauses_double_up_to_the_longest_and_jitter_takes_up_to_half) {
  replay_queue q({4, 4, 1s, 10s});
  q.add(1, priority::normal, at(0s));
  auto now = at(0s);
  for (auto pause : {1s, 2s, 4s, 8s, 10s, 10s}) {
    BOOST_TEST((q.next(now) == 1));
    q.park(1, now, 0);
    BOOST_TEST((q.due() == now + pause));
    BOOST_TEST(q.parked() == 1u);
    now += pause;
  }
  BOOST_TEST((q.next(now) == 1));
  BOOST_TEST(q.parked() == 0u);
  q.park(1, now, 0.5);
  BOOST_TEST((q.due() == now + 7500ms));
}

BOOST_AUTO_TEST_CASE(who_runs_with_its_caller_there_is_not_counted_by_the_pace) {
  replay_queue q({1, 1});
  for (int n = 1; n <= 5; ++n) q.add_running(n, priority::normal);
  q.add(6, priority::normal, at(0s));
  BOOST_TEST((q.next(at(0s)) == 6));
  q.park(1, at(0s), 0);
  BOOST_TEST(q.running() == 5u);
  BOOST_TEST(q.parked() == 1u);
  q.done(1, false);
  BOOST_TEST(q.parked() == 0u);
  BOOST_TEST(!q.knows(1));
}

BOOST_AUTO_TEST_CASE(what_is_not_running_cannot_be_parked_and_what_is_known_not_added) {
  replay_queue q;
  q.add(1, priority::normal, at(5s));
  q.park(1, at(0s), 0);
  q.park(2, at(0s), 0);
  q.add(1, priority::high, at(0s));
  q.add_running(1, priority::high);
  BOOST_TEST((q.due() == at(5s)));
  BOOST_TEST(q.running() == 0u);
  BOOST_TEST(q.size() == 1u);
}

BOOST_AUTO_TEST_CASE(who_joins_another_takes_no_place_of_the_pace) {
  replay_queue q({1, 64, 1s, 8s});
  for (auto n : {1, 2, 3}) q.add(n, priority::low, at(n == 3 ? 5s : 0s));
  BOOST_TEST((q.next(at(0s)) == 1));
  BOOST_TEST(q.join(2));
  BOOST_TEST(q.join(3)); // its time is not the queue's to judge
  BOOST_TEST(!q.join(3));
  BOOST_TEST(!q.join(9));
  BOOST_TEST(q.running() == 3u);
  q.done(2, true);
  BOOST_TEST(q.at_once() == 1u); // it speaks for nobody
  q.park(3, at(0s), 0);
  BOOST_TEST(q.at_once() == 1u);
  BOOST_TEST((q.ready_at(3) == at(1s)));
  q.done(1, true);
  BOOST_TEST(q.at_once() == 2u);
  BOOST_TEST((q.next(at(1s)) == 3));
}

BOOST_AUTO_TEST_CASE(one_that_came_to_nothing_waits_again_without_a_pause_and_one_that_waits_may_be_hastened) {
  replay_queue q;
  q.add_running(1, priority::low);
  BOOST_TEST(!q.ready_at(1));
  q.again(1, at(1s));
  BOOST_TEST((q.ready_at(1) == at(1s)));
  BOOST_TEST(q.parked() == 0u);
  BOOST_TEST(!q.next(at(500ms)));
  q.hasten(1, at(500ms));
  BOOST_TEST((q.next(at(500ms)) == 1));
  q.again(2, at(0s));
  q.hasten(1, at(0s)); // neither waits
  BOOST_TEST(q.size() == 1u);
  BOOST_TEST(q.is_running(1));
}

/// A thousand requests come, fail, are answered and are called off at random: nobody runs twice at a time or too early,
/// the pace holds, and in the end everybody had a turn.
BOOST_AUTO_TEST_CASE(a_random_walk_loses_nobody) {
  for (unsigned seed = 1; seed <= test::rounds(20); ++seed) {
    std::mt19937 random(seed);
    auto roll = [&](unsigned n) { return random() % n; };
    replay_queue q({4, 16, 1s, 8s});
    struct one {
      bool running = false, done = false, paced = false;
      instant not_before{};
      std::string group;
    };
    std::map<replay_queue::number, one> all;
    bool held = false; // the group "x"
    std::size_t may_try = 0;
    auto now = at(0s);
    std::size_t finished = 0, most = 0;
    for (int step = 0; finished < 300; ++step) {
      BOOST_REQUIRE_MESSAGE(step < 200000, "seed " << seed);
      if (all.size() < 300 && roll(3) == 0) {
        const auto n = static_cast<replay_queue::number>(all.size() + 1);
        const auto level = static_cast<priority>(roll(3));
        const std::string group = roll(2) ? "x" : roll(2) ? "y" : "";
        if (roll(2)) {
          all[n] = {true, false, false, {}, group};
          q.add_running(n, level, group);
        } else {
          const auto ready = now + std::chrono::milliseconds(roll(5000));
          all[n] = {false, false, false, ready, group};
          q.add(n, level, ready, group);
        }
      }
      if (roll(40) == 0) {
        held = !held;
        may_try = 0;
        q.hold(held ? std::vector<std::string>{"x"} : std::vector<std::string>{}, now);
        if (!held)
          for (auto& [n, o] : all)
            if (o.group == "x") o.not_before = std::min(o.not_before, now); // pauses are over too
      }
      if (held && roll(10) == 0) {
        may_try += q.let_try("x", 2);
        for (auto& [n, o] : all)
          if (o.group == "x") o.not_before = std::min(o.not_before, now);
      }
      std::size_t paced = 0;
      for (auto& [n, o] : all) paced += o.running && o.paced;
      while (auto n = q.next(now)) {
        auto& o = all.at(*n);
        BOOST_REQUIRE(!o.running && !o.done && o.not_before <= now);
        if (held && o.group == "x") BOOST_REQUIRE(may_try-- > 0);
        o.running = o.paced = true;
        ++paced;
        BOOST_REQUIRE(paced <= q.at_once());
      }
      most = std::max(most, q.at_once());
      if (!all.empty()) {
        const auto n = static_cast<replay_queue::number>(1 + roll(static_cast<unsigned>(all.size())));
        auto& o = all.at(n);
        if (o.running && roll(4) == 0) {
          q.park(n, now, roll(100) / 100.0);
          o.running = o.paced = false;
          o.not_before = o.group == "x" ? now : now + 500ms; // of those some may have begun while they were held
        } else if (!o.done && (o.running || roll(50) == 0)) {
          q.done(n, o.running); // one that was let go to try may be among them
          o.running = o.paced = false;
          o.done = true;
          ++finished;
        }
      }
      std::size_t running = 0, known = 0;
      for (auto& [n, o] : all) running += o.running, known += !o.done;
      BOOST_REQUIRE(q.running() == running);
      BOOST_REQUIRE(q.size() == known);
      now += std::chrono::milliseconds(roll(50));
    }
    BOOST_TEST(q.size() == 0u);
    BOOST_TEST(q.parked() == 0u);
    BOOST_TEST(most <= 16u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace replay_queue_test
