// A list of prices: never a price that is no number of dollars.
#include "config/price_list.hpp"

#include "tests/fuzz/fuzz.hpp"

#include <cmath>

using namespace mainstay;

void mainstay::fuzz::try_input(std::string_view input) {
  const auto read = config::parse_price_list(std::string(input));
  if (const auto* problem = std::get_if<std::string>(&read)) return MUST(!problem->empty());
  const auto& prices = std::get<price_table>(read);
  for (const auto* model : {"m", "gpt-4o"})
    for (std::uint64_t tokens : {0u, 1u, 200'001u}) {
      const auto cost = prices.cost("p", model, {.input = tokens, .output = tokens, .cached = 2, .reasoning = 1});
      if (cost) MUST(std::isfinite(*cost) && *cost >= 0);
    }
}
