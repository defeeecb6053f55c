// One reader per section of the file. Each takes its cursor, reports what is wrong and returns what it could read; what
// spans sections (exposure, ladders) is checked afterwards, on drafts that still know where things were written.
#pragma once

#include "config/address.hpp"
#include "config/tiers.hpp"
#include "config/yaml_reader.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mainstay::config {

// read_policies.cpp
void read_limits(const section&, limit_set&);     // rpm, rps, tpm, concurrency
void read_key_limits(const section&, limit_set&); // those, and burst
void read_timeouts(const cursor&, timeout_settings&);
void read_breaker(const cursor&, circuit_settings&);
void read_retry(const cursor&, settings&, retry_policy&); // the section, with budget and adaptive
void read_retry_override(const cursor&, retry_policy&);   // a model's own
void read_queue(const cursor&, settings&);
void read_recovery(const cursor&, recovery_settings&);
std::optional<cache_settings> read_cache(const cursor&);
std::optional<state_settings> read_state(const cursor&);
std::optional<journal_settings> read_journal(const cursor&);
load_thresholds read_forecast(const cursor&);
std::shared_ptr<const price_table> read_prices(const cursor&); // the file that it names; null: it cannot be read
std::optional<std::string>
read_path(const section&); // of a file; none: it is left to a variable that is not set, or wrong
void read_level(const section&, std::string_view key, priority&);

// read_alerts.cpp
alert_settings read_alerts(const cursor&);

// read_tracing.cpp
tracing_settings read_tracing(const cursor&);
log_settings read_logs(const cursor&);

// read_privacy.cpp
struct privacy_draft {
  std::optional<audit_settings> audit;
  std::shared_ptr<const privacy_rules> rules; // null: none
};
privacy_draft read_privacy(const cursor&);
/// A client's `redact` in place of the section's, and its `deny` beside them. Null: it has neither.
privacy_rules_ptr read_privacy_of_client(const section& client, const privacy_rules_ptr& of_section);
/// Regions are those of providers.
std::optional<std::string> read_region(const section&);

// read_degradation.cpp
degradation_settings read_degradation(const cursor&, bool a_client_allows_it);

// read_doors.cpp
struct door_draft {
  door_settings value;
  struct place {
    std::string door;
    cursor at;
    listen_address address; // empty host: ipc
    bool loopback;
    bool encrypted = false, cleartext = false; // TLS or CURVE; told that there is none
  };
  std::vector<place> places;
  std::optional<cursor> admin_clients, cluster_names; // where those who may come in are named
};
/// As certificates have them; what looks like a pattern would let nobody in.
std::vector<std::string> read_certificate_names(const cursor&);
door_draft read_doors(const cursor&);
/// No two doors at one address; what listens off loopback asks for keys and is encrypted.
void check_doors(const door_draft&, bool has_clients, bool has_tls);

// read_cluster.cpp
cluster_settings read_cluster(const cursor&, door_draft&); // its door is one of them

// read_tls.cpp
std::optional<certificate> read_tls(const cursor&);        // a door's: cert, key
std::optional<certificate> read_mutual_tls(const cursor&); // the node's: cert, key, ca
std::optional<curve_settings> read_curve(const cursor&);

// read_tiers.cpp
void read_tiers(const cursor&, tier_table&);

// read_clients.cpp
struct client_draft {
  std::vector<client_settings> clients;
  std::vector<std::pair<std::string, cursor>> asked_models; // exact names among clients' models
  std::optional<cursor> first_budget;                       // a client's daily_usd
  std::vector<std::pair<std::string, cursor>> regions;      // that clients are to stay in
};
/// `exposed`: a door listens off loopback, so that weak keys are errors.
client_draft read_clients(const cursor&, bool exposed, const privacy_rules_ptr&);

// read_providers.cpp
struct provider_draft {
  provider_settings value;
  cursor at;
  bool in_use = true;
};
struct provider_drafts {
  std::vector<provider_draft> all;
  std::map<std::string, std::size_t, std::less<>> by_name;
  std::vector<std::string> variables; // what to set to bring the left-out ones back

  const provider_draft* find(std::string_view name) const noexcept;
};
provider_drafts read_providers(const cursor&, const timeout_settings&, const circuit_settings&, const tier_table&);

// read_ways.cpp
struct ways_draft {
  std::vector<provider_way> ways;
  std::vector<std::pair<cursor, std::string>> absent; // endpoints left to a variable that is not set, and which
};
/// Of a provider's section. `region`: of endpoints that do not say theirs.
ways_draft read_ways(const section&, const std::string& region);

// read_models.cpp
struct model_draft {
  model_settings value; // the ladder is filled by resolve_ladders
  cursor at;            // its name
  struct entry {
    cursor at;
    std::variant<target, std::string> what; // a target, or another model's name
  };
  std::vector<entry> targets, fallbacks;
};
std::vector<model_draft> read_models(const cursor&, const provider_drafts&, const retry_policy&);

// ladders.cpp
/// Fills each model's ladder, reports names that lead nowhere and cycles, and drops models without a target.
std::vector<model_settings> resolve_ladders(std::vector<model_draft>&, const provider_drafts&);

} // namespace mainstay::config
