#include "core/load_pattern.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {

constexpr std::uint32_t most_weeks = 1'000'000;
constexpr auto week = std::chrono::hours(load_pattern::hours);
constexpr auto monday = std::chrono::hours(72); // 1 January 1970 was a Thursday

/// Since Monday 00:00 UTC.
utc_time::duration into_week(utc_time t) noexcept {
  const auto since = (t.time_since_epoch() + monday) % week;
  return since < since.zero() ? since + week : since;
}

} // namespace

std::size_t load_pattern::hour_of(utc_time t) noexcept {
  return static_cast<std::size_t>(std::chrono::floor<std::chrono::hours>(into_week(t)).count());
}

void load_pattern::learn(std::size_t hour, double tokens_per_minute) {
  auto& c = cells_.at(hour);
  const auto share = std::max(newest_share, 1.0 / (c.weeks + 1.0));
  c.mean += share * (tokens_per_minute - c.mean);
  c.weeks = std::min(c.weeks + 1, most_weeks);
  sum_up();
}

std::optional<double> load_pattern::at(utc_time t) const noexcept {
  if (known_ == 0) return {};
  const auto from_middle = std::chrono::duration<double, std::ratio<3600>>(into_week(t)).count() - 0.5;
  const auto before = std::floor(from_middle);
  const auto hour = static_cast<std::size_t>(before + hours) % hours;
  const auto share = from_middle - before;
  return (1 - share) * value(hour) + share * value((hour + 1) % hours);
}

void load_pattern::restore(const cells& earlier) {
  cells_ = {};
  for (std::size_t i = 0; i < hours; ++i)
    if (earlier[i].weeks > 0 && std::isfinite(earlier[i].mean) && earlier[i].mean >= 0)
      cells_[i] = {earlier[i].mean, std::min(earlier[i].weeks, most_weeks)};
  sum_up();
}

double load_pattern::value(std::size_t hour) const noexcept {
  if (cells_[hour].weeks > 0) return cells_[hour].mean;
  double sum = 0;
  int days = 0;
  for (auto same = hour % 24; same < hours; same += 24)
    if (cells_[same].weeks > 0) sum += cells_[same].mean, ++days;
  return days > 0 ? sum / days : mean_;
}

void load_pattern::sum_up() noexcept {
  double sum = 0;
  known_ = 0;
  for (const auto& c : cells_)
    if (c.weeks > 0) sum += c.mean, ++known_;
  mean_ = known_ > 0 ? sum / static_cast<double>(known_) : 0;
}

} // namespace mainstay
