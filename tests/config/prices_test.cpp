// The price list in LiteLLM's schema, and the settings that need it.
#include "config/price_list.hpp"
#include "tests/config/sample.hpp"

namespace prices_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

price_table good(const std::string& json) {
  auto read = parse_price_list(json);
  if (auto* problem = std::get_if<std::string>(&read)) BOOST_FAIL(*problem);
  return std::get<price_table>(std::move(read));
}
std::string wrong(const std::string& json) {
  auto read = parse_price_list(json);
  auto* problem = std::get_if<std::string>(&read);
  return problem ? *problem : "nothing";
}
const std::string ours = MAINSTAY_SOURCE_DIR "/config/prices.json";

} // namespace

BOOST_AUTO_TEST_SUITE(price_lists)

BOOST_AUTO_TEST_CASE(reads_what_is_paid_by_the_token_and_leaves_the_rest_alone) {
  const auto t = good(R"({
    "sample_spec": {"max_tokens": "LEGACY parameter", "input_cost_per_token": "what it costs"},
    "m": {"input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1e-06, "cache_creation_input_token_cost": 3e-06,
          "output_cost_per_reasoning_token": 2e-05, "litellm_provider": "x", "max_tokens": 4096,
          "input_cost_per_token_above_128k_tokens": 4e-06, "supports_vision": true,
          "search_context_cost_per_query": {"low": 0.03}},
    "picture": {"mode": "image_generation", "input_cost_per_pixel": 1.9e-08},
    "vectors": {"input_cost_per_token": 1e-07, "output_cost_per_token": null}})");
  BOOST_TEST(t.size() == 2u);
  const auto* m = t.find("any", "m");
  BOOST_REQUIRE(m);
  BOOST_TEST((m->usual.input == 2e-06 && m->usual.output == 1e-05));
  BOOST_TEST((m->usual.cached == 1e-06 && m->usual.reasoning == 2e-05 && m->usual.cache_write == 3e-06));
  BOOST_REQUIRE(m->long_prompts.size() == 1u);
  const auto& dear = m->long_prompts.at(128'000);
  BOOST_TEST((dear.input == 4e-06 && dear.output == 1e-05 && dear.cached == 1e-06));
  BOOST_TEST(t.cost("any", "vectors", {10, 3, 0, 0}).value() == 1e-06);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_told_with_the_model) {
  BOOST_TEST(wrong("{\"m\": ").starts_with("is no JSON: "));
  BOOST_TEST(wrong("[]") == "must be an object whose members are models");
  BOOST_TEST(wrong(R"({"m": 1})") == "m: is no object");
  BOOST_TEST(wrong(R"({"m": {"input_cost_per_token": "2"}})") == "m: input_cost_per_token: is no number");
  BOOST_TEST(wrong(R"({"m": {"input_cost_per_token": 1, "output_cost_per_token": -1}})") ==
             "m: output_cost_per_token: must be US dollars per token, 0 to 100");
}

BOOST_AUTO_TEST_CASE(the_shipped_list_prices_every_model_of_the_shipped_configuration) {
  const auto read = read_price_list(ours);
  BOOST_REQUIRE(std::holds_alternative<price_table>(read));
  const auto s =
      load_file(MAINSTAY_SOURCE_DIR "/config/mainstay.yaml", fake({{"MAINSTAY_PRICES", ours},
                                                                   {"OPENAI_API_KEY", "sk-openai-123456789"},
                                                                   {"ANTHROPIC_API_KEY", "sk-anthropic-123456789"},
                                                                   {"GEMINI_API_KEY", "sk-gemini-123456789"},
                                                                   {"MAINSTAY_MOCK_A_URL", "http://127.0.0.1:1/v1"},
                                                                   {"MAINSTAY_MOCK_B_URL", "http://127.0.0.1:2/v1"}}));
  expect_fine(s);
  BOOST_REQUIRE(s.value->prices);
  for (const auto& m : s.value->models)
    for (const auto& rung : m.ladder)
      for (const auto& t : rung)
        if (!t.model.empty()) BOOST_TEST(s.value->prices->find(t.provider, t.model), t.provider << "/" << t.model);
}

BOOST_AUTO_TEST_CASE(a_list_that_cannot_be_read_is_an_error_with_its_place) {
  expect_error(load(with("prices: /nowhere/prices.json\n")),
               "m.yaml:1:9: prices: cannot read /nowhere/prices.json: No such file or directory");
  const auto fine = load(with("prices: " + ours + "\n"));
  expect_fine(fine);
  BOOST_TEST(fine.value->prices->size() > 10u);
}

BOOST_AUTO_TEST_CASE(a_budget_is_in_dollars_and_needs_prices) {
  const std::string clients = "clients: [ { name: shop, key: shop-key-0123456789, daily_usd: 2.5 } ]\n";
  expect_error(load(with(clients)), "m.yaml:1:63: clients[0].daily_usd: a budget needs the section prices: without it "
                                    "nobody knows what a call costs");
  const auto fine = load(with(clients + "prices: " + ours + "\n"));
  expect_fine(fine);
  BOOST_TEST((fine.value->clients[0].daily_usd == 2.5));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace prices_test
