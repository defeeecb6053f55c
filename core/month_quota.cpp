// Which month it is, is looked up once a month.
#include "core/month_quota.hpp"

namespace mainstay {

std::uint64_t month_quota::used(const calendar& today, instant now) noexcept {
  if (now < ends_) return used_;
  const auto date = today.date_of(now);
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(date));
  const auto next = day.year() / day.month() + std::chrono::months(1);
  const int month = static_cast<int>(day.year()) * 12 + static_cast<int>(static_cast<unsigned>(day.month()));
  if (month != month_) used_ = 0;
  month_ = month;
  ends_ = now + std::chrono::duration_cast<duration>(std::chrono::sys_days(next / 1) - date);
  return used_;
}

void month_quota::take(const calendar& today, instant now) noexcept {
  if (!limit_) return;
  used(today, now);
  ++used_;
}

} // namespace mainstay
