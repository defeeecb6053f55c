#include "core/message_language.hpp"

#include "core/code_points.hpp"
#include "core/message_words.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mainstay {

namespace {

struct latin_language {
  std::string_view code, words; // as words_of writes them
};

// Function words that the others do not share, and the greetings that may be all there is.
constexpr latin_language latin_languages[] = {
    {"en", " the and is are you what how of to my please this that it with for can i hello hi hey good morning why "
           "when where who help urgent emergency immediately "},
    {"de", " der die das und ist nicht ich wie was ein eine mir mein bitte du sie zu mit auf für hallo guten morgen "
           "tag abend warum wann wo wer hilfe dringend sofort notfall moin "},
    {"fr", " le la les et est pas je vous que qui un une des du mon bonjour bonsoir salut comment pourquoi quand où "
           "aide merci pour avec dans ça urgence c est "},
    {"es", " el la los las y es no yo qué que cómo como un una por para con mi hola buenos días gracias quién dónde "
           "cuándo ayuda urgente necesito está "},
    {"it", " il lo la gli e è non io che come un una per con mi mio ciao buongiorno buonasera grazie perché quando "
           "dove chi aiuto urgenza sono della "},
    {"pt", " o a os as e é não eu que como um uma por para com meu minha olá oi bom dia obrigado quem onde quando "
           "ajuda você está urgência preciso "},
    {"nl", " de het een en is niet ik wat hoe van mijn voor met op dat hallo goedemorgen dank waarom wanneer waar wie "
           "hulp spoed alstublieft jij "},
    {"pl", " i jest nie ja co jak się na w z to mi mój dzień dobry cześć proszę dlaczego kiedy gdzie kto pomoc pilne "
           "czy dla "},
    {"tr", " ve bir bu ne nasıl değil ben için ile merhaba günaydın lütfen neden nerede kim yardım acil mi mı var "
           "benim "},
};

enum script : std::size_t { latin, cyrillic, greek, hebrew, arabic, devanagari, thai, han, kana, hangul, none };

script script_of(char32_t c) noexcept {
  if ((c >= 'a' && c <= 'z') || (c >= 0xC0 && c <= 0x24F) || (c >= 0x1E00 && c <= 0x1EFF)) return latin;
  if (c >= 0x370 && c <= 0x3FF) return greek;
  if (c >= 0x400 && c <= 0x52F) return cyrillic;
  if (c >= 0x590 && c <= 0x5FF) return hebrew;
  if ((c >= 0x600 && c <= 0x6FF) || (c >= 0x750 && c <= 0x77F)) return arabic;
  if (c >= 0x900 && c <= 0x97F) return devanagari;
  if (c >= 0xE00 && c <= 0xE7F) return thai;
  if (is_hangul(c)) return hangul;
  if ((c >= 0x3041 && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x31FF) || (c >= 0xFF66 && c <= 0xFF9F)) return kana;
  if ((c >= 0x3400 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF)) return han;
  return none;
}

std::string_view latin_language_of(std::string_view words) {
  std::array<int, std::size(latin_languages)> hits{};
  for (std::size_t begin = 1; begin < words.size();) {
    const auto end = words.find(' ', begin);
    const auto padded = words.substr(begin - 1, end - begin + 2); // with its blanks
    for (std::size_t i = 0; i < hits.size(); ++i) hits[i] += latin_languages[i].words.find(padded) != padded.npos;
    begin = end + 1;
  }
  const auto best = std::max_element(hits.begin(), hits.end());
  return *best ? latin_languages[best - hits.begin()].code : std::string_view();
}

} // namespace

const std::vector<std::string_view>& known_languages() {
  static const std::vector<std::string_view> all = [] {
    std::vector<std::string_view> out;
    for (const auto& one : latin_languages) out.push_back(one.code);
    for (auto code : {"ru", "uk", "el", "he", "ar", "fa", "hi", "th", "zh", "ja", "ko"}) out.emplace_back(code);
    return out;
  }();
  return all;
}

std::string_view language_of(std::string_view message) {
  constexpr std::size_t letters_of_an_ideograph = 3;
  const auto words = words_of(message);
  std::array<std::size_t, none + 1> seen{};
  bool ukrainian = false, persian = false;
  for (std::size_t at = 0; at < words.size();) {
    const auto c = decode_utf8(words, at);
    at += std::max<std::size_t>(c.length, 1);
    const auto s = script_of(c.value);
    seen[s] += s == han || s == kana || s == hangul ? letters_of_an_ideograph : 1;
    ukrainian = ukrainian || c.value == 0x454 || c.value == 0x456 || c.value == 0x457 || c.value == 0x491;
    persian = persian || c.value == 0x67E || c.value == 0x686 || c.value == 0x698 || c.value == 0x6AF;
  }
  const bool japanese = seen[kana] > 0; // Chinese has none, Japanese hardly a sentence without
  if (japanese) seen[kana] += std::exchange(seen[han], 0);
  const auto best = std::max_element(seen.begin(), seen.begin() + none);
  if (*best == 0) return {};
  switch (static_cast<script>(best - seen.begin())) {
  case latin: return latin_language_of(words);
  case cyrillic: return ukrainian ? "uk" : "ru";
  case greek: return "el";
  case hebrew: return "he";
  case arabic: return persian ? "fa" : "ar";
  case devanagari: return "hi";
  case thai: return "th";
  case han: return "zh";
  case kana: return "ja";
  case hangul: return "ko";
  case none: break;
  }
  return {};
}

} // namespace mainstay
