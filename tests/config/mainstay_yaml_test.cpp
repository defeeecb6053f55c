// The file we ship: with any of the accounts, with the mock providers, and with nothing.
#include "tests/config/sample.hpp"

namespace mainstay_yaml_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

loaded shipped(variables values) {
  values.emplace("MAINSTAY_PRICES", MAINSTAY_SOURCE_DIR "/config/prices.json");
  return load_file(MAINSTAY_SOURCE_DIR "/config/mainstay.yaml", fake(std::move(values)));
}

std::string providers_of(const loaded& result) {
  std::string out;
  for (const auto& one : result.value->providers) out += one.name + " ";
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(the_shipped_file)

BOOST_AUTO_TEST_CASE(with_a_real_key_the_real_provider_is_used) {
  const auto result = shipped({{"OPENAI_API_KEY", "sk-hunter2"}});
  expect_fine(result);
  BOOST_TEST(providers_of(result) == "openai ");
  const auto& s = *result.value;
  BOOST_TEST(s.node == "alpha");
  BOOST_TEST(s.provider("openai")->ways.at(0).base_url == "https://api.openai.com/v1");
  BOOST_TEST(s.provider("openai")->keys.at(0).secret_value.reveal() == "sk-hunter2");
  BOOST_TEST(s.model("smart")->ladder.at(0).at(0).model == "gpt-4o");
  BOOST_TEST(s.model("gpt-5")->ladder.at(0).at(0).model == "");
  BOOST_TEST(!s.model("claude-x"));
  BOOST_TEST_REQUIRE(!!s.cache);
  BOOST_TEST(!s.cache->redis_url);
  BOOST_TEST(!s.cache->sqlite);
  BOOST_TEST(all(result).find("sk-hunter2") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(with_every_account_each_one_stands_in_for_the_others) {
  const auto result = shipped({{"OPENAI_API_KEY", "a"},
                               {"ANTHROPIC_API_KEY", "b"},
                               {"GEMINI_API_KEY", "c"},
                               {"MAINSTAY_REDIS_URL", "redis://127.0.0.1:6379/0"}});
  expect_fine(result);
  BOOST_TEST(providers_of(result) == "openai anthropic gemini ");
  const auto& ladder = result.value->model("smart")->ladder;
  BOOST_TEST_REQUIRE(ladder.size() == 4u);
  BOOST_TEST(ladder[1][0].model == "claude-sonnet-4-5");
  BOOST_TEST(ladder[2][0].model == "gemini-2.5-pro");
  BOOST_TEST(ladder[3][0].model == "gpt-4o-mini");
  BOOST_TEST(!!result.value->model("claude-x"));
  BOOST_TEST(!!result.value->cache->redis_url);
}

BOOST_AUTO_TEST_CASE(with_the_mock_providers_it_runs_without_an_account) {
  const auto result = shipped(
      {{"MAINSTAY_MOCK_A_URL", "http://127.0.0.1:9001/v1"}, {"MAINSTAY_MOCK_B_URL", "http://127.0.0.1:9002/v1"}});
  expect_fine(result);
  BOOST_TEST(providers_of(result) == "mock-a mock-b ");
  BOOST_TEST(result.value->provider("mock-a")->keys.size() == 2u);
  const auto& ladder = result.value->model("smart")->ladder;
  BOOST_TEST_REQUIRE(ladder.size() == 3u);
  BOOST_TEST(ladder[0][0].provider == "mock-a");
  BOOST_TEST(ladder[1][0].provider == "mock-b");
  BOOST_TEST(ladder[2][0].model == "mock-small");
  for (const auto& warning : result.warnings)
    BOOST_TEST(warning.what.find(" is left out") != std::string::npos, to_string(warning));
}

BOOST_AUTO_TEST_CASE(with_nothing_set_the_error_says_what_to_set) {
  const auto result = shipped({});
  BOOST_TEST(!result.value);
  BOOST_TEST_REQUIRE(result.errors.size() == 1u);
  BOOST_TEST(result.errors[0].what == "no provider has a key: set OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, "
                                      "MAINSTAY_MOCK_A_URL or MAINSTAY_MOCK_B_URL");
}

BOOST_AUTO_TEST_CASE(another_address_of_openai_may_be_given) {
  const auto result = shipped({{"OPENAI_API_KEY", "k"}, {"OPENAI_BASE_URL", "http://127.0.0.1:9000/v1/"}});
  expect_fine(result);
  BOOST_TEST(result.value->provider("openai")->ways.at(0).base_url == "http://127.0.0.1:9000/v1");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace mainstay_yaml_test
