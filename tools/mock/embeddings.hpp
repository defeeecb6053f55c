// The OpenAI dialect's embeddings: vectors made of the words alone, so that texts with most words in common lie near
// each other, and the same text always in the same place.
#pragma once

#include "tools/mock/dialect.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::mock {

struct texts_to_embed {
  std::vector<std::string> texts;
  bool base64 = false; // vectors as such, else as numbers
};

// Fills model and user of the call, and the texts.
std::optional<wire_error> read_embeddings(std::string_view body, chat_call& call, texts_to_embed& what);

std::string embeddings(std::string_view model, const texts_to_embed& what);

} // namespace mainstay::mock
