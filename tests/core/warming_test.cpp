// When lines of a warming may begin, what slows it down, and what becomes of equal lines.
#include "core/warming.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace warming_test {

using namespace mainstay;

namespace {

instant at(duration d) { return instant{1h} + d; }
using ending = warming::ending;

warming with_lines(int count, const warming::pace& p = {}) {
  warming w(p);
  for (int i = 1; i <= count; ++i) w.add(static_cast<warming::number>(i));
  return w;
}

/// Begins what may begin, each line asking what nobody else asks.
std::vector<warming::number> begin_all(warming& w, instant now) {
  std::vector<warming::number> out;
  while (const auto n = w.next(now)) {
    BOOST_TEST(w.begin(*n, "question " + std::to_string(*n)));
    out.push_back(*n);
  }
  return out;
}

using numbers = std::vector<warming::number>;

} // namespace

BOOST_AUTO_TEST_SUITE(warm)

BOOST_AUTO_TEST_CASE(nothing_begins_before_a_look_or_on_an_old_one) {
  auto w = with_lines(3);
  BOOST_TEST(!w.next(at(0s)));
  BOOST_TEST((w.look_due(at(0s)) == at(0s)));
  w.looked({}, at(0s));
  BOOST_TEST(!w.next(at(100ms)));
  w.looked({}, at(100ms));
  BOOST_TEST(begin_all(w, at(199ms)) == (numbers{1, 2}));
}

BOOST_AUTO_TEST_CASE(few_run_at_a_time_and_more_with_each_answer_kept) {
  auto w = with_lines(100, {2, 3});
  w.looked({}, at(0s));
  BOOST_TEST(begin_all(w, at(0s)) == (numbers{1, 2}));
  BOOST_TEST((w.look_due(at(0s)) == instant::max()));
  w.over(1, ending::kept, at(1s));
  BOOST_TEST((w.look_due(at(1s)) == at(1s)));
  BOOST_TEST(!w.next(at(1s)));
  w.looked({}, at(1s));
  BOOST_TEST(begin_all(w, at(1s)) == (numbers{3}));
  w.over(2, ending::kept, at(1s));
  w.over(3, ending::kept, at(1s));
  BOOST_TEST(w.at_once() == 3u);
  w.looked({}, at(2s));
  BOOST_TEST(begin_all(w, at(2s)).size() == 3u);
  for (warming::number n = 4; n <= 6; ++n) w.over(n, ending::kept, at(2s));
  BOOST_TEST(w.at_once() == 3u);
  BOOST_TEST(w.kept() == 6u);
}

BOOST_AUTO_TEST_CASE(waiting_requests_pause_it_and_halve_its_pace) {
  auto w = with_lines(100, {8, 8});
  w.looked({.waiting = 1}, at(0s));
  BOOST_TEST(!w.next(at(0s)));
  BOOST_TEST((w.why(at(0s)) == warming::pause::requests_wait));
  BOOST_TEST((w.look_due(at(0s)) == at(200ms)));
  w.looked({.waiting = 3}, at(200ms));
  w.looked({}, at(400ms));
  BOOST_TEST((w.why(at(400ms)) == warming::pause::none));
  BOOST_TEST(begin_all(w, at(400ms)).size() == 2u);
}

BOOST_AUTO_TEST_CASE(half_of_the_capacity_is_left_to_callers_and_trouble_is_waited_out) {
  auto w = with_lines(100);
  w.looked({.busiest = 0.51}, at(0s));
  BOOST_TEST(!w.next(at(0s)));
  BOOST_TEST((w.why(at(0s)) == warming::pause::capacity_used));
  w.looked({.failing = true}, at(1s));
  BOOST_TEST(!w.next(at(1s)));
  BOOST_TEST((w.why(at(1s)) == warming::pause::providers_fail));
  w.looked({.busiest = 0.5}, at(2s));
  BOOST_TEST(begin_all(w, at(2s)).size() == 2u);
}

BOOST_AUTO_TEST_CASE(after_a_failure_it_rests_for_longer_each_time_until_an_answer_is_kept) {
  auto w = with_lines(100, {4, 8});
  const auto fail = [&](warming::number n, instant now) {
    w.looked({}, now);
    BOOST_TEST_REQUIRE(w.next(now).value() == n);
    BOOST_TEST(w.begin(n, std::to_string(n)));
    w.over(n, ending::failed, now);
  };
  fail(1, at(0s));
  BOOST_TEST(w.at_once() == 2u);
  BOOST_TEST((w.why(at(0s)) == warming::pause::after_failure));
  BOOST_TEST((w.look_due(at(0s)) == at(1s)));
  w.looked({}, at(950ms));
  BOOST_TEST(!w.next(at(999ms)));
  fail(2, at(1s));
  BOOST_TEST((w.look_due(at(1s)) == at(3s)));
  BOOST_TEST(w.at_once() == 1u);
  for (warming::number n = 3; n < 10; ++n) fail(n, w.look_due(at(1s)));
  const auto now = w.look_due(at(1s));
  w.looked({}, now);
  BOOST_TEST_REQUIRE(begin_all(w, now) == (numbers{10}));
  w.over(10, ending::kept, now);
  fail(11, now + 20ms);
  BOOST_TEST((w.look_due(now) == now + 20ms + 1s));
  BOOST_TEST(w.failed() == 10u);
}

BOOST_AUTO_TEST_CASE(what_is_there_already_and_what_is_wrong_cost_no_pace) {
  auto w = with_lines(1000, {2, 2});
  w.looked({}, at(0s));
  for (warming::number n = 1; n <= 500; ++n) {
    BOOST_TEST_REQUIRE((w.next(at(50ms)) == n));
    if (n % 2) BOOST_TEST_REQUIRE(w.begin(n, std::to_string(n)));
    w.over(n, n % 2 ? ending::was_there : ending::refused, at(50ms));
  }
  BOOST_TEST(w.skipped() == 250u);
  BOOST_TEST(w.failed() == 250u);
  BOOST_TEST(w.at_once() == 2u);
  BOOST_TEST(!w.next(at(100ms)));
}

BOOST_AUTO_TEST_CASE(an_equal_line_waits_for_the_first_and_comes_next) {
  auto w = with_lines(4, {4, 4});
  w.looked({}, at(0s));
  BOOST_TEST((w.next(at(0s)) == 1u));
  BOOST_TEST(w.begin(1, "a"));
  BOOST_TEST((w.next(at(0s)) == 2u));
  BOOST_TEST(!w.begin(2, "a"));
  BOOST_TEST((w.next(at(0s)) == 3u));
  BOOST_TEST(w.begin(3, "b"));
  BOOST_TEST(w.waiting() == 2u);
  BOOST_TEST(w.running() == 2u);
  w.over(1, ending::kept, at(0s));
  w.over(1, ending::kept, at(0s));
  BOOST_TEST(w.kept() == 1u);
  BOOST_TEST((w.next(at(0s)) == 2u));
  BOOST_TEST(w.begin(2, "a"));
  w.over(2, ending::was_there, at(0s));
  BOOST_TEST(w.skipped() == 1u);
}

BOOST_AUTO_TEST_CASE(of_many_equal_lines_one_after_the_other_comes_and_each_is_looked_at_once_before) {
  auto w = with_lines(1000, {2, 2});
  w.looked({}, at(0s));
  int begun = 0;
  for (warming::number n = 1; n <= 1000; ++n) {
    BOOST_TEST_REQUIRE((w.next(at(0s)) == n));
    begun += w.begin(n, "a");
  }
  BOOST_TEST(begun == 1);
  for (warming::number n = 1; n <= 1000; ++n) {
    w.over(n, n == 1 ? ending::kept : ending::was_there, at(0s));
    if (n == 1000) break;
    BOOST_TEST_REQUIRE((w.next(at(0s)) == n + 1));
    BOOST_TEST_REQUIRE(!w.next(at(0s)));
    if (n == 500) w.over(n + 1, ending::refused, at(0s)), ++n; // before it began: the others do not wait for it
    BOOST_TEST_REQUIRE((n != 501 || w.next(at(0s)) == n + 1));
    BOOST_TEST_REQUIRE(w.begin(n + 1, "a"));
  }
  BOOST_TEST(w.waiting() + w.running() == 0u);
  BOOST_TEST(w.skipped() == 998u);
}

BOOST_AUTO_TEST_CASE(on_a_random_walk_every_line_ends_once_and_nothing_begins_in_bad_times) {
  for (unsigned seed = 1; seed <= test::rounds(50); ++seed) {
    std::mt19937 random(seed);
    const auto draw = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    warming w({2, 5});
    const unsigned lines = 300;
    unsigned added = 0, ended = 0;
    std::map<warming::number, std::string> running;
    std::set<std::string> asked;
    std::set<warming::number> over;
    bool low = false;
    auto now = at(0s);
    for (int steps = 0; ended < lines; ++steps) {
      BOOST_TEST_REQUIRE(steps < 1'000'000);
      now += std::chrono::milliseconds(draw(30));
      if (added < lines && draw(3) == 0) w.add(++added);
      if (w.look_due(now) <= now) {
        low = draw(4) != 0;
        warming::load l;
        if (!low && draw(2)) l.waiting = 1 + draw(3);
        if (!low && l.waiting == 0) l.failing = true;
        w.looked(l, now);
      }
      while (const auto n = w.next(now)) {
        BOOST_TEST_REQUIRE(low);
        BOOST_TEST_REQUIRE(running.size() < 5);
        const auto key = std::to_string(draw(40));
        if (!w.begin(*n, key)) continue;
        BOOST_TEST_REQUIRE(asked.insert(key).second);
        running.emplace(*n, key);
      }
      if (!running.empty() && draw(3) == 0) {
        auto it = std::next(running.begin(), draw(static_cast<unsigned>(running.size())));
        BOOST_TEST_REQUIRE(over.insert(it->first).second);
        asked.erase(it->second);
        w.over(it->first, static_cast<ending>(draw(4)), now);
        running.erase(it);
        ++ended;
      }
      BOOST_TEST_REQUIRE(w.running() == running.size());
      BOOST_TEST_REQUIRE(w.kept() + w.skipped() + w.failed() == ended);
      BOOST_TEST_REQUIRE(w.waiting() + w.running() + ended == added);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace warming_test
