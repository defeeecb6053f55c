// What to do next for one request, after each event: whom to ask, how long to wait, when to stop. A flat state machine
// without time of its own. The order (docs/architecture.md, "The plan"): another key of the same target at once; the
// same target again after its backoff, if that fits `failover_wait` x priority; the next equal target; the fallbacks in
// order; and, if only capacity was missing, waiting for it until the deadline: where nobody is expected to answer
// within `failover_wait` x priority, only if there is no other answer, and not at all if the request yields. An answer
// that broke in the middle goes on with the others first. Where a target lacks a feature that the caller would do
// without, it may be asked once more at the end, without it. While an attempt is slow, another target may be asked
// beside it. Promises: at most `attempts` calls in all, two at a time, and `max_retries` repetitions per target, which
// never use up the attempts of targets not asked yet; a target whose answer says "not me" is not asked again; a silent
// target is not asked twice; no step begins that the deadline would cut short; every fallback is entered at most once,
// so cycles end.
#pragma once

#include "core/backoff.hpp"
#include "core/failure.hpp"
#include "core/rate_governor.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mainstay {

enum class answer_source : std::uint8_t { primary, backup, fallback, cache, stale, similar, canned };
std::string_view to_string(answer_source) noexcept;
std::optional<answer_source> source_named(std::string_view) noexcept;

/// Ask the governor for one of `targets`, waiting for capacity until `wait_until`.
struct step_acquire {
  std::vector<target> targets;
  std::vector<std::string> excluded_keys;
  instant wait_until{};
  bool charge_retry = false, first_attempt = false, wait_for_circuits = false;
};
/// Do nothing until then, then ask `resume`.
struct step_wait {
  instant until{};
};
/// No way on. `why` is the failure the caller should hear of; refusals become rate_limited (over_limit, queue_full,
/// backlog), auth (no_key) or overloaded (resting).
struct step_give_up {
  failure why;
  std::optional<instant> retry_at;
  bool outage = false; // nobody answers soon, and it yields
};
/// Nobody is expected to answer soon, and waiting would be next: give an answer of before if there is one, or else ask
/// `nothing_to_offer`. `otherwise`: what giving up would mean here.
struct step_degrade {
  step_give_up otherwise;
};
/// Nothing for now: an attempt or a question is under way, and what becomes of it will be told.
struct step_await {};
using plan_step = std::variant<step_acquire, step_wait, step_await, step_degrade, step_give_up>;

class request_plan {
public:
  struct conduct {
    retry_policy policy;
    priority level = priority::normal;
    instant deadline{};
    feature_set dispensable; // what the caller asks for and would do without
    bool yields = false;     // it gives up rather than wait for long for somebody who rests: it comes again, or
                             // whoever asks for it waits otherwise
  };
  struct circumstances : conduct {
    std::vector<std::vector<target>> ladder; // [0] equals of first choice, then the fallbacks
  };
  request_plan() = default;
  explicit request_plan(circumstances);

  using attempt_id = std::uint32_t; // the caller's own, never used twice

  plan_step begin(instant now);
  /// The governor granted `at`: an attempt begins. Returns its source label.
  answer_source granted(attempt_id, const target& at, const std::string& key, instant now);
  /// The governor refused, or the breaker had no permit for `at` (why = resting): the grant was handed back, no attempt
  /// was made.
  plan_step refused(const refusal&, instant now);
  plan_step no_permit(const target& at, instant retry_at, instant now);
  /// `at` was granted, but this request cannot be said in its dialect: the grant was handed back, no attempt was made.
  plan_step inexpressible(const target& at, const failure&, instant now);
  /// An attempt failed. `draw` in [0,1) jitters the backoff; `max_retries` is the policy's, or fewer while the adaptive
  /// brake holds; `begun`: the caller has a part of the answer already, from this attempt or one before.
  plan_step failed(attempt_id, const failure&, instant now, double draw, int max_retries, bool begun = false);
  /// The attempt gave another answer than the one already begun: that target cannot go on with it.
  plan_step differed(attempt_id, instant now);
  /// The attempt was asked in a form its target does not know: the same target again, at once and free.
  plan_step misunderstood(attempt_id, instant now);
  /// No token came in time: whom to ask beside the attempt under way, charged to the retry budget.
  plan_step hedge(instant now);
  /// The attempt gave the first token: whatever was asked beside it is off, and nobody failed.
  void won(attempt_id) noexcept;
  /// After a step_give_up: what may be left out, for a target that refused it; none: the end is the end.
  std::optional<feature> to_leave_out(instant now) const;
  /// From now on it is left out: who refused it is asked once more.
  plan_step leave_out(feature, instant now);
  /// The wait is over.
  plan_step resume(instant now);
  /// There was no answer of before.
  plan_step nothing_to_offer(instant now) { return last_resort(now); }
  /// The run that carried out this plan is gone (its attempts with it, if any were under way): go on.
  plan_step recover(instant now);

  /// There is more time now, or it is more urgent. Returns until when capacity is worth waiting for in the acquire
  /// under way.
  instant live_by(instant deadline, priority level, instant now);

  /// Another call may be made and still leave one for everybody who was not asked yet.
  bool spares_a_call() const { return with_.policy.attempts - attempts_ > static_cast<int>(untried()); }
  bool has_others() const noexcept { return targets_.size() > 1; }
  int attempts() const noexcept { return attempts_; }
  int retries() const noexcept { return retries_; }
  const std::shared_ptr<const failure>& first_failure() const noexcept { return first_failure_; }
  /// "openai/gpt-4o: rate_limited; anthropic/claude: connect_failed": one entry per failed attempt, bounded.
  std::string story() const;

private:
  struct standing { // of one target
    target at;
    std::size_t rung = 0;
    int retries = 0;
    bool tried = false;
    bool out = false;             // not to be asked again
    std::optional<feature> lacks; // by its own word
    bool postponed = false;       // its answer broke in the middle: the others first
    std::vector<std::string> bad_keys;
    duration last_delay{};
  };
  void hear(std::size_t who, const failure&, bool believed);
  struct attempt {
    attempt_id id = 0;
    std::size_t target = 0;
    std::string key;
  };
  struct setback { // the last failure, as far as it says what is next
    std::size_t target = 0;
    duration delay = duration::max(); // before asking that target again; max: not again
    bool other_key = false;
  };

  instant last_limit(instant now);     // until when to wait for the last ones that can answer
  instant patience(instant now) const; // until when to wait on one model while others are left
  /// Whoever may answer at `at` keeps it waiting for longer than one model is waited for.
  bool nobody_soon(instant at, instant now) const { return at > patience(now) && patience(now) < with_.deadline; }
  std::optional<plan_step> degrade(instant now);
  bool others_left(std::size_t rung) const; // targets on this rung or below that may still be asked
  bool is_alone(std::size_t who) const;
  std::size_t untried() const;
  bool exhausted(instant now) const { return attempts_ >= with_.policy.attempts || now >= with_.deadline; }
  bool company() const noexcept { return hedging_ || open_[0] || open_[1]; } // something else is under way
  duration delay_before(standing&, const failure&, instant now, double draw) const;
  attempt close(attempt_id);
  plan_step go_on(instant now);
  plan_step next_rung(instant now);
  plan_step next_hedge(instant now);
  plan_step last_resort(instant now);
  plan_step wait_for_permit(instant at, instant now);
  plan_step give_up(instant now) const;
  step_give_up verdict(instant now) const;
  enum class charge : std::uint8_t { free, repetition, hedge };
  plan_step acquire(std::vector<std::size_t> who, instant wait_until, charge);
  plan_step same_again(std::size_t who, duration delay, instant now);
  standing* find(const target&);

  conduct with_;
  std::vector<standing> targets_;
  std::size_t rungs_ = 0, rung_ = 0, hedge_rung_ = 0; // the last: where a hedge looks
  int attempts_ = 0, retries_ = 0;
  std::array<std::optional<attempt>, 2> open_;
  setback setback_;
  std::vector<std::size_t> asked_;         // of the acquire under way
  std::optional<std::size_t> waiting_for_; // target of a backoff under way
  bool asked_again_ = false;               // the acquire under way is a repetition (charged to the retry budget)
  bool other_key_ = false;                 // the acquire under way looks for another key
  bool hedging_ = false;                   // the acquire under way is a hedge
  bool last_resort_ = false;
  bool degraded_ = false;                                       // answers of before were looked for once
  bool begun_ = false;                                          // the caller has a part of the answer
  std::shared_ptr<const failure> first_failure_, last_failure_; // behind pointers: most requests have none
  std::optional<refusal> last_refusal_;
  instant soonest_ = instant::max();      // that anybody who refused since the last grant may do it
  std::optional<duration> asked_to_wait_; // the provider's own word with the last failure
  std::optional<instant> whole_until_;    // then the request is asked in part rather than waited for
  std::optional<instant> permit_at_;      // the earliest at which a circuit asked as a last resort may give one
  std::vector<std::pair<std::size_t, failure_class>> history_;
};

} // namespace mainstay
