// The meter of one key (or of one key for the models of a pattern, or of one client): exact windows for requests per
// minute and second and tokens per minute, the requests open at once, and what the provider itself said is left.
// With a burst, a window may hold more than the limit, and the next one so much less: two in a row never hold more than
// twice the limit. Promise: what was taken and not given back never exceeds a limit in any window. In a cluster the
// shares beneath its limits (core/shared_limits) bound it, too, and there is no burst.
#pragma once

#include "core/limit_set.hpp"
#include "core/shared_limits.hpp"
#include "core/windowed_limit.hpp"

#include <memory>

namespace mainstay {

struct meter_tickets {
  std::uint64_t rpm = 0, rps = 0, tpm = 0, tokens = 0;
  std::uint64_t two_rpm = 0, two_tpm = 0; // in the windows that bound what a burst may borrow
  std::unique_ptr<shared_tickets> shared; // in a cluster
};

class key_meter {
public:
  /// `margin` lengthens every window: what is sent with the right distance may arrive with less.
  void limit_to(const limit_set&, duration margin = 0s);
  const limit_set& limits() const noexcept { return limits_; }
  /// With the other nodes of a cluster; null: alone.
  void share(std::unique_ptr<shared_limits> s) noexcept { shared_ = std::move(s); }
  shared_limits* shared() const noexcept { return shared_.get(); }
  bool limits_rate() const noexcept { return limits_.rpm || limits_.rps || limits_.tpm; }

  /// What a request needs: its tokens, beside those that are held back for somebody else, and the share of the windows
  /// for requests and tokens a minute that it is to leave free.
  struct need {
    std::uint64_t tokens = 0, withheld_tokens = 0;
    double left_free = 0;
  };
  bool fits(const need&, instant now);

  struct outlook {
    instant not_before; // never before that, whatever is settled meanwhile
    instant expected;   // then, by time alone; max: somebody must settle first; now: it fits
    bool tokens_only;   // a smaller request would fit now
  };
  outlook look_ahead(const need&, instant now);

  meter_tickets take(std::uint64_t tokens, instant now);
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
  instant requests_fit_at(double left_free, instant now);
  instant tokens_fit_at(const need&, instant now);
  limit_set limits_;
  windowed_limit rpm_{60s}, rps_{1s}, tpm_{60s};
  struct two_windows {
    windowed_limit rpm{120s}, tpm{120s};
  };
  std::unique_ptr<two_windows> borrowed_; // only with a burst
  std::unique_ptr<shared_limits> shared_;
  std::uint32_t in_flight_ = 0;
};

} // namespace mainstay
