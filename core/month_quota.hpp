// Requests in a calendar month (UTC), for providers that sell so many a month. Counts in this process, from where an
// earlier one left off if it is told; says what is to be written down for the next one.
// Promise: no more than the limit is taken in a month; the next one begins with an empty count.
#pragma once

#include "core/clock.hpp"
#include "core/count_note.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace mainstay {

/// The monotonic clock's place in UTC, told by the shell and told again when the system's date was set.
struct calendar {
  instant at{};
  utc_time utc{};
  utc_time date_of(instant now) const noexcept {
    return utc + std::chrono::duration_cast<utc_time::duration>(now - at);
  }
};

/// What a key has used of a month, to outlive the process. The key's name counts, not its secret: a secret that is
/// replaced belongs to the same account.
struct month_count {
  std::string provider, key;
  std::chrono::year_month month{};
  std::uint64_t used = 0;
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

  /// What an earlier process wrote down; it counts if that month is not over.
  void restore(std::chrono::year_month, std::uint64_t used) noexcept;
  /// The month that used() was last asked in.
  std::chrono::year_month month() const noexcept { return month_; }
  /// False: more was taken than is written down.
  bool noted() const noexcept { return !limit_ || note_.covers(used_); }
  /// What to write down because it is not covered, or because a moment is over.
  std::optional<std::uint64_t> note_at_once(const calendar&, instant now) noexcept;
  std::optional<std::uint64_t> note_after_a_moment(const calendar&, instant now) noexcept;
  bool note_is_ahead() const noexcept { return limit_ && note_.ahead_of(used_); }
  void note_again() noexcept { note_.forget(); }

private:
  std::optional<std::uint64_t> limit_;
  std::uint64_t used_ = 0;
  std::chrono::year_month month_{}; // of no year there is: none was looked up yet
  instant ends_ = instant::min();
  count_note note_;
};

} // namespace mainstay
