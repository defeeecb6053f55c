#include "actors/metrics_registry.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace mainstay {

namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

const Histogram::BucketBoundaries request_buckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                     1,     2.5,    5,     10,   20,    30,   60,  120};
const Histogram::BucketBoundaries overhead_buckets = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                                      0.005,   0.01,   0.025,   0.05,   0.1,   0.5};

const Histogram::BucketBoundaries token_buckets = {0.001, 0.0025, 0.005, 0.01, 0.02, 0.03,
                                                   0.05,  0.1,    0.25,  0.5,  1,    2.5};
const Histogram::BucketBoundaries retry_buckets = {0, 1, 2, 3, 5, 8};

/// Adds up here, and tells the metric when its text is to be made: prometheus-cpp takes a lock for each observation,
/// and there are many in each request.
struct tally {
  Counter* to;
  double sum = 0;

  void Increment(double by = 1) { sum += by; }
  void flush() {
    if (sum > 0) to->Increment(std::exchange(sum, 0));
  }
};

struct observations {
  Histogram* to;
  const Histogram::BucketBoundaries* bounds;
  std::vector<double> counts = std::vector<double>(bounds->size() + 1); // beside the bounds, and beyond the last
  double sum = 0;
  bool any = false;

  void Observe(double value) {
    const auto bucket = std::lower_bound(bounds->begin(), bounds->end(), value) - bounds->begin();
    ++counts[static_cast<std::size_t>(bucket)];
    sum += value;
    any = true;
  }
  void flush() {
    if (!std::exchange(any, false)) return;
    to->ObserveMultiple(counts, std::exchange(sum, 0));
    std::fill(counts.begin(), counts.end(), 0);
  }
};

template <class Metric>
struct place_of {
  using type = Metric*;
};
template <>
struct place_of<Counter> {
  using type = tally;
};
template <>
struct place_of<Histogram> {
  using type = observations;
};

/// Of what somebody else counts.
void go_to(tally& counter, std::uint64_t& seen, std::uint64_t now) {
  if (now > seen) counter.Increment(static_cast<double>(now - seen));
  seen = now;
}

/// A family whose series are found again by their label values without building a label map each time.
template <class Metric>
class series {
public:
  template <class Builder>
  series(prometheus::Registry& registry, Builder build, const char* name, const char* help,
         std::vector<std::string> labels)
    : family_(build.Name(name).Help(help).Register(registry)), labels_(std::move(labels)) {}

  auto& at(std::initializer_list<std::string_view> values) {
    return *found(values, [] {});
  }
  auto& at(std::initializer_list<std::string_view> values, const Histogram::BucketBoundaries& bounds) {
    return *found(values, bounds);
  }

  /// Gauges: all of them, also those whose things are gone.
  void clear() {
    for (auto& [key, metric] : known_) family_.Remove(*metric);
    known_.clear();
    latest_ = nullptr;
  }

  void flush() {
    for (auto& [key, place] : known_) place->flush();
  }

private:
  using place = typename place_of<Metric>::type;

  template <class Bounds>
  auto* found(std::initializer_list<std::string_view> values, const Bounds& bounds) {
    key_.clear();
    for (auto v : values) (key_ += v) += '\x1f';
    if (!latest_ || key_ != latest_key_) { // requests come in runs of the same kind
      latest_key_ = key_;
      const auto it = known_.find(key_);
      latest_ = it != known_.end() ? it->second.get() : add(values, bounds);
    }
    if constexpr (std::is_pointer_v<place>)
      return *latest_;
    else
      return latest_;
  }

  template <class Bounds>
  place* add(std::initializer_list<std::string_view> values, const Bounds& bounds) {
    std::map<std::string, std::string> labels;
    auto value = values.begin();
    for (auto& l : labels_) labels.emplace(l, *value++);
    std::unique_ptr<place> it;
    if constexpr (std::is_same_v<Metric, Histogram>)
      it.reset(new place{&family_.Add(labels, bounds), &bounds});
    else
      it.reset(new place{&family_.Add(labels)});
    return known_.emplace(key_, std::move(it)).first->second.get();
  }

  Family<Metric>& family_;
  std::vector<std::string> labels_;
  std::unordered_map<std::string, std::unique_ptr<place>> known_;
  std::string key_, latest_key_;
  place* latest_ = nullptr;
};

} // namespace

struct metrics_registry::body {
  prometheus::Registry registry;

  series<Counter> requests{registry,
                           BuildCounter(),
                           "mainstay_requests_total",
                           "Requests by client, configured model and outcome.",
                           {"client", "model", "outcome"}};
  series<Counter> attempts{registry,
                           BuildCounter(),
                           "mainstay_attempts_total",
                           "Calls to providers by outcome.",
                           {"provider", "model", "key", "outcome"}};
  series<Histogram> request_seconds{registry,
                                    BuildHistogram(),
                                    "mainstay_request_seconds",
                                    "From the request's arrival to the end of its answer.",
                                    {"model", "source"}};
  series<Histogram> first_token_seconds{registry,
                                        BuildHistogram(),
                                        "mainstay_first_token_seconds",
                                        "From a call to a provider to the first piece of its answer.",
                                        {"provider", "model"}};
  series<Histogram> overhead_seconds{
      registry,
      BuildHistogram(),
      "mainstay_overhead_seconds",
      "Time a request spent in Mainstay itself: neither waiting for capacity nor for a provider.",
      {}};
  series<Counter> tokens{registry,
                         BuildCounter(),
                         "mainstay_tokens_total",
                         "Tokens as the providers counted them.",
                         {"provider", "model", "kind"}};
  series<Counter> cost{registry,
                       BuildCounter(),
                       "mainstay_cost_usd_total",
                       "What calls to providers cost, in US dollars, by the prices that are configured.",
                       {"model"}};
  series<Counter> provider_cost{
      registry, BuildCounter(), "mainstay_provider_cost_usd_total", "The same by provider.", {"provider"}};
  series<Counter> client_cost{
      registry, BuildCounter(), "mainstay_client_cost_usd_total", "The same by client.", {"client"}};
  series<Counter> saved{registry,
                        BuildCounter(),
                        "mainstay_saved_usd_total",
                        "What answers without a call of their own would have cost.",
                        {"by"}};
  series<Counter> client_tokens{registry,
                                BuildCounter(),
                                "mainstay_client_tokens_total",
                                "Tokens of a client's requests, as the providers counted them.",
                                {"client", "kind"}};
  series<Histogram> between_tokens{registry,
                                   BuildHistogram(),
                                   "mainstay_between_tokens_seconds",
                                   "Mean time between two tokens of a streamed answer.",
                                   {"provider", "model"}};
  series<Histogram> queue_seconds{
      registry, BuildHistogram(), "mainstay_queue_wait_seconds", "Time a request waited for capacity.", {"level"}};
  series<Histogram> retries_of{registry,
                               BuildHistogram(),
                               "mainstay_retries_per_request",
                               "Calls beyond the first of a request that needed any.",
                               {"model"}};
  series<Counter> retried{registry,
                          BuildCounter(),
                          "mainstay_retried_requests_total",
                          "Requests that took more than one call: answered (ok) or not (failed).",
                          {"outcome"}};
  series<Histogram> retry_added{registry,
                                BuildHistogram(),
                                "mainstay_retry_added_seconds",
                                "How much sooner the last call could have begun, had it been the first.",
                                {}};
  series<Counter> retries{registry,
                          BuildCounter(),
                          "mainstay_retries_total",
                          "Attempts that failed and were followed by another way, by reason.",
                          {"reason"}};
  series<Counter> cache{
      registry, BuildCounter(), "mainstay_cache_total", "Questions to the cache.", {"tier", "result"}};
  series<Counter> redactions{registry,
                             BuildCounter(),
                             "mainstay_redactions_total",
                             "What was replaced in requests before anything left",
                             {"kind"}};
  series<Counter> denied{
      registry, BuildCounter(), "mainstay_denied_total", "Requests and answers that a rule denied", {"rule", "way"}};
  series<Counter> batch_calls{registry,
                              BuildCounter(),
                              "mainstay_batch_calls_total",
                              "Answered calls that several requests were merged into.",
                              {"model"}};
  series<Counter> batch_parts{registry,
                              BuildCounter(),
                              "mainstay_batch_parts_total",
                              "Requests in such calls: answered by them, or to be asked alone.",
                              {"model", "outcome"}};
  series<Gauge> breaker_state{registry,
                              BuildGauge(),
                              "mainstay_breaker_state",
                              "0 closed, 1 half-open, 2 open; an empty model is the endpoint.",
                              {"provider", "model"}};
  series<Gauge> endpoint_state{registry,
                               BuildGauge(),
                               "mainstay_endpoint_state",
                               "0 healthy, 1 resting, 2 open: of each way to a provider.",
                               {"provider", "endpoint"}};
  series<Gauge> endpoint_latency{registry,
                                 BuildGauge(),
                                 "mainstay_endpoint_latency_seconds",
                                 "Mean time to the first byte, the latest counting most.",
                                 {"provider", "endpoint", "kind"}};
  series<Gauge> key_health{registry,
                           BuildGauge(),
                           "mainstay_key_health",
                           "Health of a provider key, 1 is all good, 0 is disabled.",
                           {"key"}};
  series<Gauge> limit_used{
      registry, BuildGauge(), "mainstay_limit_used_ratio", "Share of a key's limit in use.", {"key", "kind"}};
  series<Gauge> queue_depth{
      registry, BuildGauge(), "mainstay_queue_depth", "Requests waiting for capacity.", {"level"}};
  series<Gauge> in_flight{
      registry, BuildGauge(), "mainstay_reservations", "Reservations of keys and clients not yet settled.", {}};
  series<Gauge> redis_up{registry, BuildGauge(), "mainstay_redis_up", "1 while the shared cache answers.", {}};
  series<Gauge> alerts{
      registry, BuildGauge(), "mainstay_alert", "1 while somebody should look.", {"signal", "severity"}};
  series<Gauge> forecast{
      registry, BuildGauge(), "mainstay_forecast_tokens", "Tokens per minute expected then.", {"horizon"}};
  series<Gauge> audit_seq{registry, BuildGauge(), "mainstay_audit_seq", "Number of the audit's last line.", {}};
  series<Counter> audit_lost{
      registry, BuildCounter(), "mainstay_audit_lost_total", "Requests that have no line in the audit.", {}};
  series<Gauge> drill{
      registry, BuildGauge(), "mainstay_drill", "1 while that is broken on purpose, by a drill.", {"drill"}};
  series<Gauge> quota{registry,
                      BuildGauge(),
                      "mainstay_quota",
                      "What this node has of a limit that holds over all nodes.",
                      {"limit", "part"}};
  series<Gauge> peer_up{registry, BuildGauge(), "mainstay_peer_up", "1 while that node is reached.", {"peer"}};
  series<Gauge> peer_round_trip{registry,
                                BuildGauge(),
                                "mainstay_peer_round_trip_seconds",
                                "Of the beats between this node and that one, smoothed.",
                                {"peer"}};
  series<Counter> peer_advice{registry,
                              BuildCounter(),
                              "mainstay_peer_advice_total",
                              "What peers said of circuits and keys, and what of it was left out.",
                              {"kind"}};
  series<Counter> moved{registry,
                        BuildCounter(),
                        "mainstay_moved_total",
                        "Requests that went to a peer with room (out) or came from one (in), by why.",
                        {"direction", "reason"}};
  series<Gauge> away{registry, BuildGauge(), "mainstay_moved", "Requests of one at the other now.", {"direction"}};
  series<Counter> restarts{
      registry, BuildCounter(), "mainstay_actor_restarts_total", "Restarts of supervised actors.", {"actor"}};

  series<Gauge> mailbox{
      registry, BuildGauge(), "mainstay_actor_mailbox", "Messages that wait for an actor.", {"actor"}};
  series<Counter> messages{
      registry, BuildCounter(), "mainstay_actor_messages_total", "Messages that an actor was sent.", {"actor"}};
  series<Gauge> recent{registry,
                       BuildGauge(),
                       "mainstay_recent_seconds",
                       "Percentiles of the last five minutes, within one percent.",
                       {"of", "percentile"}};
  series<Gauge> cache_entries{
      registry, BuildGauge(), "mainstay_cache_entries", "Answers in a tier of the cache.", {"tier"}};
  series<Gauge> cache_bytes{registry, BuildGauge(), "mainstay_cache_bytes", "Their size.", {"tier"}};
  series<Counter> refused{registry,
                          BuildCounter(),
                          "mainstay_refused_total",
                          "Requests that were refused because too many are in flight.",
                          {}};
  series<Counter> traced{registry,
                         BuildCounter(),
                         "mainstay_traced_requests_total",
                         "Requests in the sample: told to the collector (sent) or not (dropped).",
                         {"result"}};
  series<Gauge> build{registry,
                      BuildGauge(),
                      "mainstay_build_info",
                      "Always 1: what runs, and with which configuration.",
                      {"version", "config"}};

  std::set<std::string> providers, keys; // in the configuration: the actors remember others too, by name
  std::unordered_map<std::string, std::uint64_t> restarts_seen, messages_seen, peer_advice_seen;
  std::map<std::pair<std::string, std::string>, std::uint64_t> moved_seen;
  std::uint64_t refused_seen = 0, sent_seen = 0, dropped_seen = 0, lost_seen = 0;
  totals_by_name calls; // by provider
  metrics_view seen;
};

metrics_registry::metrics_registry() : body_(std::make_unique<body>()) {
  for (auto* level : {"high", "normal", "low"}) body_->queue_depth.at({level}).Set(0);
  body_->overhead_seconds.at({}, overhead_buckets);
}
metrics_registry::~metrics_registry() = default;

void metrics_registry::count(const run_report& r) {
  auto& b = *body_;
  auto took = seconds(r.took);
  auto model = std::string_view(r.model).empty() ? std::string_view("unknown") : std::string_view(r.model);
  auto source = std::string_view(r.source).empty() ? std::string_view("none") : std::string_view(r.source);
  if (!r.flight) {
    b.requests.at({r.client, model, r.outcome}).Increment();
    b.request_seconds.at({model, source}, request_buckets).Observe(took);
    b.overhead_seconds.at({}, overhead_buckets).Observe(seconds(r.overhead));
    count_saved("cache", r.saved_usd);
  }
  if (r.story.asked_for_capacity()) // also a flight's
    b.queue_seconds.at({to_string(r.level)}, request_buckets).Observe(seconds(r.story.queued(r.took)));
  auto add_tokens = [&](const std::string& provider, const std::string& at, const char* kind, std::uint64_t n) {
    if (n) b.tokens.at({provider, at, kind}).Increment(static_cast<double>(n));
  };
  for (auto& a : r.attempts) {
    b.attempts.at({a.provider, a.model, a.key, a.failed ? to_string(*a.failed) : "ok"}).Increment();
    if (a.first_token != duration{})
      b.first_token_seconds.at({a.provider, a.model}, request_buckets).Observe(seconds(a.first_token));
    if (a.between_tokens != duration{})
      b.between_tokens.at({a.provider, a.model}, token_buckets).Observe(seconds(a.between_tokens));
    add_tokens(a.provider, a.model, "input", a.input_tokens);
    add_tokens(a.provider, a.model, "output", a.output_tokens);
    if (a.usd) {
      b.cost.at({model}).Increment(*a.usd);
      b.provider_cost.at({a.provider}).Increment(*a.usd);
      b.client_cost.at({r.client}).Increment(*a.usd);
    }
    auto& calls = b.calls[a.provider];
    ++calls.requests;
    calls.failed += a.failed && *a.failed != failure_class::cancelled;
  }
  count_retries(r, model);
  for (auto& reason : r.retry_reasons) b.retries.at({reason}).Increment();
  if (!r.cache_result.empty()) b.cache.at({r.cache_tier, r.cache_result}).Increment();
  const token_usage used{r.input_tokens, r.output_tokens, r.cached_tokens, r.reasoning_tokens, r.cache_write_tokens};
  const std::pair<const char*, std::uint64_t> kinds[] = {
      {"input", used.input}, {"output", used.output}, {"cached", used.cached}, {"reasoning", used.reasoning}};
  for (auto [kind, n] : kinds) {
    add_tokens(r.provider, r.target_model, kind, n);
    if (n) b.client_tokens.at({r.client, kind}).Increment(static_cast<double>(n));
  }
  auto& v = b.seen;
  v.clients[r.client].tokens += used;
  if (!r.model.empty()) v.models[r.model].tokens += used;
  v.attempts += r.attempts.size();
  v.retries += static_cast<std::uint64_t>(r.retries);
  v.input_tokens += r.input_tokens;
  v.output_tokens += r.output_tokens;
  for (auto& [kind, times] : r.redacted) b.redactions.at({kind}).Increment(times);
  if (r.flight) return;
  for (auto* t : {&v.clients[r.client], r.model.empty() ? nullptr : &v.models[r.model]})
    if (t) ++t->requests, t->failed += !r.ok();
  ++v.requests;
  ++(r.outcome == "ok" ? v.ok : v.failed);
  ++v.by_outcome[r.outcome];
  ++v.by_source[std::string(source)];
}

void metrics_registry::count_retries(const run_report& r, std::string_view model) {
  if (r.attempts.empty()) return;
  auto& b = *body_;
  const auto more = r.attempts.size() - 1;
  b.retries_of.at({model}, retry_buckets).Observe(static_cast<double>(more));
  ++b.seen.retries_of[std::min(more, b.seen.retries_of.size() - 1)];
  if (more == 0) return;
  b.retried.at({r.ok() ? "ok" : "failed"}).Increment();
  b.retry_added.at({}, request_buckets).Observe(seconds(r.added_by_retries()));
  ++b.seen.retried;
  b.seen.rescued += r.ok();
}

void metrics_registry::count_saved(std::string_view by, double usd) {
  if (usd > 0) body_->saved.at({by}).Increment(usd);
}

void metrics_registry::count_denied(const std::string& rule, bool on_the_way_out) {
  body_->denied.at({rule, on_the_way_out ? "out" : "in"}).Increment();
}

void metrics_registry::count(const batch_report& r) {
  body_->batch_calls.at({r.model}).Increment();
  body_->batch_parts.at({r.model, "answered"}).Increment(static_cast<double>(r.answered));
  body_->batch_parts.at({r.model, "alone"}).Increment(static_cast<double>(r.alone));
}

void metrics_registry::reconfigure(const config::settings& s, const std::string& version) {
  auto& b = *body_;
  b.providers.clear();
  b.keys.clear();
  for (auto& p : s.providers) {
    b.providers.insert(p.name);
    for (auto& k : p.keys) b.keys.insert(k.name);
  }
  std::set<std::string> clients{"local"}, models;
  for (auto& c : s.clients) clients.insert(c.name);
  for (auto& m : s.models) models.insert(m.name);
  std::erase_if(b.seen.clients, [&](auto& c) { return !clients.count(c.first); });
  std::erase_if(b.seen.models, [&](auto& m) { return !models.count(m.first); });
  std::erase_if(b.calls, [&](auto& p) { return !b.providers.count(p.first); });
  b.build.clear();
  b.build.at({version, s.hash}).Set(1);
  b.breaker_state.clear();
  b.endpoint_state.clear();
  b.endpoint_latency.clear();
  b.key_health.clear();
  b.limit_used.clear();
  b.quota.clear();
  b.redis_up.clear();
  b.cache_entries.clear();
  b.cache_bytes.clear();
}

void metrics_registry::set_limits(const governor::view& v) {
  auto& b = *body_;
  for (auto& k : v.keys) {
    if (!b.keys.count(k.key)) continue;
    if (k.limits.rpm) b.limit_used.at({k.key, "rpm"}).Set(k.rpm_used);
    if (k.limits.tpm) b.limit_used.at({k.key, "tpm"}).Set(k.tpm_used);
    if (k.limits.rps) b.limit_used.at({k.key, "rps"}).Set(k.rps_used);
    if (k.limits.concurrency) b.limit_used.at({k.key, "concurrency"}).Set(k.concurrency_used);
  }
  for (const auto& q : v.quotas) {
    b.quota.at({q.name, "home"}).Set(static_cast<double>(q.share.home));
    b.quota.at({q.name, "borrowed"}).Set(static_cast<double>(q.share.borrowed));
    b.quota.at({q.name, "lent"}).Set(static_cast<double>(q.share.home_lent + q.share.borrowed_lent));
    b.quota.at({q.name, "used"}).Set(static_cast<double>(q.share.home_used + q.share.borrowed_used));
  }
  const char* levels[] = {"high", "normal", "low"};
  for (int i = 0; i < 3; ++i) b.queue_depth.at({levels[i]}).Set(static_cast<double>(v.waiting[i]));
  b.in_flight.at({}).Set(static_cast<double>(v.leases));
}

void metrics_registry::set_keys(const std::vector<key_book::view>& keys) {
  auto& b = *body_;
  for (auto& k : keys)
    if (b.keys.count(k.standing.key))
      b.key_health.at({k.standing.key}).Set(k.standing.disabled ? 0 : k.standing.health);
}

void metrics_registry::set_breaker(const breaker_view& v) {
  if (!body_->providers.count(v.provider)) return;
  for (auto& c : v.circuits) body_->breaker_state.at({v.provider, c.model}).Set(static_cast<double>(c.state));
  for (auto& w : v.ways) {
    body_->endpoint_state.at({v.provider, w.name}).Set(static_cast<double>(w.state));
    if (w.plain) body_->endpoint_latency.at({v.provider, w.name, "plain"}).Set(seconds(*w.plain));
    if (w.streamed) body_->endpoint_latency.at({v.provider, w.name, "stream"}).Set(seconds(*w.streamed));
  }
}

void metrics_registry::set_cache(const cache_view& v) {
  if (v.redis_configured) body_->redis_up.at({}).Set(v.redis_up ? 1 : 0);
  for (auto& t : v.tiers) {
    if (t.entries) body_->cache_entries.at({t.name}).Set(static_cast<double>(*t.entries));
    if (t.bytes) body_->cache_bytes.at({t.name}).Set(static_cast<double>(*t.bytes));
  }
}

void metrics_registry::set_alerts(const std::vector<alert_book::alert>& all) {
  body_->alerts.clear();
  for (auto& a : all) body_->alerts.at({a.signal, to_string(a.severity)}).Set(a.on);
}

void metrics_registry::set_actors(const std::vector<actor_row>& rows) {
  for (auto& a : rows) {
    go_to(body_->restarts.at({a.name}), body_->restarts_seen[a.name], a.restarts);
    go_to(body_->messages.at({a.name}), body_->messages_seen[a.name], a.messages);
  }
}

void metrics_registry::set_backlog(const std::string& actor, std::uint64_t messages) {
  body_->mailbox.at({actor}).Set(static_cast<double>(messages));
}

void metrics_registry::set_dispatcher(const dispatcher_view& v) {
  go_to(body_->refused.at({}), body_->refused_seen, v.refused);
}

void metrics_registry::set_tracer(const tracer_view& v) {
  if (!v.configured && v.sent + v.dropped == 0) return;
  go_to(body_->traced.at({"sent"}), body_->sent_seen, v.sent);
  go_to(body_->traced.at({"dropped"}), body_->dropped_seen, v.dropped);
}

void metrics_registry::set_lately(const recent_traffic::view& t) {
  for (const auto l : latencies) {
    const auto& p = t.of(l);
    for (auto [percentile, value] : {std::pair("50", p.p50), {"90", p.p90}, {"99", p.p99}, {"99.9", p.p999}})
      body_->recent.at({to_string(l), percentile}).Set(value);
  }
}

void metrics_registry::set_forecast(const load_watch::view& v) {
  auto& b = *body_;
  b.forecast.at({"5m"}).Set(v.in_5m);
  b.forecast.at({"15m"}).Set(v.in_15m);
  b.forecast.at({"60m"}).Set(v.in_60m);
}

void metrics_registry::set_audit(std::uint64_t seq, std::uint64_t lost) {
  body_->audit_seq.at({}).Set(static_cast<double>(seq));
  go_to(body_->audit_lost.at({}), body_->lost_seen, lost);
}

void metrics_registry::set_drill(const drill_book::view& v) {
  for (const auto kind : drill_kinds)
    body_->drill.at({to_string(kind)}).Set(v.at == drill_book::phase::under_way && v.order.what == kind ? 1 : 0);
}

void metrics_registry::set_peers(const cluster_view& v) {
  for (const auto& p : v.peers) {
    body_->peer_up.at({p.address}).Set(p.state == membership::standing::up ? 1 : 0);
    if (p.round_trip) body_->peer_round_trip.at({p.address}).Set(seconds(*p.round_trip));
  }
}

void metrics_registry::set_peer_news(const peer_news_view& v) {
  auto& b = *body_;
  const std::pair<const char*, std::uint64_t> counts[] = {
      {"circuit", v.circuits}, {"key", v.keys}, {"other_secret", v.other_secrets}, {"dropped", v.dropped}};
  for (auto& [kind, n] : counts) go_to(b.peer_advice.at({kind}), b.peer_advice_seen[kind], n);
}

void metrics_registry::set_guests(const guests_view& v) {
  for (const auto& [how, n] : v.moved) go_to(body_->moved.at({how.first, how.second}), body_->moved_seen[how], n);
  std::size_t out = 0, in = 0;
  for (const auto& [address, p] : v.peers) out += p.away, in += p.guests;
  body_->away.at({"out"}).Set(static_cast<double>(out));
  body_->away.at({"in"}).Set(static_cast<double>(in));
}

void metrics_registry::flush() {
  auto& b = *body_;
  const auto all = [](auto&... s) { (s.flush(), ...); };
  all(b.requests, b.attempts, b.request_seconds, b.first_token_seconds, b.overhead_seconds, b.tokens, b.cost,
      b.provider_cost, b.client_cost, b.saved, b.client_tokens, b.between_tokens, b.queue_seconds, b.retries_of,
      b.retried, b.retry_added, b.retries, b.cache, b.batch_calls, b.batch_parts, b.redactions, b.denied, b.audit_lost,
      b.restarts, b.messages, b.refused, b.traced, b.peer_advice, b.moved);
}

std::string metrics_registry::text() const { return prometheus::TextSerializer().Serialize(body_->registry.Collect()); }

metrics_view metrics_registry::view() const { return body_->seen; }

const totals_by_name& metrics_registry::calls() const { return body_->calls; }

} // namespace mainstay
