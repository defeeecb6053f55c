// Who is asked together with whom; and, with the replay queue that says when, that nobody is lost or asked twice.
#include "core/batch_pool.hpp"
#include "core/replay_queue.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

namespace batch_pool_test {

using namespace mainstay;

namespace {

instant at(duration d) { return instant{} + 1h + d; }
using numbers = std::vector<batch_pool::number>;

} // namespace

BOOST_AUTO_TEST_SUITE(batch_pools)

BOOST_AUTO_TEST_CASE(only_those_of_its_group_whose_time_has_come_go_with_one) {
  batch_pool p;
  for (auto n : {1, 2, 3, 4}) p.add(n, "a");
  p.add(5, "b");
  p.wait(1, at(3s));
  p.wait(2, at(1s));
  p.wait(3, at(9s));
  p.wait(5, at(0s));
  BOOST_TEST((p.companions(1, 50, at(4s)) == numbers{1, 2}));
  BOOST_TEST((p.companions(1, 50, at(9s)) == numbers{1, 2, 3})); // 4 does not wait
  BOOST_TEST((p.companions(3, 2, at(9s)) == numbers{3, 2}));
  BOOST_TEST((p.companions(5, 50, at(9s)) == numbers{5}));
  BOOST_TEST((p.companions(99, 50, at(9s)) == numbers{99}));
  p.leave(2);
  BOOST_TEST((p.companions(1, 50, at(9s)) == numbers{1, 3}));
  BOOST_TEST(p.waiting() == 3u);
}

BOOST_AUTO_TEST_CASE(a_group_is_full_when_so_many_wait_whose_time_has_come) {
  batch_pool p;
  for (auto n : {1, 2, 3}) p.add(n, "a");
  p.wait(1, at(2s));
  p.wait(2, at(1s));
  p.wait(3, at(8s));
  BOOST_TEST(p.first_of_full(1, 2, at(2s)) == 2);
  BOOST_TEST(p.first_of_full(1, 3, at(2s)) == 0);
  BOOST_TEST(p.first_of_full(1, 2, at(1s)) == 0);
  BOOST_TEST(p.first_of_full(99, 1, at(9s)) == 0);
}

BOOST_AUTO_TEST_CASE(who_is_to_be_asked_alone_goes_with_nobody) {
  batch_pool p;
  for (auto n : {1, 2, 3}) {
    p.add(n, "a");
    p.wait(n, at(0s));
  }
  p.set_alone(2);
  p.wait(2, at(0s));
  BOOST_TEST((p.companions(2, 50, at(0s)) == numbers{2}));
  BOOST_TEST((p.companions(1, 50, at(0s)) == numbers{1, 3}));
  BOOST_TEST(p.knows(2));
  p.done(2);
  BOOST_TEST(!p.knows(2));
}

BOOST_AUTO_TEST_CASE(a_group_that_rests_is_asked_one_by_one_until_then) {
  batch_pool p;
  for (auto n : {1, 2}) {
    p.add(n, "a");
    p.wait(n, at(0s));
  }
  p.rest_group("a", at(10s));
  BOOST_TEST((p.companions(2, 50, at(9s)) == numbers{2}));
  for (auto n : {1, 2}) p.done(n);
  for (auto n : {3, 4}) {
    p.add(n, "a");
    p.wait(n, at(0s));
  }
  BOOST_TEST((p.companions(4, 50, at(9s)) == numbers{4})); // the group was empty meanwhile
  BOOST_TEST((p.companions(4, 50, at(10s)) == numbers{4, 3}));
  for (std::size_t i = 0; i < 2 * batch_pool::most_resting; ++i) p.rest_group("g" + std::to_string(i), at(20s));
  BOOST_TEST((p.companions(4, 50, at(5s)) == numbers{4, 3})); // forgotten, for many rest longer
}

BOOST_AUTO_TEST_CASE(a_group_without_members_is_forgotten) {
  batch_pool p;
  p.add(1, "a");
  p.add(2, "a");
  p.done(1);
  BOOST_TEST(p.groups() == 1u);
  p.set_alone(2);
  BOOST_TEST(p.groups() == 0u);
}

/// A thousand requests of a few groups come, now or for later; calls of up to seven of them fail, are answered in part
/// or whole; some are called off. Everybody is in one call at a time, never with another group's, never before its
/// time, and answered once.
BOOST_AUTO_TEST_CASE(a_random_walk_loses_nobody_and_asks_nobody_twice_at_a_time) {
  for (unsigned seed = 1; seed <= test::rounds(20); ++seed) {
    std::mt19937 random(seed);
    auto roll = [&](unsigned n) { return random() % n; };
    batch_pool pool;
    replay_queue queue({4, 16, 1s, 8s});
    struct one {
      std::string group;
      instant from{};
      bool running = false, done = false, alone = false;
    };
    std::map<batch_pool::number, one> all;
    std::vector<numbers> calls;
    auto now = at(0s);
    std::size_t finished = 0, merged = 0;
    auto waits = [&](batch_pool::number n) {
      all.at(n).running = false;
      all.at(n).from = *queue.ready_at(n);
      pool.wait(n, *queue.ready_at(n));
    };
    for (int step = 0; finished < 1000; ++step) {
      BOOST_REQUIRE_MESSAGE(step < 200000, "seed " << seed);
      if (all.size() < 1000 && roll(3) != 0) {
        const auto n = static_cast<batch_pool::number>(all.size() + 1);
        auto& o = all[n];
        o.group = std::string(1, static_cast<char>('a' + roll(3)));
        o.from = now + std::chrono::milliseconds(roll(4) ? 0 : roll(5000));
        queue.add(n, priority::low, o.from + 100ms);
        pool.add(n, o.group);
        pool.wait(n, o.from);
        if (const auto first = pool.first_of_full(n, 7, now)) queue.hasten(first, now);
      }
      while (auto n = queue.next(now)) {
        numbers call;
        for (auto m : pool.companions(*n, 1 + roll(7), now)) {
          auto& o = all.at(m);
          BOOST_REQUIRE(m == *n || queue.join(m));
          BOOST_REQUIRE(!o.running && !o.done && o.from <= now);
          BOOST_REQUIRE(o.group == all.at(*n).group && (!o.alone || m == *n));
          pool.leave(m);
          o.running = true;
          call.push_back(m);
        }
        merged += call.size() > 1;
        calls.push_back(call);
      }
      if (!calls.empty() && roll(2)) {
        const auto which = roll(static_cast<unsigned>(calls.size()));
        const auto call = calls[which];
        calls.erase(calls.begin() + which);
        const bool fails = roll(5) == 0;
        for (auto n : call) {
          auto& o = all.at(n);
          if (o.done) continue; // called off
          if (fails) {
            queue.park(n, now, 0.5);
            waits(n);
          } else if (call.size() > 1 && roll(6) == 0) {
            pool.set_alone(n);
            o.alone = true;
            queue.again(n, now);
            waits(n);
          } else {
            queue.done(n, true);
            pool.done(n);
            o.running = false;
            o.done = true;
            ++finished;
          }
        }
      }
      if (!all.empty() && roll(50) == 0) {
        const auto n = static_cast<batch_pool::number>(1 + roll(static_cast<unsigned>(all.size())));
        if (auto& o = all.at(n); !o.done) {
          queue.done(n, false);
          pool.done(n);
          o.running = false;
          o.done = true;
          ++finished;
        }
      }
      std::size_t open = 0, waiting = 0, running = 0;
      for (auto& [n, o] : all) open += !o.done, waiting += !o.done && !o.running && !o.alone, running += o.running;
      BOOST_REQUIRE(queue.size() == open);
      BOOST_REQUIRE(queue.running() == running);
      BOOST_REQUIRE(pool.waiting() == waiting);
      now += std::chrono::milliseconds(roll(50));
    }
    BOOST_TEST(merged > 50u);
    BOOST_TEST(pool.groups() == 0u);
    BOOST_TEST(queue.size() == 0u);
    BOOST_TEST(queue.parked() == 0u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace batch_pool_test
