// The validated configuration: what the YAML of docs/operations.md becomes. Plain values, immutable once loaded; a run
// keeps the snapshot it began with. Loading is all or nothing: either every section is valid, or every error is listed
// at once.
#pragma once

#include "core/alert_book.hpp"
#include "core/answer_lives.hpp"
#include "core/backoff.hpp"
#include "core/canned_answers.hpp"
#include "core/circuit.hpp"
#include "core/client_changes.hpp"
#include "core/clock.hpp"
#include "core/dialect.hpp"
#include "core/endpoint_choice.hpp"
#include "core/feature.hpp"
#include "core/glob.hpp"
#include "core/load_stage.hpp"
#include "core/model_ranking.hpp"
#include "core/outage.hpp"
#include "core/prices.hpp"
#include "core/privacy_rules.hpp"
#include "core/rate_governor.hpp"
#include "core/retry_budget.hpp"
#include "core/secret.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mainstay::config {

struct listen_address {
  std::string host;
  std::uint16_t port = 0;
};

/// What its files held when the configuration was read (PEM).
struct certificate {
  std::string chain; // the certificate, and after it what leads to its issuer
  secret key;
  std::string ca; // of the certificates that callers show; empty: they are asked for none
};

/// Keys of ZeroMQ's CURVE, 32 bytes each.
struct curve_settings {
  secret secret_key;                // the door's own
  std::vector<std::string> clients; // the public keys of those who may connect
};

struct door_settings {
  struct http_door {
    listen_address listen;
    std::size_t body_limit = 32u << 20;
    std::optional<certificate> tls; // none: in the clear
  };
  struct zmq_door {
    std::string listen;                  // "tcp://127.0.0.1:5555", "ipc:///path"
    std::optional<curve_settings> curve; // none: in the clear
  };
  std::optional<http_door> http;
  std::optional<zmq_door> zmq;
  std::optional<listen_address> admin, metrics;
  std::vector<std::string> admin_clients; // names in certificates; empty: any of the authority's
  std::optional<certificate> metrics_tls; // none: in the clear
  std::optional<secret> metrics_token; // asked of who looks at the metrics door; none: only who is on this machine may
};

class key_ring; // config/client_keys.hpp

struct client_settings {
  std::string name;
  std::vector<client_key> keys;                          // any of them; none: nobody is this client
  limit_set limits;                                      // rpm, tpm, concurrency
  std::vector<std::string> models;                       // names or patterns; empty: all
  mainstay::priority level = mainstay::priority::normal; // the default of its requests
  mainstay::priority highest = mainstay::priority::high; // what they may ask for
  address_limits per_address;                            // of each of its callers' addresses
  feature_set partial;                                   // what its requests do without rather than get an error
  bool canned = false;                                   // takes a canned answer rather than an error
  std::optional<double> daily_usd;                       // what its calls may cost a day (UTC)
  bool revoked = false;          // at run time: remembered, so that its absence never opens a door
  bool made_at_run_time = false; // the file does not say what it may do
  privacy_rules_ptr privacy;     // its own; null: the section's
  std::string region;            // its requests stay there; empty: they may go anywhere
};

struct key_settings {
  std::string name;
  secret secret_value;
  limit_set limits;
  double weight = 1;
  std::vector<std::pair<std::string, limit_set>> models; // patterns, tried in this order
  bool serves(const std::string& model) const noexcept;  // false: its tier has no access
};

struct timeout_settings {
  duration connect = 5s, first_byte = 30s, idle = 30s, total = 120s;
};

/// One way to a provider: an endpoint, perhaps through a proxy.
struct provider_way : way_settings {
  std::string base_url; // see url_at()
  std::string proxy;    // may hold a password; empty: none
};

struct provider_settings {
  std::string name;
  dialect speaks = dialect::openai;
  std::string key_header;              // that carries the key alone; empty: as the dialect has it
  bool leaves_out_unsupported = false; // parameters without a counterpart there; else it is not asked for them
  std::vector<key_settings> keys;
  std::uint32_t pool_connections = 50, pool_per_host = 20;
  duration rest = 60s;                          // a failed key rests this long, unless all rest
  std::optional<std::uint64_t> hourly_requests; // from this address, over all keys
  timeout_settings timeouts;
  circuit_settings breaker;
  std::string region;             // where its endpoints stand that do not say it themselves; empty: nobody says
  std::vector<provider_way> ways; // at least one

  /// It may be asked for what must not leave that region; empty: for what may.
  bool stands_in(const std::string& region) const noexcept;
  /// The way of that name, or else its first; of those in the region, where one is given. Null: none stands there.
  const provider_way* way(const std::string& name, const std::string& region = {}) const noexcept;
  /// Calls that may be open at once: `pool_per_host` at each of its hosts.
  std::uint32_t slots() const;
  /// The header line that carries this key.
  secret key_line(const key_settings&) const;
};

/// One rung of a model's ladder: equals to choose from.
using target_group = std::vector<target>;

/// May a conversation end in an assistant message, to be gone on with? `automatic` finds out.
enum class prefill_mode : std::uint8_t { automatic, yes, no };

/// What becomes of a conversation that is too long for the model.
enum class truncate_mode : std::uint8_t { none, oldest };

struct model_settings {
  std::string name; // may be a pattern: "gpt-*"
  bool pattern = false;
  std::vector<target_group> ladder; // [0] the targets, then the fallbacks in order, names resolved, each target at most
                                    // once; a target with an empty model takes the name the caller wrote
  std::vector<prefill_mode> prefill_of_rung; // beside `ladder`: of the model that each rung's targets belong to
  prefill_mode prefill = prefill_mode::automatic;
  std::optional<duration> hedge_after;         // no token by then: the next target is asked beside; none: never
  std::optional<std::uint64_t> context_window; // tokens of prompt and answer together
  truncate_mode truncate = truncate_mode::none;
  retry_policy retry; // the section, with this model's overrides
};

struct cache_settings {
  answer_lives lives;
  bool shared = false;
  std::size_t memory_entries = 10000, memory_bytes = 256u << 20;
  std::optional<secret> redis_url; // may hold a password
  struct file {
    std::string path; // relative to where the daemon was started
    std::size_t entries = 1'000'000, bytes = std::size_t{1} << 30;
  };
  std::optional<file> sqlite;
  /// Answers to questions that are near the one that was asked; none: not given.
  struct similar_answers {
    enum class use_for : std::uint8_t { degraded, always };
    use_for use = use_for::degraded; // always: before a provider is asked, too
    double threshold = 0.6;
    std::size_t entries = 100'000, bytes = 256u << 20;
    struct embedding_model {
      std::string provider, model;
      duration timeout = 1s; // of one question to it; then there is no similar answer
      friend bool operator==(const embedding_model&, const embedding_model&) = default;
    };
    std::optional<embedding_model> embedding; // none: the words are compared
  };
  std::optional<similar_answers> similar;
};

struct degradation_settings {
  std::optional<canned_answers> canned;        // none: an error is an error
  std::optional<model_ranking_settings> model; // none: models are not ranked
};

struct state_settings {
  std::string path; // what must outlive a restart; relative to where the daemon was started
};

struct journal_settings {
  std::string path;                // relative to where the daemon was started
  duration retention = 24h;        // of a request without an answer, and of an answer
  std::size_t size = 1ull << 30;   // bytes of the file: beyond it nothing new is accepted
  std::size_t entries = 1'000'000; // as well
};

/// Who asked what when, at what cost and with which outcome; never what was said.
struct audit_settings {
  std::string path;                // relative to where the daemon was started
  std::size_t rotate = 100u << 20; // bytes of a file: beyond it a new one is begun
  bool prompts = false;            // what callers asked is in the lines
};

struct alert_settings {
  alert_book::rules rates;         // of requests and calls
  std::uint64_t min_requests = 20; // in five minutes; fewer say nothing
  std::optional<secret> webhook;   // where alerts are posted to
  std::optional<secret> webhook_secret;
};

struct cluster_settings {
  listen_address listen;
  std::string address;            // of this node, as its peers' configurations name it
  std::vector<std::string> peers; // likewise
  std::vector<std::string> names; // in peers' certificates; empty: any of the authority's
  bool cleartext = false;         // without TLS, told so
  bool move = true;               // requests go to peers with room, and theirs come here
};

struct tracing_settings {
  std::string endpoint;                                // of an OTLP/HTTP collector, without /v1/traces
  double sample = 0.01;                                // share of the traces that begin here
  std::vector<std::pair<std::string, secret>> headers; // for it
};

struct log_settings {
  enum class which : std::uint8_t { failed, all, none };
  which requests = which::failed; // leave a line
};

struct settings {
  std::string node = "mainstay";
  door_settings doors;
  std::optional<certificate> tls;       // of console and cluster, mutual; none: they are on loopback, in the clear
  std::vector<client_settings> clients; // none: loopback callers only, no key asked
  std::shared_ptr<const key_ring> ring; // of their keys; null: nobody has any
  std::vector<provider_settings> providers;
  std::vector<model_settings> models; // exact names first, then patterns, each in file order
  adaptive_settings adaptive;
  retry_budget_settings retry_budget;
  duration deadline = 120s;
  duration drain = 30s;
  std::size_t queue_capacity = 10000;
  int level_weights[3] = {8, 4, 1};
  recovery_settings recovery;
  std::optional<cache_settings> cache;
  degradation_settings degradation;
  std::optional<state_settings> state; // none: no file is written
  std::optional<journal_settings> journal;
  std::optional<audit_settings> audit;     // none: no file is written
  privacy_rules_ptr privacy;               // null: nothing is replaced or denied
  std::optional<load_thresholds> forecast; // none: the load is shown, and nothing is done about it
  std::optional<alert_settings> alerts;    // none: rates are not judged, nobody is told
  std::optional<cluster_settings> cluster; // none: this node is alone
  std::optional<tracing_settings> tracing; // none: what callers say of traces is passed on, and that is all
  log_settings logs;
  std::shared_ptr<const price_table> prices; // null: nobody knows what calls cost
  std::string hash;                          // of the file's content, hex: tells versions apart
  std::string common_hash; // likewise, without what is each node's own: node, doors, state, tls, cluster, journal

  const provider_settings* provider(const std::string& name) const noexcept;
  /// Null: nobody of that name may ask.
  const client_settings* client(const std::string& name) const noexcept;
  /// Of that client; null: of who calls where no clients are configured.
  const privacy_rules_ptr& privacy_of(const client_settings* c) const noexcept {
    return c && c->privacy ? c->privacy : privacy;
  }
  /// The exact name if configured, else the first pattern that matches; null: unknown.
  const model_settings* model(const std::string& asked) const noexcept;
};
using settings_ptr = std::shared_ptr<const settings>;

using mainstay::glob_match; // `*` any run, `?` any one character: how names of models match patterns

/// The model with those of its targets whose providers stand in that region; none: it has none there.
std::optional<model_settings> within(const settings&, const model_settings&, const std::string& region);

/// Tokens a minute of all provider keys together: their own limit, or the widest of their models'. None: some key's is
/// not known.
std::optional<std::uint64_t> total_tpm(const settings&);

/// What the governor needs of it.
governor_settings governor_view(const settings&);

} // namespace mainstay::config
