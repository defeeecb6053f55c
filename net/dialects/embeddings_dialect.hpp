// How each dialect is asked for embeddings, and what it answers, in OpenAI's form.
#pragma once

#include "net/dialects/provider_dialect.hpp"

namespace mainstay {

/// A problem where the dialect has no embeddings, or not of that kind.
provider_request_or embeddings_in(dialect, const chat_request&, const provider_terms&);

/// A whole answer as OpenAI's list; null if it is none. `asked`: what it was asked for.
bytes_ptr embeddings_out(dialect, const bytes_ptr& body, const chat_request& asked, std::string_view model);

} // namespace mainstay
