// The limit's arithmetic: what is blocked by the provider's word is simply not there.
#include "core/windowed_limit.hpp"

#include <algorithm>

namespace mainstay {

void windowed_limit::limit_to(std::optional<std::uint64_t> limit) noexcept {
  if (limit.has_value() != limit_.has_value()) until_ = instant::min(); // what was learned meant something else
  limit_ = limit;
}

bool windowed_limit::fits(std::uint64_t amount, std::uint64_t withheld, instant now) {
  if (!limit_) return now >= until_ || amount <= blocked_;
  const auto off = blocked(now) + withheld, used = log_.used(now);
  if (off == 0 && amount > *limit_) return used == 0 && *limit_ > 0;
  return off <= *limit_ && amount <= *limit_ - off && used <= *limit_ - off - amount;
}

instant windowed_limit::fits_at(std::uint64_t amount, std::uint64_t withheld, instant now) {
  if (fits(amount, withheld, now)) return now;
  if (!limit_) return until_;
  const auto cut = blocked(now);
  const auto unblocked = fits_below(amount, withheld, now);
  if (cut == 0) return unblocked;
  return std::min(fits_below(amount, withheld + cut, now), std::max(until_, unblocked));
}

instant windowed_limit::fits_below(std::uint64_t amount, std::uint64_t off, instant now) {
  if (off == 0) return log_.fits_at(amount, *limit_, now);
  if (off >= *limit_ || amount > *limit_ - off)
    return instant::max(); // the exception for the oversized is not for these
  return log_.fits_at(amount, *limit_ - off, now);
}

std::uint64_t windowed_limit::left_free(double share, std::uint64_t amount) const noexcept {
  if (!limit_ || !(share > 0) || amount >= *limit_) return 0;
  return std::min(*limit_ - amount, static_cast<std::uint64_t>(share * static_cast<double>(*limit_)));
}

std::uint64_t windowed_limit::reserve(std::uint64_t amount) {
  if (limit_) return log_.reserve(amount);
  blocked_ -= std::min(blocked_, amount);
  return 0;
}

void windowed_limit::learn(std::uint64_t remaining, instant reset, instant now) {
  if (!limit_) {
    if (now < until_ && remaining >= blocked_) return;
    blocked_ = remaining;
    until_ = reset;
    return;
  }
  const auto in_use = used(now);
  const auto left = *limit_ > in_use ? *limit_ - in_use : 0;
  if (remaining >= left) return;
  blocked_ = blocked(now) + (left - remaining);
  until_ = reset;
}

std::uint64_t windowed_limit::used(instant now) { return limit_ ? log_.used(now) + blocked(now) : 0; }

double windowed_limit::used_share(instant now) {
  if (!limit_) return 0;
  return *limit_ ? static_cast<double>(used(now)) / static_cast<double>(*limit_) : 1;
}

std::uint64_t windowed_limit::remaining(instant now) {
  if (!limit_) return 0;
  const auto in_use = used(now);
  return *limit_ > in_use ? *limit_ - in_use : 0;
}

} // namespace mainstay
