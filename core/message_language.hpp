// Which language a message is in, good enough to choose between a handful of prepared texts: by its script where that
// says it, by frequent short words among the languages written in Latin letters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// ISO 639-1, one of known_languages(); empty where nothing speaks for any of them. The script with most letters
/// decides (an ideograph counts three): kana ja, hangul ko, Han zh, Cyrillic uk (with one of its own letters) or ru,
/// Arabic fa (likewise) or ar, Hebrew he, Greek el, Devanagari hi, Thai th. In Latin letters the language whose
/// frequent words stand there most often; of equals the first of en, de, fr, es, it, pt, nl, pl, tr.
std::string_view language_of(std::string_view message);

const std::vector<std::string_view>& known_languages();

} // namespace mainstay
