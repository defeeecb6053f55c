// Look-ups in the loaded settings, globs, and what the governor is given.
#include "config/settings.hpp"
#include "tests/config/sample.hpp"

#include <random>

namespace settings_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

// The definition of a glob, as plainly as it can be said.
bool slow_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*')
    return slow_match(pattern.substr(1), text) || (!text.empty() && slow_match(pattern, text.substr(1)));
  return !text.empty() && (pattern.front() == '?' || pattern.front() == text.front()) &&
         slow_match(pattern.substr(1), text.substr(1));
}

std::string random_word(std::mt19937& random, std::string_view letters) {
  std::string out(random() % 9, ' ');
  for (auto& c : out) c = letters[random() % letters.size()];
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(settings_of_a_file)

BOOST_AUTO_TEST_CASE(a_star_stands_for_any_run_and_a_question_mark_for_one_character) {
  BOOST_TEST(glob_match("gpt-*", "gpt-4o"));
  BOOST_TEST(glob_match("gpt-*", "gpt-"));
  BOOST_TEST(!glob_match("gpt-*", "gpt"));
  BOOST_TEST(!glob_match("gpt-*", "my-gpt-4o"));
  BOOST_TEST(glob_match("*", ""));
  BOOST_TEST(glob_match("o?-*", "o1-mini"));
  BOOST_TEST(!glob_match("?", ""));
}

BOOST_AUTO_TEST_CASE(globs_match_as_their_definition_says) {
  std::mt19937 random(7);
  int matches = 0;
  for (int i = 0; i < 50000; ++i) {
    const auto pattern = random_word(random, "ab*?"), text = random_word(random, "ab");
    matches += glob_match(pattern, text);
    BOOST_TEST_REQUIRE(glob_match(pattern, text) == slow_match(pattern, text), pattern + " " + text);
  }
  BOOST_TEST(matches > 1000);
}

BOOST_AUTO_TEST_CASE(many_stars_cost_no_more_than_pattern_times_text) {
  std::string pattern;
  for (int i = 0; i < 2000; ++i) pattern += "a*";
  BOOST_TEST(!glob_match(pattern + "b", std::string(4000, 'a')));
}

BOOST_AUTO_TEST_CASE(an_exact_name_beats_a_pattern_and_the_first_pattern_beats_the_second) {
  const auto result = load(with_models("models:\n"
                                       "  - { name: \"gpt-*\", targets: [ { provider: one } ] }\n"
                                       "  - { name: \"*\", targets: [ { provider: two } ] }\n"
                                       "  - { name: gpt-4o, targets: [ { provider: two } ] }\n"));
  expect_fine(result);
  const auto& s = *result.value;
  BOOST_TEST_REQUIRE(s.models.size() == 3u);
  BOOST_TEST(s.models[0].name == "gpt-4o");
  BOOST_TEST(s.model("gpt-4o") == &s.models[0]);
  BOOST_TEST(s.model("gpt-5") == &s.models[1]);
  BOOST_TEST(s.model("else") == &s.models[2]);
  BOOST_TEST(s.provider("two") == &s.providers[1]);
  BOOST_TEST(!s.provider("three"));
}

BOOST_AUTO_TEST_CASE(a_name_nobody_configured_is_no_model) {
  const auto result = load(with(""));
  expect_fine(result);
  BOOST_TEST(!!result.value->model("m"));
  BOOST_TEST(!result.value->model("M"));
  BOOST_TEST(!result.value->model("*"));
  BOOST_TEST(!result.value->model(""));
}

BOOST_AUTO_TEST_CASE(the_governor_sees_keys_slots_clients_queue_and_budgets) {
  const auto result = load("doors: { zmq: { listen: \"ipc:///tmp/m.sock\" } }\n"
                           "clients: [ { name: app, key: 0123456789abcdef, rpm: 6, priority: high } ]\n"
                           "providers:\n"
                           "  - name: one\n"
                           "    base_url: http://one\n"
                           "    pool: { connections: 7, per_host: 3 }\n"
                           "    keys:\n"
                           "      - { name: k1, secret: s1, rpm: 10, tpm: 1000, rps: 2, concurrency: 3, weight: 0.5, "
                           "models: { \"o1-*\": { rpm: 5 } } }\n"
                           "      - { name: k2, secret: s2 }\n"
                           "models: [ { name: m, targets: [ { provider: one } ] } ]\n"
                           "queue: { capacity: 9, levels: { high: 4, normal: 2, low: 1 } }\n"
                           "retry: { budget: { ratio: 0.5, min_per_second: 1 }, adaptive: { window: 10, healthy: 0.8, "
                           "unhealthy: 0.7, unhealthy_max_retries: 0 } }\n");
  expect_fine(result);
  const auto view = governor_view(*result.value);
  BOOST_TEST_REQUIRE(view.keys.size() == 2u);
  BOOST_TEST(view.keys[0].name == "k1");
  BOOST_TEST(view.keys[0].provider == "one");
  BOOST_TEST(*view.keys[0].limits.rpm == 10u);
  BOOST_TEST(*view.keys[0].limits.rps == 2u);
  BOOST_TEST(*view.keys[0].limits.tpm == 1000u);
  BOOST_TEST(*view.keys[0].limits.concurrency == 3u);
  BOOST_TEST(view.keys[0].weight == 0.5);
  BOOST_TEST_REQUIRE(view.keys[0].models.size() == 1u);
  BOOST_TEST(view.keys[0].models[0].first == "o1-*");
  BOOST_TEST(*view.keys[0].models[0].second.rpm == 5u);
  BOOST_TEST(!view.keys[0].models[0].second.tpm);
  BOOST_TEST(view.keys[1].limits.none());
  BOOST_TEST_REQUIRE(view.providers.size() == 1u);
  BOOST_TEST(view.providers[0].slots == 3u);
  BOOST_TEST_REQUIRE(view.clients.size() == 1u);
  BOOST_TEST(*view.clients[0].limits.rpm == 6u);
  BOOST_TEST(view.queue_capacity == 9u);
  BOOST_TEST(view.level_weights[0] == 4);
  BOOST_TEST(view.level_weights[2] == 1);
  BOOST_TEST(view.retry_budget.ratio == 0.5);
  BOOST_TEST(view.adaptive.window == 10);
  BOOST_TEST(view.adaptive.unhealthy_max_retries == 0);
}

BOOST_AUTO_TEST_CASE(another_content_has_another_hash_and_the_same_content_the_same) {
  const auto a = load(with("")), b = load(with("")), c = load(with("# a comment\n"));
  expect_fine(a);
  expect_fine(c);
  BOOST_TEST(a.value->hash.size() == 16u);
  BOOST_TEST(a.value->hash == b.value->hash);
  BOOST_TEST(a.value->hash != c.value->hash);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace settings_test
