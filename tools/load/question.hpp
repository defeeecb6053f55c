// What is asked, and what a mock provider answers to it: texts that name their own number, so that every answer can be
// told from every other. The rule of the answers is docs/mock.md's, written anew: a judge must not repeat the mistakes
// of those it judges. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::load {

/// The text of the answer of at most `words` words that a mock gives to a conversation of this one user message.
std::string expected_text(std::string_view question, std::size_t words);

/// Texts of equal length that differ in their number alone.
class question_text {
public:
  static constexpr std::size_t digits = 12;

  /// About `bytes` bytes, at least those of the opening sentence; `seed` decides the words and is named in the text.
  question_text(std::size_t bytes, std::uint64_t seed);

  std::string_view pattern() const noexcept { return text_; } // that of number 0; plain ASCII, no quotes or backslashes
  std::size_t number_at() const noexcept { return number_at_; }
  std::string of(std::uint64_t number) const;

private:
  std::string text_;
  std::size_t number_at_ = 0;
};

/// Writes `number` in decimal, with leading zeros, over the `question_text::digits` bytes at `at`.
void write_number(char* at, std::uint64_t number) noexcept;

} // namespace mainstay::load
