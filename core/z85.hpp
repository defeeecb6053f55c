// Z85, how ZeroMQ writes keys as text (rfc.zeromq.org/spec/32): five printable characters for four bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

/// Of a number of bytes that four divides.
std::string z85_encode(std::string_view bytes);
/// None: the length is no multiple of five, a character is none of Z85's, or five of them say more than 32 bits hold.
std::optional<std::string> z85_decode(std::string_view text);

} // namespace mainstay
