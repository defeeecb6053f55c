// When load is low, medium or high, and what follows from it.
#include "core/load_stage.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

namespace load_stage_test {

using namespace mainstay;

namespace {

const instant start{1000s};
const load_thresholds::tokens limits{50'000, 100'000};

} // namespace

BOOST_AUTO_TEST_SUITE(load_stage_suite)

BOOST_AUTO_TEST_CASE(shares_count_against_the_total_and_tokens_count_without_one) {
  load_thresholds t;
  BOOST_TEST((t.against(200'000).medium == 100'000 && t.against(200'000).high == 200'000));
  BOOST_TEST((!t.against({}).medium && !t.against({}).high));
  t.high_tokens = 70'000;
  BOOST_TEST((t.against({}).high == 70'000 && !t.against({}).medium));
  BOOST_TEST((t.against(200'000).high == 70'000 && t.against(200'000).medium == 100'000));
}

BOOST_AUTO_TEST_CASE(it_rises_at_once_with_the_load_or_with_what_is_foretold) {
  load_stage s;
  BOOST_TEST(!s.judge(49'999, 0, limits, start));
  BOOST_TEST((s.level() == load_level::low && s.pressure() == load_pressure::none));
  BOOST_TEST(s.judge(0, 50'000, limits, start));
  BOOST_TEST((s.level() == load_level::medium && s.pressure() == load_pressure::none));
  BOOST_TEST(s.judge(0, 100'000, limits, start));
  BOOST_TEST((s.level() == load_level::high && s.pressure() == load_pressure::high));
  BOOST_TEST(s.judge(0, 125'000, limits, start));
  BOOST_TEST((s.level() == load_level::high && s.pressure() == load_pressure::beyond));
  load_stage used;
  used.judge(100'000, 0, limits, start);
  BOOST_TEST((used.pressure() == load_pressure::beyond));
}

BOOST_AUTO_TEST_CASE(it_falls_only_after_a_minute_a_tenth_below) {
  load_stage s;
  s.judge(0, 100'000, limits, start);
  BOOST_TEST(!s.judge(0, 95'000, limits, start + 1h)); // not low enough
  BOOST_TEST(!s.judge(0, 60'000, limits, start + 2h));
  BOOST_TEST(!s.judge(0, 60'000, limits, start + 2h + 59s));
  BOOST_TEST(s.judge(0, 60'000, limits, start + 2h + 60s));
  BOOST_TEST((s.level() == load_level::medium));
  s.judge(0, 10, limits, start + 3h);
  s.judge(0, 46'000, limits, start + 3h + 59s); // the minute begins anew
  s.judge(0, 10, limits, start + 3h + 60s);
  BOOST_TEST(!s.judge(0, 10, limits, start + 3h + 119s));
  BOOST_TEST(s.judge(0, 10, limits, start + 3h + 120s));
  BOOST_TEST((s.level() == load_level::low));
}

BOOST_AUTO_TEST_CASE(where_nobody_knows_the_total_shares_never_make_it_high) {
  load_stage s;
  BOOST_TEST(!s.judge(1e12, 1e12, load_thresholds{}.against({}), start));
  BOOST_TEST((s.level() == load_level::low));
}

BOOST_AUTO_TEST_CASE(however_the_load_walks_it_never_falls_twice_within_a_minute_and_is_never_too_low) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> step(-4000, 4000);
    load_stage s;
    instant now = start, fell = start - 1h;
    double load = 50'000;
    for (int i = 0; i < 20'000; ++i, now += 1s) {
      load = std::clamp(load + step(random), 0.0, 200'000.0);
      const auto before = s.pressure() == load_pressure::beyond ? 3 : static_cast<int>(s.level());
      s.judge(load, load, limits, now);
      const auto after = s.pressure() == load_pressure::beyond ? 3 : static_cast<int>(s.level());
      if (after < before) {
        BOOST_TEST_REQUIRE((now - fell >= load_stage::stay));
        fell = now;
      }
      BOOST_TEST_REQUIRE(after >= (load >= 100'000 ? 3 : load >= 50'000 ? 1 : 0));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_life_of_an_hour_becomes_half_an_hour_an_hour_and_two) {
  BOOST_TEST(life_in_halves(load_level::low) == 1);
  BOOST_TEST(life_in_halves(load_level::medium) == 2);
  BOOST_TEST(life_in_halves(load_level::high) == 4);
}

BOOST_AUTO_TEST_CASE(keys_are_one_three_or_five_where_limits_are_unknown) {
  using enum load_level;
  BOOST_TEST(suggested_keys(low, 1e9, {}, {}, 2) == 1u);
  BOOST_TEST(suggested_keys(medium, 0, limits, {}, 2) == 3u);
  BOOST_TEST(suggested_keys(high, 0, limits, {}, 2) == 5u);
}

BOOST_AUTO_TEST_CASE(and_else_as_many_as_keep_the_peak_below_the_medium_threshold) {
  // Two keys of 50,000 TPM: each is good for 25,000 below the threshold of a half.
  const auto keys = [](double peak) { return suggested_keys(load_level::high, peak, limits, 100'000, 2); };
  BOOST_TEST(keys(0) == 1u);
  BOOST_TEST(keys(24'999) == 1u);
  BOOST_TEST(keys(25'000) == 2u);
  BOOST_TEST(keys(120'000) == 5u);
  BOOST_TEST(keys(1e300) == 1'000'000u);
}

BOOST_AUTO_TEST_CASE(low_is_held_back_first_then_normal_and_high_never) {
  using enum priority;
  const auto share = [](load_pressure p, priority level, duration waited = 0s) {
    return load_reserve{p}.share(level, waited);
  };
  BOOST_TEST(share(load_pressure::none, low) == 0);
  BOOST_TEST((share(load_pressure::high, low) == 0.2 && share(load_pressure::high, normal) == 0));
  BOOST_TEST((share(load_pressure::beyond, low) == 0.2 && share(load_pressure::beyond, normal) == 0.1));
  BOOST_TEST((share(load_pressure::high, high) == 0 && share(load_pressure::beyond, high) == 0));
  BOOST_TEST(share(load_pressure::beyond, low, load_reserve::longest_hold) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace load_stage_test
