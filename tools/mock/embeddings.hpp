// The OpenAI dialect's embeddings: vectors made of the words alone, so that texts with most words in common lie near
// each other, and the same text always in the same place.
#pragma once

#include "tools/mock/dialect.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::mock {

// Fills model and user of the call, and the texts.
std::optional<wire_error> read_embeddings(std::string_view body, chat_call& call, std::vector<std::string>& texts);

std::string embeddings(std::string_view model, const std::vector<std::string>& texts);

} // namespace mainstay::mock
