// Multiplicative decrease, additive increase up to just below what was too much; after some quiet time further, to find
// out whether the provider has become more generous.
#include "core/pacer.hpp"

#include <algorithm>

namespace mainstay {
namespace {

constexpr duration slice = 5s;        // the recent rate is counted in two of them
constexpr double even_share = 0.95;   // a hair below the even rate: what is sent evenly arrives unevenly
constexpr double decrease = 0.7;      // as in CUBIC (RFC 9438)
constexpr double lasting = 0.85;      // refused again at that rate: aim lower for good (CUBIC's fast convergence)
constexpr double increase = 0.05;     // of the ceiling per success, while below it
constexpr double probe_step = 1.02;   // per success beyond it ...
constexpr duration quiet = 30s;       // ... after so long without a 429
constexpr double given_up_beyond = 8; // times the ceiling: nobody is left who would refuse it
constexpr double slowest = 1.0 / 60;  // a second
constexpr duration alone = 1s;        // sent so long after the one before it was no bunch
constexpr double at_pace = 1.5;       // intervals: slower than that it was not the pace that was too fast

} // namespace

void pacer::pace(double rate) noexcept {
  rate_ = std::clamp(rate, slowest, 1e6);
  interval_ = std::chrono::duration_cast<duration>(std::chrono::duration<double>(1 / rate_));
}

duration pacer::take(instant now) noexcept {
  if (now - slice <= slice_ && now >= slice_) {
    ++in_slice_;
  } else {
    in_slice_before_ = now - 2 * slice <= slice_ ? in_slice_ : 0;
    in_slice_ = 1;
    slice_ = now;
  }
  const auto gap = last_ == instant::min() ? duration::max() : std::max(now - last_, duration::zero());
  last_ = now;
  if (on()) next_ = std::max(now, next_) + interval_;
  return gap;
}

void pacer::give_back() noexcept {
  if (on()) next_ -= interval_;
}

void pacer::on_refused(instant sent, duration gap, double even_rate, instant now) noexcept {
  if (sent <= cut_) return; // of the same wave: sent before the last lesson
  if (!on()) {
    const double seconds = std::chrono::duration<double>(gap).count();
    if (even_rate > 0) {
      if (seconds * even_rate * even_share >= 1) return;
      ceiling_ = even_rate;
      pace(even_rate * even_share);
    } else {
      if (gap >= alone) return;
      ceiling_ = std::max(1u, in_slice_ + in_slice_before_) / std::chrono::duration<double>(2 * slice).count();
      pace(ceiling_ * decrease);
    }
  } else {
    if (gap > duration(static_cast<duration::rep>(static_cast<double>(interval_.count()) * at_pace))) return;
    ceiling_ = rate_ * lasting;
    pace(rate_ * decrease);
  }
  cut_ = now;
  next_ = std::max(next_, now + interval_);
}

void pacer::on_success(instant now) noexcept {
  if (!on()) return;
  const double brim = ceiling_ * even_share;
  if (rate_ < brim)
    pace(std::min(brim, rate_ + ceiling_ * increase));
  else if (now - cut_ >= quiet)
    pace(rate_ * probe_step);
  if (rate_ < ceiling_ * given_up_beyond) return;
  rate_ = 0;
  next_ = instant::min();
}

} // namespace mainstay
