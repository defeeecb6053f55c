// The meter of one key (or of one key for the models of a pattern, or of one client): exact windows for requests per
// minute and second and tokens per minute, the requests open at once, and what the provider itself said is left.
// Promises: what was taken and not given back never exceeds a limit in any window; the provider's word only ever
// narrows the local count. Memory is bounded by the limits.
#pragma once

#include "core/limit_set.hpp"
#include "core/sliding_log.hpp"

namespace mainstay {

/// One limit over one window. Without a limit it counts nothing and lets everything through, until it is told better.
class windowed_limit {
public:
  explicit windowed_limit(duration window) noexcept : log_(window) {}
  void limit_to(std::optional<std::uint64_t> limit) noexcept;
  const std::optional<std::uint64_t>& limit() const noexcept { return limit_; }

  /// `withheld` of the limit is promised to somebody else. An amount over the limit fits when nothing at all is in use.
  bool fits(std::uint64_t amount, std::uint64_t withheld, instant now);
  /// When it will, by time alone; `now` if it does, instant::max() if that takes somebody's settlement.
  instant fits_at(std::uint64_t amount, std::uint64_t withheld, instant now);

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

struct meter_tickets {
  std::uint64_t rpm = 0, rps = 0, tpm = 0, tokens = 0;
};

class key_meter {
public:
  void limit_to(const limit_set&) noexcept;
  const limit_set& limits() const noexcept { return limits_; }
  bool limits_rate() const noexcept { return limits_.rpm || limits_.rps || limits_.tpm; }

  bool fits(std::uint64_t tokens, std::uint64_t withheld_tokens, instant now);

  struct outlook {
    instant not_before; // never before that, whatever is settled meanwhile
    instant expected;   // then, by time alone; max: somebody must settle first; now: it fits
    bool tokens_only;   // a smaller request would fit now
  };
  outlook look_ahead(std::uint64_t tokens, std::uint64_t withheld_tokens, instant now);

  meter_tickets take(std::uint64_t tokens);
  void stamp(const meter_tickets&, instant at);
  /// Ends what was taken. Sent: stays charged from `at` (or its earlier stamp), with the real number of tokens if
  /// known.
  void give_back(const meter_tickets&, bool sent, std::optional<std::uint64_t> tokens, instant at);

  windowed_limit& rpm() noexcept { return rpm_; }
  windowed_limit& rps() noexcept { return rps_; }
  windowed_limit& tpm() noexcept { return tpm_; }
  std::uint32_t in_flight() const noexcept { return in_flight_; }
  double concurrency_share() const noexcept;
  bool idle(instant now); // nothing counts: may be forgotten

private:
  bool has_place() const noexcept { return !limits_.concurrency || in_flight_ < *limits_.concurrency; }
  limit_set limits_;
  windowed_limit rpm_{60s}, rps_{1s}, tpm_{60s};
  std::uint32_t in_flight_ = 0;
};

} // namespace mainstay
