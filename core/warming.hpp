// When the lines of a file that fills the cache may be asked for: a few at a time, only while load is low, more with
// each answer, fewer while others wait or providers fail. Low load is: nobody waits for capacity, no more than half of
// the fullest limit and pool is in use, and few calls fail; what is not known is looked for again, at most so often.
// Promises: a line comes to one end; no two equal lines are under way together (the second then finds the answer of the
// first); nothing begins on an old or a bad look. What a line asks, and of whom, is left to its runner. No clock: `now`
// is passed in.
#pragma once

#include "core/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mainstay {

class warming {
public:
  using number = std::uint64_t; // of a line in its file

  struct pace {
    double begin = 2, most = 8;                     // at a time
    double busiest = 0.5;                           // share of a limit or a pool: the other half is for callers
    duration look_every = 20ms, while_busy = 200ms; // from one look at the load to the next
    duration look_holds = 100ms;                    // afterwards it says nothing any more
    duration first_pause = 1s, longest_pause = 30s; // after failures
  };
  /// How things stand. `busiest`: the fullest of all limits and pools, 0 to 1 and more.
  struct load {
    std::size_t waiting = 0;
    double busiest = 0;
    bool failing = false;
  };
  /// `kept`: asked for, and the answer is in the cache now. `was_there`: nobody was asked. `refused`: the line's own
  /// fault. `failed`: there was no answer to keep.
  enum class ending : std::uint8_t { kept, was_there, refused, failed };
  enum class pause : std::uint8_t { none, requests_wait, capacity_used, providers_fail, after_failure };

  warming() = default;
  explicit warming(const pace& p) : pace_(p), at_once_(p.begin) {}

  void add(number);
  /// To be told when look_due() has come.
  void looked(const load&, instant now);
  /// Nobody answered the look: another one later.
  void look_failed(instant now) { next_look_ = now + pace_.while_busy; }
  /// The next line to be begun, from now on under way; none: not now.
  std::optional<number> next(instant now);
  /// What the line asks. False: an equal one is under way; this one comes again when that has ended.
  bool begin(number, const std::string& key);
  /// Unknown ones are ignored.
  void over(number, ending, instant now);

  /// When to look at the load; instant::max(): not before a line is added or ends.
  instant look_due(instant now) const;
  pause why(instant now) const;

  bool under_way(number n) const { return running_.count(n) > 0; }
  std::size_t running() const noexcept { return running_.size(); }
  std::size_t waiting() const noexcept { return waiting_.size() + held_; }
  std::size_t at_once() const noexcept { return static_cast<std::size_t>(at_once_); }
  std::uint64_t kept() const noexcept { return kept_; }
  std::uint64_t skipped() const noexcept { return skipped_; }
  std::uint64_t failed() const noexcept { return failed_; } // and refused ones

private:
  struct question { // under way or next, and the lines that ask the same: they come one after the other
    number asker = 0;
    std::deque<number> held;
  };
  void pass_on(const std::string& key, number from);
  bool look_is_fresh(instant now) const { return looked_ && now < *looked_ + pace_.look_holds; }
  void allow_another() { allowed_ += why_ == pause::none; }
  void slow_down() { at_once_ = std::max(1.0, at_once_ / 2); }

  pace pace_;
  double at_once_ = pace{}.begin;
  std::deque<number> waiting_;
  std::unordered_map<number, std::string> running_; // and what each asks; empty: not known yet
  std::unordered_map<number, std::string> called_;  // of those that wait: the next askers, and what they ask
  std::unordered_map<std::string, question> questions_;
  std::size_t held_ = 0, allowed_ = 0; // `allowed_`: how many more may begin on the last look
  std::optional<instant> looked_;
  instant next_look_{}, rest_until_{};
  duration next_pause_ = pace{}.first_pause;
  pause why_ = pause::none;
  std::uint64_t kept_ = 0, skipped_ = 0, failed_ = 0;
};

std::string_view to_string(warming::pause) noexcept;

} // namespace mainstay
