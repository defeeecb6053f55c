#include "actors/alert_watch.hpp"

#include <algorithm>

namespace mainstay {

namespace {

/// Of the node's own state: true or false, but for journal and budgets, whose share of their bounds it is.
const alert_book::rules conditions{{"all_targets_down", {{}, 1, false, {}}}, {"audit_failing", {{}, 1, false, {}}},
                                   {"breaker_open", {1, {}, false, {}}},     {"budget", {0.8, 1, false, {}}},
                                   {"forecast_high", {1, {}, false, {}}},    {"journal_full", {0.8, 0.95, false, {}}},
                                   {"redis_down", {1, {}, false, {}}}};

} // namespace

alert_watch::alert_watch() { book_.reconfigure(conditions); }

void alert_watch::reconfigure(const config::settings& s) {
  auto rules = conditions;
  if (s.alerts) {
    rules.insert(s.alerts->rates.begin(), s.alerts->rates.end());
    min_requests_ = s.alerts->min_requests;
  }
  if (rules != book_.configured()) book_.reconfigure(std::move(rules));
  providers_.clear();
  for (auto& p : s.providers) providers_.insert(p.name);
  std::erase_if(open_, [this](auto& name) { return !providers_.count(name); });
  if (!s.cache || !s.cache->redis_url) signals_["redis_down"] = 0;
}

void alert_watch::count(const run_report& r, instant now) {
  for (const auto& a : r.attempts) {
    traffic_.count_call(a.failed == failure_class::rate_limited, a.failed == failure_class::server_error, now);
    if (a.first_token != duration{}) traffic_.count(latency::first_token, a.first_token, now);
    if (a.between_tokens != duration{}) traffic_.count(latency::between_tokens, a.between_tokens, now);
  }
  if (!r.flight) traffic_.count(latency::overhead, r.overhead, now);
  const bool ok = r.ok();
  if (r.flight || (!ok && !r.lost())) return; // nobody's failure
  traffic_.count_request(ok, !r.retry_reasons.empty(), r.took, now);
}

void alert_watch::see(const recovery_view& v) {
  signals_["all_targets_down"] =
      std::any_of(v.models.begin(), v.models.end(), [](auto& m) { return m.phase == outage_phase::down; });
}

void alert_watch::see(const breaker_view& v) {
  const bool open =
      std::any_of(v.circuits.begin(), v.circuits.end(), [](auto& c) { return c.state == circuit_state::open; });
  if (open && providers_.count(v.provider))
    open_.insert(v.provider);
  else
    open_.erase(v.provider);
  signals_["breaker_open"] = !open_.empty();
}

void alert_watch::see(const cache_view& v) { signals_["redis_down"] = v.redis_configured && !v.redis_up; }

void alert_watch::see_journal(double fullness) { signals_["journal_full"] = fullness; }

void alert_watch::see(const load_watch::view& v) { signals_["forecast_high"] = v.level == load_level::high; }

void alert_watch::see_audit(bool failing) { signals_["audit_failing"] = failing; }

void alert_watch::see_budgets(double share) { signals_["budget"] = share; }

std::vector<alert_book::alert> alert_watch::judge(instant now) {
  const auto& t = judged_ = traffic_.look(now);
  const auto told = [this](std::uint64_t of, double value) -> std::optional<double> {
    if (of < std::max<std::uint64_t>(1, min_requests_)) return std::nullopt;
    return value;
  };
  signals_["success_rate"] = told(t.requests, t.success);
  signals_["latency_p99"] = told(t.requests, t.of(latency::request).p99);
  signals_["retry_rate"] = told(t.requests, t.retried);
  signals_["rate_limited"] = told(t.calls, t.rate_limited);
  signals_["server_error"] = told(t.calls, t.server_error);
  return book_.judge(signals_, now);
}

bool alert_watch::is_news(const std::string& signal) {
  static const std::set<std::string> said_elsewhere{"all_targets_down", "audit_failing", "breaker_open",
                                                    "forecast_high", "redis_down"};
  return !said_elsewhere.count(signal);
}

} // namespace mainstay
