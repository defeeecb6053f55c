// When providers count as failing, and for how long answers then stay fresh.
#include "core/answer_lives.hpp"
#include "core/error_rate.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <random>

namespace error_rate_test {

using namespace mainstay;

namespace {

const instant start{1000s};

error_rate after(int good, int bad, instant now = start) {
  error_rate r;
  for (int i = 0; i < good; ++i) r.count(false, now);
  for (int i = 0; i < bad; ++i) r.count(true, now);
  return r;
}

} // namespace

BOOST_AUTO_TEST_SUITE(error_rate_suite)

BOOST_AUTO_TEST_CASE(above_five_in_a_hundred_is_high_and_five_are_not) {
  BOOST_TEST(!after(95, 5).high(start));
  BOOST_TEST(after(94, 6).high(start));
  BOOST_TEST(after(94, 6).share(start) == 0.06);
  BOOST_TEST(!error_rate().high(start));
}

BOOST_AUTO_TEST_CASE(fewer_than_twenty_calls_prove_nothing) {
  BOOST_TEST(!after(0, 19).high(start));
  BOOST_TEST(after(18, 2).high(start));
}

BOOST_AUTO_TEST_CASE(it_ends_with_good_calls_or_with_time) {
  auto r = after(20, 4);
  BOOST_TEST(r.high(start));
  for (int i = 0; i < 60; ++i) r.count(false, start + 1s);
  BOOST_TEST(!r.high(start + 1s));
  r = after(20, 4);
  BOOST_TEST(r.high(start + 59s));
  BOOST_TEST(!r.high(start + 60s));
}

BOOST_AUTO_TEST_CASE(it_is_the_share_of_the_last_sixty_seconds_whatever_came_before) {
  for (unsigned seed = 1; seed <= test::rounds(10); ++seed) {
    std::mt19937 random(seed);
    const auto up_to = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
    error_rate walked;
    std::deque<std::pair<instant, bool>> all;
    instant now = start;
    for (int step = 0; step < 5000; ++step) {
      now += std::chrono::milliseconds(up_to(20) ? up_to(300) : up_to(30'000));
      const bool failed = up_to(10) == 0;
      walked.count(failed, now);
      all.emplace_back(now, failed);
      const auto oldest = std::chrono::floor<std::chrono::seconds>(now) - 60s;
      int calls = 0, bad = 0;
      for (auto& [when, how] : all)
        if (std::chrono::floor<std::chrono::seconds>(when) > oldest) ++calls, bad += how;
      BOOST_TEST_REQUIRE(walked.share(now) == (calls < 20 ? 0 : double(bad) / calls));
    }
  }
}

BOOST_AUTO_TEST_CASE(an_answer_is_fresh_then_stale_then_over_and_fresh_for_twice_as_long_in_trouble) {
  answer_lives lives{10s, 25s, false};
  using enum answer_age;
  const auto judged = [&](duration age) { return lives.judge(age); };
  BOOST_TEST((judged(0s) == fresh && judged(10s - 1ns) == fresh && judged(10s) == stale));
  BOOST_TEST((judged(35s - 1ns) == stale && judged(35s) == over));
  BOOST_TEST((lives.kept() == 35s));
  lives.stretched = true;
  BOOST_TEST((judged(20s - 1ns) == fresh && judged(20s) == stale && judged(35s) == over));
  lives = {10s, 0s, false};
  BOOST_TEST((judged(10s) == over));
  BOOST_TEST((lives.kept() == 20s)); // it may be fresh again, in trouble
  lives.stretched = true;
  BOOST_TEST((judged(20s - 1ns) == fresh && judged(20s) == over));
}

BOOST_AUTO_TEST_CASE(load_halves_or_doubles_the_life_and_the_longer_of_two_reasons_counts) {
  answer_lives lives{1h, 24h};
  const auto fresh_for = [&](int halves, bool stretched) {
    lives.halves = halves;
    lives.stretched = stretched;
    return lives.fresh_for();
  };
  BOOST_TEST((fresh_for(1, false) == 30min && fresh_for(2, false) == 1h && fresh_for(4, false) == 2h));
  BOOST_TEST((fresh_for(1, true) == 2h && fresh_for(4, true) == 2h));
  BOOST_TEST((lives.kept() >= lives.fresh_for()));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace error_rate_test
