// Providers and keys: defaults, ranges, names, and who is left out for want of a variable.
#include "tests/config/sample.hpp"

namespace providers_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

/// One provider in a line: `more` goes into it, `keys` into its list.
std::string one_provider(const std::string& more, const std::string& keys = "{ name: k, secret: s }") {
  return "providers: [ { name: one, base_url: http://one, keys: [ " + keys + " ]" + (more.empty() ? "" : ", " + more) +
         " } ]\nmodels: [ { name: m, targets: [ { provider: one } ] } ]\n" + doors;
}

} // namespace

BOOST_AUTO_TEST_SUITE(providers_and_keys)

BOOST_AUTO_TEST_CASE(a_provider_left_to_its_defaults_has_those_of_its_dialect) {
  const auto result = load(one_provider("dialect: openai"));
  expect_fine(result);
  const auto& p = result.value->providers.at(0);
  BOOST_TEST(p.pool_connections == 50u);
  BOOST_TEST(p.pool_per_host == 20u);
  BOOST_TEST((p.rest == duration(60s)));
  BOOST_TEST((p.timeouts.connect == duration(5s)));
  BOOST_TEST((p.timeouts.first_byte == duration(30s)));
  BOOST_TEST((p.timeouts.idle == duration(30s)));
  BOOST_TEST((p.timeouts.total == duration(120s)));
  BOOST_TEST(p.breaker.failure_threshold == 5);
  BOOST_TEST((p.breaker.recovery_timeout == duration(30s)));
  BOOST_TEST(p.breaker.success_threshold == 2);
  BOOST_TEST(p.ways.at(0).proxy == "");
}

BOOST_AUTO_TEST_CASE(a_provider_says_everything_itself) {
  const auto result =
      load(one_provider("pool: { connections: 4, per_host: 2 }, rest: 5s, proxy: \"socks5://u:p@h:1080\", timeouts: { "
                        "connect: 1s, first_byte: 2s, idle: 3s, total: 4s }, breaker: { failure_threshold: 1, "
                        "recovery_timeout: 2s, success_threshold: 3 }"));
  expect_fine(result);
  const auto& p = result.value->providers.at(0);
  BOOST_TEST(p.pool_connections == 4u);
  BOOST_TEST(p.pool_per_host == 2u);
  BOOST_TEST((p.rest == duration(5s)));
  BOOST_TEST(p.ways.at(0).proxy == "socks5://u:p@h:1080");
  BOOST_TEST((p.timeouts.total == duration(4s)));
  BOOST_TEST(p.breaker.success_threshold == 3);
}

BOOST_AUTO_TEST_CASE(a_breaker_is_configured_down_to_its_ramp) {
  const auto result = load(one_provider("breaker: { failure_rate: 0.25, min_calls: 8, window: 30s, slow_call: 4s, "
                                        "slow_rate: 0.5, ramp: 20s }"));
  expect_fine(result);
  const auto& b = result.value->providers.at(0).breaker;
  BOOST_TEST(b.failure_rate == 0.25);
  BOOST_TEST(b.min_calls == 8);
  BOOST_TEST((b.window == duration(30s)));
  BOOST_TEST((b.slow_call == duration(4s)));
  BOOST_TEST(b.slow_rate == 0.5);
  BOOST_TEST((b.ramp == duration(20s)));
  expect_error(load(one_provider("breaker: { failure_rate: 0 }")),
               "m.yaml:1:108: providers[0].breaker.failure_rate: must be a number from 0.01 to 1");
  expect_error(load(one_provider("breaker: { window: 1ms }")),
               "m.yaml:1:102: providers[0].breaker.window: must be from 100ms to 1h");
}

BOOST_AUTO_TEST_CASE(the_sections_timeouts_and_breaker_are_defaults_wherever_they_stand) {
  const auto result =
      load(one_provider("timeouts: { idle: 3s }, breaker: { success_threshold: 7 }") +
           "timeouts: { idle: 9s, total: 99s }\nbreaker: { failure_threshold: 8, success_threshold: 9 }\n");
  expect_fine(result);
  const auto& p = result.value->providers.at(0);
  BOOST_TEST((p.timeouts.idle == duration(3s)));
  BOOST_TEST((p.timeouts.total == duration(99s)));
  BOOST_TEST((p.timeouts.connect == duration(5s)));
  BOOST_TEST(p.breaker.failure_threshold == 8);
  BOOST_TEST(p.breaker.success_threshold == 7);
}

BOOST_AUTO_TEST_CASE(the_base_url_loses_its_trailing_slashes) {
  const auto result =
      load(with_providers("providers:\n"
                          "  - { name: one, base_url: https://h/v1/, keys: [ { name: a, secret: s } ] }\n"
                          "  - { name: two, base_url: https://h//, keys: [ { name: b, secret: s } ] }\n"));
  expect_fine(result);
  BOOST_TEST(result.value->providers[0].ways.at(0).base_url == "https://h/v1");
  BOOST_TEST(result.value->providers[1].ways.at(0).base_url == "https://h");
}

BOOST_AUTO_TEST_CASE(a_small_pool_keeps_the_default_per_host_within_it) {
  const auto result = load(one_provider("pool: { connections: 3 }"));
  expect_fine(result);
  BOOST_TEST(result.value->providers[0].pool_per_host == 3u);
  expect_error(load(one_provider("pool: { connections: 3, per_host: 4 }")),
               "m.yaml:1:89: providers[0].pool: per_host must not be above connections");
}

BOOST_AUTO_TEST_CASE(every_dialect_has_its_pool_and_its_header_for_the_key) {
  const auto line = [](const std::string& more) {
    const auto result = load(one_provider(more));
    expect_fine(result);
    const auto& p = result.value->providers.at(0);
    return p.key_line(p.keys[0]).reveal();
  };
  BOOST_TEST(line("") == "authorization: Bearer s");
  BOOST_TEST(line("dialect: anthropic") == "x-api-key: s");
  BOOST_TEST(line("dialect: gemini") == "x-goog-api-key: s");
  BOOST_TEST(line("key_header: api-key") == "api-key: s");
  const auto anthropic = load(one_provider("dialect: anthropic, unsupported: drop"));
  BOOST_TEST(anthropic.value->providers[0].pool_connections == 30u);
  BOOST_TEST(anthropic.value->providers[0].pool_per_host == 15u);
  BOOST_TEST(anthropic.value->providers[0].leaves_out_unsupported);
  BOOST_TEST(!load(one_provider("unsupported: error")).value->providers[0].leaves_out_unsupported);
  BOOST_TEST(load(one_provider("dialect: gemini")).value->providers[0].pool_per_host == 10u);
}

BOOST_AUTO_TEST_CASE(another_dialect_or_header_is_an_error_that_says_what_may_stand_there) {
  expect_error(load(one_provider("dialect: cohere")),
               "m.yaml:1:92: providers[0].dialect: must be openai, anthropic or gemini");
  expect_error(load(one_provider("key_header: \"Api Key\"")),
               "m.yaml:1:95: providers[0].key_header: is no name of a header in lower case, such as api-key");
}

BOOST_AUTO_TEST_CASE(names_are_unique_and_keys_over_all_providers) {
  expect_error(load(with_providers("providers:\n"
                                   "  - { name: one, base_url: http://h, keys: [ { name: k, secret: s } ] }\n"
                                   "  - { name: two, base_url: http://h, keys: [ { name: k, secret: t } ] }\n")),
               "m.yaml:3:54: providers[1].keys[0].name: the key k is already defined in line 2");
  expect_error(load(one_provider("", "{ name: k, secret: s }, { name: k, secret: t }")),
               "m.yaml:1:89: providers[0].keys[1].name: the key k is already defined in line 1");
  expect_error(
      load(with_providers(providers + "  - { name: one, base_url: http://h, keys: [ { name: k9, secret: s } ] }\n")),
      "m.yaml:4:13: providers[2].name: the provider one is already defined in line 2");
}

BOOST_AUTO_TEST_CASE(numbers_out_of_range_are_errors) {
  for (const char* rpm : {"0", "-1", "1.5", "1e3", "many", "0x10", "99999999999", "\"\"", "\" 5\""})
    expect_error(load(one_provider("", "{ name: k, secret: s, rpm: " + std::string(rpm) + " }")),
                 "m.yaml:1:84: providers[0].keys[0].rpm: must be a whole number from 1 to 1000000000");
  for (const char* weight : {"0", "-1", ".inf", "nan", "inf", "1e99", "much"})
    expect_error(load(one_provider("", "{ name: k, secret: s, weight: " + std::string(weight) + " }")),
                 "m.yaml:1:87: providers[0].keys[0].weight: a weight must be a number above 0, at most 1e+06");
  expect_error(load(one_provider("rest: 8d")), "m.yaml:1:89: providers[0].rest: must be from 1ms to 7d");
  expect_error(load(one_provider("timeouts: { connect: 0s }")),
               "m.yaml:1:104: providers[0].timeouts.connect: must be from 1ms to 1h");
}

BOOST_AUTO_TEST_CASE(limits_for_some_models_are_mappings_of_limits) {
  const std::string key = "{ name: k, secret: s, models: ";
  expect_error(load(one_provider("", key + "{ } }")),
               "m.yaml:1:87: providers[0].keys[0].models: is empty: fill it, or leave it out");
  expect_error(load(one_provider("", key + "{ \"o1-*\": { } } }")),
               "m.yaml:1:97: providers[0].keys[0].models[\"o1-*\"]: gives no limit: add rpm, rps, tpm or concurrency");
  expect_error(load(one_provider("", key + "{ o1: { rmp: 5 } } }")),
               "m.yaml:1:95: providers[0].keys[0].models.o1.rmp: unknown key; did you mean rpm?");
}

BOOST_AUTO_TEST_CASE(a_secret_with_a_line_end_or_blank_is_an_error_that_does_not_show_it) {
  for (const char* value : {"hunter2\n", "hun ter2", "hunter2\r", "hunter2\x01", "\xe2\x80\x9chunter2", "hunter2\x7f"})
    expect_error(load(one_provider("", "{ name: k, secret: \"${KEY}\" }"), {{"KEY", value}}),
                 "m.yaml:1:76: providers[0].keys[0].secret: must be visible ASCII: it holds a blank, a line end, "
                 "another control "
                 "character or a non-ASCII letter");
}

BOOST_AUTO_TEST_CASE(an_empty_secret_is_an_error_unless_a_default_made_it_so) {
  expect_error(load(one_provider("", "{ name: k, secret: \"\" }")),
               "m.yaml:1:76: providers[0].keys[0].secret: is empty");
  expect_error(load(one_provider("", "{ name: k, secret: \"${KEY}\" }")),
               "m.yaml:1:76: providers[0].keys[0].secret: the environment variable KEY is not set");
}

BOOST_AUTO_TEST_CASE(a_key_without_its_variable_is_left_out_with_a_warning) {
  const auto result = load(with_providers("providers:\n"
                                          "  - { name: one, base_url: http://h, keys: [ { name: a, secret: \"${A:-}\" "
                                          "}, { name: b, secret: \"${B:-}\" } ] }\n"
                                          "  - { name: two, base_url: http://h, keys: [ { name: c, secret: s } ] }\n"),
                           {{"B", "hunter2hunter2"}});
  expect_fine(result);
  BOOST_TEST_REQUIRE(result.value->providers[0].keys.size() == 1u);
  BOOST_TEST(result.value->providers[0].keys[0].name == "b");
  BOOST_TEST_REQUIRE(result.warnings.size() == 1u);
  BOOST_TEST(to_string(result.warnings[0]) ==
             "m.yaml:2:65: providers[0].keys[0].secret: the key a is left out; set A to use it");
}

BOOST_AUTO_TEST_CASE(a_provider_without_a_key_or_an_address_is_left_out_with_one_warning_and_its_targets_too) {
  const auto result =
      load(with_providers("providers:\n"
                          "  - { name: one, base_url: http://h, keys: [ { name: a, secret: \"${A:-}\" }, { name: b, "
                          "secret: \"${B:-}\" } ] }\n"
                          "  - { name: two, base_url: http://h, keys: [ { name: c, secret: s } ] }\n"
                          "  - { name: three, base_url: \"${URL:-}\", keys: [ { name: d, secret: \"${D:-}\" } ] }\n"));
  expect_fine(result);
  BOOST_TEST_REQUIRE(result.value->providers.size() == 1u);
  BOOST_TEST(result.value->providers[0].name == "two");
  const auto& ladder = result.value->model("m")->ladder;
  BOOST_TEST_REQUIRE(ladder.size() == 1u);
  BOOST_TEST_REQUIRE(ladder[0].size() == 1u);
  BOOST_TEST(ladder[0][0].provider == "two");
  const auto found = lines(result.warnings);
  BOOST_TEST_REQUIRE(found.size() == 3u, all(result));
  BOOST_TEST(found[0] ==
             "m.yaml:2:65: providers[0].keys[0].secret: the provider one is left out; set A or B to use it");
  BOOST_TEST(found[1] == "m.yaml:4:30: providers[2].base_url: the provider three is left out; set URL to use it");
  BOOST_TEST(found[2] ==
             "m.yaml:7:13: models[0].name: the model m depends on the provider two alone: while that fails, "
             "nothing answers");
}

BOOST_AUTO_TEST_CASE(with_no_provider_left_the_error_says_what_to_set) {
  expect_error(load(one_provider("", "{ name: k, secret: \"${A:-}\" }, { name: l, secret: \"${B:-}\" }")),
               "m.yaml:1:12: providers: no provider has a key: set A or B");
}

BOOST_AUTO_TEST_CASE(an_empty_proxy_variable_means_no_proxy) {
  const auto result = load(one_provider("proxy: \"${PROXY:-}\""));
  expect_fine(result);
  BOOST_TEST(result.value->providers[0].ways.at(0).proxy == "");
  expect_error(load(one_provider("proxy: \"ftp://u:hunter2@h\"")),
               "m.yaml:1:90: providers[0].proxy: must begin with http://, https://, socks4://, socks4a://, socks5:// "
               "or socks5h://");
}

namespace {

std::string with_ways(const std::string& ways) {
  return "providers: [ { name: one, keys: [ { name: k, secret: s } ], " + ways +
         " } ]\nmodels: [ { name: m, targets: [ { provider: one } ] } ]\n" + doors;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_base_url_is_one_way_named_by_its_host) {
  const auto result = load(one_provider("region: eu"));
  expect_fine(result);
  const auto& p = result.value->providers.at(0);
  BOOST_TEST(p.ways.size() == 1u);
  BOOST_TEST(p.ways[0].name == "one");
  BOOST_TEST(p.ways[0].region == "eu");
  BOOST_TEST(p.stands_in("eu"));
  BOOST_TEST(!p.stands_in("us"));
  BOOST_TEST(p.slots() == 20u);
}

BOOST_AUTO_TEST_CASE(endpoints_have_weights_and_regions_and_each_proxy_makes_a_way_of_its_own) {
  const auto result = load(with_ways(
      "region: us, pool: { connections: 50, per_host: 20 }, proxies: [ \"http://u:secret@p1:3128\", socks5h://p2:1080 "
      "], "
      "endpoints: [ { url: https://a.example/v1/, weight: 3 }, { url: https://b.example:8443/v1, region: eu, proxy: "
      "https://p3, name: frankfurt } ]"));
  expect_fine(result);
  const auto& p = result.value->providers.at(0);
  BOOST_REQUIRE(p.ways.size() == 3u);
  BOOST_TEST(p.ways[0].name == "a.example via p1:3128");
  BOOST_TEST(p.ways[0].proxy == "http://u:secret@p1:3128");
  BOOST_TEST(p.ways[0].base_url == "https://a.example/v1");
  BOOST_TEST(p.ways[0].region == "us");
  BOOST_TEST(p.ways[0].weight == 1.5); // three for the endpoint
  BOOST_TEST(p.ways[1].name == "a.example via p2:1080");
  BOOST_TEST(p.ways[2].name == "frankfurt via p3");
  BOOST_TEST(p.ways[2].host == "b.example:8443");
  BOOST_TEST(p.ways[2].region == "eu");
  BOOST_TEST(p.way("frankfurt via p3") == &p.ways[2]);
  BOOST_TEST(p.way("gone") == &p.ways[0]);
  BOOST_TEST(p.way("a.example via p1:3128", "eu") == &p.ways[2]); // never outside the region
  BOOST_TEST(p.way({}, "moon") == nullptr);
  BOOST_TEST(p.slots() == 40u); // two hosts
}

BOOST_AUTO_TEST_CASE(endpoints_that_cannot_be_told_apart_or_contradict_are_errors) {
  const auto found = [](const std::string& ways) {
    std::string all;
    for (auto& line : lines(load(with_ways(ways)).errors)) all += line + "\n";
    return all;
  };
  BOOST_TEST(found("endpoints: [ { url: https://a/v1 }, { url: https://a/v2 } ]").find("endpoint") !=
             std::string::npos);
  BOOST_TEST(found("endpoints: [ { url: https://a/v1 }, { url: https://a/v2, name: b } ]") == "");
  BOOST_TEST(found("base_url: https://a, endpoints: [ { url: https://b } ]").find("beside base_url") !=
             std::string::npos);
  BOOST_TEST(found("base_url: https://a, proxy: http://p, proxies: [ http://q ]").find("beside proxy") !=
             std::string::npos);
  BOOST_TEST(found("base_url: https://a, proxies: [ \"http://p\", \"socks5://p\" ]").find("twice") !=
             std::string::npos);
  BOOST_TEST(found("endpoints: [ { weight: 2 } ]").find("url") != std::string::npos);
  BOOST_TEST(found("endpoints: [ { url: ftp://a } ]").find("https://") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_endpoint_left_to_a_variable_that_is_not_set_is_left_out) {
  const auto result = load(with_ways("endpoints: [ { url: \"${A:-}\" }, { url: https://b } ]"));
  BOOST_REQUIRE(result.value);
  BOOST_TEST(result.value->providers.at(0).ways.size() == 1u);
  BOOST_TEST(result.value->providers.at(0).ways[0].host == "b");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace providers_test
