// The breaker of one provider: one circuit for its endpoint (connection failures) and one per model (status failures).
// Where the provider has several ways, the endpoint is all of them together, and a permit says which one to take
// (core/endpoint_choice). Owns the permits that are out, by lease, so that each ends once and a lost owner's come back.
#pragma once

#include "core/circuit.hpp"
#include "core/endpoint_choice.hpp"
#include "core/failure.hpp"
#include "core/lease.hpp"
#include "core/peer_word.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace mainstay {

class provider_breaker {
public:
  explicit provider_breaker(circuit_settings = {});
  /// No `ways`: those it has.
  void reconfigure(circuit_settings, const std::vector<way_settings>& ways = {}, std::uint32_t per_host = UINT32_MAX);

  struct answer {
    bool granted = false;
    instant retry_at{};
    std::string way;        // to take; empty: there is only one
    bool other_way = false; // another healthy one is left
  };
  using wish = endpoint_choice::wish;
  /// Both circuits must grant; retry_at, when refused, is the later time of those that refuse. Asking again with a
  /// lease that already holds a permit answers granted (idempotent). `draw` in [0,1) chooses among ways.
  answer ask(lease_id, const std::string& model, instant now, double draw = 0, const wish& = {});

  /// Ends the lease's permit: no failure means success, a slow one for the model if its answer took `first_word` to
  /// begin and that is the slow_call of the settings or more. Failures of nobody's or the caller's or the key's fault
  /// are neutral for both circuits; a model failure is a success for the endpoint (it answered), an endpoint failure
  /// neutral for the model (it was not asked). Unknown leases are ignored (idempotent). `draw` in [0,1): see circuit.
  /// `first_byte` of its answer tells how near the way is.
  void settle(lease_id, std::optional<failure_class>, instant now, double draw, std::optional<duration> first_word = {},
              std::optional<duration> first_byte = {});

  /// Returns every permit of that request as neutral.
  void release_owner(request_id, instant now, serial_range = {});

  /// `answers`: it was asked for something that costs nothing, and did: the endpoint's circuit and those of these
  /// models let somebody try, if they are open; what peers said of them is over. `awaited`: somebody waits for them,
  /// and may try. `unreachable`: an endpoint that nobody tries opens again. By that way; empty: by all of them.
  enum class sign : std::uint8_t { answers, awaited, unreachable };
  void looked_at(sign, const std::vector<std::string>& models, instant now, double draw, const std::string& way = {});

  /// What a peer says of a circuit of this provider: see circuit. False: there is none such, or no room for it.
  bool advise(const circuit_word&, instant now);
  /// When the first advice ends by time, which take_changes then tells; max: there is none.
  instant advice_ends(instant now) const;

  /// Operator: forces the endpoint circuit open or closed, or back to automatic with every circuit closed.
  enum class order { open, close, automatic };
  void force(order, instant now);

  struct view {
    std::string model; // empty: the endpoint
    circuit_state state;
    bool forced;
    int consecutive_failures;
    std::uint32_t times_opened;
    instant open_until;
    std::string told_by{}; // open or half-open only because this peer says so
  };
  std::vector<view> views(instant now) const; // endpoint first
  std::vector<endpoint_choice::view> ways(instant now) const { return endpoint_.views(now); }
  std::vector<endpoint_choice::view> take_way_changes(instant now) { return endpoint_.take_changes(now); }

  /// What changed since the last call: to be announced to the governor and the metrics. Time alone changes things too:
  /// an open circuit becomes half-open at its open_until. A model that was forgotten is announced as closed.
  std::vector<view> take_changes(instant now);

  std::size_t permits_out() const noexcept { return permits_.size(); }

private:
  struct model_entry {
    circuit state;
    std::uint64_t incarnation; // tells a model that was forgotten and came back from the one a permit was given for
    instant last_asked;
    std::size_t permits = 0;
    std::string told_by{}; // the last who advised
  };
  struct held {
    std::string model;
    std::uint64_t incarnation;
    endpoint_choice::permit endpoint;
    std::uint32_t model_generation;
  };
  struct told {
    circuit_state state;
    bool forced;
    instant open_until;
    std::string told_by;
  };
  model_entry& entry_of(const std::string& model, instant now);
  void forget_one(instant now);
  void end(const held&, const endpoint_choice::outcome&, verdict model, instant now, double draw);
  view endpoint_view(instant now) const;
  static view look(const std::string& model, const model_entry&, instant now);
  static bool news(const view&, told&);
  circuit_settings settings_;
  endpoint_choice endpoint_;
  std::map<std::string, model_entry> models_; // at most 1000: the config's models and what patterns let callers ask for
  std::uint64_t incarnations_ = 0;
  std::unordered_map<lease_id, held> permits_;
  told endpoint_told_{circuit_state::closed, false, {}, {}};
  std::map<std::string, told> watched_; // models that are not closed, or were not when last told
};

} // namespace mainstay
