// An answer of our own in a provider's shape, for callers who must not notice more than its labels.
#pragma once

#include "core/clock.hpp"
#include "net/chat_answer.hpp"

#include <string>
#include <string_view>

namespace mainstay {

/// A chat.completion with one choice that says `text` and stopped. `request_id` goes into its id.
std::string own_completion(std::string_view text, std::string_view model, std::string_view request_id, utc_time,
                           const std::optional<token_usage>&);

/// One that nobody was asked for: usage is all zeros.
std::string canned_completion(std::string_view text, std::string_view model, std::string_view request_id, utc_time);

} // namespace mainstay
