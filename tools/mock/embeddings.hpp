// Embeddings: vectors made of the words alone, so that texts with most words in common lie near
// each other, and the same text always in the same place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::mock {

// At most `most` numbers of a text's vector, as a JSON list, or as a string of base64: little-endian float32. Returns
// how many words it is made of.
std::size_t append_vector(std::string& out, std::string_view text, std::size_t most = SIZE_MAX, bool base64 = false);

} // namespace mainstay::mock
