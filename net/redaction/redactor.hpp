// Takes what identifies persons out of a request's body before anybody else sees it, and finds what may not come in.
// Reads any caller's dialect (OpenAI's chat, completions, responses and embeddings, Anthropic's messages): whatever the
// model is to read is a string value in the JSON; members that name, type or link things, and bytes of files, are left
// alone, and so are all keys. Promises: nothing else of the body changes by a byte; equal conversations come out equal.
#pragma once

#include "core/privacy_rules.hpp"
#include "net/redaction/placeholders.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mainstay {

struct screened_request {
  bytes_ptr body;         // the same one if nothing was replaced
  placeholders_ptr table; // null: nothing was
  std::string denied;     // the name of the rule that a text matches; empty: of none
  std::vector<std::pair<std::string, std::uint32_t>> replaced; // so many of each kind, by its configured name
};

/// What is no JSON is taken for one text: it is refused later, but may be written down before.
screened_request screen_request(const privacy_rules&, const bytes_ptr& body);

} // namespace mainstay
