// Looking things up in the validated configuration, and the part of it that the rate governor needs.
#include "config/settings.hpp"

#include <algorithm>
#include <set>

namespace mainstay::config {

bool key_settings::serves(const std::string& model) const noexcept {
  for (const auto& [pattern, limits] : models)
    if (glob_match(pattern, model)) return !limits.unavailable;
  return true;
}

bool provider_settings::stands_in(const std::string& where) const noexcept { return way({}, where) != nullptr; }

const provider_way* provider_settings::way(const std::string& called, const std::string& where) const noexcept {
  const provider_way* first = nullptr;
  for (const auto& w : ways) {
    if (!where.empty() && w.region != where) continue;
    if (w.name == called) return &w;
    if (!first) first = &w;
  }
  return first;
}

std::uint32_t provider_settings::slots() const {
  std::set<std::string_view> hosts;
  for (const auto& w : ways) hosts.insert(w.host);
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(pool_connections, std::uint64_t{pool_per_host} * hosts.size()));
}

secret provider_settings::key_line(const key_settings& key) const {
  const auto& k = key.secret_value.reveal();
  if (!key_header.empty()) return secret(key_header + ": " + k);
  switch (speaks) {
  case dialect::anthropic: return secret("x-api-key: " + k);
  case dialect::gemini: return secret("x-goog-api-key: " + k);
  case dialect::openai: break;
  }
  return secret("authorization: Bearer " + k);
}

const provider_settings* settings::provider(const std::string& name) const noexcept {
  for (const auto& one : providers)
    if (one.name == name) return &one;
  return nullptr;
}

const client_settings* settings::client(const std::string& name) const noexcept {
  for (const auto& one : clients)
    if (one.name == name) return one.revoked ? nullptr : &one;
  return nullptr;
}

const model_settings* settings::model(const std::string& asked) const noexcept {
  // Exact names stand before patterns, so the first hit is the right one; a caller who writes "*" hits no exact name.
  for (const auto& one : models)
    if (one.pattern ? glob_match(one.name, asked) : one.name == asked) return &one;
  return nullptr;
}

std::optional<model_settings> within(const settings& all, const model_settings& model, const std::string& region) {
  auto out = model;
  out.ladder.clear();
  out.prefill_of_rung.clear();
  for (std::size_t rung = 0; rung < model.ladder.size(); ++rung) {
    target_group inside;
    for (const auto& one : model.ladder[rung])
      if (const auto* p = all.provider(one.provider); p && p->stands_in(region)) inside.push_back(one);
    if (inside.empty()) continue;
    out.ladder.push_back(std::move(inside));
    out.prefill_of_rung.push_back(model.prefill_of_rung[rung]);
  }
  if (out.ladder.empty()) return std::nullopt;
  return out;
}

namespace {

/// What two requests' ways to a provider may differ by, for a network in good order.
constexpr duration path_jitter = 50ms;
/// From the grant to the call's beginning, and from its end to the word of it.
constexpr duration call_slack = 10s;

} // namespace

std::optional<std::uint64_t> total_tpm(const settings& from) {
  std::uint64_t total = 0, keys = 0;
  for (const auto& provider : from.providers)
    for (const auto& key : provider.keys) {
      auto tpm = key.limits.tpm;
      if (!tpm)
        for (const auto& [pattern, limits] : key.models) tpm = std::max(tpm, limits.tpm);
      if (!tpm) return {};
      total += *tpm;
      ++keys;
    }
  return keys > 0 ? std::optional(total) : std::nullopt;
}

governor_settings governor_view(const settings& from) {
  governor_settings view;
  for (const auto& provider : from.providers) {
    view.providers.push_back(
        {provider.name, provider.slots(), provider.hourly_requests, provider.timeouts.total + call_slack});
    for (const auto& key : provider.keys)
      view.keys.push_back({key.name, provider.name, key.limits, key.weight, key.models});
  }
  for (const auto& client : from.clients) view.clients.push_back({client.name, client.limits, client.per_address});
  view.queue_capacity = from.queue_capacity;
  for (int level = 0; level < 3; ++level) view.level_weights[level] = from.level_weights[level];
  view.retry_budget = from.retry_budget;
  view.adaptive = from.adaptive;
  view.margin = path_jitter;
  return view;
}

} // namespace mainstay::config
