#include "core/message_intent.hpp"

#include "core/code_points.hpp"
#include "core/message_words.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t most_words_beside = 2;      // "hello there", "good morning to you"
constexpr std::size_t most_characters_beside = 4; // where words are not separated

// Languages in the order en, de, fr, es, it, pt, nl, pl, tr, ru, uk, ar, hi, th, zh, ja, ko.
// As words_of writes them: lower case, no apostrophes.
// clang-format off
constexpr std::string_view urgent_phrases[] = {
    "urgent", "urgently", "urgency", "emergency", "asap", "as soon as possible", "immediately", "right away",
    "dringend", "dringende", "notfall", "sofort", "umgehend", "eilig", "so schnell wie möglich",
    "urgence", "urgente", "immédiatement", "tout de suite", "au plus vite", "dès que possible",
    "urgencia", "emergencia", "inmediatamente", "cuanto antes", "lo antes posible",
    "urgenza", "emergenza", "immediatamente", "al più presto",
    "urgência", "emergência", "imediatamente", "o mais rápido possível",
    "spoed", "noodgeval", "onmiddellijk", "zo snel mogelijk",
    "pilne", "pilnie", "natychmiast", "jak najszybciej",
    "acil", "acilen", "ivedi",
    "срочно", "срочный", "срочная", "срочное", "немедленно", "экстренно", "как можно скорее",
    "терміново", "негайно",
    "عاجل", "عاجلة", "طارئ", "طارئة", "طوارئ", "فورا", "فورًا",
    "तुरंत", "आपातकाल", "आपातकालीन",
    "ด่วน", "ฉุกเฉิน",
    "紧急", "緊急", "急救", "救命", "立即", "立刻", "尽快", "盡快", "加急", "火急",
    "至急", "今すぐ", "助けて",
    "긴급", "응급", "시급", "급해", "급합니다", "당장",
};
constexpr std::string_view greetings[] = {
    "hello", "hi", "hey", "hiya", "howdy", "greetings", "good morning", "good afternoon", "good evening", "good day",
    "how are you", "how do you do", "what s up",
    "hallo", "guten morgen", "guten tag", "guten abend", "moin", "servus", "grüß gott", "grüezi", "wie geht s", "wie geht es dir", "wie geht es ihnen",
    "bonjour", "bonsoir", "salut", "coucou", "comment ça va", "ça va", "comment allez vous",
    "hola", "buenos días", "buenos dias", "buenas tardes", "buenas noches", "cómo estás", "como estas", "qué tal",
    "ciao", "buongiorno", "buonasera", "salve", "come stai",
    "olá", "ola", "oi", "bom dia", "boa tarde", "boa noite", "tudo bem",
    "hoi", "goedemorgen", "goedemiddag", "goedenavond", "dag", "hoe gaat het",
    "cześć", "czesc", "dzień dobry", "dobry wieczór", "jak się masz",
    "merhaba", "selam", "günaydın", "iyi günler", "iyi akşamlar", "nasılsın",
    "привет", "здравствуйте", "здравствуй", "доброе утро", "добрый день", "добрый вечер", "как дела",
    "привіт", "вітаю", "добрий день", "доброго ранку", "як справи",
    "مرحبا", "مرحبًا", "أهلا", "أهلًا", "اهلا", "السلام عليكم", "سلام", "صباح الخير", "مساء الخير",
    "नमस्ते", "नमस्कार",
    "สวัสดี",
    "你好", "您好", "早上好", "下午好", "晚上好", "早安", "午安", "晚安", "嗨", "哈喽", "哈囉",
    "こんにちは", "こんばんは", "おはようございます", "おはよう", "もしもし", "やあ", "はじめまして",
    "안녕하세요", "안녕하십니까", "안녕", "반갑습니다", "여보세요",
};
// clang-format on

/// Takes every greeting off the front; the rest, without its first blank.
std::string_view behind_greetings(std::string_view words) {
  for (;;) {
    if (!words.empty() && words.front() == ' ') words.remove_prefix(1);
    std::size_t longest = 0;
    for (auto phrase : greetings) longest = std::max(longest, begins_with_phrase(words, phrase));
    if (longest == 0) return words;
    words.remove_prefix(longest);
  }
}

bool says_little(std::string_view words) {
  std::size_t blanks = 0, characters = 0, ideographs = 0;
  for (std::size_t at = 0; at < words.size(); ++characters) {
    const auto c = decode_utf8(words, at);
    blanks += c.value == ' ';
    ideographs += is_ideograph(c.value);
    at += std::max<std::size_t>(c.length, 1);
  }
  return ideographs > 0 ? characters <= most_characters_beside : blanks <= most_words_beside;
}

bool is_greeting(std::string_view words) {
  const auto rest = behind_greetings(words);
  return rest.size() + 1 < words.size() && says_little(rest);
}

} // namespace

std::string_view to_string(message_intent i) noexcept {
  switch (i) {
  case message_intent::general: return "general";
  case message_intent::greeting: return "greeting";
  case message_intent::urgent: return "urgent";
  }
  return "general";
}

message_intent intent_of(std::string_view message) {
  const auto words = words_of(message);
  for (auto phrase : urgent_phrases)
    if (holds_phrase(words, phrase)) return message_intent::urgent;
  return is_greeting(words) ? message_intent::greeting : message_intent::general;
}

} // namespace mainstay
