// The clients: who may call, what with, how much. A client without a usable key is an error, never an open door. Of
// keys only hashes go on from here.
#include "config/client_keys.hpp"
#include "config/sections.hpp"

#include <algorithm>
#include <unordered_map>

namespace mainstay::config {
namespace {

constexpr double most_usd = 1e9;
constexpr std::size_t shortest_key = 16; // below it, guessing over the network is no longer hopeless

class client_reader {
public:
  client_reader(bool exposed, const privacy_rules_ptr& privacy) : exposed_(exposed), privacy_(privacy) {}

  void read(const cursor& at, client_draft& out) {
    const section s(at, {"name", "key", "key_hash", "rpm", "rps", "tpm", "concurrency", "models", "priority",
                         "max_priority", "per_address", "canned", "partial", "daily_usd", "redact", "deny", "region"});
    client_settings client;
    client.name = read_name(s, names_);
    if (const auto* c = s.find("key_hash"))
      read_hash(s, *c, client);
    else if (const auto* k = s.need("key"))
      read_key(*k, client);
    read_limits(s, client.limits);
    if (const auto* c = s.find("per_address")) read_per_address(*c, client.per_address);
    if (const auto* c = s.find("models")) read_models(*c, client, out);
    read_level(s, "max_priority", client.highest);
    client.level = std::max(client.level, client.highest); // later is less urgent
    read_level(s, "priority", client.level);
    if (client.level < client.highest) s.find("priority")->error("is above max_priority");
    s.flag("canned", client.canned);
    if (const auto* c = s.find("daily_usd")) {
      client.daily_usd = c->number(0, most_usd);
      if (!out.first_budget) out.first_budget = *c;
    }
    if (const auto* c = s.find("partial")) read_partial(*c, client);
    client.privacy = read_privacy_of_client(s, privacy_);
    if (auto region = read_region(s)) {
      client.region = std::move(*region);
      out.regions.emplace_back(client.region, *s.find("region"));
    }
    out.clients.push_back(std::move(client));
  }

  /// Of a key that is written here and hashed there.
  void check() const {
    for (const auto& [key, at] : plain_)
      if (const auto i = hashed_.find(key.reveal(), utc_time{}))
        at.error("is the same key as in line " + std::to_string(lines_[*i]) + ": callers could not be told apart");
  }

private:
  void read_key(const cursor& at, client_settings& client) {
    auto key = at.secret_value();
    if (!key) return;
    if (key->value.empty()) { // leaving the client out could leave nobody, which means: ask for no key
      at.error("is empty: set " + key->defaulted + ", or take the client out");
      return;
    }
    const auto length = key->value.reveal().size();
    if (length > longest_client_key)
      return at.error("is longer than " + std::to_string(longest_client_key) + " characters");
    const std::string weak = "is shorter than " + std::to_string(shortest_key) + " characters and can be guessed";
    if (length < shortest_key && exposed_) at.error(weak + "; a door listens off loopback");
    if (length < shortest_key && !exposed_) at.warn(weak + "; choose a longer one before listening off loopback");
    const auto [it, fresh] = line_of_key_.emplace(key->value.reveal(), at.where().line);
    if (!fresh)
      at.error("is the same key as in line " + std::to_string(it->second) + ": callers could not be told apart");
    plain_.emplace_back(key->value, at);
    client.keys.push_back({hash_named_key(key->value), {}});
  }

  void read_hash(const section& s, const cursor& at, client_settings& client) {
    if (const auto* key = s.find("key")) return key->error("stands beside key_hash: a client has one of them");
    const auto written = at.text();
    if (!written) return;
    auto hash = parse_key_hash(written->text);
    if (!hash) return at.error("is not the hash of a key: make it with `mainstayctl clients hash`");
    const auto [it, fresh] = line_of_hash_.emplace(hash->id.empty() ? written->text : hash->id, at.where().line);
    if (!fresh)
      at.error("is of the same key as in line " + std::to_string(it->second) + ": callers could not be told apart");
    lines_.push_back(at.where().line);
    hashed_.add(*hash, lines_.size() - 1);
    if (hash->id.empty() && hashed_.salts() > key_ring::most_salts)
      at.error("is the hash of a key that was not made here, and more than " + std::to_string(key_ring::most_salts) +
               " of those have to be tried with every request: let `mainstayctl clients hash --new` make keys");
    client.keys.push_back({written->text, {}});
  }

  static void read_per_address(const cursor& at, address_limits& out) {
    const section s(at, {"rpm", "concurrency"});
    limit_set limits;
    read_limits(s, limits);
    out = {limits.rpm, limits.concurrency};
  }

  static void read_models(const cursor& at, client_settings& client, client_draft& out) {
    for (const auto& item : at.items()) {
      const auto name = item.name();
      if (!name) continue;
      if (name->find_first_of("*?") == name->npos) out.asked_models.emplace_back(*name, item);
      client.models.push_back(*name);
    }
  }

  static void read_partial(const cursor& at, client_settings& client) {
    for (const auto& item : at.items()) {
      const auto f = item.choice<feature>({{"tools", feature::tools}, {"json", feature::json}});
      if (!f) continue;
      if (client.partial.has(*f)) item.error("is in this list already");
      client.partial.add(*f);
    }
  }

  bool exposed_;
  const privacy_rules_ptr& privacy_;
  unique_names names_{"client"};
  std::unordered_map<std::string, int> line_of_key_, line_of_hash_;
  std::vector<std::pair<secret, cursor>> plain_;
  std::vector<int> lines_; // of hashes
  key_ring hashed_;
};

} // namespace

client_draft read_clients(const cursor& at, bool exposed, const privacy_rules_ptr& privacy) {
  client_draft out;
  client_reader reader(exposed, privacy);
  for (const auto& item : at.items()) reader.read(item, out);
  reader.check();
  return out;
}

} // namespace mainstay::config
