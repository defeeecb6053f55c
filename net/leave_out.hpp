// A request without what its target cannot do: the members that ask for it are cut out of the caller's bytes, nothing
// is written anew. A second pass over the body, for the rare request that was refused for it.
#pragma once

#include "core/feature.hpp"
#include "net/chat_request.hpp"

namespace mainstay {

/// What the request asks for and could do without. Not tools once they are part of the conversation: calls and their
/// results make no sense to a model that knows of none.
feature_set dispensable_features(const chat_request&);

/// Without `tools`, `tool_choice`, `parallel_tool_calls` and what they were called before, or without
/// `response_format`.
bytes_ptr leave_out(const chat_request&, feature_set);

} // namespace mainstay
