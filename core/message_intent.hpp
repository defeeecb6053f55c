// What a caller's message is about, as far as a canned answer must know: a greeting, something urgent, anything else.
// Word lists of fifteen languages, no model. An urgent word anywhere decides; a greeting is a message that begins as
// one and says hardly more.
#pragma once

#include <cstdint>
#include <string_view>

namespace mainstay {

enum class message_intent : std::uint8_t { general, greeting, urgent };
std::string_view to_string(message_intent) noexcept;

message_intent intent_of(std::string_view message);

} // namespace mainstay
