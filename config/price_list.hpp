// A file of prices in LiteLLM's schema: an object whose members are models, each an object with input_cost_per_token
// and output_cost_per_token, and where they differ cache_read_input_token_cost, output_cost_per_reasoning_token and
// ..._above_128k_tokens or the like. Everything else in it is somebody else's and left alone; so are models that are
// not paid by the token.
#pragma once

#include "core/prices.hpp"

#include <string>
#include <variant>

namespace mainstay::config {

/// The prices, or what is wrong with the file.
std::variant<price_table, std::string> read_price_list(const std::string& path);
std::variant<price_table, std::string> parse_price_list(const std::string& json);

} // namespace mainstay::config
