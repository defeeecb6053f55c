// A request is one entry in each window that limits it; all of them begin and end together.
#include "core/key_meter.hpp"

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

void key_meter::limit_to(const limit_set& limits) noexcept {
  limits_ = limits;
  rpm_.limit_to(limits.rpm);
  rps_.limit_to(limits.rps);
  tpm_.limit_to(limits.tpm);
}

bool key_meter::fits(std::uint64_t tokens, std::uint64_t withheld_tokens, instant now) {
  return has_place() && rpm_.fits(1, 0, now) && rps_.fits(1, 0, now) && tpm_.fits(tokens, withheld_tokens, now);
}

key_meter::outlook key_meter::look_ahead(std::uint64_t tokens, std::uint64_t withheld_tokens, instant now) {
  const auto minute = rpm_.fits_at(1, 0, now), second = rps_.fits_at(1, 0, now);
  const auto room = tpm_.fits_at(tokens, withheld_tokens, now);
  outlook out{now, has_place() ? std::max({minute, second, room}) : instant::max(), false};
  out.tokens_only = has_place() && minute <= now && second <= now && room > now;
  // What is withheld may be given up at any time, and what is not sent yet may be withdrawn: neither is counted on.
  for (const auto at : {minute, second, tpm_.fits_at(tokens, 0, now)})
    if (at != instant::max()) out.not_before = std::max(out.not_before, at);
  return out;
}

meter_tickets key_meter::take(std::uint64_t tokens) {
  ++in_flight_;
  return {rpm_.reserve(1), rps_.reserve(1), tpm_.reserve(tokens), tokens};
}

void key_meter::stamp(const meter_tickets& t, instant at) {
  rpm_.log().stamp(t.rpm, at);
  rps_.log().stamp(t.rps, at);
  tpm_.log().stamp(t.tpm, at);
}

void key_meter::give_back(const meter_tickets& t, bool sent, std::optional<std::uint64_t> tokens, instant at) {
  if (in_flight_ > 0) --in_flight_;
  if (!sent) {
    rpm_.log().withdraw(t.rpm);
    rps_.log().withdraw(t.rps);
    tpm_.log().withdraw(t.tpm);
    return;
  }
  stamp(t, at);
  if (tokens.value_or(t.tokens) == 0)
    tpm_.log().withdraw(t.tpm); // an entry of nothing would only take memory
  else if (tokens)
    tpm_.log().correct(t.tpm, *tokens);
}

double key_meter::concurrency_share() const noexcept {
  if (!limits_.concurrency) return 0;
  return *limits_.concurrency ? static_cast<double>(in_flight_) / *limits_.concurrency : 1;
}

bool key_meter::idle(instant now) {
  return in_flight_ == 0 && rpm_.log().used(now) == 0 && rps_.log().used(now) == 0 && tpm_.log().used(now) == 0;
}

} // namespace mainstay
