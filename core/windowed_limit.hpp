// One limit over one window: what we sent, exactly (core/sliding_log), and what the provider itself said is left.
// Promises: what was reserved and not given back never exceeds the limit in any window; the provider's word only ever
// narrows the local count. Memory is bounded by the limit.
#pragma once

#include "core/sliding_log.hpp"

#include <optional>

namespace mainstay {

/// One limit over one window. Without a limit it counts nothing and lets everything through, until it is told better.
class windowed_limit {
public:
  explicit windowed_limit(duration window) noexcept : log_(window) {}
  void set_window(duration window) noexcept { log_.set_window(window); }
  void limit_to(std::optional<std::uint64_t> limit) noexcept;
  const std::optional<std::uint64_t>& limit() const noexcept { return limit_; }

  /// `withheld` of the limit is promised to somebody else. An amount over the limit fits when nothing at all is in use.
  bool fits(std::uint64_t amount, std::uint64_t withheld, instant now);
  /// When it will, by time alone; `now` if it does, instant::max() if that takes somebody's settlement.
  instant fits_at(std::uint64_t amount, std::uint64_t withheld, instant now);

  /// That share of the limit, for those who are to leave it free; less where an amount would never fit otherwise.
  std::uint64_t left_free(double share, std::uint64_t amount) const noexcept;

  std::uint64_t reserve(std::uint64_t amount); // 0, the ticket of nothing, where there is no limit
  sliding_log& log() noexcept { return log_; }

  /// The provider says that `remaining` are left and all is free again at `reset`.
  void learn(std::uint64_t remaining, instant reset, instant now);

  std::uint64_t used(instant now);      // counted and blocked
  double used_share(instant now);       // 0 where unlimited
  std::uint64_t remaining(instant now); // 0 where unlimited

private:
  std::uint64_t blocked(instant now) const noexcept { return now < until_ ? blocked_ : 0; }
  instant fits_below(std::uint64_t amount, std::uint64_t off, instant now);
  std::optional<std::uint64_t> limit_;
  sliding_log log_;
  std::uint64_t blocked_ = 0; // beyond our own count, until `until_`; where there is no limit: what is left until then
  instant until_ = instant::min();
};

} // namespace mainstay
