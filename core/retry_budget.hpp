// Two brakes on asking again: a budget that bounds retries to a share of the traffic, and an adaptive limit that cuts
// retries while few calls succeed. Failover to another target is never charged here.
#pragma once

#include "core/clock.hpp"

#include <array>
#include <cstddef>
#include <vector>

namespace mainstay {

struct retry_budget_settings {
  double ratio = 0.2;         // retries per first attempt
  double min_per_second = 10; // always allowed beside that
};

/// Token bucket in the manner of Finagle's RetryBudget: each first attempt deposits `ratio`, time deposits
/// `min_per_second`, a retry withdraws one; what is older than ten seconds expires (so the balance is capped). Starts
/// with ten seconds' worth of `min_per_second`: a fresh daemon may retry.
class retry_budget {
public:
  explicit retry_budget(retry_budget_settings = {}) noexcept;
  void reconfigure(retry_budget_settings) noexcept;
  void on_first_attempt(instant now) noexcept;
  /// True, and one withdrawn, if a retry may be made now.
  bool try_withdraw(instant now) noexcept;
  double balance(instant now) const noexcept;

private:
  void accrue(instant now) noexcept;
  retry_budget_settings settings_;
  double from_time_ = 0;                  // earned by time, capped at 10 s of min_per_second
  std::array<double, 10> from_traffic_{}; // earned by traffic in each of the last ten seconds
  std::size_t newest_ = 0;                // the slice that takes deposits, begun at slice_start_
  instant slice_start_{};
  instant last_{};
  bool started_ = false;
};

struct adaptive_settings {
  int window = 100;
  double healthy = 0.95, unhealthy = 0.90;
  int unhealthy_max_retries = 1;
};

/// The success share of the last `window` outcomes decides how often a target may be asked again: below `unhealthy` at
/// most `unhealthy_max_retries`, above `healthy` everything; in between what held before (hysteresis). Outcomes not yet
/// seen count as good: one failure right after the start proves nothing.
class adaptive_retries {
public:
  explicit adaptive_retries(adaptive_settings = {});
  void reconfigure(adaptive_settings);
  void on_outcome(bool success);
  /// `configured` or fewer.
  int max_retries(int configured) const noexcept;
  double success_share() const noexcept; // 1 while nothing was seen

private:
  void push(bool success);
  void judge() noexcept;
  adaptive_settings settings_;
  std::vector<bool> ring_;
  std::size_t next_ = 0, seen_ = 0, bad_ = 0;
  bool cut_ = false;
};

} // namespace mainstay
