// What a message is about, which language it is in, and the sentence that follows from both.
#include "core/canned_answers.hpp"
#include "core/message_intent.hpp"
#include "core/message_language.hpp"
#include "core/message_words.hpp"

#include <boost/test/unit_test.hpp>

namespace canned_answers_test {

using namespace mainstay;

namespace {

struct row {
  const char* message;
  message_intent intent;
  const char* language;
};
using enum message_intent;

// clang-format off
const row table[] = {
    {"Hello!", greeting, "en"},
    {"hi there 👋", greeting, "en"},
    {"Good morning, how are you?", greeting, "en"},
    {"Hello, please explain how the tides work", general, "en"},
    {"What is the highest mountain?", general, "en"},
    {"Hello, this is URGENT: the server is down", urgent, "en"},
    {"I need this as soon as possible.", urgent, "en"},
    {"The insurgents of the novel", general, "en"},
    {"Hallo", greeting, "de"},
    {"Grüß Gott!", greeting, ""},
    {"Guten Morgen, wie geht's?", greeting, "de"},
    {"Wie hoch ist der höchste Berg?", general, "de"},
    {"Hallo, ich brauche DRINGEND Hilfe", urgent, "de"},
    {"SO SCHNELL WIE MÖGLICH bitte", urgent, "de"},
    {"Bonjour !", greeting, "fr"},
    {"Quelle est la plus haute montagne des Alpes ?", general, "fr"},
    {"Répondez dès que possible, c'est une urgence", urgent, "fr"},
    {"¡Hola! ¿Cómo estás?", greeting, "es"},
    {"¿Cuál es la montaña más alta?", general, "es"},
    {"Necesito ayuda lo antes posible", urgent, "es"},
    {"Ciao, come stai?", greeting, "it"},
    {"Qual è il monte che non si vede?", general, "it"},
    {"Olá, bom dia", greeting, "pt"},
    {"Você está com uma emergência?", urgent, "pt"},
    {"Goedemorgen", greeting, "nl"},
    {"Wat is het adres van de winkel?", general, "nl"},
    {"Cześć", greeting, "pl"},
    {"Merhaba", greeting, "tr"},
    {"Привет, как дела?", greeting, "ru"},
    {"Какая гора самая высокая?", general, "ru"},
    {"СРОЧНО: сервер не отвечает", urgent, "ru"},
    {"Привіт", greeting, "uk"},
    {"Потрібно негайно", urgent, "uk"},
    {"مرحبا", greeting, "ar"},
    {"الأمر عاجل", urgent, "ar"},
    {"چطور می‌توانم کمک بگیرم", general, "fa"},
    {"नमस्ते", greeting, "hi"},
    {"मुझे तुरंत मदद चाहिए", urgent, "hi"},
    {"สวัสดีครับ", greeting, "th"},
    {"เรื่องด่วนมาก", urgent, "th"},
    {"Ποιο είναι το ψηλότερο βουνό;", general, "el"},
    {"מהו ההר הגבוה ביותר?", general, "he"},
    {"你好！", greeting, "zh"},
    {"你好，请解释一下潮汐是怎么形成的", general, "zh"},
    {"情况紧急，请马上回复", urgent, "zh"},
    {"您好，十万火急", urgent, "zh"},
    {"こんにちは。", greeting, "ja"},
    {"潮の満ち引きを説明してください", general, "ja"},
    {"至急お願いします", urgent, "ja"},
    {"안녕하세요", greeting, "ko"},
    {"조수간만을 설명해 주세요", general, "ko"},
    {"긴급합니다", urgent, "ko"},
    {"", general, ""},
    {"42 + 17 = ?", general, ""},
    {"🚨🚨🚨", general, ""},
    {"xyzzy plugh", general, ""},
};
// clang-format on

} // namespace

BOOST_AUTO_TEST_SUITE(canned)

BOOST_AUTO_TEST_CASE(a_messages_intent_and_language_follow_from_its_words_and_script) {
  for (auto& r : table) {
    BOOST_TEST_CONTEXT(r.message) {
      BOOST_TEST(to_string(intent_of(r.message)) == to_string(r.intent));
      BOOST_TEST(language_of(r.message) == r.language);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_urgent_word_beats_a_greeting_wherever_it_stands) {
  for (auto text : {"Hello, urgent!", "urgent hello", "hello hello hello\n\nemergency", "你好 紧急"})
    BOOST_TEST((intent_of(text) == urgent), text);
}

BOOST_AUTO_TEST_CASE(words_are_lower_case_and_parted_by_one_blank) {
  BOOST_TEST(words_of("  Wie geht's DIR?\n(Über-ALLES) ") == " wie geht s dir über alles ");
  BOOST_TEST(words_of("") == " ");
  BOOST_TEST(words_of("ÀÉÎ Ñ Œ Ж Ω ЁЪ") == " àéî ñ œ ж ω ёъ ");
  BOOST_TEST(words_of("你好，世界！") == " 你好 世界 ");
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_harm_nobody) {
  const std::string broken = "hello \xff\xfe\xed\xa0\x80 \xf0\x9f world\xc3";
  BOOST_TEST(words_of(broken) == " hello world ");
  BOOST_TEST((intent_of(broken) == greeting));
  BOOST_TEST(language_of(broken) == "en");
  BOOST_TEST((intent_of(std::string(100000, '\x80')) == general));
}

BOOST_AUTO_TEST_CASE(every_language_of_the_table_is_one_that_is_known) {
  const auto& known = known_languages();
  for (auto& r : table)
    if (*r.language) BOOST_TEST((std::find(known.begin(), known.end(), r.language) != known.end()), r.language);
}

BOOST_AUTO_TEST_CASE(the_sentence_is_the_intents_in_the_callers_language_else_english_else_the_first) {
  canned_answers all;
  all.general.by_language = {{"de", "Später."}, {"en", "Later."}, {"zh", "稍后。"}};
  all.urgent.by_language = {{"fr", "Appelez-nous."}, {"de", "Rufen Sie an."}};
  BOOST_TEST(all.to("What is the time?") == "Later.");
  BOOST_TEST(all.to("Wie spät ist es, und wo bin ich?") == "Später.");
  BOOST_TEST(all.to("现在几点？") == "稍后。");
  BOOST_TEST(all.to("Который час?") == "Later.");
  BOOST_TEST(all.to("Dringend: der Server ist aus") == "Rufen Sie an.");
  BOOST_TEST(all.to("urgent: the server is down") == "Appelez-nous.");
  BOOST_TEST(all.to("Hallo") == "Später."); // no greeting is configured
  all.greeting.by_language = {{"", "Hi."}};
  BOOST_TEST(all.to("你好") == "Hi.");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace canned_answers_test
