// The order in which those who wait are served.
#include "core/waiting_queue.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <random>
#include <set>

namespace mainstay::waiting_queue_test {
namespace {

const instant t0 = instant{} + 1000s;
constexpr level_weights weights{8, 4, 1};
constexpr level_flags none{};

struct fixture {
  waiting_queue queue;
  std::vector<std::unique_ptr<queue_place>> places;

  queue_place& add(priority level, std::string client, duration patience = 60s, instant since = t0) {
    auto& p = *places.emplace_back(std::make_unique<queue_place>());
    p = {std::move(client), level, since, since + patience, places.size()};
    queue.push(p);
    return p;
  }
  queue_place* next(instant now = t0) const {
    std::vector<queue_place*> out;
    queue.in_turn(out, 1, 1, weights, now);
    return out.empty() ? nullptr : out.front();
  }
  queue_place* serve(instant now = t0) {
    auto* p = next(now);
    if (p) queue.serve(*p, weights, now);
    return p;
  }
};

BOOST_FIXTURE_TEST_SUITE(waiting_queue_suite, fixture)

BOOST_AUTO_TEST_CASE(levels_share_by_their_weights) {
  for (int i = 0; i < 26; ++i)
    for (const auto level : {priority::high, priority::normal, priority::low}) add(level, "app");
  int served[3] = {};
  for (int i = 0; i < 26; ++i) ++served[static_cast<int>(serve()->level)];
  BOOST_TEST(served[0] == 16);
  BOOST_TEST(served[1] == 8);
  BOOST_TEST(served[2] == 2);
}

BOOST_AUTO_TEST_CASE(clients_of_a_level_take_turns_however_many_wait) {
  for (int i = 0; i < 10; ++i) add(priority::normal, "greedy");
  add(priority::normal, "modest");
  BOOST_TEST(serve()->client == "greedy");
  BOOST_TEST(serve()->client == "modest");
}

BOOST_AUTO_TEST_CASE(a_clients_earliest_deadline_goes_first) {
  add(priority::normal, "app", 30s);
  add(priority::normal, "app", 10s);
  add(priority::normal, "app", 20s);
  BOOST_CHECK(serve()->wait_until == t0 + 10s);
  BOOST_CHECK(serve()->wait_until == t0 + 20s);
  BOOST_CHECK(serve()->wait_until == t0 + 30s);
}

BOOST_AUTO_TEST_CASE(equal_deadlines_go_in_the_order_of_arrival) {
  auto& first = add(priority::normal, "app");
  auto& second = add(priority::normal, "app");
  BOOST_CHECK(serve() == &first);
  BOOST_CHECK(serve() == &second);
}

BOOST_AUTO_TEST_CASE(looking_changes_nothing) {
  for (int i = 0; i < 5; ++i) add(priority::high, "a"), add(priority::low, "b");
  auto* seen = next();
  for (int i = 0; i < 10; ++i) BOOST_CHECK(next() == seen);
}

BOOST_AUTO_TEST_CASE(an_old_waiter_of_weight_zero_is_served_among_ever_new_urgent_ones) {
  constexpr level_weights unfair{8, 4, 0};
  auto& poor = add(priority::low, "poor", 1h);
  auto now = t0;
  bool served = false;
  for (int i = 0; i < 200 && !served; ++i, now += 1s) {
    add(priority::high, "rich", 60s, now);
    std::vector<queue_place*> out;
    queue.in_turn(out, 1, 1, unfair, now);
    served = out.front() == &poor;
    queue.serve(*out.front(), unfair, now);
  }
  BOOST_TEST(served);
}

BOOST_AUTO_TEST_CASE(a_level_that_was_empty_has_saved_nothing_up) {
  for (int i = 0; i < 50; ++i) add(priority::high, "app");
  for (int i = 0; i < 40; ++i) serve();
  for (int i = 0; i < 10; ++i) add(priority::low, "late");
  int low = 0;
  for (int i = 0; i < 9; ++i) low += serve()->level == priority::low;
  BOOST_TEST(low == 1);
}

BOOST_AUTO_TEST_CASE(of_each_level_some_are_looked_at_however_many_clients_wait_in_the_first) {
  for (int i = 0; i < 20; ++i) add(priority::high, std::string(1, static_cast<char>('a' + i)));
  auto& low = add(priority::low, "modest");
  std::vector<queue_place*> out;
  queue.in_turn(out, 16, 4, weights, t0);
  BOOST_TEST(out.size() == 17u);
  BOOST_CHECK(out.back() == &low);
}

BOOST_AUTO_TEST_CASE(a_level_that_could_not_use_its_turns_has_not_saved_them_up) {
  for (int i = 0; i < 100; ++i) add(priority::low, "held back");
  for (int i = 0; i < 100; ++i) queue.serve(add(priority::high, "urgent"), weights, t0);
  for (int i = 0; i < 18; ++i) add(priority::high, "urgent");
  int high = 0;
  for (int i = 0; i < 18; ++i) high += serve()->level == priority::high;
  BOOST_TEST(high >= 14);
}

BOOST_AUTO_TEST_CASE(a_newcomer_behind_nobody_is_next) {
  BOOST_TEST(queue.before("app", priority::low, t0 + 60s, weights, none, t0) == 0.0);
}

BOOST_AUTO_TEST_CASE(behind_a_flood_of_others_a_modest_client_is_soon_served) {
  for (int i = 0; i < 1000; ++i) add(priority::normal, "greedy");
  BOOST_TEST(queue.before("modest", priority::normal, t0 + 60s, weights, none, t0) == 1.0);
  BOOST_TEST(queue.before("greedy", priority::normal, t0 + 60s, weights, none, t0) == 1000.0);
  BOOST_TEST(queue.before("greedy", priority::high, t0 + 60s, weights, none, t0) <= 1.0);
  BOOST_TEST(queue.before("modest", priority::low, t0 + 60s, weights, none, t0) == 4.0);
}

BOOST_AUTO_TEST_CASE(who_has_less_time_than_most_of_its_own_goes_before_them) {
  for (int i = 1; i <= 100; ++i) add(priority::normal, "app", i * 1s);
  BOOST_TEST(queue.before("app", priority::normal, t0, weights, none, t0) == 0.0);
  BOOST_TEST(queue.before("app", priority::normal, t0 + 50s, weights, none, t0) == 50.0,
             boost::test_tools::tolerance(0.02));
}

BOOST_AUTO_TEST_CASE(how_many_go_before_is_told_about_right) {
  std::mt19937_64 random(4711);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  for (unsigned round = 0; round < test::rounds(200); ++round) {
    queue = {};
    places.clear();
    const auto clients = 1 + below(8);
    for (auto n = below(300); n > 0; --n)
      add(static_cast<priority>(below(3)), "c" + std::to_string(std::min(below(clients), below(clients))),
          duration(1ms * static_cast<int>(below(60000))));
    const auto level = static_cast<priority>(below(3));
    const auto client = "c" + std::to_string(below(clients + 1));
    const auto told = queue.before(client, level, t0 + 60s, weights, none, t0);
    auto& newcomer = add(level, client);
    int before = 0;
    while (serve() != &newcomer) ++before;
    BOOST_TEST(told <= before * 1.25 + 10);
    BOOST_TEST(told >= before * 0.75 - 10);
  }
}

BOOST_AUTO_TEST_CASE(last_in_line_is_the_newest_of_the_level_that_is_served_least) {
  add(priority::high, "app");
  add(priority::low, "app");
  auto& newest = add(priority::low, "other");
  add(priority::normal, "app");
  BOOST_TEST(queue.last_in_line(weights, none, t0) == &newest);
}

BOOST_AUTO_TEST_CASE(levels_that_are_held_go_before_nobody_and_are_not_in_line) {
  for (int i = 0; i < 100; ++i) add(priority::low, "app");
  auto& normal = add(priority::normal, "app");
  const level_flags low_held{false, false, true};
  BOOST_TEST(queue.before("app", priority::normal, t0 + 60s, weights, none, t0) > 1.0);
  BOOST_TEST(queue.before("app", priority::normal, t0 + 60s, weights, low_held, t0) == 1.0);
  BOOST_TEST(queue.last_in_line(weights, low_held, t0) == &normal);
  BOOST_TEST(queue.last_in_line(weights, {true, true, true}, t0) == nullptr);
}

BOOST_AUTO_TEST_CASE(random_walk_serves_everybody_once_and_forgets_who_left) {
  for (unsigned seed = 1; seed <= test::rounds(20); ++seed) {
    std::mt19937 draw(seed);
    fixture f;
    std::set<queue_place*> inside;
    auto now = t0;
    for (int step = 0; step < 3000; ++step) {
      now += std::chrono::milliseconds(draw() % 200);
      if (draw() % 2) {
        inside.insert(&f.add(static_cast<priority>(draw() % 3), std::to_string(draw() % 5),
                             std::chrono::milliseconds(draw() % 60000), now));
      } else if (!inside.empty() && draw() % 3 == 0) {
        auto* p = *std::next(inside.begin(), draw() % inside.size());
        f.queue.remove(*p);
        f.queue.remove(*p);
        inside.erase(p);
      } else if (auto* p = f.serve(now)) {
        BOOST_REQUIRE(inside.erase(p) == 1u);
      }
      BOOST_REQUIRE(f.queue.size() == inside.size());
      BOOST_REQUIRE(f.queue.empty() == (f.next(now) == nullptr));
      for (auto* p : inside) BOOST_REQUIRE(f.queue.most_urgent().wait_until <= p->wait_until);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::waiting_queue_test
