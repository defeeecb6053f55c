#include "core/quantile_sketch.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {
const double log_gamma = std::log((1 + quantile_sketch::accuracy) / (1 - quantile_sketch::accuracy));
} // namespace

void quantile_sketch::add(double value) noexcept {
  const auto inside = std::isnan(value) ? least : std::clamp(value, least, most);
  const auto i = static_cast<std::size_t>(std::ceil(std::log(inside / least) / log_gamma));
  ++counts_[std::min(i, buckets - 1)];
  ++count_;
}

quantile_sketch& quantile_sketch::operator+=(const quantile_sketch& o) noexcept {
  for (std::size_t i = 0; i < buckets; ++i) counts_[i] += o.counts_[i];
  count_ += o.count_;
  return *this;
}

quantile_sketch quantile_sketch::since(const quantile_sketch& earlier) const noexcept {
  auto out = *this;
  for (std::size_t i = 0; i < buckets; ++i) out.counts_[i] -= earlier.counts_[i];
  out.count_ -= earlier.count_;
  return out;
}

double quantile_sketch::at(double q) const noexcept {
  if (count_ == 0) return 0;
  const auto share = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(share));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) return i == 0 ? least : least * std::pow(gamma, static_cast<double>(i)) * 2 / (1 + gamma);
  }
  return most;
}

} // namespace mainstay
