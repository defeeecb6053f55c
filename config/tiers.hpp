// What a vendor's tiers allow, by model: the shipped table (numbers as reported for OpenAI's usage tiers), what the
// file's section `tiers` changes in it, and how a key's `tier` fills in the limits that the key does not give itself.
#pragma once

#include "config/settings.hpp"

#include <map>

namespace mainstay::config {

struct tier_limits {
  limit_set all; // concurrency and monthly: of the key as a whole; rpm, rps, tpm: of every model for itself
  std::vector<std::pair<std::string, limit_set>> models; // patterns; `unavailable` where the tier has no access
};
using tier_table = std::map<int, tier_limits>;

tier_table shipped_tiers();

/// Only what is not given: neither in `limits` nor in the key's own entry for a model. A limit per minute or second
/// that the key itself gives holds for all models that it does not list.
void fill_from_tier(key_settings&, const tier_limits&);

} // namespace mainstay::config
