// Which month it is, is looked up once a month.
#include "core/month_quota.hpp"

namespace mainstay {

std::uint64_t month_quota::used(const calendar& today, instant now) noexcept {
  if (now < ends_) return used_;
  const auto date = today.date_of(now);
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(date));
  const auto month = day.year() / day.month();
  if (month != month_) {
    used_ = 0;
    note_.begin_at(0); // what is written is another month's
  }
  month_ = month;
  ends_ =
      now + std::chrono::duration_cast<duration>(std::chrono::sys_days((month + std::chrono::months(1)) / 1) - date);
  return used_;
}

void month_quota::take(const calendar& today, instant now) noexcept {
  if (!limit_) return;
  used(today, now);
  ++used_;
}

void month_quota::restore(std::chrono::year_month month, std::uint64_t used) noexcept {
  month_ = month;
  used_ = used;
  note_.begin_at(used);
  look_again();
}

std::optional<std::uint64_t> month_quota::note_at_once(const calendar& today, instant now) noexcept {
  if (!limit_ || note_.covers(used(today, now))) return std::nullopt;
  return note_.at_once(used_, *limit_);
}

std::optional<std::uint64_t> month_quota::note_after_a_moment(const calendar& today, instant now) noexcept {
  if (!limit_) return std::nullopt;
  used(today, now);
  return note_.after_a_moment(used_, *limit_);
}

} // namespace mainstay
