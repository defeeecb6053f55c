#include "core/z85.hpp"

#include <cstdint>

namespace mainstay {
namespace {

constexpr std::string_view alphabet =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

} // namespace

std::string z85_encode(std::string_view bytes) {
  std::string out;
  for (; bytes.size() >= 4; bytes.remove_prefix(4)) {
    std::uint32_t value = 0;
    for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
    for (std::uint32_t unit = 85u * 85 * 85 * 85; unit > 0; unit /= 85) out += alphabet[value / unit % 85];
  }
  return out;
}

std::optional<std::string> z85_decode(std::string_view text) {
  if (text.size() % 5 != 0) return std::nullopt;
  std::string out;
  for (; !text.empty(); text.remove_prefix(5)) {
    std::uint64_t value = 0;
    for (const char c : text.substr(0, 5)) {
      const auto digit = alphabet.find(c);
      if (digit == alphabet.npos) return std::nullopt;
      value = value * 85 + digit;
    }
    if (value > 0xffffffffu) return std::nullopt;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  }
  return out;
}

} // namespace mainstay
