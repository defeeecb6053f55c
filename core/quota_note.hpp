// What a node leaves for the process after it, so that the limits of a cluster hold although all of its nodes end at
// once and nobody is left who knew what was sent. Leaves keeping it to the state's file.
#pragma once

#include "core/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace mainstay {

/// As it is kept: dates, for clocks that count from the machine's start do not outlive it.
struct quota_note {
  utc_time at;        // it ran until then
  bool ended = false; // and said so when it ended; `counted` is what its home shares counted, by limit; others: nothing
  std::map<std::string, std::uint64_t, std::less<>> counted;
};

/// A process that runs writes a note so often; one that was killed, or whose disk or machine stood still, may have run
/// on for the tolerance after its last one.
inline constexpr duration note_every = 10s, note_tolerance = 60s;

/// As the process after it sees it, on its own clock.
struct quota_past {
  instant last; // nothing was sent or lent after that
  bool ended = false;
  std::map<std::string, std::uint64_t, std::less<>> counted;
};

/// `today` is `now`. A clock that was set back since makes it later, never earlier.
inline quota_past past_of(quota_note note, utc_time today, instant now) {
  auto ago = std::chrono::duration_cast<duration>(today - note.at);
  if (!note.ended) ago -= note_tolerance;
  return {now - std::max(duration{}, ago), note.ended, std::move(note.counted)};
}

} // namespace mainstay
