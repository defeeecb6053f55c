// Retry, queue, deadline, drain, cache and state: defaults, overrides, ranges.
#include "tests/config/sample.hpp"

namespace policies_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

BOOST_AUTO_TEST_SUITE(policies)

BOOST_AUTO_TEST_CASE(without_a_retry_section_the_contracts_values_hold) {
  const auto result = load(with(""));
  expect_fine(result);
  const auto& r = result.value->model("m")->retry;
  BOOST_TEST(r.max_retries == 3);
  BOOST_TEST(r.attempts == 8);
  BOOST_TEST((r.backoff == backoff_kind::exponential));
  BOOST_TEST((r.jitter == jitter_kind::full));
  BOOST_TEST((r.base_delay == duration(1s)));
  BOOST_TEST((r.max_delay == duration(60s)));
  BOOST_TEST((r.statuses == std::vector<int>{408, 429, 500, 502, 503, 504}));
  BOOST_TEST((r.rate_limit_delay == duration(2s)));
  BOOST_TEST((r.server_error_delay == duration(5s)));
  BOOST_TEST((r.network_error_delay == duration(1s)));
  BOOST_TEST((r.failover_wait == duration(3s)));
  BOOST_TEST(result.value->retry_budget.ratio == 0.2);
  BOOST_TEST(result.value->retry_budget.min_per_second == 10);
  BOOST_TEST(result.value->adaptive.window == 100);
}

BOOST_AUTO_TEST_CASE(recovery_looks_every_minute_and_returns_within_one_unless_told_otherwise) {
  auto result = load(with(""));
  expect_fine(result);
  BOOST_TEST((result.value->recovery.probe == duration(60s) && result.value->recovery.ramp == duration(60s)));
  result = load(with("recovery: { probe: 1s, ramp: 0s }\n"));
  expect_fine(result);
  BOOST_TEST((result.value->recovery.probe == duration(1s) && result.value->recovery.ramp == duration(0s)));
  expect_error(load(with("recovery: { probe: 1ms }\n")), "m.yaml:1:20: recovery.probe: must be from 100ms to 1d");
  expect_error(load(with("recovery: { rampe: 1s }\n")), "m.yaml:1:13: recovery.rampe: unknown key; did you mean ramp?");
}

BOOST_AUTO_TEST_CASE(a_model_overrides_the_section_and_keeps_the_rest_of_it) {
  const auto result =
      load(doors + providers +
           "models:\n"
           "  - { name: a, targets: [ { provider: one } ], retry: { max_retries: 1, backoff: linear } }\n"
           "  - { name: b, targets: [ { provider: two } ] }\n"
           "retry:\n"
           "  max_retries: 2\n"
           "  attempts: 4\n"
           "  jitter: decorrelated\n"
           "  base_delay: 10ms\n"
           "  max_delay: 20ms\n"
           "  statuses: [ 500, 529 ]\n"
           "  error_delays: { rate_limit: 1ms, server_error: 2ms, network_error: 3ms }\n"
           "  failover_wait: 0s\n");
  expect_fine(result);
  const auto &a = result.value->model("a")->retry, &b = result.value->model("b")->retry;
  BOOST_TEST(a.max_retries == 1);
  BOOST_TEST((a.backoff == backoff_kind::linear));
  BOOST_TEST(b.max_retries == 2);
  BOOST_TEST((b.backoff == backoff_kind::exponential));
  for (const auto* r : {&a, &b}) {
    BOOST_TEST(r->attempts == 4);
    BOOST_TEST((r->jitter == jitter_kind::decorrelated));
    BOOST_TEST((r->base_delay == duration(10ms)));
    BOOST_TEST((r->max_delay == duration(20ms)));
    BOOST_TEST((r->statuses == std::vector<int>{500, 529}));
    BOOST_TEST((r->rate_limit_delay == duration(1ms)));
    BOOST_TEST((r->server_error_delay == duration(2ms)));
    BOOST_TEST((r->network_error_delay == duration(3ms)));
    BOOST_TEST((r->failover_wait == duration(0s)));
  }
}

BOOST_AUTO_TEST_CASE(budget_and_adaptive_belong_to_all_models_together) {
  expect_error(
      load(with_models("models: [ { name: a, targets: [ { provider: one } ], retry: { budget: { ratio: 1 } } } ]\n")),
      "m.yaml:1:63: models[0].retry.budget: unknown key");
}

BOOST_AUTO_TEST_CASE(retry_values_out_of_range_are_errors) {
  expect_error(load(with("retry: { max_retries: -1 }\n")),
               "m.yaml:1:23: retry.max_retries: must be a whole number from 0 to 100");
  expect_error(load(with("retry: { attempts: 0 }\n")),
               "m.yaml:1:20: retry.attempts: must be a whole number from 1 to 1000");
  expect_error(load(with("retry: { backoff: quadratic }\n")),
               "m.yaml:1:19: retry.backoff: must be exponential or linear");
  expect_error(load(with("retry: { jitter: some }\n")),
               "m.yaml:1:18: retry.jitter: must be full, equal, decorrelated or none");
  expect_error(load(with("retry: { statuses: [ 200 ] }\n")),
               "m.yaml:1:22: retry.statuses[0]: must be a whole number from 400 to 599");
  expect_error(load(with("retry: { statuses: [ 500, 500 ] }\n")), "m.yaml:1:27: retry.statuses[1]: is listed twice");
  expect_error(load(with("retry: { base_delay: 2s, max_delay: 1s }\n")),
               "m.yaml:1:37: retry.max_delay: max_delay (1s) is shorter than base_delay (2s)");
  expect_error(load(with("retry: { budget: { ratio: -0.1 } }\n")),
               "m.yaml:1:27: retry.budget.ratio: must be a number from 0 to 10");
  expect_error(load(with("retry: { adaptive: { healthy: 0.8, unhealthy: 0.9 } }\n")),
               "m.yaml:1:20: retry.adaptive: unhealthy must not be above healthy");
}

BOOST_AUTO_TEST_CASE(queue_deadline_and_drain_are_read) {
  const auto result =
      load(with("queue: { capacity: 5, levels: { high: 3 } }\ndeadline: 1.5m\ndrain: 0s\nnode: { name: alpha }\n"));
  expect_fine(result);
  BOOST_TEST(result.value->queue_capacity == 5u);
  BOOST_TEST(result.value->level_weights[0] == 3);
  BOOST_TEST(result.value->level_weights[1] == 4);
  BOOST_TEST((result.value->deadline == duration(90s)));
  BOOST_TEST((result.value->drain == duration(0s)));
  BOOST_TEST(result.value->node == "alpha");
  expect_error(load(with("queue: { levels: { low: 0 } }\n")),
               "m.yaml:1:25: queue.levels.low: must be a whole number from 1 to 1000");
}

BOOST_AUTO_TEST_CASE(a_cache_is_on_where_its_section_stands) {
  const auto result =
      load(with("cache: { ttl: 5m, stale: 7m, shared: true, memory: { entries: 7, size: 3MiB }, redis: { url: "
                "\"redis://:hunter2@h:1/2\" }, sqlite: { path: c.db, entries: 9, size: 2MiB } }\n"));
  expect_fine(result);
  const auto& c = result.value->cache;
  BOOST_TEST_REQUIRE(!!c);
  BOOST_TEST((c->lives.ttl == duration(5min)));
  BOOST_TEST((c->lives.stale == duration(7min)));
  BOOST_TEST_REQUIRE(!!c->sqlite);
  BOOST_TEST(c->sqlite->path == "c.db");
  BOOST_TEST(c->sqlite->entries == 9u);
  BOOST_TEST(c->sqlite->bytes == 2u << 20);
  BOOST_TEST(c->shared);
  BOOST_TEST(c->memory_entries == 7u);
  BOOST_TEST(c->memory_bytes == 3u << 20);
  BOOST_TEST_REQUIRE(!!c->redis_url);
  BOOST_TEST(c->redis_url->reveal() == "redis://:hunter2@h:1/2");
  const auto defaults = load(with("cache: { }\n"));
  expect_fine(defaults);
  BOOST_TEST_REQUIRE(!!defaults.value->cache);
  BOOST_TEST((defaults.value->cache->lives.ttl == duration(1h)));
  BOOST_TEST((defaults.value->cache->lives.stale == duration(24h)));
  BOOST_TEST(!defaults.value->cache->sqlite);
  BOOST_TEST(!defaults.value->cache->shared);
  BOOST_TEST(defaults.value->cache->memory_entries == 10000u);
  BOOST_TEST(defaults.value->cache->memory_bytes == 256u << 20);
  BOOST_TEST(!defaults.value->cache->redis_url);
}

BOOST_AUTO_TEST_CASE(an_empty_redis_variable_means_no_redis_and_a_wrong_url_is_not_shown) {
  const auto none = load(with("cache: { redis: { url: \"${REDIS:-}\" } }\n"));
  expect_fine(none);
  BOOST_TEST(!none.value->cache->redis_url);
  BOOST_TEST(all(none) == "");
  expect_error(load(with("cache: { redis: { url: \"\" } }\n")), "m.yaml:1:24: cache.redis.url: is empty");
  expect_error(load(with("cache: { redis: { url: \"${REDIS:-}\" } }\n"), {{"REDIS", "tcp://:hunter2@h"}}),
               "m.yaml:1:24: cache.redis.url: must begin with redis://");
  const auto no_file = load(with("cache: { sqlite: { path: \"${FILE:-}\" } }\n"));
  expect_fine(no_file);
  BOOST_TEST(!no_file.value->cache->sqlite);
  expect_error(load(with("cache: { sqlite: { path: d/ } }\n")),
               "m.yaml:1:26: cache.sqlite.path: must be a file, not a folder");
  expect_error(load(with("cache: { shared: yes }\n")), "m.yaml:1:18: cache.shared: must be true or false");
}

BOOST_AUTO_TEST_CASE(similar_answers_are_given_where_the_cache_says_so) {
  using how = cache_settings::similar_answers;
  const auto defaults = load(with("cache: { similar: { method: lexical } }\n"));
  BOOST_TEST_REQUIRE(!!defaults.value);
  BOOST_TEST(defaults.value->cache->similar->threshold == 0.6);
  BOOST_TEST(defaults.value->cache->similar->entries == 100'000u);
  BOOST_TEST(defaults.value->cache->similar->bytes == 256u << 20);
  BOOST_TEST((defaults.value->cache->similar->use == how::use_for::degraded));
  const auto all =
      load(with("cache: { similar: { method: lexical, threshold: 0.8, use: always, entries: 7, size: 2MiB } }\n"));
  BOOST_TEST_REQUIRE(!!all.value);
  BOOST_TEST(all.value->cache->similar->threshold == 0.8);
  BOOST_TEST(all.value->cache->similar->entries == 7u);
  BOOST_TEST(all.value->cache->similar->bytes == 2u << 20);
  BOOST_TEST((all.value->cache->similar->use == how::use_for::always));
  BOOST_TEST(!load(with("cache: { }\n")).value->cache->similar);
  expect_error(load(with("cache: { similar: { } }\n")), "m.yaml:1:19: cache.similar.method: is missing");
  expect_error(load(with("cache: { similar: { method: lexical, threshold: 1.5 } }\n")),
               "m.yaml:1:49: cache.similar.threshold: must be a number from 0.1 to 1");
  expect_error(load(with("cache: { similar: { method: lexical, use: never } }\n")),
               "m.yaml:1:43: cache.similar.use: must be degraded or always");
}

BOOST_AUTO_TEST_CASE(similar_questions_may_be_found_by_a_model_of_a_configured_provider) {
  const std::string name = load(with("")).value->providers.front().name;
  const auto similar = [](const std::string& more) {
    return load(with("cache: { similar: { method: embedding" + more + " } }\n"));
  };
  const auto result = similar(", provider: " + name + ", model: e-small, timeout: 300ms");
  BOOST_TEST_REQUIRE(!!result.value);
  const auto& c = *result.value->cache->similar;
  BOOST_TEST(c.threshold == 0.95);
  BOOST_TEST_REQUIRE(!!c.embedding);
  BOOST_TEST(c.embedding->provider == name);
  BOOST_TEST(c.embedding->model == "e-small");
  BOOST_TEST((c.embedding->timeout == duration(300ms)));
  expect_error(similar(", model: e"), "m.yaml:1:19: cache.similar.provider: is missing");
  expect_error(similar(", provider: " + name), "m.yaml:1:19: cache.similar.model: is missing");
  expect_error(similar(", model: e, provider: nobody"),
               "m.yaml:1:8: cache: similar.provider: there is no provider named nobody");
  expect_error(load(with("cache: { similar: { method: lexical, model: e } }\n")),
               "m.yaml:1:45: cache.similar.model: belongs to the method embedding");
}

BOOST_AUTO_TEST_CASE(state_is_kept_where_a_file_is_named) {
  const auto result = load(with("state: { path: \"${DIR:-.}/m.db\" }\n"), {{"DIR", "/var/lib"}});
  expect_fine(result);
  BOOST_TEST_REQUIRE(!!result.value->state);
  BOOST_TEST(result.value->state->path == "/var/lib/m.db");

  BOOST_TEST(!load(with("")).value->state);
  const auto none = load(with("state: { path: \"${STATE:-}\" }\n"));
  expect_fine(none);
  BOOST_TEST(!none.value->state);

  expect_error(load(with("state: { }\n")), "m.yaml:1:8: state.path: is missing");
  expect_error(load(with("state: { path: \"\" }\n")), "m.yaml:1:16: state.path: is empty");
  expect_error(load(with("state: { path: m.db, size: 5 }\n")), "m.yaml:1:22: state.size: unknown key");
  expect_error(load(with("state: { path: var/ }\n")), "m.yaml:1:16: state.path: must be a file, not a folder");
  expect_error(load(with("state: { path: \"a\\nb\" }\n")), "m.yaml:1:16: state.path: holds a control character");
  expect_error(load(with("state: { path: " + std::string(4097, 'x') + " }\n")),
               "m.yaml:1:16: state.path: is longer than 4096 characters");
}

BOOST_AUTO_TEST_CASE(a_journal_is_kept_where_a_file_is_named) {
  const auto defaults = load(with("journal: { path: j.db }\n"));
  expect_fine(defaults);
  BOOST_TEST_REQUIRE(!!defaults.value->journal);
  BOOST_TEST(defaults.value->journal->path == "j.db");
  BOOST_TEST((defaults.value->journal->retention == duration(24h)));
  BOOST_TEST(defaults.value->journal->size == 1ull << 30);
  BOOST_TEST(defaults.value->journal->entries == 1'000'000u);
  const auto given = load(with("journal: { path: j.db, retention: 7d, size: 64MiB, entries: 500 }\n"));
  expect_fine(given);
  BOOST_TEST((given.value->journal->retention == duration(7 * 24h)));
  BOOST_TEST(given.value->journal->size == 64u << 20);
  BOOST_TEST(given.value->journal->entries == 500u);
  BOOST_TEST(!load(with("")).value->journal);
  BOOST_TEST(!load(with("journal: { path: \"${JOURNAL:-}\" }\n")).value->journal);
  expect_error(load(with("journal: { }\n")), "m.yaml:1:10: journal.path: is missing");
  expect_error(load(with("journal: { path: var/ }\n")), "m.yaml:1:18: journal.path: must be a file, not a folder");
  BOOST_TEST(!load(with("journal: { path: j.db, size: 5 }\n")).value);
  BOOST_TEST(!load(with("journal: { path: j.db, retention: 1ms }\n")).value);
  expect_error(load(with("state: { path: j.db }\njournal: { path: j.db }\n")),
               "m.yaml:2:10: journal: path is the file of state.path: each needs one of its own");
  expect_error(load(with("journal: { path: j.db }\ncache: { sqlite: { path: j.db } }\n")),
               "m.yaml:2:8: cache: sqlite.path is the file of journal.path: each needs one of its own");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace policies_test
