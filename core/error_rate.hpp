// How many of the latest calls to providers failed: a sliding minute in steps of a second. `high` depends on what
// happened in that minute alone, so it ends by itself: with good calls, or with time.
#pragma once

#include "core/clock.hpp"

#include <array>
#include <cstdint>

namespace mainstay {

class error_rate {
public:
  struct settings {
    double threshold = 0.05;  // above it the rate is high
    std::uint32_t calls = 20; // fewer prove nothing
  };
  error_rate() = default;
  explicit error_rate(settings s) : settings_(s) {}

  void count(bool failed, instant now);
  /// Of the last 60 seconds; 0 where there were too few calls.
  double share(instant now) const;
  bool high(instant now) const { return share(now) > settings_.threshold; }

private:
  static constexpr std::size_t seconds = 60;
  struct slice {
    std::int64_t second = -1;
    std::uint32_t calls = 0, failed = 0;
  };
  settings settings_;
  std::array<slice, seconds> slices_{};
};

} // namespace mainstay
