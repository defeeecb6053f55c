// What happened to one request, and when: time marks that its run sets as it goes, eight bytes each, and what can be
// read from them afterwards. Bounded: of a request that goes on and on the middle is left out. No clock of its own.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace mainstay {

enum class story_mark : std::uint8_t {
  admitted,       // within its client's limits
  kept,           // the journal has it on disk
  cache_asked,    // ...
  cache_hit,      // ... and had the answer
  cache_missed,   // ... and had none
  similar_asked,  // is there an answer to a question that is near?
  similar_over,   // that is known
  stale_asked,    // nobody else has an answer: is there an old one?
  shared,         // it waits for a call that equal requests share
  capacity_asked, // the governor, for a key with room
  granted,        // it has one
  no_capacity,    // there is none in time
  no_permit,      // the circuit of who had one is not closed
  sent,           // an attempt begins
  head,           // its provider began to answer
  first_token,    // the first piece that a caller can see
  attempt_over,   // complete, failed or called off
  paused,         // until the next attempt
  shortened,      // the oldest turns were left out
  left_out,       // so were tools or JSON, for a target that lacks them
  canned,         // it gets a prepared sentence
  recovered,      // its run died, another one goes on
  moved,          // to a peer with room
  came_home       // without a whole answer
};
std::string_view to_string(story_mark) noexcept;

class request_story {
public:
  static constexpr std::size_t first_kept = 48, last_kept = 16;

  struct entry {
    duration at{}; // since the request came
    story_mark what{};
    std::uint8_t attempt = 0; // its number, from 1; 0: of the request as a whole
  };
  void add(story_mark, duration at, std::uint8_t attempt = 0);
  std::vector<entry> all() const;
  /// How many were left out, after the first 48.
  std::size_t left_out() const noexcept { return left_out_; }

  /// The times it spent on one thing. `took` of the whole request ends what nothing else ended. Attempts are not among
  /// them: they have reports of their own.
  struct span {
    std::string_view what; // "cache", "similar", "stale", "queue", "flight", "pause"
    duration begin{}, end{};
  };
  std::vector<span> spans(duration took) const;
  /// The time for which nobody had capacity for it; zero where it was never asked for.
  duration queued(duration took) const noexcept;
  bool asked_for_capacity() const noexcept;

private:
  struct packed {
    std::uint64_t us : 48, what : 8, attempt : 8;
  };
  std::vector<packed> marks_;
  std::size_t left_out_ = 0;
};

} // namespace mainstay
