// A request is one entry in each window that limits it; all of them begin and end together.
#include "core/key_meter.hpp"

#include <algorithm>

namespace mainstay {

namespace {

void settle_tokens(sliding_log& log, std::uint64_t ticket, std::uint64_t tokens) {
  if (tokens == 0)
    log.withdraw(ticket); // an entry of nothing would only take memory
  else
    log.correct(ticket, tokens);
}

/// A share more than the limit, in whole requests or tokens.
std::optional<std::uint64_t> with_burst(std::optional<std::uint64_t> limit, double burst) {
  if (limit) *limit += static_cast<std::uint64_t>(static_cast<double>(*limit) * std::clamp(burst, 0.0, 1.0));
  return limit;
}

} // namespace

void key_meter::limit_to(const limit_set& limits, duration margin) {
  limits_ = limits;
  rpm_.set_window(60s + margin);
  rps_.set_window(1s + margin);
  tpm_.set_window(60s + margin);
  rpm_.limit_to(with_burst(limits.rpm, limits.burst));
  rps_.limit_to(limits.rps);
  tpm_.limit_to(with_burst(limits.tpm, limits.burst));
  if (!(limits.burst > 0)) {
    borrowed_.reset();
    return;
  }
  if (!borrowed_) borrowed_ = std::make_unique<two_windows>();
  borrowed_->rpm.set_window(120s + margin);
  borrowed_->tpm.set_window(120s + margin);
  borrowed_->rpm.limit_to(limits.rpm ? std::optional<std::uint64_t>(2 * std::uint64_t{*limits.rpm}) : std::nullopt);
  borrowed_->tpm.limit_to(limits.tpm ? std::optional(2 * *limits.tpm) : std::nullopt);
}

bool key_meter::fits(const need& n, instant now) {
  const auto requests = [&](windowed_limit& w) { return w.fits(1, w.left_free(n.left_free, 1), now); };
  const auto tokens = [&](windowed_limit& w) {
    return w.fits(n.tokens, n.withheld_tokens + w.left_free(n.left_free, n.tokens), now);
  };
  return has_place() && requests(rpm_) && rps_.fits(1, 0, now) && tokens(tpm_) &&
         (!borrowed_ || (requests(borrowed_->rpm) && tokens(borrowed_->tpm))) &&
         (!shared_ || shared_->fits({n.tokens, n.withheld_tokens, n.left_free}, now));
}

instant key_meter::requests_fit_at(double left_free, instant now) {
  const auto in = [&](windowed_limit& w) { return w.fits_at(1, w.left_free(left_free, 1), now); };
  const auto at = std::max(in(rpm_), rps_.fits_at(1, 0, now));
  return borrowed_ ? std::max(at, in(borrowed_->rpm)) : at;
}

instant key_meter::tokens_fit_at(const need& n, instant now) {
  const auto in = [&](windowed_limit& w) {
    return w.fits_at(n.tokens, n.withheld_tokens + w.left_free(n.left_free, n.tokens), now);
  };
  return borrowed_ ? std::max(in(tpm_), in(borrowed_->tpm)) : in(tpm_);
}

key_meter::outlook key_meter::look_ahead(const need& n, instant now) {
  auto slow = requests_fit_at(n.left_free, now), room = tokens_fit_at(n, now);
  if (shared_) {
    const shared_limits::need here{n.tokens, n.withheld_tokens, n.left_free};
    const auto requests = std::max(shared_->requests_fit_at(here, now), shared_->call_fits_at(now));
    slow = std::max(slow, shared_limits::look_again(requests, now));
    room = std::max(room, shared_limits::look_again(shared_->tokens_fit_at(here, now), now));
  }
  outlook out{now, has_place() ? std::max(slow, room) : instant::max(), false};
  out.tokens_only = has_place() && slow <= now && room > now;
  // What is withheld or to be left free may be given up at any time, and what is not sent yet may be withdrawn: none of
  // it is counted on.
  // Neither is what other nodes may lend.
  for (const auto at : {n.left_free > 0 || shared_ ? requests_fit_at(0, now) : slow, tokens_fit_at({n.tokens}, now)})
    if (at != instant::max()) out.not_before = std::max(out.not_before, at);
  return out;
}

meter_tickets key_meter::take(std::uint64_t tokens, instant now) {
  ++in_flight_;
  meter_tickets t{rpm_.reserve(1), rps_.reserve(1), tpm_.reserve(tokens), tokens, 0, 0, nullptr};
  if (shared_) t.shared = shared_->take(tokens, now);
  if (borrowed_) {
    t.two_rpm = borrowed_->rpm.reserve(1);
    t.two_tpm = borrowed_->tpm.reserve(tokens);
  }
  return t;
}

void key_meter::stamp(const meter_tickets& t, instant at) {
  rpm_.log().stamp(t.rpm, at);
  rps_.log().stamp(t.rps, at);
  tpm_.log().stamp(t.tpm, at);
  if (t.shared) t.shared->stamp(at);
  if (!borrowed_) return;
  borrowed_->rpm.log().stamp(t.two_rpm, at);
  borrowed_->tpm.log().stamp(t.two_tpm, at);
}

void key_meter::give_back(const meter_tickets& t, bool sent, std::optional<std::uint64_t> tokens, instant at) {
  if (in_flight_ > 0) --in_flight_;
  if (t.shared) t.shared->end(sent, tokens, at);
  if (!sent) {
    rpm_.log().withdraw(t.rpm);
    rps_.log().withdraw(t.rps);
    tpm_.log().withdraw(t.tpm);
    if (borrowed_) borrowed_->rpm.log().withdraw(t.two_rpm), borrowed_->tpm.log().withdraw(t.two_tpm);
    return;
  }
  stamp(t, at);
  settle_tokens(tpm_.log(), t.tpm, tokens.value_or(t.tokens));
  if (borrowed_) settle_tokens(borrowed_->tpm.log(), t.two_tpm, tokens.value_or(t.tokens));
}

double key_meter::concurrency_share() const noexcept {
  if (!limits_.concurrency) return 0;
  return *limits_.concurrency ? static_cast<double>(in_flight_) / *limits_.concurrency : 1;
}

bool key_meter::idle(instant now) {
  const bool windows_empty =
      rpm_.log().used(now) == 0 && rps_.log().used(now) == 0 && tpm_.log().used(now) == 0 &&
      (!borrowed_ || (borrowed_->rpm.log().used(now) == 0 && borrowed_->tpm.log().used(now) == 0));
  return in_flight_ == 0 && windows_empty;
}

} // namespace mainstay
