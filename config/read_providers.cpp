// The providers and their keys. One without an address or a key is left out with a warning where the file says so by an
// empty default; everything else that is wrong is an error.
#include "config/sections.hpp"

#include <algorithm>

namespace mainstay::config {
namespace {

// Pools by dialect: a vendor's usual ceiling for one account.
struct pool_defaults {
  std::uint32_t connections, per_host;
};
constexpr pool_defaults pool_of(dialect d) noexcept {
  switch (d) {
  case dialect::openai: return {50, 20};
  case dialect::anthropic: return {30, 15};
  case dialect::gemini: break;
  }
  return {20, 10};
}

bool is_header_name(std::string_view name) noexcept {
  return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == name.npos;
}

class provider_reader {
public:
  provider_reader(const timeout_settings& timeouts, const circuit_settings& breaker, const tier_table& tiers)
    : timeouts_(timeouts), breaker_(breaker), tiers_(tiers) {}

  void read(const cursor& at, provider_drafts& out) {
    const section s(at, {"name", "dialect", "base_url", "key_header", "unsupported", "keys", "pool", "rest",
                         "hourly_requests", "proxy", "timeouts", "breaker"});
    provider_draft draft{{}, at};
    auto& value = draft.value;
    value.name = read_name(s, names_);
    value.timeouts = timeouts_;
    value.breaker = breaker_;
    s.choice<dialect>("dialect", value.speaks,
                      {{"openai", dialect::openai}, {"anthropic", dialect::anthropic}, {"gemini", dialect::gemini}});
    value.pool_connections = pool_of(value.speaks).connections;
    value.pool_per_host = pool_of(value.speaks).per_host;
    if (const auto* c = s.find("key_header")) read_key_header(*c, value);
    s.choice<bool>("unsupported", value.leaves_out_unsupported, {{"error", false}, {"drop", true}});
    if (const auto* c = s.find("pool")) read_pool(*c, value);
    s.time("rest", value.rest, 1ms, 7 * 24h);
    s.whole("hourly_requests", value.hourly_requests, 1, 1'000'000'000);
    if (const auto* c = s.find("proxy")) read_proxy(*c, value);
    if (const auto* c = s.find("timeouts")) read_timeouts(*c, value.timeouts);
    if (const auto* c = s.find("breaker")) read_breaker(*c, value.breaker);
    if (const auto* c = s.need("base_url")) read_base_url(*c, draft, out.variables);
    if (const auto* c = s.need("keys")) read_keys(*c, draft, out.variables);
    if (!value.name.empty()) out.by_name.emplace(value.name, out.all.size());
    out.all.push_back(std::move(draft));
  }

private:
  static void read_key_header(const cursor& at, provider_settings& out) {
    const auto name = at.text();
    if (!name) return;
    if (!is_header_name(name->text))
      at.error("is no name of a header in lower case, such as api-key");
    else
      out.key_header = name->text;
  }

  static void read_pool(const cursor& at, provider_settings& out) {
    const section s(at, {"connections", "per_host"});
    s.whole("connections", out.pool_connections, 1, 100'000);
    if (!s.find("per_host")) out.pool_per_host = std::min(out.pool_per_host, out.pool_connections);
    s.whole("per_host", out.pool_per_host, 1, 100'000);
    if (out.pool_per_host > out.pool_connections) at.error("per_host must not be above connections");
  }

  static void read_proxy(const cursor& at, provider_settings& out) {
    const auto url = at.text();
    if (!url || (url->text.empty() && !url->defaulted.empty())) return; // no variable, no proxy
    at.shared().found.keep_out(url->text);
    if (auto fault = fault_of_proxy(url->text); !fault.empty()) at.error(std::move(fault));
    out.proxy = url->text;
  }

  static void leave_out(provider_draft& draft, const cursor& at, const std::vector<std::string>& variables,
                        std::vector<std::string>& all) {
    for (const auto& name : variables)
      if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
    if (draft.in_use)
      at.warn("the provider " + draft.value.name + " is left out; set " + join(variables, "or") + " to use it");
    draft.in_use = false;
  }

  static void read_base_url(const cursor& at, provider_draft& draft, std::vector<std::string>& variables) {
    const auto url = at.text();
    if (!url) return;
    if (url->text.empty() && !url->defaulted.empty()) {
      leave_out(draft, at, {url->defaulted}, variables);
      return;
    }
    if (auto fault = fault_of_base_url(url->text); !fault.empty()) {
      at.error(std::move(fault));
      return;
    }
    draft.value.base_url = url->text.substr(0, url->text.find_last_not_of('/') + 1); // also before a query: url_at()
  }

  struct absent_key {
    std::string name, variable;
    cursor at;
  };

  void read_keys(const cursor& at, provider_draft& draft, std::vector<std::string>& variables) {
    std::vector<absent_key> absent;
    const auto items = at.items();
    for (const auto& item : items) read_key(item, draft.value, absent);
    if (!items.empty() && absent.size() == items.size()) {
      std::vector<std::string> names;
      for (const auto& key : absent)
        if (std::find(names.begin(), names.end(), key.variable) == names.end()) names.push_back(key.variable);
      leave_out(draft, absent.front().at, names, variables);
    } else if (draft.in_use) {
      for (const auto& key : absent)
        key.at.warn("the key " + key.name + " is left out; set " + key.variable + " to use it");
    }
  }

  void read_key(const cursor& at, provider_settings& out, std::vector<absent_key>& absent) {
    const section s(at, {"name", "secret", "rpm", "rps", "tpm", "concurrency", "burst", "monthly_requests", "tier",
                         "weight", "models"});
    key_settings key;
    key.name = read_name(s, key_names_);
    read_key_limits(s, key.limits);
    s.whole("monthly_requests", key.limits.monthly, 1, 1'000'000'000'000);
    s.weight("weight", key.weight);
    if (const auto* c = s.find("models")) read_key_models(*c, key);
    if (const auto* c = s.find("tier")) read_tier(*c, key);
    const auto* at_secret = s.need("secret");
    auto value = at_secret ? at_secret->secret_value() : std::nullopt;
    if (value && value->value.empty()) {
      absent.push_back({key.name, value->defaulted, *at_secret});
      return;
    }
    if (value) key.secret_value = std::move(value->value);
    out.keys.push_back(std::move(key));
  }

  void read_tier(const cursor& at, key_settings& out) {
    const auto number = at.whole(1, 99);
    if (!number) return;
    const auto tier = tiers_.find(static_cast<int>(*number));
    if (tier != tiers_.end()) return fill_from_tier(out, tier->second);
    std::vector<std::string> known;
    for (const auto& tier_entry : tiers_) known.push_back(std::to_string(tier_entry.first));
    at.error("there is no tier " + std::to_string(*number) + " in the table: it has " + join(known, "and"));
  }

  static void read_key_models(const cursor& at, key_settings& out) {
    const section patterns(at);
    if (patterns.valid() && at.node().size() == 0) at.error("is empty: fill it, or leave it out");
    for (const auto& [pattern, where] : patterns.entries()) {
      limit_set limits;
      const section s(where, {"rpm", "rps", "tpm", "concurrency", "burst"});
      read_key_limits(s, limits);
      if (pattern.empty()) where.error("the pattern is empty");
      if (s.valid() && where.node().size() == 0) where.error("gives no limit: add rpm, rps, tpm or concurrency");
      out.models.emplace_back(pattern, limits);
    }
  }

  const timeout_settings& timeouts_;
  const circuit_settings& breaker_;
  const tier_table& tiers_;
  unique_names names_{"provider"}, key_names_{"key"}; // keys are known by name everywhere: unique over all providers
};

} // namespace

const provider_draft* provider_drafts::find(std::string_view name) const noexcept {
  const auto it = by_name.find(name);
  return it == by_name.end() ? nullptr : &all[it->second];
}

provider_drafts read_providers(const cursor& at, const timeout_settings& timeouts, const circuit_settings& breaker,
                               const tier_table& tiers) {
  provider_drafts out;
  provider_reader reader(timeouts, breaker, tiers);
  for (const auto& item : at.items()) reader.read(item, out);
  return out;
}

} // namespace mainstay::config
