// Delays: base by kind of error, growth, cap and jitter.
#include "core/backoff.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <random>

namespace backoff_test {

using namespace mainstay;
using enum failure_class;

namespace {

retry_policy plain() {
  retry_policy policy;
  policy.jitter = jitter_kind::none;
  return policy;
}
duration first(const retry_policy& policy, failure_class what) { return retry_delay(policy, what, 0, 0s, 0.5); }

} // namespace

BOOST_AUTO_TEST_SUITE(backoff)

BOOST_AUTO_TEST_CASE(the_base_is_the_error_delay_of_the_class_or_else_the_base_delay) {
  auto policy = plain();
  policy.base_delay = 7s;
  policy.network_error_delay = 3s;
  BOOST_TEST((first(policy, rate_limited) == 2s));
  for (const auto what : {server_error, overloaded}) BOOST_TEST((first(policy, what) == 5s));
  for (const auto what : {dns_failed, connect_failed, connect_timeout, reset, truncated})
    BOOST_TEST((first(policy, what) == 3s));
  for (const auto what : {malformed, first_byte_timeout, auth}) BOOST_TEST((first(policy, what) == 7s));
}

BOOST_AUTO_TEST_CASE(exponential_doubles_up_to_the_cap_and_linear_stays) {
  auto policy = plain();
  for (const auto& [retry, delay] : {std::pair{0, 2s}, {1, 4s}, {2, 8s}, {4, 32s}, {5, 60s}, {9, 60s}})
    BOOST_TEST((retry_delay(policy, rate_limited, retry, 0s, 0) == delay));
  policy.backoff = backoff_kind::linear;
  for (const int retry : {0, 1, 9}) BOOST_TEST((retry_delay(policy, rate_limited, retry, 0s, 0) == 2s));
}

BOOST_AUTO_TEST_CASE(a_base_over_the_cap_is_the_cap) {
  auto policy = plain();
  policy.max_delay = 1s;
  BOOST_TEST((first(policy, server_error) == 1s));
}

BOOST_AUTO_TEST_CASE(full_jitter_draws_from_zero_and_equal_from_half) {
  auto policy = plain();
  policy.jitter = jitter_kind::full;
  BOOST_TEST((retry_delay(policy, rate_limited, 1, 0s, 0) == 0s));
  BOOST_TEST((retry_delay(policy, rate_limited, 1, 0s, 0.25) == 1s));
  policy.jitter = jitter_kind::equal;
  BOOST_TEST((retry_delay(policy, rate_limited, 1, 0s, 0) == 2s));
  BOOST_TEST((retry_delay(policy, rate_limited, 1, 0s, 0.5) == 3s));
}

BOOST_AUTO_TEST_CASE(decorrelated_jitter_draws_between_the_base_and_three_times_the_delay_before) {
  auto policy = plain();
  policy.jitter = jitter_kind::decorrelated;
  BOOST_TEST((retry_delay(policy, rate_limited, 3, 4s, 0) == 2s));
  BOOST_TEST((retry_delay(policy, rate_limited, 3, 4s, 0.5) == 7s));
  BOOST_TEST((retry_delay(policy, rate_limited, 0, 0s, 0.5) == 4s)); // nothing before counts as the base
  BOOST_TEST((retry_delay(policy, rate_limited, 3, 50s, 0.9) == 60s));
}

BOOST_AUTO_TEST_CASE(whatever_is_passed_in_the_delay_is_between_zero_and_the_cap) {
  std::mt19937_64 random(23);
  const auto any_of = [&](auto list) { return list[random() % list.size()]; };
  const std::vector<duration> spans = {duration::min(), -1s, 0s, 1ns, 1s, 60s, 24h, duration::max()};
  const std::vector<double> draws = {0, 0.5, 1, 2, -1, std::nextafter(1.0, 0.0), std::nan("")};
  const std::vector<int> retries = {std::numeric_limits<int>::min(), -1, 0, 1, 62, 64, std::numeric_limits<int>::max()};
  for (int i = 0; i < 20'000; ++i) {
    retry_policy policy;
    policy.backoff = static_cast<backoff_kind>(random() % 2);
    policy.jitter = static_cast<jitter_kind>(random() % 4);
    policy.base_delay = any_of(spans);
    policy.max_delay = any_of(spans);
    policy.rate_limit_delay = any_of(spans);
    const auto what = static_cast<failure_class>(random() % failure_class_count);
    const duration delay = retry_delay(policy, what, any_of(retries), any_of(spans), any_of(draws));
    BOOST_REQUIRE((delay >= 0s && delay <= std::max<duration>(policy.max_delay, 0s)));
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace backoff_test
