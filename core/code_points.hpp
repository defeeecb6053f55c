// UTF-8 read one code point at a time, and the few facts about scripts that policies ask for. Takes any bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mainstay {

/// The code point that begins at `at` and its length in bytes; length 0 if the bytes are no UTF-8 (RFC 3629).
struct code_point {
  char32_t value = 0;
  std::size_t length = 0;
};

inline code_point decode_utf8(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length <= 1) return {lead, length};
  if (length > text.size() - at) return {};
  char32_t value = lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  return overlong || surrogate || value > 0x10FFFF ? code_point{} : code_point{value, length};
}

inline void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    if (c < 0x10000) {
      out += static_cast<char>(0xE0 | c >> 12);
    } else {
      out += static_cast<char>(0xF0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    }
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

/// The plain form of a full-width letter, digit or sign; any other character is its own.
inline char32_t narrow(char32_t c) noexcept { return c >= 0xFF01 && c <= 0xFF5E ? c - 0xFEE0 : c; }

inline bool is_hangul(char32_t c) noexcept {
  return (c >= 0xAC00 && c <= 0xD7FF) || // syllables
         (c >= 0x1100 && c <= 0x11FF) || // jamo
         (c >= 0xA960 && c <= 0xA97F);   // jamo extended
}

/// Characters that stand for about a token each: CJK, kana, hangul, their punctuation and full-width forms.
inline bool is_ideograph(char32_t c) noexcept {
  return (c >= 0x2E80 && c <= 0x9FFF) || // CJK, its radicals and punctuation, kana, bopomofo
         is_hangul(c) ||                 //
         (c >= 0xF900 && c <= 0xFAFF) || // compatibility ideographs
         (c >= 0xFE30 && c <= 0xFE4F) || // vertical forms
         (c >= 0xFF00 && c <= 0xFFEF) || // full and half width forms
         (c >= 0x20000 && c <= 0x3FFFF); // the ideographic planes
}

} // namespace mainstay
