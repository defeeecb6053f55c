// What operators changed of the clients at run time: made, given new keys, revoked. Decides what an order comes to and
// keeps the outcome by client, to be laid over the configuration and written down. Keys are here as their hashes alone.
// Whether a client stands in the configuration is told with each order: it may change with every reload.
#pragma once

#include "core/address_meters.hpp"
#include "core/clock.hpp"
#include "core/feature.hpp"
#include "core/limit_set.hpp"
#include "core/priority.hpp"

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mainstay {

/// What a client that the console makes may do; whatever is not said is as if the configuration left it out.
struct client_terms {
  std::vector<std::string> models; // names or patterns; empty: all
  limit_set limits;
  std::optional<double> daily_usd;
  std::optional<priority> level, highest;
  address_limits per_address;
  feature_set partial;
  bool canned = false;
  std::string region; // empty: anywhere
  friend bool operator==(const client_terms&, const client_terms&) = default;
};

/// One key of a client: good until then, or for good.
struct client_key {
  std::string hash; // config/client_keys
  std::optional<utc_time> until;
  friend bool operator==(const client_key&, const client_key&) = default;
};

struct client_change {
  std::string name;
  bool revoked = false;
  std::optional<client_terms> made;       // by the console; none: the configuration's, with other keys
  std::vector<client_key> keys;           // in place of the configuration's
  std::optional<utc_time> file_key_until; // the configuration's own key is good until then beside them; none: it is not
  /// The configuration alone says what this client may do.
  bool says_nothing() const noexcept { return !revoked && !made && keys.empty(); }
  friend bool operator==(const client_change&, const client_change&) = default;
};

struct client_order {
  enum class way : std::uint8_t { create, rotate, revoke, restore };
  way what = way::create;
  std::string name;
  client_terms terms; // create
  std::string hash;   // of the new key: create, rotate
  duration keep{};    // rotate: so long the keys of before stay good
};

class client_changes {
public:
  static constexpr std::size_t most_clients = 10'000, most_keys = 8;

  client_changes() = default;
  explicit client_changes(const std::vector<client_change>& kept);

  /// What the order comes to, to be taken once it is written down; or why it cannot be.
  std::variant<client_change, std::string> judge(const client_order&, bool in_file, utc_time now) const;
  void take(client_change);
  const std::map<std::string, client_change>& all() const noexcept { return all_; }

private:
  const client_change* find(const std::string& name) const;
  std::variant<client_change, std::string> rotated(const client_order&, const client_change* before,
                                                   utc_time now) const;
  std::map<std::string, client_change> all_;
};

} // namespace mainstay
