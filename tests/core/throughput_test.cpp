#include "core/throughput.hpp"

#include <boost/test/unit_test.hpp>

namespace mainstay::throughput_test {
namespace {

const instant t0 = instant{} + 1000s;

throughput with(int per_step, int steps) {
  throughput t;
  for (int s = 0; s < steps; ++s)
    for (int i = 0; i < per_step; ++i) t.count(t0 + s * 5s);
  return t;
}

BOOST_AUTO_TEST_SUITE(throughput_suite)

BOOST_AUTO_TEST_CASE(a_moment_of_looking_tells_nothing) {
  throughput t;
  BOOST_TEST(!t.per_second(t0));
  for (int i = 0; i < 1000; ++i) t.count(t0);
  BOOST_TEST(!t.per_second(t0 + 4999ms));
  BOOST_TEST(t.per_second(t0 + 5s).value() == 200.0);
}

BOOST_AUTO_TEST_CASE(four_tell_nothing_however_long_it_took) {
  throughput t;
  for (int i = 0; i < 4; ++i) t.count(t0 + i * 1s);
  BOOST_TEST(!t.per_second(t0 + 30s));
  t.count(t0 + 30s);
  BOOST_TEST(t.per_second(t0 + 50s).value() == 0.1);
}

BOOST_AUTO_TEST_CASE(a_burst_of_a_minutes_limit_is_spread_over_the_minute) {
  auto t = with(60, 1);
  BOOST_TEST(t.per_second(t0 + 20s).value() == 3.0);
  BOOST_TEST(t.per_second(t0 + 59s).value() == 60.0 / 59, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(what_is_older_than_a_minute_is_forgotten) {
  const auto t = with(10, 1);
  BOOST_TEST(!t.per_second(t0 + 61s));
}

BOOST_AUTO_TEST_CASE(better_seconds_count_at_once) {
  auto t = with(5, 12); // one a second
  for (int i = 0; i < 500; ++i) t.count(t0 + 60s);
  BOOST_TEST(t.per_second(t0 + 64s).value() > 50.0);
}

BOOST_AUTO_TEST_CASE(after_a_restart_nothing_is_known) {
  auto t = with(10, 12);
  t.restart();
  BOOST_TEST(!t.per_second(t0 + 60s));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::throughput_test
