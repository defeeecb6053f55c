// What curl's verdict on a transfer means: one table from result code and how far the call had come to a failure class.
#pragma once

#include "net/http_client.hpp"

#include <curl/curl.h>

#include <optional>
#include <string_view>

namespace mainstay::http {

/// How far a call had come when it ended.
struct call_reach {
  bool connected = false;     // a connection stood and the request went out on it
  bool resolved = false;      // the name was known (or a connection was reused)
  bool head_complete = false; // the final response head was read whole
};

/// None: the response is complete. `words` is curl's own text, empty where it has none; it is shortened and made
/// printable.
std::optional<call_error> outcome_of(CURLcode, std::string_view words, call_reach);

} // namespace mainstay::http
