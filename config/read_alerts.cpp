// The section alerts: which rates are told of, from where on, and to whom. The defaults are what the field recommends.
#include "config/sections.hpp"
#include "config/url.hpp"

namespace mainstay::config {
namespace {

constexpr double longest_latency = 86400; // seconds

enum class measure : std::uint8_t { share, seconds };

std::optional<double> read_threshold(const section& s, std::string_view key, measure of) {
  const auto* c = s.find(key);
  if (!c) return std::nullopt;
  if (of == measure::share) return c->number(0, 1);
  const auto t = c->time(1ms, std::chrono::seconds(static_cast<int>(longest_latency)));
  if (!t) return std::nullopt;
  return std::chrono::duration<double>(*t).count();
}

/// Given again, a signal's thresholds are those that stand there and no others.
void read_signal(const cursor& at, alert_rule& rule, measure of) {
  const section s(at, {"warning", "critical", "for"});
  if (!s.valid()) return;
  s.time("for", rule.hold, 0ms, 1h);
  if (s.find("for") && s.entries().size() == 1) return; // the thresholds stay as they were
  rule.warning = read_threshold(s, "warning", of);
  rule.critical = read_threshold(s, "critical", of);
  if (!s.find("warning") && !s.find("critical")) at.error("gives no threshold: add warning or critical");
  if (!rule.warning || !rule.critical) return;
  if (rule.below ? *rule.critical > *rule.warning : *rule.critical < *rule.warning)
    at.error(std::string("critical must not lie ") + (rule.below ? "above" : "below") + " warning");
}

} // namespace

alert_settings read_alerts(const cursor& at) {
  alert_settings out;
  const section s(at, {"success_rate", "latency_p99", "retry_rate", "rate_limited", "server_error", "for",
                       "min_requests", "webhook", "webhook_secret"});
  out.rates = {{"success_rate", {0.98, 0.95, true, {}}},
               {"latency_p99", {10, 30, false, {}}},
               {"retry_rate", {0.05, 0.10, false, {}}},
               {"rate_limited", {0.01, {}, false, {}}},
               {"server_error", {0.005, {}, false, {}}}};
  duration hold = 1min;
  s.time("for", hold, 0ms, 1h);
  for (auto& [signal, rule] : out.rates) {
    rule.hold = hold;
    if (const auto* c = s.find(signal))
      read_signal(*c, rule, signal == "latency_p99" ? measure::seconds : measure::share);
  }
  s.whole("min_requests", out.min_requests, 1, 1'000'000);
  if (const auto* c = s.find("webhook"))
    if (const auto url = c->text(); url && !url->text.empty()) {
      c->shared().found.keep_out(url->text); // it may hold a token
      if (auto fault = fault_of_base_url(url->text); !fault.empty())
        c->error(std::move(fault));
      else
        out.webhook = secret(url->text);
    }
  if (const auto* c = s.find("webhook_secret")) {
    auto key = c->secret_value();
    if (key && !key->value.empty()) out.webhook_secret = std::move(key->value);
    if (!s.find("webhook")) c->error("signs nothing without webhook");
  }
  return out;
}

} // namespace mainstay::config
