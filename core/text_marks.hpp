// Where a word, a number or an address in running text begins and ends: what stands around it says whether it is one of
// its own, or a part of something longer. Bytes of other scripts than ASCII's are nobody's letters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mainstay::text_marks {

enum : std::uint8_t { digit = 1, letter = 2, local = 4, begins = 8 }; // begins: something may begin or stand here

inline constexpr std::array<std::uint8_t, 256> classes = [] {
  std::array<std::uint8_t, 256> out{};
  for (int c = '0'; c <= '9'; ++c) out[c] = digit | local | begins;
  for (int c = 'a'; c <= 'z'; ++c) out[c] = out[c - 'a' + 'A'] = letter | local;
  for (char c : {'.', '_', '%', '+', '-'}) out[static_cast<unsigned char>(c)] = local;
  out['@'] = begins;
  return out;
}();

inline bool is(char c, std::uint8_t what) noexcept { return classes[static_cast<unsigned char>(c)] & what; }

class surroundings {
public:
  explicit surroundings(std::string_view text) noexcept : text_(text) {}

  std::string_view text() const noexcept { return text_; }
  char at(std::size_t i) const noexcept { return i < text_.size() ? text_[i] : '\0'; }

  /// A letter that an escape inside the text ends in ("\n" in JSON inside JSON, or in code) belongs to no word.
  bool escaped(std::size_t i) const noexcept {
    const char c = text_[i];
    return i > 0 && text_[i - 1] == '\\' && (c == 'n' || c == 'r' || c == 't' || c == 'b' || c == 'f');
  }
  bool word_at(std::size_t i) const noexcept {
    return i < text_.size() && (is(text_[i], digit | letter) || text_[i] == '_') && !escaped(i);
  }
  /// Nothing of a longer word, number, path or UUID stands before. `floor`: the end of what was found last; 0: nothing.
  bool begins_alone(std::size_t i, std::size_t floor) const noexcept {
    if (i == 0 || (floor > 0 && i == floor + 1)) return true; // "13800138000/13900139000"
    const char before = text_[i - 1];
    if (word_at(i - 1)) return false;
    switch (before) {
    case '#':
    case '$':
    case '%':
    case '&':
    case '@':
    case '\\': return false;
    case '-':
    case '.':
    case '/':
    case '+':
    case ':': return i < 2 || !is(text_[i - 2], digit | (before == ':' ? digit : letter));
    default: return true;
    }
  }
  bool ends_alone(std::size_t i) const noexcept {
    if (word_at(i)) return false;
    switch (at(i)) {
    case '%': return false;
    case '-': return !word_at(i + 1);
    case '.':
    case ':': return !is(at(i + 1), digit);
    default: return true;
    }
  }

private:
  std::string_view text_;
};

} // namespace mainstay::text_marks
