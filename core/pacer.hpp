// Keeps distance between sends where a provider refused what its limit per minute should have allowed: the generic cell
// rate algorithm (ITU-T I.371, as a single time of the next send), with a rate that 429s shrink and successes regrow.
// Off until a 429 came that bunching can explain. Promises: while it is on, two sends are never closer than the rate
// says; one wave of 429s shrinks the rate once; without 429s the rate comes back, and in the end the pacing goes.
#pragma once

#include "core/clock.hpp"

#include <cstdint>

namespace mainstay {

class pacer {
public:
  bool on() const noexcept { return rate_ > 0; }
  bool fits(instant now) const noexcept { return now >= next_; }
  instant fits_at(instant now) const noexcept { return now < next_ ? next_ : now; }

  /// One is sent. Returns the time since the one before: to be told again should this one be refused.
  duration take(instant now) noexcept;
  /// It was not sent after all.
  void give_back() noexcept;

  /// A 429 that nothing else explains came back for what was sent at `sent`, `gap` after the one before.
  /// `even_rate`: the known limit spread evenly, a second; 0 where no limit is known: then the rate of the last seconds
  /// is what was too much. What was sent alone, at the even rate or slower, teaches nothing.
  void on_refused(instant sent, duration gap, double even_rate, instant now) noexcept;
  void on_success(instant now) noexcept;

  double rate() const noexcept { return rate_; } // a second; 0: off

private:
  void pace(double rate) noexcept;
  double rate_ = 0;
  double ceiling_ = 0; // what was too much
  duration interval_{};
  instant next_ = instant::min(); // not before
  instant last_ = instant::min(); // the last send
  instant cut_ = instant::min();  // when the rate shrank last
  instant slice_ = instant::min();
  std::uint32_t in_slice_ = 0, in_slice_before_ = 0; // sends in this and in the last five seconds
};

} // namespace mainstay
