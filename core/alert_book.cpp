#include "core/alert_book.hpp"

#include <utility>

namespace mainstay {

namespace {

constexpr double way_back = 0.1;

std::optional<double> threshold_of(const alert_rule& r, alert_severity s) {
  return s == alert_severity::warning ? r.warning : r.critical;
}

} // namespace

std::string_view to_string(alert_severity s) noexcept { return s == alert_severity::warning ? "warning" : "critical"; }

void alert_book::reconfigure(rules rules) {
  rules_ = std::move(rules);
  auto before = std::exchange(standings_, {});
  for (const auto& [signal, rule] : rules_)
    for (const auto severity : {alert_severity::warning, alert_severity::critical}) {
      const auto threshold = threshold_of(rule, severity);
      if (!threshold) continue;
      auto& s = standings_[{signal, severity}];
      if (const auto was = before.find({signal, severity}); was != before.end()) s = was->second;
      s.is.signal = signal;
      s.is.severity = severity;
      s.is.threshold = *threshold;
    }
}

/// Once on, it has to come a part of the way back.
bool alert_book::beyond(const alert_rule& rule, double threshold, bool on, double value) noexcept {
  if (rule.below) return value < (on ? threshold + (1 - threshold) * way_back : threshold);
  return on ? value > threshold * (1 - way_back) : value >= threshold;
}

std::vector<alert_book::alert> alert_book::judge(const values& now_is, instant now) {
  std::vector<alert> out;
  for (auto& [name, s] : standings_) {
    const auto& rule = rules_.at(name.first);
    const auto known = now_is.find(name.first);
    if (known == now_is.end() || !known->second) {
      s.other_since.reset();
      continue;
    }
    const auto value = *known->second;
    if (beyond(rule, s.is.threshold, s.is.on, value) == s.is.on) {
      s.other_since.reset();
      continue;
    }
    if (!s.other_since) s.other_since = now;
    if (now - *s.other_since < rule.hold) continue;
    s.other_since.reset();
    s.is.on = !s.is.on;
    s.is.value = value;
    s.is.since = now;
    out.push_back(s.is);
  }
  return out;
}

std::vector<alert_book::alert> alert_book::all() const {
  std::vector<alert> out;
  out.reserve(standings_.size());
  for (const auto& [name, s] : standings_) out.push_back(s.is);
  return out;
}

} // namespace mainstay
