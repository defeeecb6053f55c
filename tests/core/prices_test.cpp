// What a call comes to.
#include "core/prices.hpp"

#include <boost/test/unit_test.hpp>

namespace prices_test {

using namespace mainstay;

namespace {

model_price simple() {
  model_price p;
  p.usual.input = 2;
  p.usual.output = 10;
  return p;
}

} // namespace

BOOST_AUTO_TEST_SUITE(prices)

BOOST_AUTO_TEST_CASE(input_and_output_have_their_prices) {
  BOOST_TEST(cost_of(simple(), {}) == 0);
  BOOST_TEST(cost_of(simple(), {3, 5, 0, 0}) == 2 * 3 + 10 * 5);
}

BOOST_AUTO_TEST_CASE(cached_and_reasoning_tokens_are_parts_and_not_counted_twice) {
  auto p = simple();
  BOOST_TEST(cost_of(p, {3, 5, 2, 4}) == 2 * 3 + 10 * 5, "without prices of their own");
  p.usual.cached = 1;
  p.usual.reasoning = 20;
  BOOST_TEST(cost_of(p, {3, 5, 2, 4}) == 2 * 1 + 1 * 2 + 10 * 1 + 20 * 4);
  p.usual.cached = 0;
  BOOST_TEST(cost_of(p, {3, 0, 3, 0}) == 0, "free is a price");
}

BOOST_AUTO_TEST_CASE(what_is_put_into_the_cache_may_be_dearer_than_other_input) {
  auto p = simple();
  const token_usage used{.input = 10, .cached = 3, .cache_writes = 4};
  BOOST_TEST(cost_of(p, used) == 2 * 10, "without prices of their own");
  p.usual.cached = 1;
  p.usual.cache_write = 5;
  BOOST_TEST(cost_of(p, used) == 2 * 3 + 1 * 3 + 5 * 4);
  BOOST_TEST(cost_of(p, {.input = 10, .cached = 8, .cache_writes = 100}) == 1 * 8 + 5 * 2, "bounded by the input");
}

BOOST_AUTO_TEST_CASE(parts_of_an_answer_come_to_the_sum_of_their_tokens) {
  token_usage all{1, 2, 3, 4, 5};
  all += {10, 20, 30, 40, 50};
  BOOST_TEST((all.input == 11 && all.output == 22 && all.cached == 33 && all.reasoning == 44));
  BOOST_TEST(all.cache_writes == 55u);
}

BOOST_AUTO_TEST_CASE(counts_that_cannot_be_are_bounded) {
  auto p = simple();
  p.usual.cached = 1;
  p.usual.reasoning = 20;
  BOOST_TEST(cost_of(p, {3, 5, 100, 100}) == 1 * 3 + 20 * 5);
}

BOOST_AUTO_TEST_CASE(a_long_prompt_makes_all_of_the_call_dearer) {
  auto p = simple();
  p.long_prompts[100] = {4, 15, {}, {}};
  p.long_prompts[200] = {8, 30, {}, {}};
  BOOST_TEST(cost_of(p, {100, 1, 0, 0}) == 100 * 2 + 10);
  BOOST_TEST(cost_of(p, {101, 1, 0, 0}) == 101 * 4 + 15);
  BOOST_TEST(cost_of(p, {201, 1, 0, 0}) == 201 * 8 + 30);
}

BOOST_AUTO_TEST_CASE(a_providers_own_price_comes_before_the_models) {
  price_table t;
  t.add("m", simple());
  auto dear = simple();
  dear.usual.input = 7;
  t.add("azure/m", dear);
  BOOST_TEST(t.cost("azure", "m", {1, 0, 0, 0}).value() == 7);
  BOOST_TEST(t.cost("openai", "m", {1, 0, 0, 0}).value() == 2);
  BOOST_TEST(!t.cost("openai", "n", {1, 0, 0, 0}));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace prices_test
