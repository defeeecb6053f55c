// The clients: who may call, what with, how much. A client without a usable key is an error, never an open door.
#include "config/sections.hpp"

#include <unordered_map>

namespace mainstay::config {
namespace {

constexpr double most_usd = 1e9;
constexpr std::size_t shortest_key = 16; // below it, guessing over the network is no longer hopeless

class client_reader {
public:
  client_reader(bool exposed, const privacy_rules_ptr& privacy) : exposed_(exposed), privacy_(privacy) {}

  void read(const cursor& at, client_draft& out) {
    const section s(at, {"name", "key", "rpm", "rps", "tpm", "concurrency", "models", "priority", "canned", "partial",
                         "daily_usd", "redact", "deny", "region"});
    client_settings client;
    client.name = read_name(s, names_);
    if (const auto* c = s.need("key")) read_key(*c, client);
    read_limits(s, client.limits);
    if (const auto* c = s.find("models")) read_models(*c, client, out);
    read_level(s, "priority", client.level);
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

private:
  void read_key(const cursor& at, client_settings& client) {
    auto key = at.secret_value();
    if (!key) return;
    if (key->value.empty()) { // leaving the client out could leave nobody, which means: ask for no key
      at.error("is empty: set " + key->defaulted + ", or take the client out");
      return;
    }
    const auto length = key->value.reveal().size();
    const std::string weak = "is shorter than " + std::to_string(shortest_key) + " characters and can be guessed";
    if (length < shortest_key && exposed_) at.error(weak + "; a door listens off loopback");
    if (length < shortest_key && !exposed_) at.warn(weak + "; choose a longer one before listening off loopback");
    const auto [it, fresh] = line_of_key_.emplace(key->value.reveal(), at.where().line);
    if (!fresh)
      at.error("is the same key as in line " + std::to_string(it->second) + ": callers could not be told apart");
    client.key = std::move(key->value);
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
  std::unordered_map<std::string, int> line_of_key_;
};

} // namespace

client_draft read_clients(const cursor& at, bool exposed, const privacy_rules_ptr& privacy) {
  client_draft out;
  client_reader reader(exposed, privacy);
  for (const auto& item : at.items()) reader.read(item, out);
  return out;
}

} // namespace mainstay::config
