#include "core/wake_queue.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>

namespace mainstay::wake_queue_test {
namespace {

struct alarm_clock : sleeper {
  using sleeper::sleep;
  using sleeper::wake_at;
};

BOOST_AUTO_TEST_SUITE(wake_queue_suite)

BOOST_AUTO_TEST_CASE(who_wants_nothing_is_never_due) {
  wake_queue q;
  alarm_clock a;
  q.add(a);
  BOOST_TEST((q.next() == instant::max()));
  BOOST_TEST(q.due(instant{1000s}).empty());
}

BOOST_AUTO_TEST_CASE(only_an_earlier_time_moves_one_who_has_a_time_already) {
  wake_queue q;
  alarm_clock a;
  q.add(a);
  a.wake_at(instant{5s});
  a.wake_at(instant{9s});
  BOOST_TEST((q.next() == instant{5s}));
  a.wake_at(instant{2s});
  BOOST_TEST((q.next() == instant{2s}));
  a.sleep();
  BOOST_TEST((q.next() == instant::max()));
}

BOOST_AUTO_TEST_CASE(what_was_wanted_before_it_came_counts) {
  wake_queue q;
  alarm_clock a;
  a.wake_at(instant{5s});
  q.add(a);
  BOOST_TEST((q.next() == instant{5s}));
}

BOOST_AUTO_TEST_CASE(the_earliest_come_first_and_of_the_same_time_who_said_it_first) {
  wake_queue q;
  alarm_clock a, b, c;
  for (auto* each : {&a, &b, &c}) q.add(*each);
  c.wake_at(instant{2s});
  b.wake_at(instant{1s});
  a.wake_at(instant{2s});
  const std::vector<sleeper*> all{&b, &c, &a};
  BOOST_TEST((q.due(instant{2s}) == all));
  BOOST_TEST(q.due(instant{1s}).size() == 1u);
}

BOOST_AUTO_TEST_CASE(either_may_go_first) {
  auto a = std::make_unique<alarm_clock>();
  auto q = std::make_unique<wake_queue>();
  alarm_clock b;
  q->add(*a);
  q->add(b);
  a->wake_at(instant{1s});
  a.reset();
  BOOST_TEST(q->due(instant{1s}).empty());
  q.reset();
  b.wake_at(instant{1s});
  BOOST_TEST((b.next_wake() == instant{1s}));
}

BOOST_AUTO_TEST_CASE(walked_at_random_it_knows_what_all_would_say) {
  std::mt19937 random(7);
  wake_queue q;
  std::vector<std::unique_ptr<alarm_clock>> all;
  for (int step = 0; step < 20'000; ++step) {
    const auto pick = all.empty() ? 0 : random() % all.size();
    switch (random() % 8) {
    case 0: q.add(*all.emplace_back(std::make_unique<alarm_clock>())); break;
    case 1:
      if (!all.empty()) all.erase(all.begin() + static_cast<std::ptrdiff_t>(pick));
      break;
    case 2:
      if (!all.empty()) all[pick]->sleep();
      break;
    default:
      if (!all.empty()) all[pick]->wake_at(instant{std::chrono::seconds(random() % 100)});
    }
    auto earliest = instant::max();
    std::size_t due = 0;
    for (const auto& a : all) {
      earliest = std::min(earliest, a->next_wake());
      due += a->next_wake() <= instant{50s};
    }
    BOOST_REQUIRE((q.next() == earliest));
    BOOST_REQUIRE(q.due(instant{50s}).size() == due);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::wake_queue_test
