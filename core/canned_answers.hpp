// The sentences for when nobody can answer, by what the caller's message is about and by its language. Which message it
// is and whether one may be given at all is decided elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mainstay {

/// One sentence, or the same in several languages, each under its ISO 639-1 code; an empty code stands for any.
struct localized_text {
  std::vector<std::pair<std::string, std::string>> by_language;

  bool empty() const noexcept { return by_language.empty(); }
  /// In that language, else in English, else the first. Not to be asked of an empty one.
  const std::string& in(std::string_view language) const;
};

struct canned_answers {
  localized_text general, greeting, urgent; // `general` stands in for the others where they are empty

  /// `message`: the caller's last one.
  const std::string& to(std::string_view message) const;
};

} // namespace mainstay
