// Which questions may be given each other's answers.
#include "core/lexical_answers.hpp"

#include <boost/test/unit_test.hpp>

namespace similar_test {

using namespace mainstay;

namespace {

const auto now = instant{} + 1h;

std::shared_ptr<const std::string> text(std::string s) { return std::make_shared<const std::string>(std::move(s)); }

struct pair {
  const char *kept, *asked;
};

// clang-format off
const pair same[] = {
    {"What is the capital of France?", "what is the capital of france"},
    {"What is the capital of France?", "Please tell me: what's the capital of France?"},
    {"What is the capital of France?", "capital of France"},
    {"What is the capital of France?", "What's the capital city of France?"},
    {"How do I reset my password?", "How can I reset my account password?"},
    {"How do I sort a list in Python?", "How can I sort a list in Python"},
    {"How do I sort a list in Python?", "In Python, how do I sort a list?"},
    {"How do I sort lists in Python?", "how to sort a list in python"},
    {"Explain how photosynthesis works", "explain photosynthesis please"},
    {"Is 17 prime?", "is 17 a prime"},
    {"How do I install Node.js on Debian 12?", "how can I install Node.js on Debian 12?"},
    {"How do I fly from Paris to London?", "How can I fly from Paris to London, please?"},
    {"What does \"errno 13\" mean in Linux?", "In Linux, what does \"errno 13\" mean?"},
    {"Why can't penguins fly?", "why can't penguins fly??"},
    {"Ｗｈａｔ is the capital of France", "WHAT IS THE CAPITAL OF FRANCE"},
    {"Wie heißt die Hauptstadt von Frankreich?", "Wie heißt bitte die Hauptstadt von Frankreich?"},
    {"Wie koche ich Reis?", "wie koche ich denn Reis"},
    {"Was ist die Hauptstadt von Österreich?", "WAS IST DIE HAUPTSTADT VON ÖSTERREICH"},
    {"Warum ist der Himmel blau?", "Warum ist eigentlich der Himmel blau?"},
    {"法国的首都是什么？", "请问法国的首都是什么"},
    {"如何学习编程？", "请问如何学习编程呢？"},
    {"日本の首都はどこですか？", "日本の首都はどこでしょうか"},
    {"東京タワーの高さを教えてください", "東京タワーの高さを教えて"},
};
const pair different[] = {
    {"What is the capital of France?", "What is the capital of Germany?"},
    {"What is the capital of Australia?", "What is the capital of Austria?"},
    {"Is 17 prime?", "Is 19 prime?"},
    {"What is 2+2?", "What is 2*2?"},
    {"What is 2 + 2?", "What is 2 - 2?"},
    {"What is half of 30?", "What is double of 30?"},
    {"How do I sort a list in C++?", "How do I sort a list in C#?"},
    {"How do I sort a list in C?", "How do I sort a list in C++?"},
    {"How do I sort a list in Python?", "How do I sort a list in Java?"},
    {"how do I enable dark mode in the settings of the app", "how do I disable dark mode in the settings of the app"},
    {"Is it safe to mix bleach with vinegar", "Is it not safe to mix bleach with vinegar"},
    {"Which birds can fly?", "Which birds can't fly?"},
    {"Can I travel with a visa?", "Can I travel without a visa?"},
    {"How do I fly from Paris to London?", "How do I fly from London to Paris?"},
    {"convert euros to dollars", "convert dollars to euros"},
    {"Why does a dog chase a cat?", "Why does a cat chase a dog?"},
    {"Who is the president of France?", "Who was the president of France?"},
    {"When was Einstein born?", "Where was Einstein born?"},
    {"What is the population of York", "What is the population of New York"},
    {"what is the population of york", "what is the population of new york"},
    {"list the largest cities in america", "list the largest cities in south america"},
    {"How do I delete files in a folder?", "How do I delete all files in a folder?"},
    {"How is blood pressure treated?", "How is high blood pressure treated?"},
    {"Translate \"dog\" into French", "Translate \"hot dog\" into French"},
    {"Write a short poem about the history of the old city of Paris in the style of Goethe",
     "Write a short poem about the history of the old city of Paris in the style of Schiller"},
    {"What is the most expensive car?", "What is the least expensive car?"},
    {"What is the second largest city in Spain?", "What is the largest city in Spain?"},
    {"Should I take tea or coffee", "Should I take tea and coffee"},
    {"What happened on 2024-05-01?", "What happened on 2023-05-01?"},
    {"What does `ls -l` do?", "What does `ls -a` do?"},
    {"What is Java?", "Was ist Java?"},
    {"Wie heißt die Hauptstadt von Frankreich?", "Wie heißt die Hauptstadt von Deutschland?"},
    {"Ist 17 eine Primzahl?", "Ist 19 eine Primzahl?"},
    {"Darf man Pilze aufwärmen?", "Darf man Pilze nicht aufwärmen?"},
    {"Warum ist der Himmel blau?", "Wann ist der Himmel blau?"},
    {"Der zweite Kaiser von Rom", "Der dritte Kaiser von Rom"},
    {"Wie fahre ich von Berlin nach Wien?", "Wie fahre ich von Wien nach Berlin?"},
    {"法国的首都是什么？", "德国的首都是什么？"},
    {"17是质数吗？", "19是质数吗？"},
    {"第二次世界大战", "第一次世界大战"},
    {"北京到上海怎么走", "上海到北京怎么走"},
    {"朝鮮の首都はどこですか", "北朝鮮の首都はどこですか"},
    {"孕妇可以喝咖啡吗", "孕妇不可以喝咖啡吗"},
    {"为什么下雨", "怎么下雨"},
    {"日本の首都はどこですか？", "中国の首都はどこですか？"},
    {"フランスの首都はどこですか？", "ドイツの首都はどこですか？"},
    {"おいしいりんごのたべかたをおしえてください", "おいしいみかんのたべかたをおしえてください"},
    {"生で食べられるキノコ", "生で食べられないキノコ"},
    {"Hello", "Hi there"},
    {"And then?", "and then"},
};
// clang-format on

similar_answer ask(const char* kept, const char* asked, double threshold = 0.6) {
  lexical_answers all({});
  all.put("p", kept, text(kept), now);
  return all.find("p", asked, threshold, now);
}

} // namespace

BOOST_AUTO_TEST_SUITE(similar_questions)

BOOST_AUTO_TEST_CASE(the_same_in_other_words_is_found_both_ways) {
  for (auto& p : same) {
    BOOST_TEST_CONTEXT(p.kept << " / " << p.asked) {
      BOOST_TEST(!!ask(p.kept, p.asked).answer);
      BOOST_TEST(!!ask(p.asked, p.kept).answer);
    }
  }
}

BOOST_AUTO_TEST_CASE(another_question_is_never_answered_however_near_it_is) {
  for (auto& p : different)
    for (double threshold : {0.6, 0.3}) {
      BOOST_TEST_CONTEXT(p.kept << " / " << p.asked << " at " << threshold) {
        BOOST_TEST(!ask(p.kept, p.asked, threshold).answer);
        BOOST_TEST(!ask(p.asked, p.kept, threshold).answer);
      }
    }
}

BOOST_AUTO_TEST_CASE(the_verdict_is_the_same_among_many_others) {
  for (auto& p : same) {
    lexical_answers all({});
    for (auto& other : different) all.put("p", other.kept, text(other.kept), now);
    all.put("p", p.kept, text("this"), now);
    BOOST_TEST_CONTEXT(p.kept << " / " << p.asked) BOOST_TEST(!!all.find("p", p.asked, 0.6, now).answer);
  }
  for (auto& p : different) {
    lexical_answers all({});
    for (auto& other : same) all.put("p", other.kept, text("other"), now);
    all.put("p", p.kept, text("this"), now);
    const auto got = all.find("p", p.asked, 0.6, now);
    BOOST_TEST_CONTEXT(p.kept << " / " << p.asked) BOOST_TEST((!got.answer || *got.answer != "this"));
  }
}

BOOST_AUTO_TEST_CASE(a_higher_threshold_wants_more_in_common) {
  const auto got = ask("How do I sort a list in Python?", "How do I quickly sort a list in Python?");
  BOOST_REQUIRE(got.answer);
  BOOST_TEST((got.score > 0.6 && got.score < 0.95));
  BOOST_TEST(!ask("How do I sort a list in Python?", "How do I quickly sort a list in Python?", 0.95).answer);
  BOOST_TEST(ask("What is the capital of France?", "What is the capital of France").score == 1.0);
}

BOOST_AUTO_TEST_CASE(partitions_share_nothing) {
  lexical_answers all({});
  all.put("one", "What is the capital of France?", text("Paris"), now);
  BOOST_TEST(!all.find("two", "What is the capital of France?", 0.6, now).answer);
  BOOST_TEST(!all.find("one\n", "What is the capital of France?", 0.6, now).answer);
  BOOST_TEST(!!all.find("one", "What is the capital of France?", 0.6, now).answer);
}

BOOST_AUTO_TEST_CASE(the_latest_of_equals_is_given_and_an_equal_question_takes_its_own_place) {
  lexical_answers all({});
  all.put("p", "What is the capital of France?", text("old"), now);
  all.put("p", "What is the capital of France", text("new"), now + 1s);
  BOOST_TEST(*all.find("p", "capital of France, what is the", 0.6, now).answer == "new");
  all.put("p", "What is the capital of France?", text("newest"), now + 2s);
  BOOST_TEST(all.size() == 2u);
  BOOST_TEST(*all.find("p", "what is the capital of france", 0.6, now).answer == "newest");
}

BOOST_AUTO_TEST_CASE(entries_bytes_and_age_are_bounded) {
  lexical_answers all({.entries = 10, .bytes = 1u << 20, .kept = 1h});
  const auto name = [](int i) { return "tell me about topic" + std::string(1, static_cast<char>('a' + i)); };
  for (int i = 0; i < 25; ++i) all.put("p", name(i), text("x"), now + i * 1min);
  BOOST_TEST(all.size() == 10u);
  BOOST_TEST(all.evictions() == 15u);
  BOOST_TEST(!all.find("p", name(14), 0.9, now + 25min).answer);
  BOOST_TEST(!!all.find("p", name(15), 0.9, now + 25min).answer);
  BOOST_TEST(!all.find("p", name(15), 0.9, now + 75min).answer);
  BOOST_TEST(!!all.find("p", name(24), 0.9, now + 75min).answer);
  BOOST_TEST(!all.put("p", name(1), text(std::string(100'000, 'x')), now + 75min));
  for (int i = 0; i < 10; ++i) all.put("q", name(i), text(std::string(30'000, 'x')), now + 76min);
  all.reconfigure({.entries = 10, .bytes = 100'000, .kept = 1h});
  BOOST_TEST(all.size() == 3u);
  BOOST_TEST(all.bytes() <= 100'000u);
  all.clear();
  BOOST_TEST(all.size() + all.bytes() == 0u);
  BOOST_TEST(!all.find("q", name(9), 0.1, now + 76min).answer);
}

BOOST_AUTO_TEST_CASE(what_is_too_long_or_says_nothing_is_no_question) {
  BOOST_TEST(!read_question(""));
  BOOST_TEST(!read_question("what is it?"));
  BOOST_TEST(!read_question(std::string(5000, 'x')));
  std::string many;
  for (int i = 0; i < 300; ++i)
    many += std::string(1, static_cast<char>('a' + i % 26)) + static_cast<char>('a' + i / 26) + "q ";
  BOOST_TEST(!read_question(many));
  BOOST_TEST(!!read_question("\xff\xfe moon \xc3"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace similar_test
