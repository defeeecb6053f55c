// The retry budget (a bucket fed by time and by traffic) and the adaptive limit (a ring of outcomes).
#include "core/retry_budget.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace mainstay {
namespace {

constexpr double seconds_kept = 10; // what is older expires, as in Finagle

double sane(double value) noexcept { return value > 0 ? std::min(value, 1e9) : 0; } // NaN and below: nothing

} // namespace

// --- budget --------------------------------------------------------------------------------------------------------

retry_budget::retry_budget(retry_budget_settings settings) noexcept { reconfigure(settings); }

void retry_budget::reconfigure(retry_budget_settings settings) noexcept {
  settings_ = {sane(settings.ratio), sane(settings.min_per_second)};
  from_time_ = std::min(from_time_, seconds_kept * settings_.min_per_second);
}

void retry_budget::accrue(instant now) noexcept {
  if (!started_) { // a fresh daemon may retry at once
    started_ = true;
    last_ = slice_start_ = now;
    from_time_ = seconds_kept * settings_.min_per_second;
    return;
  }
  if (now <= last_) return;
  const std::chrono::duration<double> passed = now - last_;
  last_ = now;
  from_time_ =
      std::min(from_time_ + passed.count() * settings_.min_per_second, seconds_kept * settings_.min_per_second);

  const auto slices = (now - slice_start_) / 1s; // whole seconds: so many of the oldest slices expire
  slice_start_ += slices * 1s;
  for (auto i = std::min<std::int64_t>(slices, from_traffic_.size()); i > 0; --i) {
    newest_ = (newest_ + 1) % from_traffic_.size();
    from_traffic_[newest_] = 0;
  }
}

void retry_budget::on_first_attempt(instant now) noexcept {
  accrue(now);
  from_traffic_[newest_] += settings_.ratio;
}

double retry_budget::balance(instant now) const noexcept {
  retry_budget then = *this;
  then.accrue(now);
  return std::accumulate(then.from_traffic_.begin(), then.from_traffic_.end(), then.from_time_);
}

bool retry_budget::try_withdraw(instant now) noexcept {
  constexpr double nearly_one = 1 - 1e-9; // five deposits of 0.2 are one
  if (balance(now) < nearly_one) return false;
  accrue(now);
  double owed = 1;
  const auto take = [&owed](double& from) {
    const double part = std::min(from, owed);
    from -= part;
    owed -= part;
  };
  take(from_time_); // flows back fastest
  for (std::size_t i = 1; i <= from_traffic_.size(); ++i) take(from_traffic_[(newest_ + i) % from_traffic_.size()]);
  return true;
}

// --- adaptive ------------------------------------------------------------------------------------------------------

adaptive_retries::adaptive_retries(adaptive_settings settings) { reconfigure(settings); }

void adaptive_retries::reconfigure(adaptive_settings settings) {
  settings.window = std::clamp(settings.window, 1, 1'000'000);
  settings.unhealthy_max_retries = std::max(settings.unhealthy_max_retries, 0);
  std::vector<bool> history; // oldest first
  for (std::size_t i = 0; i < seen_; ++i) history.push_back(ring_[(next_ + ring_.size() - seen_ + i) % ring_.size()]);
  settings_ = settings;
  const bool was_cut = cut_;
  ring_.assign(static_cast<std::size_t>(settings.window), true);
  next_ = seen_ = bad_ = 0;
  for (std::size_t i = history.size() - std::min(history.size(), ring_.size()); i < history.size(); ++i)
    push(history[i]);
  cut_ = was_cut;
  judge();
}

void adaptive_retries::push(bool success) {
  if (seen_ == ring_.size())
    bad_ -= !ring_[next_];
  else
    ++seen_;
  ring_[next_] = success;
  bad_ += !success;
  next_ = (next_ + 1) % ring_.size();
}

void adaptive_retries::judge() noexcept {
  const double share = success_share();
  if (share < settings_.unhealthy)
    cut_ = true;
  else if (share > settings_.healthy)
    cut_ = false;
}

void adaptive_retries::on_outcome(bool success) {
  push(success);
  judge();
}

int adaptive_retries::max_retries(int configured) const noexcept {
  return cut_ ? std::min(configured, settings_.unhealthy_max_retries) : configured;
}

double adaptive_retries::success_share() const noexcept {
  return static_cast<double>(ring_.size() - bad_) / static_cast<double>(ring_.size());
}

} // namespace mainstay
