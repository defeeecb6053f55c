#include "core/run_report.hpp"

#include <algorithm>

namespace mainstay {

bool run_report::lost() const noexcept {
  if (ok() || own_limit || durable) return false;
  const auto why = failure_named(outcome);
  return !why || (rules_of(*why).whose != blame::caller && *why != failure_class::cancelled);
}

std::string run_report::redacted_text() const {
  std::string out;
  for (auto& [kind, times] : redacted) out += (out.empty() ? "" : ", ") + kind + " " + std::to_string(times);
  return out;
}

std::optional<double> run_report::usd() const {
  std::optional<double> sum;
  for (const auto& a : attempts)
    if (a.usd) sum = sum.value_or(0) + *a.usd;
  return sum;
}

duration run_report::added_by_retries() const noexcept {
  if (attempts.size() < 2) return {};
  const auto sooner = [](auto& a, auto& b) { return a.began < b.began; };
  const auto [first, last] = std::minmax_element(attempts.begin(), attempts.end(), sooner);
  return last->began - first->began;
}

} // namespace mainstay
