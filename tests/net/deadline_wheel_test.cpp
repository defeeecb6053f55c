// The deadline wheel against a plain map, on simulated time.
#include "net/deadline_wheel.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <list>
#include <memory>
#include <random>

using mainstay::deadline_wheel;
using namespace std::chrono_literals;

namespace {
const deadline_wheel::time_point start{1000s};
}

BOOST_AUTO_TEST_SUITE(deadline_wheel_)

BOOST_AUTO_TEST_CASE(a_deadline_fires_once_within_a_tick) {
  deadline_wheel wheel(start);
  deadline_wheel::entry e;
  std::vector<deadline_wheel::entry*> due;
  wheel.arm(e, start + 120ms);
  wheel.expire(start + 119ms, due);
  BOOST_TEST(due.empty());
  wheel.expire(start + 120ms + deadline_wheel::tick, due);
  BOOST_TEST(due.size() == 1u);
  wheel.expire(start + 200s, due);
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
  wheel.expire(start + 1s + deadline_wheel::tick, due);
  BOOST_TEST(due.size() == 1u);
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
        wheel.expire(now, due);
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
