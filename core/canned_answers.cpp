#include "core/canned_answers.hpp"

#include "core/message_intent.hpp"
#include "core/message_language.hpp"

namespace mainstay {

const std::string& localized_text::in(std::string_view language) const {
  for (auto wanted : {language, std::string_view("en")})
    for (const auto& [code, text] : by_language)
      if (code == wanted) return text;
  return by_language.front().second;
}

const std::string& canned_answers::to(std::string_view message) const {
  const auto intent = intent_of(message);
  const auto& wanted = intent == message_intent::urgent     ? urgent
                       : intent == message_intent::greeting ? greeting
                                                            : general;
  return (wanted.empty() ? general : wanted).in(language_of(message));
}

} // namespace mainstay
