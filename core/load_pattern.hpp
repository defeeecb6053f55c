// What load a week has, hour by hour: 168 cells from Monday 00:00 UTC, each the weighted mean of the tokens per minute
// seen in that hour of earlier weeks, the latest weeks counting most. Between the middles of two hours it goes in a
// straight line. An hour never seen is guessed from the same hour of other days, else from all that was seen.
#pragma once

#include "core/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace mainstay {

class load_pattern {
public:
  static constexpr std::size_t hours = 168;
  static constexpr double newest_share =
      0.3; // of a cell, once it has seen enough weeks for that to be no more than 1/n

  struct cell {
    double mean = 0;         // tokens per minute
    std::uint32_t weeks = 0; // seen
  };
  using cells = std::array<cell, hours>;

  static std::size_t hour_of(utc_time) noexcept;

  void learn(std::size_t hour, double tokens_per_minute);
  /// Tokens per minute; none: nothing was learned yet.
  std::optional<double> at(utc_time) const noexcept;

  const cells& all() const noexcept { return cells_; }
  std::size_t known() const noexcept { return known_; }
  /// What an earlier process learned. Numbers that cannot be are left out.
  void restore(const cells&);

private:
  double value(std::size_t hour) const noexcept;
  void sum_up() noexcept;

  cells cells_{};
  std::size_t known_ = 0;
  double mean_ = 0; // of the known ones
};

} // namespace mainstay
