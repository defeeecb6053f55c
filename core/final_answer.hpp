// What the caller hears when a request could not be answered: status, words and whether asking again helps.
#pragma once

#include "core/failure.hpp"

#include <optional>
#include <string>

namespace mainstay {

struct final_answer {
  int status = 502;
  std::string message, type, code, param;
  std::optional<int> retry_after_seconds;
  bool outage = false; // nobody was waited for: every target is down
};

/// A caller's own fault keeps the provider's status and words. A provider's 401 or 402 is a 502 here, never the
/// caller's 401. rate_limited: 429 with retry-after; timeouts and the deadline: 504; overloaded: 503; everything else:
/// 502. `story` says who was asked and what each said; `wait` is how long until asking again may help.
final_answer final_answer_of(const failure&, const std::string& story, std::optional<duration> wait);

} // namespace mainstay
