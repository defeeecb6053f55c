// One line of a file that fills the cache: a chat request as over HTTP, or an object that names the client it is asked
// for beside it, {"client": NAME, "body": {...}}; its other members are ignored, so that batch files of the field
// (custom_id, method, url, body) can be used as they are. Whether the request itself is right is left to
// parse_chat_request.
#pragma once

#include "net/bytes.hpp"

#include <string>
#include <variant>

namespace mainstay {

struct warm_line {
  std::string client; // empty: none named
  bytes_ptr body;
};

/// Or what is wrong with it: never a piece of the line.
std::variant<warm_line, std::string> read_warm_line(std::string line);

} // namespace mainstay
