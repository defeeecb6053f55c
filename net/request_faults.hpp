// What is wrong with a caller's body in ways that every kind of request has in common.
#pragma once

#include "net/chat_request.hpp"
#include "net/json_reader.hpp"

namespace mainstay {

/// A model's name is a non-empty string up to 256 bytes of UTF-8 without control characters: it stands in URLs, headers
/// and logs later on.
std::optional<request_problem> fault_of_model_name(std::string_view name);

/// Of a body that could not be read as JSON.
request_problem fault_of_json(const json::result&);

} // namespace mainstay
