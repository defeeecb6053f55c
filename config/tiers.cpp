// The shipped table and the filling in. Rows stand in the order in which patterns are tried.
#include "config/tiers.hpp"

#include <algorithm>

namespace mainstay::config {
namespace {

constexpr limit_set no_access{.unavailable = true};

limit_set requests(std::uint32_t a_minute) { return {.rpm = a_minute}; }

/// o1 and its dated releases ("o1-2024-12-17") are one model to callers, but the vendor counts each name for itself.
void add_rows(tier_limits& to, limit_set preview, limit_set mini, limit_set full) {
  to.models = {{"o1-preview*", preview}, {"o1-mini*", mini}, {"o1", full}, {"o1-20*", full}};
}

template <class T>
void fill(std::optional<T>& limit, const std::optional<T>& from) {
  if (!limit) limit = from;
}

void fill_rates(limit_set& limits, const limit_set& from) {
  fill(limits.rpm, from.rpm);
  fill(limits.rps, from.rps);
  fill(limits.tpm, from.tpm);
}

} // namespace

tier_table shipped_tiers() {
  tier_table table;
  table[2].all = {.monthly = 10'000};
  add_rows(table[2], requests(10), requests(20), no_access);
  table[3].all = {.monthly = 50'000};
  add_rows(table[3], requests(25), requests(50), no_access);
  table[4].all = {.tpm = 75'000, .concurrency = 10, .monthly = 500'000};
  add_rows(table[4], requests(50), requests(100), requests(20));
  table[5].all = {.tpm = 150'000, .concurrency = 25};
  add_rows(table[5], requests(100), requests(250), requests(50));
  return table;
}

void fill_from_tier(key_settings& key, const tier_limits& tier) {
  const limit_set given = key.limits;
  fill_rates(key.limits, tier.all);
  fill(key.limits.concurrency, tier.all.concurrency);
  fill(key.limits.monthly, tier.all.monthly);
  for (auto& [pattern, limits] : key.models) {
    const auto row = std::find_if(tier.models.begin(), tier.models.end(), [&pattern = pattern](const auto& r) {
      return r.first == pattern || glob_match(r.first, pattern);
    });
    if (row != tier.models.end()) fill_rates(limits, row->second);
    fill_rates(limits, key.limits);
  }
  const auto listed = key.models.size();
  for (const auto& [pattern, row] : tier.models) {
    const auto end = key.models.begin() + static_cast<std::ptrdiff_t>(listed);
    const bool own = std::any_of(key.models.begin(), end, [&p = pattern](const auto& m) { return m.first == p; });
    if (own) continue;
    limit_set limits = given; // what the key gives for itself is not widened by its tier
    limits.concurrency.reset();
    limits.monthly.reset();
    limits.unavailable = row.unavailable;
    fill_rates(limits, row);
    fill_rates(limits, tier.all);
    key.models.emplace_back(pattern, limits);
  }
}

} // namespace mainstay::config
