// What the actors' views set the metrics to.
#include "actors/metrics_body.hpp"

namespace mainstay {

void metrics_registry::set_limits(const governor::view& v) {
  auto& b = *body_;
  for (auto& k : v.keys) {
    if (!b.keys.count(k.key)) continue;
    if (k.limits.rpm) b.limit_used.set({k.key, "rpm"}, k.rpm_used);
    if (k.limits.tpm) b.limit_used.set({k.key, "tpm"}, k.tpm_used);
    if (k.limits.rps) b.limit_used.set({k.key, "rps"}, k.rps_used);
    if (k.limits.concurrency) b.limit_used.set({k.key, "concurrency"}, k.concurrency_used);
  }
  for (const auto& q : v.quotas) {
    b.quota.set({q.name, "home"}, q.share.home);
    b.quota.set({q.name, "borrowed"}, q.share.borrowed);
    b.quota.set({q.name, "lent"}, q.share.home_lent + q.share.borrowed_lent);
    b.quota.set({q.name, "used"}, q.share.home_used + q.share.borrowed_used);
  }
  const char* levels[] = {"high", "normal", "low"};
  for (int i = 0; i < 3; ++i) b.queue_depth.set({levels[i]}, v.waiting[i]);
  b.in_flight.set({}, v.leases);
}

void metrics_registry::set_keys(const std::vector<key_book::view>& keys) {
  auto& b = *body_;
  for (auto& k : keys)
    if (b.keys.count(k.standing.key)) b.key_health.set({k.standing.key}, k.standing.disabled ? 0 : k.standing.health);
}

void metrics_registry::set_breaker(const breaker_view& v) {
  if (!body_->providers.count(v.provider)) return;
  for (auto& c : v.circuits) body_->breaker_state.set({v.provider, c.model}, c.state);
  for (auto& w : v.ways) {
    body_->endpoint_state.set({v.provider, w.name}, w.state);
    if (w.plain) body_->endpoint_latency.set({v.provider, w.name, "plain"}, in_seconds(*w.plain));
    if (w.streamed) body_->endpoint_latency.set({v.provider, w.name, "stream"}, in_seconds(*w.streamed));
  }
}

void metrics_registry::set_cache(const cache_view& v) {
  if (v.redis_configured) body_->redis_up.set({}, v.redis_up ? 1 : 0);
  for (auto& t : v.tiers) {
    if (t.entries) body_->cache_entries.set({t.name}, *t.entries);
    if (t.bytes) body_->cache_bytes.set({t.name}, *t.bytes);
  }
}

void metrics_registry::set_alerts(const std::vector<alert_book::alert>& all) {
  body_->alerts.clear();
  for (auto& a : all) body_->alerts.set({a.signal, to_string(a.severity)}, a.on);
}

void metrics_registry::set_actors(const std::vector<actor_row>& rows) {
  for (auto& a : rows) {
    body_->restarts.follow({a.name}, a.restarts);
    body_->messages.follow({a.name}, a.messages);
  }
}

void metrics_registry::set_backlog(const std::string& actor, std::uint64_t messages) {
  body_->mailbox.set({actor}, messages);
}

void metrics_registry::set_dispatcher(const dispatcher_view& v) { body_->refused.follow({}, v.refused); }

void metrics_registry::set_tracer(const tracer_view& v) {
  if (!v.configured && v.sent + v.dropped == 0) return;
  body_->traced.follow({"sent"}, v.sent);
  body_->traced.follow({"dropped"}, v.dropped);
}

void metrics_registry::set_lately(const recent_traffic::view& t) {
  for (const auto l : latencies) {
    const auto& p = t.of(l);
    for (auto [percentile, value] : {std::pair("50", p.p50), {"90", p.p90}, {"99", p.p99}, {"99.9", p.p999}})
      body_->recent.set({to_string(l), percentile}, value);
  }
}

void metrics_registry::set_forecast(const load_watch::view& v) {
  auto& b = *body_;
  b.forecast.set({"5m"}, v.in_5m);
  b.forecast.set({"15m"}, v.in_15m);
  b.forecast.set({"60m"}, v.in_60m);
}

void metrics_registry::set_audit(std::uint64_t seq, std::uint64_t lost) {
  body_->audit_seq.set({}, seq);
  body_->audit_lost.follow({}, lost);
}

void metrics_registry::set_drill(const drill_book::view& v) {
  for (const auto kind : drill_kinds)
    body_->drill.set({to_string(kind)}, v.at == drill_book::phase::under_way && v.order.what == kind ? 1 : 0);
}

void metrics_registry::set_peers(const cluster_view& v) {
  for (const auto& p : v.peers) {
    body_->peer_up.set({p.address}, p.state == membership::standing::up ? 1 : 0);
    if (p.round_trip) body_->peer_round_trip.set({p.address}, in_seconds(*p.round_trip));
  }
}

void metrics_registry::set_peer_news(const peer_news_view& v) {
  auto& b = *body_;
  const std::pair<const char*, std::uint64_t> counts[] = {
      {"circuit", v.circuits}, {"key", v.keys}, {"other_secret", v.other_secrets}, {"dropped", v.dropped}};
  for (auto& [kind, n] : counts) b.peer_advice.follow({kind}, n);
}

void metrics_registry::set_guests(const guests_view& v) {
  for (const auto& [how, n] : v.moved) body_->moved.follow({how.first, how.second}, n);
  std::size_t out = 0, in = 0;
  for (const auto& [address, p] : v.peers) out += p.away, in += p.guests;
  body_->away.set({"out"}, out);
  body_->away.set({"in"}, in);
}

} // namespace mainstay
