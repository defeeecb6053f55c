// How often which duration was seen, in log-linear buckets as HdrHistogram has them: each power of two is cut into 512
// equal parts, so that no bucket is wider than 1/512 of its values: two medians near 20 ms can be told apart when they
// differ by 50 us. Pure; no allocation after construction.
#pragma once

#include "core/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mainstay::load {

class histogram {
public:
  static constexpr int precision = 9;                        // bits: parts of a power of two
  static constexpr duration longest = std::chrono::hours(1); // what is longer counts as this

  struct bucket {
    duration upper; // the largest duration that falls into it
    std::uint64_t count;
  };

  void add(duration) noexcept; // negative ones count as zero
  void clear() noexcept;

  std::uint64_t count() const noexcept { return count_; }
  duration min() const noexcept { return count_ ? min_ : duration::zero(); }
  duration max() const noexcept { return max_; }
  duration mean() const noexcept;
  /// The smallest recorded duration that at least the share `q` (0 to 1) of all do not exceed, exact to its bucket's
  /// upper end and never above max(); zero without any.
  duration quantile(double q) const noexcept;
  /// Those with a count, in rising order.
  std::vector<bucket> buckets() const;

private:
  static constexpr std::size_t parts = std::size_t{1} << precision;
  static std::size_t index_of(std::uint64_t value) noexcept;
  static std::uint64_t upper_of(std::size_t index) noexcept;
  static constexpr std::size_t bucket_count = (42 - precision + 1) * parts; // 2^42 ns exceed an hour

  std::array<std::uint64_t, bucket_count> counts_{};
  std::uint64_t count_ = 0;
  duration min_ = longest, max_{};
  double sum_ = 0; // nanoseconds
};

} // namespace mainstay::load
