// Every metric of Mainstay's by name, help and labels: what docs/operations.md lists. For actors/metrics_registry.cpp,
// which counts, and actors/metrics_gauges.cpp, which sets what actors tell.
#pragma once

#include "actors/metric_series.hpp"
#include "actors/metrics_registry.hpp"

#include <set>
#include <string>

namespace mainstay {

inline const metric::buckets request_buckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                1,     2.5,    5,     10,   20,    30,   60,  120};
inline const metric::buckets overhead_buckets = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                                 0.005,   0.01,   0.025,   0.05,   0.1,   0.5};

inline const metric::buckets token_buckets = {0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5};
inline const metric::buckets retry_buckets = {0, 1, 2, 3, 5, 8};

inline double in_seconds(duration d) { return std::chrono::duration<double>(d).count(); }

struct metrics_registry::body {
  metric_families families;

  counter_series requests{families,
                          "mainstay_requests_total",
                          "Requests by client, configured model and outcome.",
                          {"client", "model", "outcome"}};
  counter_series attempts{
      families, "mainstay_attempts_total", "Calls to providers by outcome.", {"provider", "model", "key", "outcome"}};
  histogram_series request_seconds{families,
                                   "mainstay_request_seconds",
                                   "From the request's arrival to the end of its answer.",
                                   {"model", "source"},
                                   request_buckets};
  histogram_series first_token_seconds{families,
                                       "mainstay_first_token_seconds",
                                       "From a call to a provider to the first piece of its answer.",
                                       {"provider", "model"},
                                       request_buckets};
  histogram_series overhead_seconds{
      families,
      "mainstay_overhead_seconds",
      "Time a request spent in Mainstay itself: neither waiting for capacity nor for a provider.",
      {},
      overhead_buckets};
  counter_series tokens{
      families, "mainstay_tokens_total", "Tokens as the providers counted them.", {"provider", "model", "kind"}};
  counter_series cost{families,
                      "mainstay_cost_usd_total",
                      "What calls to providers cost, in US dollars, by the prices that are configured.",
                      {"model"}};
  counter_series provider_cost{families, "mainstay_provider_cost_usd_total", "The same by provider.", {"provider"}};
  counter_series client_cost{families, "mainstay_client_cost_usd_total", "The same by client.", {"client"}};
  counter_series saved{
      families, "mainstay_saved_usd_total", "What answers without a call of their own would have cost.", {"by"}};
  counter_series client_tokens{families,
                               "mainstay_client_tokens_total",
                               "Tokens of a client's requests, as the providers counted them.",
                               {"client", "kind"}};
  histogram_series between_tokens{families,
                                  "mainstay_between_tokens_seconds",
                                  "Mean time between two tokens of a streamed answer.",
                                  {"provider", "model"},
                                  token_buckets};
  histogram_series queue_seconds{
      families, "mainstay_queue_wait_seconds", "Time a request waited for capacity.", {"level"}, request_buckets};
  histogram_series retries_of{families,
                              "mainstay_retries_per_request",
                              "Calls beyond the first of a request that needed any.",
                              {"model"},
                              retry_buckets};
  counter_series retried{families,
                         "mainstay_retried_requests_total",
                         "Requests that took more than one call: answered (ok) or not (failed).",
                         {"outcome"}};
  histogram_series retry_added{families,
                               "mainstay_retry_added_seconds",
                               "How much sooner the last call could have begun, had it been the first.",
                               {},
                               request_buckets};
  counter_series retries{families,
                         "mainstay_retries_total",
                         "Attempts that failed and were followed by another way, by reason.",
                         {"reason"}};
  counter_series cache{families, "mainstay_cache_total", "Questions to the cache.", {"tier", "result"}};
  counter_series redactions{
      families, "mainstay_redactions_total", "What was replaced in requests before anything left", {"kind"}};
  counter_series denied{families, "mainstay_denied_total", "Requests and answers that a rule denied", {"rule", "way"}};
  counter_series batch_calls{
      families, "mainstay_batch_calls_total", "Answered calls that several requests were merged into.", {"model"}};
  counter_series batch_parts{families,
                             "mainstay_batch_parts_total",
                             "Requests in such calls: answered by them, or to be asked alone.",
                             {"model", "outcome"}};
  gauge_series breaker_state{families,
                             "mainstay_breaker_state",
                             "0 closed, 1 half-open, 2 open; an empty model is the endpoint.",
                             {"provider", "model"}};
  gauge_series endpoint_state{families,
                              "mainstay_endpoint_state",
                              "0 healthy, 1 resting, 2 open: of each way to a provider.",
                              {"provider", "endpoint"}};
  gauge_series endpoint_latency{families,
                                "mainstay_endpoint_latency_seconds",
                                "Mean time to the first byte, the latest counting most.",
                                {"provider", "endpoint", "kind"}};
  gauge_series key_health{
      families, "mainstay_key_health", "Health of a provider key, 1 is all good, 0 is disabled.", {"key"}};
  gauge_series limit_used{families, "mainstay_limit_used_ratio", "Share of a key's limit in use.", {"key", "kind"}};
  gauge_series queue_depth{families, "mainstay_queue_depth", "Requests waiting for capacity.", {"level"}};
  gauge_series in_flight{families, "mainstay_reservations", "Reservations of keys and clients not yet settled.", {}};
  gauge_series redis_up{families, "mainstay_redis_up", "1 while the shared cache answers.", {}};
  gauge_series alerts{families, "mainstay_alert", "1 while somebody should look.", {"signal", "severity"}};
  gauge_series forecast{families, "mainstay_forecast_tokens", "Tokens per minute expected then.", {"horizon"}};
  gauge_series audit_seq{families, "mainstay_audit_seq", "Number of the audit's last line.", {}};
  counter_series audit_lost{families, "mainstay_audit_lost_total", "Requests that have no line in the audit.", {}};
  gauge_series drill{families, "mainstay_drill", "1 while that is broken on purpose, by a drill.", {"drill"}};
  gauge_series quota{
      families, "mainstay_quota", "What this node has of a limit that holds over all nodes.", {"limit", "part"}};
  gauge_series peer_up{families, "mainstay_peer_up", "1 while that node is reached.", {"peer"}};
  gauge_series peer_round_trip{
      families, "mainstay_peer_round_trip_seconds", "Of the beats between this node and that one, smoothed.", {"peer"}};
  counter_series peer_advice{families,
                             "mainstay_peer_advice_total",
                             "What peers said of circuits and keys, and what of it was left out.",
                             {"kind"}};
  counter_series moved{families,
                       "mainstay_moved_total",
                       "Requests that went to a peer with room (out) or came from one (in), by why.",
                       {"direction", "reason"}};
  gauge_series away{families, "mainstay_moved", "Requests of one at the other now.", {"direction"}};
  counter_series restarts{families, "mainstay_actor_restarts_total", "Restarts of supervised actors.", {"actor"}};
  gauge_series mailbox{families, "mainstay_actor_mailbox", "Messages that wait for an actor.", {"actor"}};
  counter_series messages{families, "mainstay_actor_messages_total", "Messages that an actor was sent.", {"actor"}};
  gauge_series recent{families,
                      "mainstay_recent_seconds",
                      "Percentiles of the last five minutes, within one percent.",
                      {"of", "percentile"}};
  gauge_series cache_entries{families, "mainstay_cache_entries", "Answers in a tier of the cache.", {"tier"}};
  gauge_series cache_bytes{families, "mainstay_cache_bytes", "Their size.", {"tier"}};
  counter_series refused{
      families, "mainstay_refused_total", "Requests that were refused because too many are in flight.", {}};
  counter_series traced{families,
                        "mainstay_traced_requests_total",
                        "Requests in the sample: told to the collector (sent) or not (dropped).",
                        {"result"}};
  gauge_series build{
      families, "mainstay_build_info", "Always 1: what runs, and with which configuration.", {"version", "config"}};

  std::set<std::string> providers, keys; // in the configuration: the actors remember others too, by name
  totals_by_name calls;                  // by provider
  metrics_view seen;
};

} // namespace mainstay
