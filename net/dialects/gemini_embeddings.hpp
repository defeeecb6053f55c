// Embeddings by Google's Gemini API: OpenAI's request as one batch, and the vectors as OpenAI's list. Pure.
#pragma once

#include "net/dialects/provider_dialect.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay {

/// POST /models/MODEL:batchEmbedContents. `body`: OpenAI's, with one string or a list of them; lists of tokens have no
/// counterpart. `leave_out`: see provider_terms.
provider_request_or gemini_embeddings_request(std::string_view body, std::string_view model, bool leave_out);

/// A whole answer (status 2xx) as OpenAI's list; null if it is none. `base64`: vectors as little-endian float32, as
/// encoding_format asks. `tokens`: of the texts, for usage where Gemini does not say.
bytes_ptr gemini_embeddings_answer(std::string_view body, std::string_view model, bool base64, std::uint64_t tokens);

/// "/models/MODEL:METHOD". A name that brings its collection ("tunedModels/x") keeps it; whatever else a path could be
/// led astray by is escaped.
std::string gemini_path(std::string_view model, std::string_view method);

} // namespace mainstay
