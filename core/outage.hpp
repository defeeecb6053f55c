// Which configured models have no target left, and how load comes back to them. A target is down while its provider's
// circuit or its own is not closed, or every key that serves it is disabled; a model is down while all targets of its
// ladder are, fallbacks included. up -> down -> returning (a growing share of the load) -> up; all down again while
// returning is the same outage. Says when to look and when to try; counts what an outage came to. Promises: one
// beginning and one end for each outage; nobody is up while all its targets are down. Time is passed in.
#pragma once

#include "core/circuit.hpp"
#include "core/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mainstay {

struct recovery_settings {
  duration probe = 60s; // so often somebody looks whether a provider is back
  duration ramp = 60s;  // from a tenth of the load to all of it
};

enum class outage_phase : std::uint8_t { up, down, returning };
std::string_view to_string(outage_phase) noexcept;

/// Of the load, what a model that returns since then may get: a tenth at first, all of it when the ramp is over.
double returning_share(instant since, duration ramp, instant now) noexcept;
inline constexpr double least_share = 0.1;

/// What a model's requests came to, by the source of the answer; "error" where there was none.
using served_counts = std::map<std::string, std::uint64_t>;

struct outage_report {
  instant began{};
  std::optional<instant> ended; // at full load again
  duration down{};              // how long every target was down, all spells together
  int relapses = 0;
  served_counts served;     // from its beginning to its end
  std::uint64_t parked = 0; // durable requests that waited for its end, all together
};

class outage_book {
public:
  struct target_setup {
    std::string provider, circuit;
    std::vector<std::string> keys;   // that serve it
    std::uint32_t trial_permits = 1; // of a half-open circuit
  };
  struct model_setup {
    std::string name;
    std::vector<target_setup> targets;
  };
  /// What is known of models, circuits and keys that stay is kept.
  void reconfigure(recovery_settings, std::vector<model_setup>, instant now);

  /// `circuit` empty: the endpoint. `retry_at` of an open one; max: an operator holds it open.
  void on_circuit(const std::string& provider, const std::string& circuit, circuit_state, instant retry_at,
                  instant now);
  void on_key(const std::string& key, bool disabled, instant now);
  void tick(instant now);
  /// When tick has something to do, if nothing else happens; max: never.
  instant next_wake() const;

  enum class event : std::uint8_t {
    began,     // every target is down
    came_back, // one is not any more
    relapsed,  // and all are again
    ended,     // at full load, or it left the configuration
    trial,     // a circuit lets `permits` calls through: who waits may be the trial
    look,      // nobody has come to know for a while
  };
  struct happening {
    event what;
    std::string model;
    std::uint32_t permits = 0;
  };
  std::vector<happening> take_happenings();

  /// The next time a target of that model may be tried, whoever waits is to be let through.
  void want_trial(const std::string& model);
  /// Whose free listing may tell more of that model: providers with a circuit that is not closed and a usable key.
  struct suspect {
    std::string provider, key;
    std::vector<std::string> circuits; // of the model's targets there
  };
  std::vector<suspect> suspects(const std::string& model) const;

  /// All counts since the process began, by model: an outage is told the difference, from its beginning to the first
  /// time it is told after its end.
  void on_served(const std::map<std::string, served_counts>& all);
  void on_parked(const std::string& model, std::uint64_t parked_in_all);

  /// Models that are not up.
  bool any() const noexcept;
  std::vector<std::string> down() const;
  /// "a/m: endpoint open; b/m: no usable key"
  std::string why(const std::string& model) const;
  struct view {
    std::string model;
    outage_phase phase = outage_phase::up;
    instant since{};
    double share = 1;
    std::optional<outage_report> latest; // the one under way, or the last one
  };
  std::vector<view> views(instant now) const;
  std::optional<outage_report> latest(const std::string& model, instant now) const;
  duration ramp() const noexcept { return settings_.ramp; }

private:
  using circuit_name = std::pair<std::string, std::string>; // provider, model
  struct circuit_standing {
    circuit_state state = circuit_state::closed;
    instant retry_at{}; // of an open one
  };
  struct entry {
    model_setup setup;
    outage_phase phase = outage_phase::up;
    instant since{}, look_at = instant::max();
    bool wants_trial = false;
    std::optional<outage_report> report;
    bool counting = false;
    std::optional<served_counts> served_before;
  };
  circuit_standing standing(const std::string& provider, const std::string& circuit) const;
  instant retry_at(const target_setup&) const;
  const std::string* usable_key(const target_setup&) const;
  bool is_down(const target_setup&) const;
  bool all_down(const entry&) const;
  struct trial {
    instant at = instant::max();
    std::uint32_t permits = 0;
  };
  trial next_trial(const entry&) const;
  void judge(entry&, instant now);
  void fall(entry&, instant now);
  void come_back(entry&, instant now);
  void end(entry&, instant now);
  outage_report report_of(const entry&, instant now) const;
  const entry* find(const std::string& model) const;
  entry* find(const std::string& model) { return const_cast<entry*>(std::as_const(*this).find(model)); }
  void tell(event what, const entry&, std::uint32_t permits = 0);

  recovery_settings settings_;
  std::vector<entry> models_;
  std::map<circuit_name, circuit_standing> circuits_; // of configured targets
  std::map<std::string, bool> disabled_;              // by configured key
  std::vector<happening> happenings_;
};

} // namespace mainstay
