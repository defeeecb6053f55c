// A chat request taken apart for the search for similar ones: the text of the last user message, and everything else
// that the answer depends on (system prompt, earlier turns, parameters, unknown members) as one digest, in which two
// requests have to be equal. And which answers are fit to be given to another question.
#pragma once

#include "net/bytes.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

struct similar_question {
  std::string partition, text;
};

/// None if the request is no chat request, or its last message is not a user's, or holds anything but text. `scope`: as
/// for cache_key.
std::optional<similar_question> read_similar_question(const bytes_ptr& request, std::string_view scope);

/// One choice that ended by itself, of text alone.
bool may_answer_similar(std::string_view completion);

} // namespace mainstay
