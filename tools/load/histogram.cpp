#include "tools/load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mainstay::load {

// Values below 512 have a bucket each. Above, the octave is told by the highest bit, the part by the 9 bits below it.
std::size_t histogram::index_of(std::uint64_t value) noexcept {
  auto octave = std::max<int>(std::bit_width(value) - 1 - precision, 0);
  auto within = value >> octave; // below 2 * parts
  return static_cast<std::size_t>(octave) * parts + within;
}

std::uint64_t histogram::upper_of(std::size_t index) noexcept {
  if (index < 2 * parts) return index;
  auto octave = index / parts - 1;
  return ((index - octave * parts + 1) << octave) - 1;
}

void histogram::add(duration d) noexcept {
  d = std::clamp(d, duration::zero(), duration(longest));
  ++counts_[index_of(static_cast<std::uint64_t>(d.count()))];
  ++count_;
  min_ = std::min(min_, d);
  max_ = std::max(max_, d);
  sum_ += static_cast<double>(d.count());
}

void histogram::clear() noexcept { *this = {}; }

duration histogram::mean() const noexcept {
  return count_ ? duration(std::llround(sum_ / static_cast<double>(count_))) : duration::zero();
}

duration histogram::quantile(double q) const noexcept {
  auto wanted = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size() && count_; ++i) {
    seen += counts_[i];
    if (counts_[i] && seen >= wanted) return std::min(duration(upper_of(i)), max_);
  }
  return max_;
}

std::vector<histogram::bucket> histogram::buckets() const {
  std::vector<bucket> out;
  for (std::size_t i = 0; i < counts_.size(); ++i)
    if (counts_[i]) out.push_back({duration(upper_of(i)), counts_[i]});
  return out;
}

} // namespace mainstay::load
