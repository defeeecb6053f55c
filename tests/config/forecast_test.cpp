// The section forecast: shares or tokens, and against what.
#include "tests/config/sample.hpp"

namespace forecast_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

const std::string unknown_total = "not every provider key has a limit in tpm: only medium_tokens and high_tokens tell "
                                  "where the load is medium and high";

std::string limited(const std::string& first, const std::string& second) {
  return doors +
         "providers:\n"
         "  - { name: one, base_url: https://one.example/v1, keys: [ { name: k1, secret: sk-secret-one" +
         first + " } ] }\n" +
         "  - { name: two, base_url: https://two.example/v1, keys: [ { name: k2, secret: sk-secret-two" + second +
         " } ] }\n" + models;
}

} // namespace

BOOST_AUTO_TEST_SUITE(forecast_section)

BOOST_AUTO_TEST_CASE(without_the_section_nothing_is_done_about_the_load) {
  BOOST_TEST(!load(with("")).value->forecast);
}

BOOST_AUTO_TEST_CASE(medium_is_a_half_and_high_all_of_what_the_keys_may_together) {
  const auto result = load("forecast: {}\n" + limited(", tpm: 30000", ", tpm: 70000"));
  expect_fine(result);
  BOOST_TEST(all(result) == "");
  BOOST_TEST((total_tpm(*result.value) == 100'000));
  const auto begins = result.value->forecast->against(total_tpm(*result.value));
  BOOST_TEST((begins.medium == 50'000 && begins.high == 100'000));
}

BOOST_AUTO_TEST_CASE(tokens_count_instead_of_shares_and_need_no_total) {
  const auto result = load(with("forecast: { medium_tokens: 50000, high_tokens: 100000 }\n"));
  expect_fine(result);
  BOOST_TEST(all(result) == "");
  BOOST_TEST(!total_tpm(*result.value));
  const auto begins = result.value->forecast->against({});
  BOOST_TEST((begins.medium == 50'000 && begins.high == 100'000));
}

BOOST_AUTO_TEST_CASE(shares_of_nobody_knows_what_are_warned_of) {
  const auto result = load(with("forecast: { medium: 0.4, high: 0.8 }\n"));
  expect_fine(result);
  BOOST_TEST(all(result) == "warning: m.yaml:1:11: forecast: " + unknown_total + "\n");
  BOOST_TEST(!total_tpm(*load(limited(", tpm: 30000", "")).value));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_told_with_its_place) {
  expect_error(load(with("forecast: { mediun: 0.5 }\n")),
               "m.yaml:1:13: forecast.mediun: unknown key; did you mean medium?");
  expect_error(load(with("forecast: { high: 0.5, high_tokens: 5 }\n")),
               "m.yaml:1:37: forecast.high_tokens: says again what high says");
  expect_error(load(with("forecast: { medium_tokens: 6, high_tokens: 5 }\n")),
               "m.yaml:1:11: forecast: medium must not begin above high");
  expect_error(load(with("forecast: { medium: 0.9, high: 0.8 }\n")),
               "m.yaml:1:11: forecast: medium must not begin above high");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace forecast_test
