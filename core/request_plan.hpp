// What to do next for one request, after each event: whom to ask, how long to wait, when to stop. A flat state machine
// without time of its own. The order (docs/architecture.md, "The plan"): another key of the same target at once; the
// same target again after its backoff, if that fits `failover_wait` x priority; the next equal target; the fallbacks in
// order; and, if only capacity was missing, waiting for it until the deadline. Promises: at most `attempts` calls in
// all and `max_retries` repetitions per target, which never use up the attempts of targets not asked yet; a target
// whose answer says "not me" is not asked again; a silent target is not asked twice; no step begins that the deadline
// would cut short; every fallback is entered at most once, so cycles end.
#pragma once

#include "core/backoff.hpp"
#include "core/failure.hpp"
#include "core/rate_governor.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mainstay {

enum class answer_source : std::uint8_t { primary, backup, fallback, cache };
std::string_view to_string(answer_source) noexcept;

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
/// No way on. `why` is the failure the caller should hear of; refusals become rate_limited (over_limit, queue_full),
/// auth (no_key) or overloaded (resting).
struct step_give_up {
  failure why;
  std::optional<instant> retry_at;
};
using plan_step = std::variant<step_acquire, step_wait, step_give_up>;

class request_plan {
public:
  struct circumstances {
    std::vector<std::vector<target>> ladder; // [0] equals of first choice, then the fallbacks
    retry_policy policy;
    priority level = priority::normal;
    instant deadline{};
  };
  request_plan() = default;
  explicit request_plan(circumstances);

  plan_step begin(instant now);
  /// The governor granted `at`: an attempt begins. Returns its source label.
  answer_source granted(const target& at, const std::string& key, instant now);
  /// The governor refused, or the breaker had no permit for `at` (why = resting): the grant was handed back, no attempt
  /// was made.
  plan_step refused(const refusal&, instant now);
  plan_step no_permit(const target& at, instant retry_at, instant now);
  /// The attempt that was granted last failed. `draw` in [0,1) jitters the backoff; `max_retries` is the policy's, or
  /// fewer while the adaptive brake holds.
  plan_step failed(const failure&, instant now, double draw, int max_retries);
  /// The attempt that was granted last gave another answer than the one already begun: that target cannot go on with
  /// it.
  plan_step differed(instant now);
  /// The wait is over.
  plan_step resume(instant now);
  /// The run that carried out this plan is gone (its attempt with it, if one was under way): go on.
  plan_step recover(instant now);

  int attempts() const noexcept { return attempts_; }
  int retries() const noexcept { return retries_; }
  const std::optional<failure>& first_failure() const noexcept { return first_failure_; }
  /// "openai/gpt-4o: rate_limited; anthropic/claude: connect_failed": one entry per failed attempt, bounded.
  std::string story() const;

private:
  struct standing { // of one target
    target at;
    std::size_t rung = 0;
    int retries = 0;
    bool tried = false;
    bool out = false; // not to be asked again
    std::vector<std::string> bad_keys;
    duration last_delay{};
  };
  struct attempt {
    std::size_t target;
    std::string key;
    bool open = false;
  };

  instant patience(instant now) const;      // until when to wait on one model while others are left
  bool others_left(std::size_t rung) const; // targets on this rung or below that may still be asked
  std::size_t untried() const;
  plan_step next_rung(instant now);
  plan_step last_resort(instant now);
  plan_step wait_for_permit(instant at, instant now);
  plan_step acquire(std::vector<std::size_t> who, instant wait_until, bool retry, instant now);
  plan_step same_again(std::size_t who, duration delay, instant now);
  standing* find(const target&);

  circumstances with_;
  std::vector<standing> targets_;
  std::size_t rung_ = 0;
  int attempts_ = 0, retries_ = 0;
  attempt current_;
  std::vector<std::size_t> asked_;         // of the acquire under way
  std::optional<std::size_t> waiting_for_; // target of a backoff under way
  bool asked_again_ = false;               // the acquire under way is a repetition (charged to the retry budget)
  bool other_key_ = false;                 // the acquire under way looks for another key
  bool last_resort_ = false;
  std::optional<failure> first_failure_, last_failure_;
  std::optional<refusal> last_refusal_;
  std::optional<duration> asked_to_wait_; // the provider's own word with the last failure
  duration pending_delay_{};
  std::optional<instant> permit_at_; // the earliest at which a circuit asked as a last resort may give one
  std::vector<std::pair<std::size_t, failure_class>> history_;
};

} // namespace mainstay
