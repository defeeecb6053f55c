#include "core/run_report.hpp"

#include <algorithm>

namespace mainstay {

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
