#include "core/prices.hpp"

#include <algorithm>

namespace mainstay {

double cost_of(const model_price& price, const token_usage& used) noexcept {
  auto* p = &price.usual;
  for (const auto& [above, dearer] : price.long_prompts)
    if (used.input > above) p = &dearer;
  const auto cached = std::min(used.cached, used.input), reasoning = std::min(used.reasoning, used.output);
  const auto written = std::min(used.cache_writes, used.input - cached);
  return static_cast<double>(used.input - cached - written) * p->input +
         static_cast<double>(written) * p->cache_write.value_or(p->input) +
         static_cast<double>(cached) * p->cached.value_or(p->input) +
         static_cast<double>(used.output - reasoning) * p->output +
         static_cast<double>(reasoning) * p->reasoning.value_or(p->output);
}

const model_price* price_table::find(std::string_view provider, std::string_view model) const {
  std::string name;
  name.reserve(provider.size() + model.size() + 1);
  name.append(provider).append("/").append(model);
  auto found = prices_.find(name);
  if (found == prices_.end()) found = prices_.find(name.erase(0, provider.size() + 1));
  return found == prices_.end() ? nullptr : &found->second;
}

std::optional<double> price_table::cost(std::string_view provider, std::string_view model,
                                        const token_usage& used) const {
  const auto* price = find(provider, model);
  if (!price) return std::nullopt;
  return cost_of(*price, used);
}

} // namespace mainstay
