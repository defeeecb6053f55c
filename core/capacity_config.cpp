// How the capacity follows its configuration. What keeps its name keeps its counts; what left is remembered until its
// windows are empty, so that a name which comes back at once does not come back with a fresh limit.
#include "core/capacity.hpp"

#include <utility>

namespace mainstay {

namespace {

template <class Entry>
void limit_or_create(std::shared_ptr<Entry>& entry, const limit_set& limits, duration margin, std::uint64_t& serial) {
  if (!entry) {
    entry = std::make_shared<Entry>();
    entry->serial = serial++;
  }
  entry->meter.limit_to(limits, margin);
}

bool is_idle(key_entry& key, const calendar& today, instant now) {
  if (key.account->month.used(today, now) > 0) return false;
  if (!key.own->meter.idle(now)) return false;
  for (auto& m : key.models)
    if (!m.meter->meter.idle(now)) return false;
  return true;
}

} // namespace

void capacity::reconfigure(const governor_settings& settings, instant now) {
  set_providers(settings, now);
  set_keys(settings, now);
  set_clients(settings, now);
}

void capacity::set_providers(const governor_settings& settings, instant now) {
  std::map<std::string, std::shared_ptr<provider_gate>> kept;
  for (const auto& p : settings.providers) {
    auto& entry = kept[p.name];
    if (const auto old = providers.find(p.name); old != providers.end()) entry = old->second;
    if (!entry) {
      entry = std::make_shared<provider_gate>();
      entry->serial = next_gate++;
      entry->name = p.name;
    }
    entry->slots = p.slots;
    entry->hour.set_window(1h + settings.margin);
    entry->hour.limit_to(p.hourly);
  }
  for (auto& [name, entry] : providers) {
    if (kept.contains(name) || (entry->in_use == 0 && entry->hour.log().used(now) == 0)) continue;
    entry->slots = 0; // no target names it any more; its calls still end here
    kept.emplace(name, entry);
  }
  providers = std::move(kept);
}

void capacity::set_keys(const governor_settings& settings, instant now) {
  for (auto& [name, key] : keys) key->absent = true;
  for (const auto& k : settings.keys) {
    const auto provider = providers.find(k.provider);
    if (provider == providers.end()) continue;
    auto& key = keys[k.name];
    if (!key) {
      key = std::make_shared<key_entry>();
      key->id = next_key_id_++;
      key->name = k.name;
      key->standing.key = k.name;
    }
    key->absent = false;
    key->provider = provider->second;
    key->weight = k.weight;
    if (!key->account) {
      key->account = std::make_shared<account_gate>();
      key->account->serial = next_gate++;
      key->account->today = &today;
      if (const auto known = earlier.extract({k.provider, k.name}))
        key->account->month.restore(known.mapped().month, known.mapped().used);
    }
    key->account->concurrency = k.limits.concurrency;
    key->account->month.limit_to(k.limits.monthly);
    limit_or_create(key->own, k.limits, settings.margin, next_gate);
    auto old = std::move(key->models);
    key->models.clear();
    for (const auto& [pattern, limits] : k.models) {
      key_entry::special s{pattern, nullptr};
      s.served = !limits.unavailable;
      for (auto& o : old)
        if (o.pattern == pattern && o.meter) s.meter = std::exchange(o.meter, nullptr);
      limit_or_create(s.meter, limits, settings.margin, next_gate);
      key->models.push_back(std::move(s));
    }
    for (auto& o : old)
      if (o.meter && !o.meter->meter.idle(now)) key->models.push_back({o.pattern, o.meter, true});
  }
  std::erase_if(keys, [&](auto& k) { return k.second->absent && is_idle(*k.second, today, now); });
}

void capacity::set_clients(const governor_settings& settings, instant now) {
  for (auto& [name, client] : clients) client->absent = true;
  for (const auto& c : settings.clients) {
    auto& client = clients[c.name];
    if (!client) client = std::make_shared<client_entry>();
    client->name = c.name;
    client->absent = false;
    client->meter.limit_to(c.limits);
    client->addresses.limit_to(c.per_address);
  }
  std::erase_if(clients, [&](auto& c) { return c.second->absent && c.second->meter.idle(now); });
}

} // namespace mainstay
