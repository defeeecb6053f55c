// What providers say in their headers of the limits of a key.
#include "actors/reply_labels.hpp"

#include "core/dates.hpp"

#include <boost/test/unit_test.hpp>

namespace reply_labels_test {

using namespace mainstay;

namespace {

std::string in_a_minute() { return date_text(std::chrono::system_clock::now() + std::chrono::minutes(1)); }

} // namespace

BOOST_AUTO_TEST_SUITE(actors_reply_labels)

BOOST_AUTO_TEST_CASE(what_openai_says_is_left_is_understood) {
  auto l = limits_in({{"x-ratelimit-limit-requests", "60"},
                      {"x-ratelimit-remaining-requests", "59"},
                      {"x-ratelimit-reset-requests", "1s"},
                      {"x-ratelimit-remaining-tokens", "149984"}},
                     "k", "m");
  BOOST_REQUIRE(l.has_value());
  BOOST_TEST((l->key == "k" && l->model == "m"));
  BOOST_TEST((l->limit_requests == 60u && l->remaining_requests == 59u && l->reset_requests == duration(1s)));
  BOOST_TEST((l->remaining_tokens == 149984u && !l->limit_tokens && !l->reset_tokens));
  BOOST_TEST(!limits_in({{"content-type", "application/json"}}, "k", "m").has_value());
}

BOOST_AUTO_TEST_CASE(of_anthropics_limits_of_tokens_all_of_them_together_count) {
  auto l = limits_in({{"anthropic-ratelimit-requests-limit", "1000"},
                      {"anthropic-ratelimit-requests-remaining", "999"},
                      {"anthropic-ratelimit-requests-reset", in_a_minute()},
                      {"anthropic-ratelimit-input-tokens-limit", "80000"},
                      {"anthropic-ratelimit-input-tokens-remaining", "70000"},
                      {"anthropic-ratelimit-output-tokens-limit", "16000"},
                      {"anthropic-ratelimit-output-tokens-remaining", "15000"},
                      {"anthropic-ratelimit-tokens-limit", "96000"},
                      {"anthropic-ratelimit-tokens-remaining", "85000"},
                      {"anthropic-ratelimit-tokens-reset", in_a_minute()}},
                     "k", "m");
  BOOST_REQUIRE(l.has_value());
  BOOST_TEST((l->limit_requests == 1000u && l->remaining_requests == 999u));
  BOOST_TEST((l->reset_requests > duration(55s) && l->reset_requests <= duration(61s)));
  BOOST_TEST((l->limit_tokens == 96000u && l->remaining_tokens == 85000u && l->reset_tokens.has_value()));
}

BOOST_AUTO_TEST_CASE(of_anthropics_other_limits_of_tokens_what_is_used_up_counts) {
  auto l = limits_in({{"anthropic-ratelimit-tokens-limit", "96000"},
                      {"anthropic-ratelimit-tokens-remaining", "85000"},
                      {"anthropic-ratelimit-output-tokens-limit", "16000"},
                      {"anthropic-ratelimit-output-tokens-remaining", "0"},
                      {"anthropic-ratelimit-output-tokens-reset", in_a_minute()}},
                     "k", "m");
  BOOST_REQUIRE(l.has_value());
  BOOST_TEST((l->limit_tokens == 16000u && l->remaining_tokens == 0u && l->reset_tokens > duration(55s)));
  l = limits_in({{"anthropic-ratelimit-input-tokens-remaining", "70000"}}, "k", "m");
  BOOST_REQUIRE(l.has_value());
  BOOST_TEST((l->remaining_tokens == 70000u));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace reply_labels_test
