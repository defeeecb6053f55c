// A message as words: lower case, one blank between words and at both ends, everything that is neither letter nor digit
// gone. Scripts that are written without blanks stay as they are. For word lists, not for linguists.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// A word in lower case, full-width letters and digits as plain ones, and where it stands in the message, in bytes.
struct message_word {
  std::string text;
  std::size_t begin = 0, end = 0;
};
std::vector<message_word> read_words(std::string_view message);

/// " wie geht s dir " of "Wie geht's dir?". Bytes that are no UTF-8 separate words.
std::string words_of(std::string_view text);

/// Whether `words` (as words_of gives them) hold that phrase: as whole words, or anywhere where its script has no
/// blanks or glues endings to words (CJK, kana, hangul, Thai).
bool holds_phrase(std::string_view words, std::string_view phrase);

/// The length of the phrase in bytes if `words` begin with it (behind their first blank, if there is one), else 0.
std::size_t begins_with_phrase(std::string_view words, std::string_view phrase);

} // namespace mainstay
