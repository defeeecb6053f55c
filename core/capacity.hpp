// What there is to hand out: providers with their connection slots and circuits, keys with their meters, their accounts
// and their standing, clients with theirs; and the choice among all (target, key) pairs of a request.
// It lends nothing itself and knows no queue: a gate only carries the line of the pools that wait at it.
#pragma once

#include "core/circuit.hpp"
#include "core/key_health.hpp"
#include "core/key_meter.hpp"
#include "core/learned_limits.hpp"
#include "core/month_quota.hpp"
#include "core/rate_governor.hpp"

#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mainstay {

struct pool;
struct waiter;

/// Something the governor looks at again when it was told to (ready) or when its time comes (due).
struct wakeable {
  instant due = instant::max();
  bool ready = false;
  std::uint64_t serial = 0; // breaks ties among equal times, so that runs repeat exactly
  virtual ~wakeable() = default;
};

struct gate;
struct demand_line;
using demand_list = std::vector<demand_line*>;

/// Where those wait who need room in limits that are shared with other nodes: these are asked for as much. It is in the
/// list while somebody waits, and until it is told that nobody does any more, so the others cost nothing.
struct demand_line {
  demand_list& list;
  shared_limits& limits;
  gate* at; // null: they wait at the door
  bool listed = false;
  std::uint64_t requests = 0, tokens = 0, first = 0; // counted whenever it is told
  void somebody_waits() {
    if (!std::exchange(listed, true)) list.push_back(this);
  }
  void count(std::uint64_t some, std::uint64_t tokens_in_all, std::uint64_t of_first) noexcept {
    if (requests == 0) first = of_first;
    requests += some;
    tokens += tokens_in_all;
  }
};

/// Whatever can be used up and come back.
struct gate : wakeable {
  virtual bool closed(instant now) = 0;      // not even the smallest request passes
  virtual instant opens_at(instant now) = 0; // by time alone; max: by somebody's settlement
  std::list<pool*> line;
  std::size_t to_ask = 0; // pools in line that were not asked yet since it opened or last granted something
  std::unique_ptr<demand_line> demand; // null: nothing here is shared with other nodes
};

struct meter_gate final : gate {
  key_meter meter;
  // Tokens held back for one waiter that needs many, lest those who need few take every bit that becomes free.
  const waiter* promised_to = nullptr;
  std::uint64_t promised = 0;
  std::uint64_t withheld_from(const waiter* who) const noexcept {
    return promised_to && promised_to != who ? promised : 0;
  }
  bool closed(instant now) override { return !meter.fits({}, now); }
  instant opens_at(instant now) override { return meter.look_ahead({}, now).expected; }
};

/// What a provider taught about one key and one model.
struct learned_gate final : gate {
  learned_limits limits;
  bool closed(instant now) override { return !limits.fits(0, now); }
  instant opens_at(instant now) override { return limits.look_ahead(0, now).expected; }
};

/// What one key may do with all models together.
struct account_gate final : gate {
  std::optional<std::uint32_t> concurrency;
  std::uint32_t in_flight = 0;
  month_quota month;
  const calendar* today = nullptr;
  std::unique_ptr<shared_limits> shared; // calls at once, with the other nodes of a cluster; null: alone
  bool has_place() const noexcept { return !concurrency || in_flight < *concurrency; }
  double share() const noexcept {
    return !concurrency ? 0 : *concurrency ? static_cast<double>(in_flight) / *concurrency : 1;
  }
  bool closed(instant now) override {
    return !has_place() || (shared && !shared->fits({}, now)) || !month.fits(*today, now);
  }
  instant opens_at(instant now) override {
    if (!has_place()) return instant::max();
    const auto month_at = month.fits_at(*today, now);
    return shared ? std::max(month_at, shared_limits::look_again(shared->call_fits_at(now), now)) : month_at;
  }
};

/// Calls of one model while it is down (a few, to try it) and while its load returns (more and more).
struct model_gate final : gate {
  std::string model;
  governor::outage_news state;
  std::uint32_t in_flight = 0; // of those lent since it is held back
  bool holds() const noexcept { return state.phase != outage_phase::up; }
  std::uint32_t room(instant now) const;
  bool closed(instant now) override;
  instant opens_at(instant now) override;
};

struct provider_gate final : gate {
  std::string name;
  std::uint32_t slots = 0, in_use = 0;
  windowed_limit hour{1h}; // requests from this address, over all keys
  instant endpoint_open_until = instant::min();
  std::unordered_map<std::string, instant> models_open_until; // only open ones; bounded
  std::map<std::uint64_t, pool*> interested;                  // pools with waiters and a target here
  bool closed(instant now) override { return in_use >= slots || !hour.fits(1, 0, now); }
  instant opens_at(instant now) override { return in_use >= slots ? instant::max() : hour.fits_at(1, 0, now); }
  struct rank {
    double score = 1;
    bool degraded = false;
    duration check_interval{};
    instant next_trial{};
  };
  std::unordered_map<std::string, rank> ranks; // of models that anything is known of; bounded
  instant open_until(const std::string& model) const;
  const rank* rank_of(const std::string& model) const;
  /// Degraded, and its next trial has not come yet.
  bool is_behind(const std::string& model, instant now) const;
  void begin_trial(const std::string& model, instant now);
  void on_model(const governor::model_news&, instant now);
  void on_circuit(const governor::circuit_news&);
};

struct key_entry {
  std::uint32_t id = 0;
  std::string name;
  std::shared_ptr<provider_gate> provider;
  double weight = 1;
  key_standing standing;
  std::shared_ptr<account_gate> account;
  std::shared_ptr<meter_gate> own;
  struct special {
    std::string pattern;
    std::shared_ptr<meter_gate> meter;
    bool absent = false;
    bool served = true; // false: this key is not good for such models
  };
  std::vector<special> models; // the first pattern that matches counts instead of `own`
  bool absent = false;         // left the config, remembered while its window is not empty
  std::unordered_map<std::string, std::unique_ptr<learned_gate>> learned; // by model, bounded; never erased
  /// Null: this key does not serve that model.
  const std::shared_ptr<meter_gate>& meter_for(const std::string& model) const;
  learned_gate& learned_for(const std::string& model, std::uint64_t& serial);
};

struct client_entry {
  std::string name;
  key_meter meter;
  address_meters addresses;
  std::unique_ptr<demand_line> demand; // as a gate's
  bool absent = false;
};

struct candidate {
  std::shared_ptr<key_entry> key;
  std::shared_ptr<meter_gate> meter;
  learned_gate* learned = nullptr; // the key's
  double weight = 1;
  double credit = 0; // of the smooth weighted round-robin
};

struct pool_group;

/// A request's targets as it wrote them, resolved.
struct route {
  struct span {
    std::uint32_t target;
    std::shared_ptr<provider_gate> provider;
    std::size_t first, last;
  };
  std::vector<target> targets;
  std::vector<span> spans;
  std::vector<candidate> candidates;
  std::shared_ptr<pool_group> group;
};

struct ask {                                  // what the choice depends on
  const std::vector<std::uint32_t>& excluded; // ids of keys
  std::uint64_t tokens;
  const waiter* who;    // null: a newcomer
  double left_free = 0; // the share of keys' windows that is kept for others
};

struct choice {
  candidate* pair = nullptr;
  std::uint32_t target = 0;
  provider_gate* provider = nullptr;
};

struct obstacle {
  gate* at;
  instant until;
}; // at null: a rest or a circuit

struct prospect {
  bool alive = false; // some key is enabled and not excluded
  bool free_now = false;
  bool tokens_only = false; // a smaller request would get through now
  bool resting = false;     // what is earliest waits for a rest or a circuit
  instant not_before = instant::max();
  meter_gate* short_of_tokens = nullptr; // would do, once it had the tokens
  bool keeps_promise = false;            // a meter that promised this waiter tokens can still be used by it
  std::vector<obstacle> obstacles;
  bool hopeless(instant wait_until) const noexcept { return !alive || not_before > wait_until; }
};

class capacity {
public:
  void reconfigure(const governor_settings&, instant now);

  std::unique_ptr<route> resolve(const std::vector<target>&);
  /// The best pair that may send now, its turn taken; null if there is none.
  choice choose(route&, const ask&, instant now) const;
  /// Why there is none, and when there may be one. `out` is reused for its memory.
  void look_ahead(const route&, const ask&, instant now, prospect& out) const;
  static bool every_circuit_open(const route&, instant now);
  /// Nobody here is to be asked while others are left: each is degraded or its circuit open, and some are degraded.
  static bool all_behind(const route&, instant now);
  /// More tokens than half of the widest limit here: nothing is promised to those.
  static bool is_outsize(const route&, std::uint64_t tokens);
  /// The names' ids, sorted, as far as they can matter to that route.
  static void exclude(const route&, const std::vector<std::string>& names, std::vector<std::uint32_t>& ids);

  std::map<std::string, std::shared_ptr<provider_gate>> providers;
  std::map<std::string, std::shared_ptr<key_entry>> keys;
  std::unordered_map<std::string, std::shared_ptr<model_gate>> held_models; // or were, since the last reconfigure
  /// Null: nothing holds that model back.
  std::shared_ptr<model_gate> gate_of(const std::string& model) const;
  std::unordered_map<std::string, std::shared_ptr<client_entry>> clients;
  calendar today;
  std::map<std::pair<std::string, std::string>, month_count> earlier; // of other processes, by provider and key: of
                                                                      // keys that are not there (yet)
  std::uint64_t next_gate = 1;                                        // the serial of whatever is made next

private:
  choice choose_among(route&, const ask&, bool behind_too, instant now) const;
  void set_providers(const governor_settings&, instant now);
  void set_keys(const governor_settings&, instant now);
  void set_clients(const governor_settings&, instant now);
  std::uint32_t next_key_id_ = 1;
};

} // namespace mainstay
