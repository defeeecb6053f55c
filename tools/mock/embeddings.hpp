// Embeddings: vectors made of the words alone, so that texts with most words in common lie near each other, and the
// same text always in the same place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::mock {

// A text's vector, as a JSON list of at most `most` numbers or as base64. Returns how many words it is made of.
std::size_t append_vector(std::string& out, std::string_view text, bool base64, std::size_t most = SIZE_MAX);

} // namespace mainstay::mock
