// What models cost, in US dollars per token, and what a call comes to. The arithmetic is that of the price lists of
// LiteLLM, whose schema config/price_list reads: cached tokens, those put into the cache and reasoning tokens are parts
// of input and output with prices of their own; a prompt longer than a threshold makes the whole call dearer.
#pragma once

#include "core/token_usage.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mainstay {

/// US dollars per token.
struct token_prices {
  double input = 0, output = 0;
  std::optional<double> cached;      // none: as any other input
  std::optional<double> reasoning;   // none: as any other output
  std::optional<double> cache_write; // none: as any other input
};

struct model_price {
  token_prices usual;
  std::map<std::uint64_t, token_prices> long_prompts; // by the tokens that the prompt has more than
};

/// US dollars. More tokens read from and written to the cache than input, or reasoning tokens than output, count as all
/// of them.
double cost_of(const model_price&, const token_usage&) noexcept;

class price_table {
public:
  void add(std::string name, model_price price) { prices_[std::move(name)] = std::move(price); }
  /// "provider/model" if the table has it, else "model"; null: unknown.
  const model_price* find(std::string_view provider, std::string_view model) const;
  /// US dollars; none: the model's price is not known.
  std::optional<double> cost(std::string_view provider, std::string_view model, const token_usage&) const;
  std::size_t size() const noexcept { return prices_.size(); }

private:
  std::unordered_map<std::string, model_price> prices_;
};

} // namespace mainstay
