// The rate governor's policy: RPM, RPS, TPM, concurrency and requests a month per provider key, what its provider
// taught beyond that, limits per client, the connection slots and the hourly cap of each provider, the retry budget,
// and the queue of those who wait for capacity. One question gives one decision: a target and a key with a reservation,
// now, or a place in the queue, or "not before T". Promises: a reservation is settled exactly once on every path
// (settle, withdraw, release of a lost owner, expiry); the sum of what was granted never exceeds a limit in any window;
// a waiter is answered exactly once; one model's waiters never block another's.
#pragma once

#include "core/address_meters.hpp"
#include "core/circuit.hpp"
#include "core/key_health.hpp"
#include "core/lease.hpp"
#include "core/limit_set.hpp"
#include "core/load_stage.hpp"
#include "core/month_quota.hpp"
#include "core/outage.hpp"
#include "core/priority.hpp"
#include "core/quota_book.hpp"
#include "core/retry_budget.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace mainstay {

struct governor_settings {
  struct key {
    std::string name, provider;
    limit_set limits;
    double weight = 1;
    std::vector<std::pair<std::string, limit_set>> models;
  }; // glob pattern ("o1-*") -> limits of its own (a separate meter); concurrency and monthly of `limits` bind all
     // models
  struct provider {
    std::string name;
    std::uint32_t slots = 20;            // calls open at once: the bulkhead
    std::optional<std::uint64_t> hourly; // requests in any hour from this address, over all keys
    duration longest_call = 24h;         // a call is open that long at most
  };
  struct client {
    std::string name;
    limit_set limits;
    address_limits per_address;
  };
  std::vector<key> keys;
  std::vector<provider> providers;
  std::vector<client> clients;
  std::size_t queue_capacity = 10000;
  int level_weights[3] = {8, 4, 1}; // high, normal, low
  retry_budget_settings retry_budget;
  adaptive_settings adaptive;
  duration margin = 0s; // every window of keys and providers is so much longer: what left with the right distance may
                        // arrive with less
};

struct target { // whom to ask: a provider by its configured name and the model's name there
  std::string provider, model;
  double weight = 1;
  friend bool operator==(const target& a, const target& b) { return a.provider == b.provider && a.model == b.model; }
};

struct capacity_request {
  lease_id id; // asking again with the same id replaces the waiting one
  std::string client;
  std::string model; // as configured: what an outage is about; empty: of none
  priority level = priority::normal;
  std::vector<target> targets;            // equals: the governor picks target and key together
  std::vector<std::string> excluded_keys; // keys this request has seen fail
  std::uint64_t tokens = 0;               // to reserve
  instant wait_until{};                   // how long it is willing to wait for capacity (never beyond its deadline)
  instant expires{};             // the reservation is swept after this time if nobody settled it; unset: 10 min
  bool wait_for_circuits = true; // or is told at once where every target's circuit is open: others are left to ask
  bool charge_retry = false;     // asking a target again: needs the retry budget
  bool first_attempt = false;    // deposits into the retry budget
};

struct grant {
  lease_id id;
  std::uint32_t target_index = 0;
  std::string key;
  bool rate_limited_key = false;    // wants sent(), or settlement::sent_at
  bool stamp_at_once = false;       // wants sent() as soon as the request has left: a window is short beside a call
  instant send_by = instant::max(); // not sent by then, it must not be: what other nodes lent for it is theirs again
};

enum class refusal_reason : std::uint8_t {
  no_key,     // no key of these targets is enabled (all dead): waiting does not help
  resting,    // keys rest or circuits are open until `not_before`
  over_limit, // limits or slots are used up; not before `not_before`
  queue_full,
  backlog, // those who wait already would take so long that its own wait would be in vain
  retry_budget,
};
std::string_view to_string(refusal_reason) noexcept;
struct refusal {
  lease_id id;
  refusal_reason why;
  instant not_before{};
  bool outage = false; // every target of the request's model is down
};                     // instant::max(): unknown

struct queued {
  lease_id id;
};
using capacity_answer = std::variant<grant, refusal, queued>;

struct client_admission {
  bool admitted = true;
  bool undecided = false;  // other nodes may have room: take_admissions() will tell, within a moment
  std::string limit;       // "requests", "tokens", "concurrency" or "budget": which one refused
  bool of_address = false; // it is the limit of the caller's address, not the client's own
  duration retry_after{};  // when refused: until it would fit; for concurrency 1 s
  std::optional<std::uint32_t> limit_requests, remaining_requests; // for x-ratelimit-* headers
  std::optional<std::uint64_t> limit_tokens, remaining_tokens;
  duration reset_requests{}, reset_tokens{}; // until the window is empty of this client's sends
};

class governor {
public:
  explicit governor(governor_settings);
  ~governor();
  governor(governor&&) noexcept;
  governor& operator=(governor&&) noexcept;

  /// Counters and leases survive by name; a limit that changed binds from now on.
  void reconfigure(governor_settings);

  /// A client's own limits, checked and charged once per request under lease {request, 0}. Clients without limits are
  /// admitted free. Idempotent: asked again under the same lease, it answers as the first time. Never queues, but in a
  /// cluster it may be undecided for a moment.
  /// `address`: the caller's, of which the client may have limits too; empty: not known, or of no matter.
  client_admission admit(lease_id, const std::string& client, std::uint64_t tokens, instant expires, instant now,
                         const std::string& address = {});

  /// What was undecided and no longer is. To be asked after tick().
  std::vector<std::pair<lease_id, client_admission>> take_admissions();

  /// Whose day's budget is spent, and until when: nothing more of theirs is admitted. All others may go on.
  struct budget_news {
    std::map<std::string, instant> spent; // by client
  };
  void on_budgets(budget_news);

  /// Choice among all (target, key) pairs that could send now: the best score x weight, score = 0.3*free RPM + 0.3*free
  /// TPM + 0.4*health, spread by smooth weighted round-robin so that equals take turns. Skips excluded, disabled,
  /// not_before and resting keys, targets whose circuit is open, degraded ones while their equals can. Where every key
  /// of the targets rests (rest_until) but none may be used otherwise, the least recently failed one is taken. None can
  /// send now: queued if something frees up before wait_until (always possible when only slots or concurrency are
  /// missing) and its turn is likely to come by then, else refused at once. Waiters go before newcomers of the same
  /// pool. A lease that already holds a grant gets the same grant again (idempotent).
  capacity_answer acquire(const capacity_request&, instant now);

  /// The request's bytes left completely at `at` (starts the ageing of its entries in the windows). Optional: settle
  /// stamps what is not yet stamped.
  void sent(lease_id, instant at);

  /// The request takes longer than was thought: the reservation is swept later. Unknown ids are ignored.
  void keep(lease_id, instant expires);

  struct settlement {
    bool was_sent = true;                // false: the reservation is withdrawn wholly
    std::optional<std::uint64_t> tokens; // what it really cost, where known; else the reservation stays charged
    std::optional<bool> success;         // feeds the adaptive retries; none: neutral
    bool rate_limited = false;           // it was a 429: where no limit explains it, the key's pace slows down
    std::optional<instant> sent_at;      // when the request had left, if that is known; else it is stamped now
  };
  /// Ends a reservation (key's or client's); unknown ids are ignored (idempotent).
  void settle(lease_id, const settlement&, instant now);

  /// Ends everything of these serials that the request holds or waits for.
  void release_owner(request_id, instant now, serial_range = {});
  /// Leaves the queue without an answer. A grant that crossed this word on its way is taken back as not sent.
  void withdraw(lease_id);

  void on_standing(const key_standing&);
  struct circuit_news {
    std::string provider, model;
    circuit_state state;
    instant retry_at;
  }; // model empty: the endpoint
  void on_circuit(const circuit_news&);
  /// A model's score weighs in the choice. A degraded one is asked behind its equals, and not at all by who is told at
  /// once where others are left to ask (wait_for_circuits); but one request in `check_interval` goes there as ever.
  struct model_news {
    std::string provider, model;
    double score = 1;
    bool degraded = false;
    duration check_interval{};
  };
  void on_model(const model_news&, instant now);

  /// A model that has no target left, or gets its load back: so many of its calls are lent at once as is its share of
  /// `full`, the calls at once of all its targets; one at least. The others wait, apart from other models' waiters.
  /// Down, it has the least share, for those who try.
  struct outage_news {
    std::string model;
    outage_phase phase = outage_phase::up;
    instant since{}; // returning
    duration ramp{};
    std::uint32_t full = 1;
  };
  void on_outage(const outage_news&, instant now);

  /// The provider's own word on its limits (x-ratelimit-* of an answer): corrects the local count of that key downwards
  /// only ("remaining" below what we think is free blocks the difference until `reset`). A limit that the configuration
  /// does not give, or a lower one than it gives, is learned for that key and model.
  struct provider_limits {
    std::string key, model;
    std::optional<std::uint64_t> limit_requests, limit_tokens;
    std::optional<std::uint64_t> remaining_requests, remaining_tokens;
    std::optional<duration> reset_requests, reset_tokens;
  };
  void on_provider_limits(const provider_limits&, instant now);

  /// Answers those who waited: grants as capacity allows, refusals for those whose wait is over or can no longer
  /// succeed; sweeps expired leases. To be called after settle/release/on_* and when next_wake() comes. Work per call
  /// is bounded: what is left over makes next_wake() `now`.
  std::vector<capacity_answer> tick(instant now);
  /// When tick has something to do next, if nothing else happens; instant::max() for never.
  instant next_wake(instant now);

  int max_retries(int configured) const noexcept; // adaptive

  /// From now on the limits of keys (those that are their providers' by the minute and second, and of calls at once)
  /// and clients hold over all nodes together. Once, before anything is asked. What an hour, a month, a day's budget or
  /// a caller's address limits, and what providers teach, remains each node's own. `past`: see quota_book.
  void join(quota_cluster, std::optional<quota_past> past, instant now);
  /// Null: this node is alone. Who has changed something there says so.
  quota_book* quotas() noexcept;
  /// See quota_book::legacy. None: this node is alone, or alone in its cluster, or nothing was told to it yet of a
  /// process before it, so that its home shares were never open: the next one is to ask as well.
  std::optional<quota_note> quota_legacy(utc_time today, instant now) const;
  /// Others gave or took room: those who wait for it are looked at again with the next tick.
  void on_quotas();
  /// What is to be asked of others now. To be called after tick; the time for it is in next_wake.
  std::vector<quota_book::message> quota_asks(instant now);

  /// While load is high, the last part of every key's requests and tokens a minute is kept from less urgent requests
  /// (core/load_stage: load_reserve): they wait for the window to move on, for the pressure to end, or for 30 s at most
  /// before they take their turns like everybody.
  void set_pressure(load_pressure);

  /// What the date is: months of UTC bound the monthly limits. To be told at the start and now and then.
  void set_date(const calendar&);

  /// What earlier processes counted of keys' months. To be told before the first question; of keys that the
  /// configuration does not know (yet), it is remembered.
  void restore(std::vector<month_count>);
  /// The exact counts of all keys with a monthly limit.
  std::vector<month_count> month_counts(instant now);
  /// True: a count has outrun what is written down, or has sunk below it, since month_notes was last asked.
  bool notes_due() const noexcept;
  /// What is to be written down of the months (core/count_note). `at_once`: only what has outrun its note.
  /// `after_a_moment`, to be asked about a second after the last note or notes_due(): whatever is not as it should be;
  /// where that is nothing, and notes_are_ahead() says no, there will be nothing until notes_due().
  enum class note_time : std::uint8_t { at_once, after_a_moment };
  std::vector<month_count> month_notes(note_time when, instant now);
  /// Some note says more than was counted: there will be another to write, after a moment without counting.
  bool notes_are_ahead() const noexcept;
  /// The last notes may be lost: everything is noted again.
  void note_again() noexcept;

  struct key_view {
    std::string key, provider;
    bool has_limits;
    double rpm_used, tpm_used, rps_used, concurrency_used; // ratios 0..1+, 0 where unlimited
    std::uint64_t month_used;                              // requests counted against `limits.monthly`
    double paced; // requests a second that 429s taught, the slowest of its models; 0: none
    std::uint32_t in_flight;
    limit_set limits;
  };
  struct view {
    std::vector<key_view> keys;
    std::vector<key_view> clients; // key = client's name
    struct pool {
      std::string provider;
      std::uint32_t slots, in_use;
      std::optional<std::uint64_t> hourly;
      std::uint64_t hour_used;
    };
    std::vector<pool> pools;
    struct held_model { // down or returning
      std::string model;
      std::size_t waiting = 0;
      std::uint32_t in_flight = 0, room = 0;
    };
    std::vector<held_model> held;
    std::size_t waiting[3] = {0, 0, 0};
    struct quota {
      std::string name, owner;
      quota_terms terms;
      quota_share::view share;
    };
    std::vector<quota> quotas; // of a cluster
    std::size_t leases = 0;    // reservations not yet settled: zero when idle
    double retry_budget = 0, success_share = 1;
    load_pressure pressure = load_pressure::none;
  };
  view look(instant now);

  /// Calls that could begin at once as far as providers' slots go, less those who wait for one. Who waits for a key's
  /// limit is not counted: it would elsewhere, too.
  struct free_slots {
    std::map<std::string, std::uint32_t> by_provider;
  };
  free_slots slots() const;

private:
  struct body;
  std::unique_ptr<body> body_;
};

} // namespace mainstay
