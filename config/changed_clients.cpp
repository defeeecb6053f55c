#include "config/changed_clients.hpp"

#include "config/client_keys.hpp"

#include <algorithm>
#include <utility>

namespace mainstay::config {
namespace {

client_settings made_from(const client_change& c) {
  client_settings out;
  out.name = c.name;
  out.models = c.made->models;
  out.limits = c.made->limits;
  out.daily_usd = c.made->daily_usd;
  out.highest = c.made->highest.value_or(priority::high);
  out.level = std::max(c.made->level.value_or(priority::normal), out.highest); // later is less urgent
  out.per_address = c.made->per_address;
  out.partial = c.made->partial;
  out.canned = c.made->canned;
  out.region = c.made->region;
  out.keys = c.keys;
  out.revoked = c.revoked;
  out.made_at_run_time = true;
  return out;
}

/// One that stays stands in its place.
void lay_over(client_settings& client, const client_change& c) {
  client.revoked = c.revoked;
  if (c.keys.empty()) {
    if (c.revoked) client.keys.clear();
    return;
  }
  auto of_file = std::exchange(client.keys, c.keys);
  if (!c.file_key_until) return;
  for (auto& key : of_file) client.keys.push_back({std::move(key.hash), c.file_key_until});
}

} // namespace

settings_ptr with_changes(settings_ptr file, const std::map<std::string, client_change>& changes) {
  if (changes.empty()) return file;
  auto out = std::make_shared<settings>(*file);
  for (const auto& [name, change] : changes) {
    const auto there =
        std::find_if(out->clients.begin(), out->clients.end(), [&, &name = name](auto& c) { return c.name == name; });
    if (change.made && there != out->clients.end())
      *there = made_from(change);
    else if (change.made)
      out->clients.push_back(made_from(change));
    else if (there != out->clients.end())
      lay_over(*there, change);
  }
  out->ring = ring_of(out->clients);
  return out;
}

std::shared_ptr<const key_ring> ring_of(const std::vector<client_settings>& clients) {
  auto ring = std::make_shared<key_ring>();
  for (std::size_t i = 0; i < clients.size(); ++i)
    for (const auto& key : clients[i].keys)
      if (const auto hash = parse_key_hash(key.hash)) ring->add(*hash, i, key.until);
  return ring;
}

} // namespace mainstay::config
