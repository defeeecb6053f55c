#include "core/message_words.hpp"

#include "core/code_points.hpp"

#include <utility>

namespace mainstay {

namespace {

char32_t lower(char32_t c) noexcept {
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if ((c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177)) return c | 1; // Latin extended A, in pairs
  if (c == 0x139 || (c >= 0x13B && c <= 0x147 && c % 2 == 1) || c == 0x179 || c == 0x17B || c == 0x17D) return c + 1;
  if (c >= 0x391 && c <= 0x3A9) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c == 0x490) return 0x491;
  return c;
}

bool in_words(char32_t c) noexcept {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  if (c == 0xD7 || c == 0xF7 || c == 0x589 || c == 0x60C || c == 0x61B || c == 0x61F) return false;
  if (c == 0x964 || c == 0x965) return false;
  if (c >= 0x2000 && c <= 0x2BFF) return false;                      // punctuation and symbols
  if (c >= 0x3000 && c <= 0x303F) return c == 0x3005 || c == 0x3007; // CJK punctuation
  if (c >= 0xFF00 && c <= 0xFF65)
    return (c >= 0xFF10 && c <= 0xFF19) || (c >= 0xFF21 && c <= 0xFF3A) ||
           (c >= 0xFF41 && c <= 0xFF5A); // of the full-width forms, letters and digits
  return c != 0xFEFF && !(c >= 0xFE00 && c <= 0xFE0F) && !(c >= 0x1F000 && c <= 0x1FBFF); // emoji and what varies them
}

bool has_no_blanks(std::string_view phrase) noexcept {
  const auto c = phrase.empty() ? U'\0' : decode_utf8(phrase, 0).value;
  return is_ideograph(c) || (c >= 0xE00 && c <= 0xE7F);
}

} // namespace

std::vector<message_word> read_words(std::string_view message) {
  std::vector<message_word> out;
  bool open = false;
  for (std::size_t at = 0; at < message.size();) {
    const auto next = decode_utf8(message, at);
    const auto after = at + (next.length ? next.length : 1);
    if (!next.length || !in_words(next.value)) {
      open = false;
    } else {
      if (!std::exchange(open, true)) out.push_back({{}, at, at});
      append_utf8(out.back().text, lower(narrow(next.value)));
      out.back().end = after;
    }
    at = after;
  }
  return out;
}

std::string words_of(std::string_view text) {
  std::string out = " ";
  out.reserve(text.size() + 2);
  for (const auto& word : read_words(text)) {
    out += word.text;
    out += ' ';
  }
  return out;
}

bool holds_phrase(std::string_view words, std::string_view phrase) {
  const bool anywhere = has_no_blanks(phrase);
  for (auto at = words.find(phrase); at != words.npos; at = words.find(phrase, at + 1)) {
    const auto end = at + phrase.size();
    if (anywhere || (at > 0 && words[at - 1] == ' ' && end < words.size() && words[end] == ' ')) return true;
  }
  return false;
}

std::size_t begins_with_phrase(std::string_view words, std::string_view phrase) {
  if (!words.empty() && words.front() == ' ') words.remove_prefix(1);
  if (!words.starts_with(phrase)) return 0;
  const bool ends = phrase.size() < words.size() && words[phrase.size()] == ' ';
  return ends || has_no_blanks(phrase) ? phrase.size() : 0;
}

} // namespace mainstay
