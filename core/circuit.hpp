// One circuit: closed, open, half-open. Pure: time and random draws are passed in.
// Promises: in half-open at most `success_threshold` permits are out; a permit ends exactly once as success, slow,
// failure or neutral; an outcome of an older generation (a call that began before the state changed) changes nothing;
// what recovered is not met by everybody at once (see `ramp`); what others say opens it for `longest_advice` at most,
// not where it was met well here in the last `fresh_success`, and ends by time where nobody finds out here.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

namespace mainstay {

struct circuit_settings {
  int failure_threshold = 5;       // consecutive failures that open it
  duration recovery_timeout = 30s; // open time grows from an eighth of this, doubling, up to it (less the jitter)
  int success_threshold = 2;       // successes in half-open that close it, and permits given out meanwhile
  double failure_rate = 0.5;       // or this share of failures ...
  int min_calls = 20;              // ... among at least so many calls ...
  duration window = 10s;           // ... in this time
  duration slow_call = 0s;         // an answer that began later than this is slow; zero: none is
  double slow_rate = 0.8;          // this share of slow calls opens it too, among `min_calls` in the window
  duration ramp = 10s;             // closed again: calls at once grow from `success_threshold`, one more per success
};

enum class circuit_state : std::uint8_t { closed = 0, half_open = 1, open = 2 }; // the metric's numbers
std::string_view to_string(circuit_state) noexcept;

/// Slow is a success that took too long: it ends a row of failures, but counts against the circuit, and a probe that is
/// slow opens it again.
enum class verdict : std::uint8_t { success, slow, failure, neutral };

class circuit {
public:
  explicit circuit(circuit_settings = {}) noexcept;
  void reconfigure(circuit_settings) noexcept;

  /// retry_at: when refused, not before. In half-open with all permits out, and while it ramps up, a short wait, since
  /// nobody knows when a call ends; instant::max() while an operator holds it open.
  struct permit {
    bool granted;
    std::uint32_t generation;
    instant retry_at;
  };
  /// Asks to make one call. Open whose time is over becomes half-open here. Half-open gives out no more permits than
  /// successes are missing to close it.
  permit ask(instant now);
  /// Ends a granted permit. `draw` in [0,1) jitters the open time: between half and four fifths of it.
  void settle(std::uint32_t generation, verdict, instant now, double draw);

  /// An open one that nobody holds so is half-open from now on.
  void let_try(instant now) noexcept;
  /// What it guards is known to be down still, without anybody's call: a half-open one that nobody tries opens again.
  void still_down(instant now, double draw);

  /// Others found it open until then. Who met it well lately goes on, but counts failures double until then; who did
  /// not keeps off it, then tries for itself as half-open and is advised no more before it has. Meanwhile a success of
  /// a call that was under way ends the advice; a failure, or a slow one, is the last word: it opens. Half-open that
  /// nobody tries for `longest_advice` is as if nothing had been said: closed, but its first calls ramp up.
  /// Whoever knows by itself that it is open hears nobody.
  static constexpr duration longest_advice = 10s, fresh_success = 10s;
  void advise(instant until, instant now);
  /// They found it closed, or a free answer came from there: the advice ends at once, and it ramps up.
  void advice_over(instant now);
  /// Whether it is open or half-open by advice alone.
  bool advised(instant now) const noexcept;
  /// When advice ends by time; max: there is none, or it has.
  instant advice_ends(instant now) const noexcept;

  /// Operator override: held open or closed until `automatic()`, which leaves it closed. Outcomes count for nothing
  /// meanwhile. Half-open cannot be held: it is taken as open.
  void force(circuit_state, instant now);
  void automatic(instant now);
  bool forced() const noexcept { return forced_; }

  /// Half-open is reported as soon as an open circuit's time is over, even before anyone asked.
  circuit_state state(instant now) const noexcept;
  instant open_until() const noexcept { return advised_ ? advised_until_ : open_until_; }
  /// For how long it is open when it opens after so many reopenings in a row.
  static duration open_time(const circuit_settings&, std::uint32_t reopenings, double draw);
  int consecutive_failures() const noexcept { return consecutive_failures_; } // since the last success
  std::uint32_t permits_out() const noexcept { return out_; }                 // of the state it is in
  bool ramping(instant now) const noexcept;
  std::uint32_t times_opened() const noexcept { return times_opened_; } // by failures, not by operators

private:
  void open(instant now, double draw);
  void close();
  void enter(circuit_state);
  void forget_advice() noexcept;
  void age(instant now);
  void ramp_up(instant now);
  void count(verdict, instant now);
  instant soon(instant now) const noexcept;
  bool should_trip() const noexcept;
  circuit_settings settings_;
  circuit_state state_ = circuit_state::closed;
  bool forced_ = false;
  std::uint32_t generation_ = 0;
  int consecutive_failures_ = 0;
  int half_open_successes_ = 0;
  std::uint32_t out_ = 0;  // permits of this generation
  std::uint32_t room_ = 0; // for so many calls at once while it ramps up
  instant ramps_until_ = instant::min();
  std::uint32_t reopenings_ = 0; // in a row, since it was last closed: doubles the open time
  std::uint32_t times_opened_ = 0;
  instant open_until_{};
  std::optional<instant> last_success_;
  bool advised_ = false; // and no outcome since; closed, or half-open by advice
  instant advised_until_{};
  struct span {
    instant since, until;
  };
  std::optional<span> advised_before_;     // in a row: until it was last taken back
  instant doubted_until_ = instant::min(); // others say it is open, we met it well
  struct slice {
    instant start;
    int calls;
    int failures;
    int slow;
  }; // the window in ten slices
  std::deque<slice> window_;
};

} // namespace mainstay
