// Requests in a calendar month (UTC), for providers that sell so many a month. Counts in this process alone.
// Promise: no more than the limit is taken in a month; the next one begins with an empty count.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <optional>

namespace mainstay {

/// The monotonic clock's place in UTC, told by the shell and told again when the system's date was set.
struct calendar {
  instant at{};
  utc_time utc{};
  utc_time date_of(instant now) const noexcept {
    return utc + std::chrono::duration_cast<utc_time::duration>(now - at);
  }
};

class month_quota {
public:
  void limit_to(std::optional<std::uint64_t> limit) noexcept { limit_ = limit; }
  const std::optional<std::uint64_t>& limit() const noexcept { return limit_; }

  bool fits(const calendar& today, instant now) noexcept { return !limit_ || used(today, now) < *limit_; }
  /// `now`, or the beginning of the next month.
  instant fits_at(const calendar& today, instant now) noexcept { return fits(today, now) ? now : ends_; }
  void take(const calendar& today, instant now) noexcept;
  /// Of a request that was not sent after all.
  void give_back() noexcept { used_ -= used_ > 0; }
  std::uint64_t used(const calendar& today, instant now) noexcept;
  /// The date was set: which month it is must be looked up anew.
  void look_again() noexcept { ends_ = instant::min(); }

private:
  std::optional<std::uint64_t> limit_;
  std::uint64_t used_ = 0;
  int month_ = -1; // counted from the year 0
  instant ends_ = instant::min();
};

} // namespace mainstay
