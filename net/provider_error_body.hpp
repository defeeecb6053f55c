// What a provider's error body says, in any of the shapes the field uses. For read_error and for errors inside streams
// and answers.
#pragma once

#include "core/failure.hpp"

#include <optional>
#include <string_view>

namespace mainstay {

struct error_words {
  provider_error said;       // type, code, param and message, cleaned and bounded; status 0
  std::optional<int> status; // a code from 400 to 599 in the error object
};

/// Empty fields where the body says nothing (HTML, half a JSON, nothing at all).
error_words read_error_words(std::string_view body);

} // namespace mainstay
