// How many a second get through, lately: over the last minute, because limits count by minutes, or over the last few
// seconds where those were better. Counting and asking are O(1); time is passed in.
#pragma once

#include "core/clock.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace mainstay {

class throughput {
public:
  void count(instant now);
  /// What is known holds no longer: a circuit opened or closed.
  void restart() noexcept { *this = {}; }
  /// None while too little was seen to tell: less than five seconds, or fewer than five.
  std::optional<double> per_second(instant now) const;

private:
  static constexpr duration step = 5s;
  static constexpr std::size_t steps = 12;
  struct slice {
    std::int64_t number = -1;
    std::uint32_t count = 0;
  };
  static std::int64_t number_of(instant t) { return t.time_since_epoch() / step; }
  struct stretch {
    std::uint32_t count = 0;
    double seconds = 0;
    double rate() const noexcept { return count / seconds; }
  };
  stretch since(std::int64_t oldest, instant now) const;
  std::array<slice, steps> slices_{};
  instant begun_ = instant::min(); // min: nothing was counted yet
};

} // namespace mainstay
