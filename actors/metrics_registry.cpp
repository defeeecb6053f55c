#include "actors/metrics_registry.hpp"

#include "actors/metrics_body.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>

namespace mainstay {

metrics_registry::metrics_registry() : body_(std::make_unique<body>()) {
  for (auto* level : {"high", "normal", "low"}) body_->queue_depth.set({level}, 0);
  body_->overhead_seconds.at({});
}
metrics_registry::~metrics_registry() = default;

void metrics_registry::count(const run_report& r) {
  auto& b = *body_;
  auto took = in_seconds(r.took);
  auto model = std::string_view(r.model).empty() ? std::string_view("unknown") : std::string_view(r.model);
  auto source = std::string_view(r.source).empty() ? std::string_view("none") : std::string_view(r.source);
  if (!r.flight) {
    b.requests.add({r.client, model, r.outcome});
    b.request_seconds.observe({model, source}, took);
    b.overhead_seconds.observe({}, in_seconds(r.overhead));
    count_saved("cache", r.saved_usd);
  }
  if (r.story.asked_for_capacity()) // also a flight's
    b.queue_seconds.observe({to_string(r.level)}, in_seconds(r.story.queued(r.took)));
  auto add_tokens = [&](const std::string& provider, const std::string& at, const char* kind, std::uint64_t n) {
    if (n) b.tokens.add({provider, at, kind}, n);
  };
  for (auto& a : r.attempts) {
    b.attempts.add({a.provider, a.model, a.key, a.failed ? to_string(*a.failed) : "ok"});
    if (a.first_token != duration{}) b.first_token_seconds.observe({a.provider, a.model}, in_seconds(a.first_token));
    if (a.between_tokens != duration{}) b.between_tokens.observe({a.provider, a.model}, in_seconds(a.between_tokens));
    add_tokens(a.provider, a.model, "input", a.input_tokens);
    add_tokens(a.provider, a.model, "output", a.output_tokens);
    if (a.usd) {
      b.cost.add({model}, *a.usd);
      b.provider_cost.add({a.provider}, *a.usd);
      b.client_cost.add({r.client}, *a.usd);
    }
    auto& calls = b.calls[a.provider];
    ++calls.requests;
    calls.failed += a.failed && *a.failed != failure_class::cancelled;
  }
  count_retries(r, model);
  for (auto& reason : r.retry_reasons) b.retries.add({reason});
  if (!r.cache_result.empty()) b.cache.add({r.cache_tier, r.cache_result});
  const token_usage used{r.input_tokens, r.output_tokens, r.cached_tokens, r.reasoning_tokens, r.cache_write_tokens};
  const std::pair<const char*, std::uint64_t> kinds[] = {
      {"input", used.input}, {"output", used.output}, {"cached", used.cached}, {"reasoning", used.reasoning}};
  for (auto [kind, n] : kinds) {
    add_tokens(r.provider, r.target_model, kind, n);
    if (n) b.client_tokens.add({r.client, kind}, n);
  }
  auto& v = b.seen;
  v.clients[r.client].tokens += used;
  if (!r.model.empty()) v.models[r.model].tokens += used;
  v.attempts += r.attempts.size();
  v.retries += static_cast<std::uint64_t>(r.retries);
  v.input_tokens += r.input_tokens;
  v.output_tokens += r.output_tokens;
  for (auto& [kind, times] : r.redacted) b.redactions.add({kind}, times);
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
  b.retries_of.observe({model}, more);
  ++b.seen.retries_of[std::min(more, b.seen.retries_of.size() - 1)];
  if (more == 0) return;
  b.retried.add({r.ok() ? "ok" : "failed"});
  b.retry_added.observe({}, in_seconds(r.added_by_retries()));
  ++b.seen.retried;
  b.seen.rescued += r.ok();
}

void metrics_registry::count_saved(std::string_view by, double usd) {
  if (usd > 0) body_->saved.add({by}, usd);
}

void metrics_registry::count_denied(const std::string& rule, bool on_the_way_out) {
  body_->denied.add({rule, on_the_way_out ? "out" : "in"});
}

void metrics_registry::count(const batch_report& r) {
  body_->batch_calls.add({r.model});
  body_->batch_parts.add({r.model, "answered"}, r.answered);
  body_->batch_parts.add({r.model, "alone"}, r.alone);
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
  b.build.set({version, s.hash}, 1);
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

void metrics_registry::flush() { body_->families.flush(); }

std::string metrics_registry::text() const {
  return prometheus::TextSerializer().Serialize(body_->families.registry.Collect());
}

metrics_view metrics_registry::view() const { return body_->seen; }

const totals_by_name& metrics_registry::calls() const { return body_->calls; }

} // namespace mainstay
