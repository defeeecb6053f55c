// The deadline wheel against a plain map, on simulated time.
#include "net/deadline_wheel.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <list>
#include <memory>
#include <random>
#include <vector>

namespace deadline_wheel_test {

using mainstay::deadline_wheel;
using namespace std::chrono_literals;

namespace {
const deadline_wheel::time_point start{1000s};

void expire(deadline_wheel& wheel, deadline_wheel::time_point now, std::vector<deadline_wheel::entry*>& due) {
  wheel.expire(now, [&](deadline_wheel::entry& e) { due.push_back(&e); });
}

} // namespace

BOOST_AUTO_TEST_SUITE(deadline_wheel_)

BOOST_AUTO_TEST_CASE(a_deadline_fires_once_within_a_tick) {
  deadline_wheel wheel(start);
  deadline_wheel::entry e;
  std::vector<deadline_wheel::entry*> due;
  wheel.arm(e, start + 120ms);
  expire(wheel, start + 119ms, due);
  BOOST_TEST(due.empty());
  expire(wheel, start + 120ms + deadline_wheel::tick, due);
  BOOST_TEST(due.size() == 1u);
  expire(wheel, start + 200s, due);
  BOOST_TEST(due.size() == 1u);
  BOOST_TEST(wheel.empty());
}

BOOST_AUTO_TEST_CASE(an_entry_that_dies_leaves_the_wheel) {
  deadline_wheel wheel(start);
  {
    deadline_wheel::entry e;
    wheel.arm(e, start + 1s);
  }
  BOOST_TEST(wheel.empty());
}

BOOST_AUTO_TEST_CASE(an_earlier_deadline_replaces_a_later_one) {
  deadline_wheel wheel(start);
  deadline_wheel::entry e;
  std::vector<deadline_wheel::entry*> due;
  wheel.arm(e, start + 300s);
  wheel.arm(e, start + 1s);
  expire(wheel, start + 1s + deadline_wheel::tick, due);
  BOOST_TEST(due.size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_fires_may_arm_and_destroy_others) {
  deadline_wheel wheel(start);
  auto a = std::make_unique<deadline_wheel::entry>(), b = std::make_unique<deadline_wheel::entry>();
  wheel.arm(*a, start + 1s);
  wheel.arm(*b, start + 1s);
  int fired = 0;
  auto on_due = [&](deadline_wheel::entry& e) {
    ++fired;
    if (&e == a.get()) b.reset();
    if (fired < 5) wheel.arm(e, start); // long past: due at the next tick
  };
  wheel.expire(start + 10s, on_due);
  wheel.expire(start + 20s, on_due);
  BOOST_TEST(fired == 5);
  BOOST_TEST(wheel.empty());
}

// Invariants: nothing fires early, twice, or after being disarmed; everything due fires by the tick after its time,
// also after long pauses.
BOOST_AUTO_TEST_CASE(random_walk_agrees_with_a_plain_list) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    deadline_wheel wheel(start);
    std::vector<std::unique_ptr<deadline_wheel::entry>> entries;
    std::vector<deadline_wheel::time_point> model;
    for (int i = 0; i < 50; ++i) {
      entries.push_back(std::make_unique<deadline_wheel::entry>());
      model.push_back(deadline_wheel::never);
    }
    auto now = start;
    for (int step = 0; step < 2000; ++step) {
      auto i = random() % entries.size();
      switch (random() % 6) {
      case 0:
      case 1:
      case 2:
        model[i] = now + std::chrono::milliseconds(random() % (random() % 5 ? 3000 : 200000));
        wheel.arm(*entries[i], model[i]);
        break;
      case 3:
        model[i] = deadline_wheel::never;
        wheel.disarm(*entries[i]);
        break;
      case 4:
        entries[i] = std::make_unique<deadline_wheel::entry>();
        model[i] = deadline_wheel::never;
        break;
      default: {
        now += std::chrono::milliseconds(random() % (random() % 20 ? 200 : 150000));
        std::vector<deadline_wheel::entry*> due;
        expire(wheel, now, due);
        for (auto* fired : due) {
          auto at = static_cast<std::size_t>(
              std::find_if(entries.begin(), entries.end(), [&](auto& e) { return e.get() == fired; }) -
              entries.begin());
          BOOST_REQUIRE(at < entries.size());
          BOOST_REQUIRE(model[at] <= now);
          model[at] = deadline_wheel::never;
        }
        for (auto when : model) BOOST_REQUIRE(when > now - deadline_wheel::tick);
      }
      }
    }
    for (auto when : model)
      if (when != deadline_wheel::never) BOOST_REQUIRE(!wheel.empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace deadline_wheel_test
