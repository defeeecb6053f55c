// Tiers: the shipped numbers, what a key gives itself, what the file changes in the table.
#include "tests/config/sample.hpp"

namespace tiers_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

loaded with_key(const std::string& fields, const std::string& more = "") {
  return load("providers: [ { name: one, base_url: http://h, keys: [ { name: k, secret: s, " + fields + " } ] } ]\n" +
              doors + "models: [ { name: m, targets: [ { provider: one } ] } ]\n" + more);
}

key_settings key_of(const loaded& result) {
  expect_fine(result);
  return result.value->providers.at(0).keys.at(0);
}

/// The limits that count for that model, as the governor finds them.
limit_set limits_for(const key_settings& key, const std::string& model) {
  for (const auto& [pattern, limits] : key.models)
    if (glob_match(pattern, model)) return limits;
  return key.limits;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tiers)

BOOST_AUTO_TEST_CASE(a_tier_fills_in_what_the_field_reports_of_it) {
  struct row {
    int tier;
    std::uint32_t preview, mini, full; // 0: no access
    std::uint64_t tpm, monthly;        // 0: none
    std::uint32_t concurrency;
  };
  for (const row& r : {row{2, 10, 20, 0, 0, 10'000, 0}, row{3, 25, 50, 0, 0, 50'000, 0},
                       row{4, 50, 100, 20, 75'000, 500'000, 10}, row{5, 100, 250, 50, 150'000, 0, 25}}) {
    const auto key = key_of(with_key("tier: " + std::to_string(r.tier)));
    BOOST_TEST(limits_for(key, "o1-preview").rpm.value_or(0) == r.preview);
    BOOST_TEST(limits_for(key, "o1-preview-2024-09-12").rpm.value_or(0) == r.preview);
    BOOST_TEST(limits_for(key, "o1-mini").rpm.value_or(0) == r.mini);
    BOOST_TEST(limits_for(key, "o1").rpm.value_or(0) == r.full);
    BOOST_TEST(limits_for(key, "o1-2024-12-17").rpm.value_or(0) == r.full);
    BOOST_TEST(key.serves("o1") == (r.full > 0));
    for (const char* model : {"o1-preview", "o1-mini", "gpt-4o"})
      BOOST_TEST(limits_for(key, model).tpm.value_or(0) == r.tpm);
    BOOST_TEST(!limits_for(key, "gpt-4o").rpm);
    BOOST_TEST(key.limits.monthly.value_or(0) == r.monthly);
    BOOST_TEST(key.limits.concurrency.value_or(0) == r.concurrency);
  }
}

BOOST_AUTO_TEST_CASE(a_tier_only_fills_in_what_is_not_given) {
  const auto key =
      key_of(with_key("tier: 4, tpm: 1000, concurrency: 3, monthly_requests: 7, models: { o1-mini: { rpm: 5 }, "
                      "\"o1-*\": { tpm: 9 } }"));
  BOOST_TEST(key.limits.concurrency.value() == 3u);
  BOOST_TEST(key.limits.monthly.value() == 7u);
  BOOST_TEST(key.limits.tpm.value() == 1000u);
  BOOST_TEST(limits_for(key, "o1-mini").rpm.value() == 5u);
  BOOST_TEST(limits_for(key, "o1-mini").tpm.value() == 1000u);
  BOOST_TEST(limits_for(key, "o1-preview").tpm.value() == 9u);
  BOOST_TEST(!limits_for(key, "o1-preview").rpm); // "o1-*" is more than any row of the table
  BOOST_TEST(limits_for(key, "o1").rpm.value() == 20u);
  BOOST_TEST(limits_for(key, "o1").tpm.value() == 1000u);
}

BOOST_AUTO_TEST_CASE(a_limit_given_for_the_whole_key_is_not_widened_by_a_row) {
  const auto key = key_of(with_key("tier: 5, rpm: 30"));
  BOOST_TEST(limits_for(key, "o1-mini").rpm.value() == 30u);
  BOOST_TEST(limits_for(key, "gpt-4o").rpm.value() == 30u);
}

BOOST_AUTO_TEST_CASE(the_file_changes_the_table_row_by_row) {
  const auto result =
      with_key("tier: 4", "tiers: { 4: { concurrency: none, tpm: 5, models: { o1: unavailable, \"o3*\": { "
                          "rpm: 3 } } }, 1: { rpm: 2 } }\n");
  const auto key = key_of(result);
  BOOST_TEST(!key.limits.concurrency);
  BOOST_TEST(key.limits.tpm.value() == 5u);
  BOOST_TEST(!key.serves("o1"));
  BOOST_TEST(limits_for(key, "o3-mini").rpm.value() == 3u);
  BOOST_TEST(limits_for(key, "o1-mini").rpm.value() == 100u);
  BOOST_TEST(key_of(with_key("tier: 1", "tiers: { 1: { rpm: 2 } }\n")).limits.rpm.value() == 2u);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_in_a_tier_is_told_with_its_place) {
  expect_error(with_key("tier: 6"),
               "m.yaml:1:83: providers[0].keys[0].tier: there is no tier 6 in the table: it has 2, 3, 4 and 5");
  expect_error(with_key("tier: four"), "m.yaml:1:83: providers[0].keys[0].tier: must be a whole number from 1 to 99");
  expect_error(load(with("tiers: { four: { rpm: 1 } }\n")), "m.yaml:1:16: tiers.four: a tier is a number from 1 to 99");
  expect_error(load(with("tiers: { 4: { rpn: 1 } }\n")), "m.yaml:1:15: tiers.4.rpn: unknown key; did you mean rpm?");
  expect_error(load(with("tiers: { 4: { rpm: 0 } }\n")),
               "m.yaml:1:20: tiers.4.rpm: must be a whole number from 1 to 1000000000");
  expect_error(load(with("tiers: { 4: { models: { o1: no } } }\n")),
               "m.yaml:1:29: tiers.4.models.o1: must be unavailable");
  expect_error(load(with("tiers: { 4: { models: { o1: {} } } }\n")),
               "m.yaml:1:29: tiers.4.models.o1: gives no limit: add rpm, rps or tpm, or write unavailable");
}

BOOST_AUTO_TEST_CASE(a_target_that_no_key_has_access_to_is_a_warning) {
  const auto result =
      load("providers: [ { name: one, base_url: http://h, keys: [ { name: k, secret: s, tier: 2 } ] } ]\n" + doors +
           "models: [ { name: o1, targets: [ { provider: one } ] } ]\n");
  expect_fine(result);
  const auto found = lines(result.warnings);
  BOOST_TEST_REQUIRE(found.size() == 2u, all(result));
  BOOST_TEST(found[1] == "m.yaml:3:19: models[0].name: no key of one has access to o1 at its tier");
}

BOOST_AUTO_TEST_CASE(bursts_months_and_hours_are_read) {
  const auto key =
      key_of(with_key("rpm: 60, burst: 0.2, monthly_requests: 1000, models: { m2: { rpm: 5, burst: 0.5 } }"));
  BOOST_TEST(key.limits.burst == 0.2);
  BOOST_TEST(key.limits.monthly.value() == 1000u);
  BOOST_TEST(limits_for(key, "m2").burst == 0.5);
  expect_error(with_key("burst: 2"), "m.yaml:1:84: providers[0].keys[0].burst: must be a number from 0 to 1");
  const auto hourly = load(with_providers("providers: [ { name: one, base_url: http://h, hourly_requests: 10000, keys: "
                                          "[ { name: k, secret: s } ] }, { name: "
                                          "two, base_url: http://h, keys: [ { name: l, secret: s } ] } ]\n"));
  expect_fine(hourly);
  BOOST_TEST(hourly.value->providers[0].hourly_requests.value() == 10'000u);
  BOOST_TEST(governor_view(*hourly.value).providers[0].hourly.value() == 10'000u);
  BOOST_TEST(!hourly.value->providers[1].hourly_requests);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace tiers_test
