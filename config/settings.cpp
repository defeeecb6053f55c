// Looking things up in the validated configuration, and the part of it that the rate governor needs.
#include "config/settings.hpp"

#include <algorithm>

namespace mainstay::config {

bool key_settings::serves(const std::string& model) const noexcept {
  for (const auto& [pattern, limits] : models)
    if (glob_match(pattern, model)) return !limits.unavailable;
  return true;
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

const model_settings* settings::model(const std::string& asked) const noexcept {
  // Exact names stand before patterns, so the first hit is the right one; a caller who writes "*" hits no exact name.
  for (const auto& one : models)
    if (one.pattern ? glob_match(one.name, asked) : one.name == asked) return &one;
  return nullptr;
}

namespace {

/// What two requests' ways to a provider may differ by, for a network in good order.
constexpr duration path_jitter = 50ms;

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
    view.providers.push_back({provider.name, std::min(provider.pool_connections, provider.pool_per_host), // one host
                              provider.hourly_requests});
    for (const auto& key : provider.keys)
      view.keys.push_back({key.name, provider.name, key.limits, key.weight, key.models});
  }
  for (const auto& client : from.clients) view.clients.push_back({client.name, client.limits});
  view.queue_capacity = from.queue_capacity;
  for (int level = 0; level < 3; ++level) view.level_weights[level] = from.level_weights[level];
  view.retry_budget = from.retry_budget;
  view.adaptive = from.adaptive;
  view.margin = path_jitter;
  return view;
}

} // namespace mainstay::config
