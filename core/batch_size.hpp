// How many requests one call may carry for a model: few at first, more while calls are slow, for then each of them is
// dear; fewer again when they are quick, when they come near the time that a call may take, or when one ran out of time
// or room. Times are passed in.
#pragma once

#include "core/clock.hpp"

#include <array>
#include <cstddef>

namespace mainstay {

class batch_size {
public:
  static constexpr std::size_t least = 2, usual = 5, most = 50;
  static constexpr duration slow = 3s; // calls that take longer than this on the mean let batches grow

  std::size_t now() const noexcept { return size_; }
  /// Of the latest calls; zero: none yet.
  duration mean() const noexcept;

  /// A merged call was answered after this time, what it waited for capacity included. `limit`: what it may take.
  void answered(duration took, duration limit) noexcept;
  /// One was cut short, or its time was over.
  void too_large() noexcept;

private:
  void change(std::size_t to) noexcept;

  std::size_t size_ = usual;
  std::array<duration, 5> latest_{};
  std::size_t seen_ = 0;
  int since_change_ = 0;
};

} // namespace mainstay
