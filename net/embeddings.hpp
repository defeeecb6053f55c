// The embeddings endpoint in the OpenAI dialect: what to ask, and what comes back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

std::string embeddings_request(std::string_view model, std::string_view text);

struct embedding {
  std::vector<float> values;
  std::uint64_t tokens = 0; // that the provider counted; 0: it did not say
};
/// None if it is no answer to a request for one text, or its vector is longer than 8,192, or no direction.
std::optional<embedding> read_embedding(std::string_view answer);

} // namespace mainstay
