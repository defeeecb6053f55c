// The circuit's transitions. Every change of state starts a new generation, which makes all permits of before void.
#include "core/circuit.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {
namespace {

constexpr duration shortest_open = 1ms;
constexpr int slices = 10;
constexpr std::uint32_t most_doublings = 3;             // an eighth, a quarter, a half, all of it
constexpr double least_jitter = 0.2, most_jitter = 0.5; // of the open time: never all of it, so that whoever asks every
                                                        // few seconds finds a recovered provider within the whole time

circuit_settings sane(circuit_settings s) noexcept {
  s.failure_threshold = std::max(s.failure_threshold, 1);
  s.success_threshold = std::max(s.success_threshold, 1);
  s.min_calls = std::max(s.min_calls, 1);
  s.recovery_timeout = std::clamp<duration>(s.recovery_timeout, 8 * shortest_open, 24h * 365);
  if (!(s.failure_rate > 0)) s.failure_rate = 1; // nothing or NaN: a single failure is no reason to open
  s.window = std::clamp<duration>(s.window, slices * 1ms, 24h);
  if (!(s.slow_rate > 0)) s.slow_rate = 1;
  s.slow_call = std::max<duration>(s.slow_call, 0s);
  s.ramp = std::clamp<duration>(s.ramp, 0s, 24h);
  return s;
}

} // namespace

std::string_view to_string(circuit_state state) noexcept {
  switch (state) {
  case circuit_state::closed: return "closed";
  case circuit_state::half_open: return "half-open";
  case circuit_state::open: return "open";
  }
  return "open";
}

circuit::circuit(circuit_settings settings) noexcept : settings_(sane(settings)) {}

void circuit::reconfigure(circuit_settings settings) noexcept {
  settings_ = sane(settings);
  // With fewer successes asked for than are there already, no permit would ever be given again.
  if (state_ == circuit_state::half_open && half_open_successes_ >= settings_.success_threshold) close();
}

circuit::permit circuit::ask(instant now) {
  age(now);
  const auto seen = state(now);
  if (seen == circuit_state::half_open && state_ != seen) enter(circuit_state::half_open);
  switch (seen) {
  case circuit_state::closed:
    if (ramping(now) && out_ >= room_) return {false, generation_, std::min(soon(now), ramps_until_)};
    break;
  case circuit_state::open: return {false, generation_, open_until()};
  case circuit_state::half_open:
    const auto missing = static_cast<std::uint32_t>(settings_.success_threshold - half_open_successes_);
    if (out_ >= missing) return {false, generation_, soon(now)};
    break;
  }
  ++out_;
  return {true, generation_, now};
}

instant circuit::soon(instant now) const noexcept {
  return now + std::min<duration>(1s, settings_.recovery_timeout / 8);
}

bool circuit::ramping(instant now) const noexcept {
  return now < ramps_until_ && state_ == circuit_state::closed && !forced_;
}

void circuit::settle(std::uint32_t generation, verdict outcome, instant now, double draw) {
  if (generation != generation_ || forced_ || out_ == 0) return; // no permit out: settled more often than granted
  --out_;
  if (outcome == verdict::neutral) return;
  if (outcome == verdict::success) last_success_ = now;
  if (state_ == circuit_state::half_open) {
    if (outcome == verdict::failure) ++consecutive_failures_;
    if (outcome != verdict::success) return open(now, draw);
    if (++half_open_successes_ < settings_.success_threshold && !advised_) return; // by advice: it was never down here
    close();
    ramp_up(now);
    return;
  }
  count(outcome, now);
  const bool told_so = advised(now);
  advised_ = false;
  if (outcome == verdict::success) {
    room_ += room_ < UINT32_MAX;
  } else if (should_trip() || told_so) {
    open(now, draw);
  }
}

void circuit::advise(instant until, instant now) {
  if (forced_ || state_ != circuit_state::closed || until <= now) return;
  if (last_success_ && now - *last_success_ < fresh_success) {
    doubted_until_ = std::min(until, now + longest_advice);
    return;
  }
  if (advised_ && now >= advised_until_) return; // it is to try for itself
  if (!advised_ && (!advised_before_ || now - advised_before_->until >= longest_advice)) advised_before_ = {now, now};
  const instant limit = advised_before_->since + longest_advice;
  if (limit <= now) return; // said and taken back again and again
  advised_ = true;
  advised_until_ = std::min(until, limit);
}

void circuit::advice_over(instant now) {
  doubted_until_ = instant::min();
  if (!advised_) return;
  if (state_ == circuit_state::half_open) enter(circuit_state::closed);
  ramp_up(now);
  advised_ = false;
  advised_before_->until = std::min(now, advised_until_ + longest_advice);
}

bool circuit::advised(instant now) const noexcept {
  const bool being_tried = state_ == circuit_state::half_open && out_ > 0;
  return advised_ && (being_tried || now < advised_until_ + longest_advice);
}

instant circuit::advice_ends(instant now) const noexcept {
  const auto end = advised_until_ + longest_advice;
  return advised_ && now < end ? end : instant::max();
}

/// It stays `advised_`, hence deaf, until somebody has found out here. It ramps up once, from the first call on.
void circuit::age(instant now) {
  if (!advised_ || advised(now)) return;
  if (state_ == circuit_state::half_open) enter(circuit_state::closed);
  if (ramps_until_ < advised_until_ + longest_advice) ramp_up(now);
}

void circuit::forget_advice() noexcept {
  advised_ = false;
  advised_before_.reset();
}

void circuit::ramp_up(instant now) {
  room_ = static_cast<std::uint32_t>(settings_.success_threshold);
  ramps_until_ = now + settings_.ramp;
}

void circuit::count(verdict outcome, instant now) {
  const bool failed = outcome == verdict::failure;
  consecutive_failures_ = failed ? consecutive_failures_ + (now < doubted_until_ ? 2 : 1) : 0;
  while (!window_.empty() && now - window_.front().start >= settings_.window) window_.pop_front();
  if (window_.empty() || now - window_.back().start >= settings_.window / slices) window_.push_back({now, 0, 0, 0});
  ++window_.back().calls;
  window_.back().failures += failed;
  window_.back().slow += outcome == verdict::slow;
}

bool circuit::should_trip() const noexcept {
  if (consecutive_failures_ >= settings_.failure_threshold) return true;
  std::int64_t calls = 0, failures = 0, slow = 0;
  for (const slice& s : window_) {
    calls += s.calls;
    failures += s.failures;
    slow += s.slow;
  }
  const auto share_of = [calls](double rate) { return rate * static_cast<double>(calls); };
  return calls >= settings_.min_calls && (static_cast<double>(failures) >= share_of(settings_.failure_rate) ||
                                          static_cast<double>(slow) >= share_of(settings_.slow_rate));
}

duration circuit::open_time(const circuit_settings& settings, std::uint32_t reopenings, double draw) {
  const duration longest = settings.recovery_timeout / 8 * (1 << std::min(reopenings, most_doublings));
  const double chance = draw > 0 ? std::min(draw, 1.0) : 0.0;
  const double share = 1 - most_jitter + (most_jitter - least_jitter) * chance;
  return std::max<duration>(std::chrono::duration_cast<duration>(longest * share), duration(1));
}

void circuit::open(instant now, double draw) {
  enter(circuit_state::open);
  forget_advice();
  open_until_ = now + open_time(settings_, reopenings_, draw);
  reopenings_ = std::min(reopenings_, most_doublings) + 1;
  ++times_opened_;
}

void circuit::close() {
  enter(circuit_state::closed);
  forget_advice();
  consecutive_failures_ = 0;
  reopenings_ = 0;
}

void circuit::enter(circuit_state next) {
  state_ = next;
  ++generation_;
  half_open_successes_ = 0;
  out_ = 0;
  ramps_until_ = instant::min();
  window_.clear();
}

void circuit::let_try(instant now) noexcept {
  if (advised_) advised_until_ = std::min(advised_until_, now);
  if (state_ == circuit_state::open && !forced_) open_until_ = std::min(open_until_, now);
}

void circuit::still_down(instant now, double draw) {
  if (state(now) == circuit_state::half_open && out_ == 0) open(now, draw);
}

void circuit::force(circuit_state held, instant now) {
  forced_ = true;
  forget_advice();
  const bool closed = held == circuit_state::closed;
  closed ? close() : enter(circuit_state::open);
  open_until_ = closed ? now : instant::max();
}

void circuit::automatic(instant now) {
  if (!forced_ && state_ == circuit_state::closed && !advised_) return;
  forced_ = false;
  open_until_ = now;
  close();
}

circuit_state circuit::state(instant now) const noexcept {
  if (advised(now)) return now < advised_until_ ? circuit_state::open : circuit_state::half_open;
  if (advised_) return circuit_state::closed;
  const bool over = state_ == circuit_state::open && !forced_ && now >= open_until_;
  return over ? circuit_state::half_open : state_;
}

} // namespace mainstay
