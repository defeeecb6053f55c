// The section alerts: thresholds, whom to tell.
#include "tests/config/sample.hpp"

namespace alerts_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

BOOST_AUTO_TEST_SUITE(alerts_section)

BOOST_AUTO_TEST_CASE(without_the_section_rates_are_not_judged) { BOOST_TEST(!load(with("")).value->alerts); }

BOOST_AUTO_TEST_CASE(an_empty_one_has_what_the_field_recommends) {
  const auto result = load(with("alerts: {}\n"));
  expect_fine(result);
  const auto& a = *result.value->alerts;
  BOOST_TEST((a.rates.at("success_rate") == alert_rule{0.98, 0.95, true, 1min}));
  BOOST_TEST((a.rates.at("latency_p99") == alert_rule{10, 30, false, 1min}));
  BOOST_TEST((a.rates.at("retry_rate") == alert_rule{0.05, 0.10, false, 1min}));
  BOOST_TEST((a.rates.at("rate_limited") == alert_rule{0.01, {}, false, 1min}));
  BOOST_TEST((a.rates.at("server_error") == alert_rule{0.005, {}, false, 1min}));
  BOOST_TEST((a.min_requests == 20u && !a.webhook && !a.webhook_secret));
}

BOOST_AUTO_TEST_CASE(what_is_given_counts_alone) {
  const auto result = load(with("alerts: { latency_p99: { critical: 500ms }, for: 5s, min_requests: 3, "
                                "webhook: \"http://127.0.0.1:9000/hook/0123456789\", webhook_secret: shh-shh-shh }\n"));
  expect_fine(result);
  const auto& a = *result.value->alerts;
  BOOST_TEST((a.rates.at("latency_p99") == alert_rule{{}, 0.5, false, 5s}));
  BOOST_TEST((a.rates.at("success_rate") == alert_rule{0.98, 0.95, true, 5s}));
  BOOST_TEST(a.webhook->reveal() == "http://127.0.0.1:9000/hook/0123456789");
  BOOST_TEST(a.webhook_secret->reveal() == "shh-shh-shh");
}

BOOST_AUTO_TEST_CASE(a_signal_may_have_a_time_of_its_own) {
  const auto result =
      load(with("alerts: { for: 5s, latency_p99: { for: 30s }, retry_rate: { warning: 0.2, for: 0ms } }\n"));
  expect_fine(result);
  const auto& a = *result.value->alerts;
  BOOST_TEST((a.rates.at("latency_p99") == alert_rule{10, 30, false, 30s}));
  BOOST_TEST((a.rates.at("retry_rate") == alert_rule{0.2, {}, false, 0ms}));
  BOOST_TEST((a.rates.at("success_rate") == alert_rule{0.98, 0.95, true, 5s}));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_told_with_its_place) {
  expect_error(load(with("alerts: { latency_p99: { warning: 10 } }\n")),
               "m.yaml:1:35: alerts.latency_p99.warning: is not a duration: write a number and its unit, such as "
               "250ms, 5s, 2m, 1h or 1d");
  expect_error(load(with("alerts: { success_rate: { warning: 0.9, critical: 0.95 } }\n")),
               "m.yaml:1:25: alerts.success_rate: critical must not lie above warning");
  expect_error(load(with("alerts: { retry_rate: { warning: 0.1, critical: 0.05 } }\n")),
               "m.yaml:1:23: alerts.retry_rate: critical must not lie below warning");
  expect_error(load(with("alerts: { retry_rate: { } }\n")),
               "m.yaml:1:23: alerts.retry_rate: gives no threshold: add warning or critical");
  expect_error(load(with("alerts: { webhook_secret: shh-shh-shh }\n")),
               "m.yaml:1:27: alerts.webhook_secret: signs nothing without webhook");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace alerts_test
