#include "core/comparison.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {
double seconds(duration d) { return std::chrono::duration<double>(d).count(); }
} // namespace

void comparison::add(const run_report& r) {
  ++calls_;
  usd_ += r.usd().value_or(0);
  if (!r.ok()) {
    ++errors_[r.outcome];
    return;
  }
  priced_ = priced_ && r.usd().has_value();
  call c{seconds(r.took), 0, r.output_tokens};
  for (const auto& a : r.attempts)
    if (!a.failed) {
      c.took = seconds(a.took);
      c.first_token = seconds(a.first_token);
      if (c.tokens == 0) c.tokens = a.billed.output;
    }
  answered_.push_back(c);
}

comparison::view comparison::look() const {
  view v;
  v.calls = calls_;
  v.answered = answered_.size();
  v.errors = errors_;
  v.usd = usd_;
  v.priced = priced_;
  if (answered_.empty()) return v;
  std::vector<double> took;
  double streamed = 0, streaming = 0;
  const auto n = static_cast<double>(answered_.size());
  for (const auto& c : answered_) {
    took.push_back(c.took);
    v.mean += c.took / n;
    v.first_token += c.first_token / n;
    v.output_tokens += static_cast<double>(c.tokens) / n;
    if (c.tokens > 1 && c.took > c.first_token) {
      streamed += static_cast<double>(c.tokens - 1);
      streaming += c.took - c.first_token;
    }
  }
  if (streaming > 0) v.tokens_per_second = streamed / streaming;
  std::sort(took.begin(), took.end());
  const auto rank = [&](double q) { return took[static_cast<std::size_t>(std::max(1.0, std::ceil(q * n))) - 1]; };
  v.p50 = rank(0.5);
  v.p95 = rank(0.95);
  return v;
}

} // namespace mainstay
