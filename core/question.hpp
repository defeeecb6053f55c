// A caller's question as the search for similar ones sees it: what it is made of, each piece with its weight (words;
// pairs of neighbours where a script writes no blanks), and what has to agree before the answer to one question may be
// given to another. Near is not enough for that: "is 17 prime" is nearer to "is 19 prime" than to any way of asking the
// same. Knows function words, negations and numbers of English and German, the signs of Chinese, Japanese and Korean,
// and negations of some more languages; what it does not know counts as content and makes it refuse more.
// docs/decisions/0015 has the reasons.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mainstay {

struct question {
  struct feature {
    std::uint64_t what = 0;
    std::uint32_t base = 1; // 1 of a word that says little, 4 of one that says what it is about
    friend bool operator==(const feature&, const feature&) = default;
  };
  using word = std::uint32_t; // its hash

  std::vector<feature> features;            // each once, in the order of `what`
  std::string exact;                        // has to be equal: numbers, formulas and names with signs, what stands in
                                            // quotes, negations, number words and tenses, each in their order
  std::vector<word> content;                // what it is about, in order
  std::vector<word> names;                  // of `content`, what is written like a name; sorted
  std::vector<std::pair<word, word>> roles; // "from", "to" and their kind, each with what follows it
  unsigned asks = 0;                        // the question words, a bit each
  std::string_view language;                // "" if nobody can tell
};

/// None where no similar one may do: longer than 4 KiB, of more than 256 different pieces, or about nothing.
std::optional<question> read_question(std::string_view text);

/// Whether two questions that are near each other may have the same answer, by all but `exact`, which whoever keeps
/// them compares. Symmetric.
bool may_share_an_answer(const question&, const question&);

/// The part of it that does not depend on wording, for those who measure nearness by other means: names, who and when
/// and where and why, language.
bool state_the_same(const question&, const question&);

} // namespace mainstay
