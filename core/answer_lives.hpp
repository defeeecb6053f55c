// How long an answer may be given again: fresh for `ttl`, stale for `stale` more, which only those get for whom nobody
// else has an answer. While providers fail, answers stay fresh for twice as long; load makes that half, as long or
// twice. Where both say something, the longer life counts.
#pragma once

#include "core/clock.hpp"

#include <algorithm>

namespace mainstay {

enum class answer_age : std::uint8_t { fresh, stale, over };

struct answer_lives {
  duration ttl = 1h, stale = 24h;
  bool stretched = false; // providers fail
  int halves = 2;         // of ttl, as the load has it: 1 to 4

  duration fresh_for() const noexcept { return ttl * (stretched ? std::max(4, halves) : halves) / 2; }
  answer_age judge(duration age) const noexcept {
    if (age < fresh_for()) return answer_age::fresh;
    return age < ttl + stale ? answer_age::stale : answer_age::over;
  }
  /// From its birth on, an answer must be kept for so long: whatever happens, nobody asks for an older one.
  duration kept() const noexcept { return std::max(2 * ttl, ttl + stale); }
};

} // namespace mainstay
