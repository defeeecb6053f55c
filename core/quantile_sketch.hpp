// Quantiles of many positive values within one percent, in a few kilobytes: DDSketch (Masson, Rim, Lee, VLDB 2019),
// with a fixed range instead of collapsing. Values fall into buckets whose bounds grow by `gamma`; a bucket is told as
// the value whose relative distance to both bounds is the same, so no answer is wrong by more than `accuracy`. Sketches
// of the same kind can be added up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mainstay {

class quantile_sketch {
public:
  static constexpr double accuracy = 0.01;
  static constexpr double least = 1e-6, most = 1e4; // values beyond count as these

  void add(double value) noexcept;
  quantile_sketch& operator+=(const quantile_sketch&) noexcept;
  /// What was added since it was like that.
  quantile_sketch since(const quantile_sketch& earlier) const noexcept;
  /// The value that the share `q` of all does not exceed (nearest rank); 0 where there is none.
  double at(double q) const noexcept;
  std::uint64_t count() const noexcept { return count_; }
  void clear() noexcept { *this = {}; }

private:
  static constexpr double gamma = (1 + accuracy) / (1 - accuracy);
  static constexpr std::size_t buckets = 1153; // ln(most / least) / ln(gamma), and one for `least` itself

  std::array<std::uint32_t, buckets> counts_{};
  std::uint64_t count_ = 0;
};

} // namespace mainstay
