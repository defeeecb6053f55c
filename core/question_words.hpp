// What single words and signs mean to a question (core/question): which say little, which have to agree to the letter,
// which ask. Lists are short on purpose: a word too many among those that say little gives wrong answers, a word too
// few only fewer answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay {

enum class word_kind : std::uint8_t { content, little, exact };

inline constexpr unsigned asks_what = 1, asks_who = 2, asks_when = 4, asks_where = 8, asks_why = 16, asks_how = 32,
                          asks_how_many = 64;

struct word_meaning {
  word_kind what = word_kind::content;
  unsigned asks = 0;
  bool leads = false;     // to where, from where: what follows it is not to be changed for another
  std::string means = {}; // of an exact one: words of one meaning have one of these
};

/// Of a word in lower case.
word_meaning kind_of_word(std::string_view word, bool german);

/// Of one character of a script without blanks.
word_kind kind_of_sign(std::string_view utf8);

/// Chinese and Japanese question words, wherever they stand.
unsigned asks_in_cjk(std::string_view text);

/// How often a Japanese ending says no.
std::size_t kana_negations(std::string_view text);

} // namespace mainstay
