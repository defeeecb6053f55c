// Seeded randomness: a small generator, and a delay that is a number of milliseconds or a distribution of them.
// The same seed and the same order of requests give the same draws.
#pragma once

#include <chrono>
#include <cstdint>

namespace mainstay::mock {

// splitmix64: cheap to seed, so that every rule and every stream can have its own.
class dice {
public:
  using result_type = std::uint64_t;
  explicit dice(std::uint64_t seed = 1) : state_(seed) {}
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() {
    auto z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  double unit() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; } // in [0, 1)

private:
  std::uint64_t state_;
};

inline std::chrono::nanoseconds milliseconds_of(double ms) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(ms * 1e6));
}

struct delay {
  enum class shape { constant, uniform, normal, lognormal, exponential };
  shape dist = shape::constant;
  double first = 0;  // ms: the value, the lower end, the mean, the median, the mean
  double second = 0; // ms: -, the upper end, the standard deviation, sigma of the logarithm (no unit), -
  double longest = 600000;

  bool none() const { return dist == shape::constant && first <= 0; }
  std::chrono::nanoseconds draw(dice& random) const; // never negative, never over `longest` ms
};

} // namespace mainstay::mock
