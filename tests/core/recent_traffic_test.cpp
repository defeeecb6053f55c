// How requests went in the last five minutes, and no longer.
#include "core/recent_traffic.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace recent_traffic_test {

using namespace mainstay;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(recent_traffics)

BOOST_AUTO_TEST_CASE(shares_and_percentiles_are_of_what_came) {
  recent_traffic t;
  const instant now{10'000s};
  BOOST_TEST(t.look(now).success == 1);
  for (int i = 1; i <= 100; ++i) t.count_request(i > 5, i % 10 == 0, i * 10ms, now);
  for (int i = 0; i < 50; ++i) t.count_call(i == 0, i < 5, now);
  const auto v = t.look(now);
  BOOST_TEST((v.requests == 100u && v.calls == 50u));
  BOOST_TEST((v.success == 0.95 && v.retried == 0.1 && v.rate_limited == 0.02 && v.server_error == 0.1));
  BOOST_TEST(std::abs(v.of(latency::request).p50 - 0.5) <= 0.005);
  BOOST_TEST(std::abs(v.of(latency::request).p99 - 0.99) <= 0.0099);
}

BOOST_AUTO_TEST_CASE(what_is_older_than_the_window_is_forgotten_step_by_step) {
  recent_traffic t;
  instant now{10'000s};
  for (int i = 0; i < 60; ++i, now += recent_traffic::step) {
    t.count_request(false, false, 1s, now);
    BOOST_TEST(t.look(now).requests == std::min<std::uint64_t>(static_cast<std::uint64_t>(i) + 1, 30));
  }
  BOOST_TEST(t.look(now + recent_traffic::window / 2).requests == 14u);
  BOOST_TEST(t.look(now + recent_traffic::window).requests == 0u);
  t.count_request(true, false, 1s, now + 24h);
  BOOST_TEST((t.look(now + 24h).requests == 1u && t.look(now + 24h).success == 1));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace recent_traffic_test
