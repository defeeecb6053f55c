#include "core/question_words.hpp"

#include <cstdint>
#include <unordered_map>
#include <utility>

namespace mainstay {

namespace {

constexpr std::string_view little_en =
    " a an the this that these those is are am be been being do does doing don doesn isn aren can could couldn should "
    "shouldn would wouldn may might shall must won i you he she it we they me my mine your yours his her its our their "
    "of to in on at for with by from as and if then so than there here please just also some any s t re ll ve m d let "
    "us tell give show explain describe hello hi hey thanks thank want need like know help has have hasn haven what "
    "which who whom whose when where why how work works ";
constexpr std::string_view little_de =
    " der die das den dem des ein eine einen einem einer eines ist sind bin sein kann kannst können könnte könntest "
    "soll sollte darf muss mag ich du er sie es wir ihr mich mir dich dir uns euch ihn ihm sich mein meine meinen "
    "meinem meiner dein deine und zu zum zur in im an am auf für mit von vom nach bei aus als so dass daß man bitte "
    "mal "
    "denn doch eigentlich auch hier da dann wenn hallo danke erkläre erklär erklären sag sage sagen zeig zeige gib "
    "hilf helfen möchte will brauche hat habe haben was welche welcher welches welchen welchem wer wem wen wessen wann "
    "wo warum wieso weshalb wie ";

/// Kept apart from each other, and from not being there.
constexpr std::pair<std::string_view, std::string_view> exact_words[] = {
    {" not no never none neither nor nothing nobody cannot without except unless nicht kein keine keinen keinem keiner "
     "keines nie niemals weder nichts niemand ohne außer pas jamais sans aucun aucune rien nunca sin jamás non mai "
     "senza "
     "não sem niet geen zonder nooit не нет без никогда ",
     "not"},
    {" or oder ou ", "or"},
    {" was were wasn weren had hadn did didn ", "past"}, // of English: German "was" is asked for before
    {" will ", "future"},
};
constexpr std::string_view numbers =
    " zero two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred thousand million billion first second third fourth fifth sixth seventh eighth ninth tenth half "
    "double triple twice zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig hundert tausend "
    "million millionen milliarde milliarden erste ersten erster erstes zweite zweiten zweiter zweites dritte dritten "
    "dritter drittes vierte vierten halb halbe doppelt ";
/// What they are put before becomes something else: New York, South America, high blood pressure, all files.
constexpr std::string_view turning = " new old north south east west northern southern eastern western upper lower "
                                     "inner outer left right high low former "
                                     "last next previous more less most least all every only min max minimum maximum "
                                     "neu neue neuen neuer neues alte alten "
                                     "alter altes nord süd ost hoch hohe hohen hoher niedrig niedrige niedrigen letzte "
                                     "letzten nächste nächsten mehr weniger "
                                     "alle jede jeder jedes nur links rechts ";
constexpr std::string_view past_de = " war waren hatte hatten wurde wurden wird werden ";
constexpr std::string_view ways_en = " from to into onto than by before after over under against versus ";
constexpr std::string_view ways_de = " von vom nach zu zum zur als vor aus gegen über unter ";

constexpr std::pair<std::string_view, unsigned> asking_en[] = {
    {" what which ", asks_what}, {" who whom whose ", asks_who},
    {" when ", asks_when},       {" where ", asks_where},
    {" why ", asks_why},         {" how ", asks_how}};
constexpr std::pair<std::string_view, unsigned> asking_de[] = {
    {" was welche welcher welches welchen welchem ", asks_what},
    {" wer wem wen wessen ", asks_who},
    {" wann ", asks_when},
    {" wo ", asks_where},
    {" warum wieso weshalb ", asks_why},
    {" wie ", asks_how}};
constexpr std::pair<std::string_view, unsigned> asking_cjk[] = {
    {"什么", asks_what},      {"什麼", asks_what},     {"何", asks_what},        {"なに", asks_what},
    {"どんな", asks_what},    {"谁", asks_who},        {"誰", asks_who},         {"だれ", asks_who},
    {"什么时候", asks_when},  {"什麼時候", asks_when}, {"何时", asks_when},      {"何時", asks_when},
    {"いつ", asks_when},      {"哪里", asks_where},    {"哪裡", asks_where},     {"哪儿", asks_where},
    {"どこ", asks_where},     {"为什么", asks_why},    {"為什麼", asks_why},     {"为何", asks_why},
    {"なぜ", asks_why},       {"どうして", asks_why},  {"怎么", asks_how},       {"怎麼", asks_how},
    {"怎样", asks_how},       {"如何", asks_how},      {"どうやって", asks_how}, {"どうすれば", asks_how},
    {"多少", asks_how_many},  {"几", asks_how_many},   {"幾", asks_how_many},    {"いくつ", asks_how_many},
    {"いくら", asks_how_many}};

constexpr std::string_view little_signs =
    "的了是吗嗎呢吧啊请請问問我你您他她它们們这這那个個和与與在有把被就都也很还還会會能可以么麼什怎样樣如何之其"
    "はがをにでとものへやかねよだすしまいうるたてなんくさけせれこそどじょっばらりあえおきわー々"
    "은는이가을를에서의도와과로으요까습니다입해나하";
constexpr std::string_view exact_signs = "不没沒無无非未否別别莫勿为為谁誰哪〇零一二三四五六七八九十百千万萬億亿两兩第"
                                         "半新旧舊北南东東西左右前后後高低每全只않못없안";

bool holds_sign(std::string_view list, std::string_view sign) {
  for (auto at = list.find(sign); at != list.npos; at = list.find(sign, at + 1))
    if ((static_cast<unsigned char>(list[at]) & 0xC0) != 0x80) return true; // begins a character
  return false;
}

using dictionary = std::unordered_map<std::string_view, word_meaning>;

template <class Do>
void each_word(std::string_view list, Do&& act) {
  for (std::size_t begin = 1, end; begin < list.size(); begin = end + 1) {
    end = list.find(' ', begin);
    act(list.substr(begin, end - begin));
  }
}

/// What is said last of a word counts.
dictionary make_dictionary(bool german) {
  dictionary out;
  const auto exact = [&](std::string_view word, std::string_view means) {
    out[word] = {word_kind::exact, 0, false, std::string(means)};
  };
  each_word(numbers, [&](auto word) { exact(word, word); });
  each_word(turning, [&](auto word) { exact(word, word); });
  if (german) each_word(past_de, [&](auto word) { exact(word, word); });
  for (auto& [words, means] : exact_words) each_word(words, [&, &m = means](auto word) { exact(word, m); });
  each_word(german ? little_de : little_en, [&](auto word) { out[word] = {word_kind::little}; });
  for (auto& [words, bit] : german ? asking_de : asking_en)
    each_word(words, [&, b = bit](auto word) { out[word].asks = b; });
  each_word(german ? ways_de : ways_en, [&](auto word) { out[word].leads = true; });
  return out;
}

} // namespace

word_meaning kind_of_word(std::string_view word, bool german) {
  static const dictionary english_words = make_dictionary(false), german_words = make_dictionary(true);
  const auto& all = german ? german_words : english_words;
  const auto known = all.find(word);
  return known == all.end() ? word_meaning{} : known->second;
}

word_kind kind_of_sign(std::string_view utf8) {
  if (holds_sign(exact_signs, utf8)) return word_kind::exact;
  return holds_sign(little_signs, utf8) ? word_kind::little : word_kind::content;
}

unsigned asks_in_cjk(std::string_view text) {
  unsigned out = 0;
  for (auto& [word, bit] : asking_cjk)
    if (text.find(word) != text.npos) out |= bit;
  return out;
}

std::size_t kana_negations(std::string_view text) {
  std::size_t out = 0;
  for (std::string_view ending : {"ない", "なかっ", "ません", "なく", "ずに"})
    for (auto at = text.find(ending); at != text.npos; at = text.find(ending, at + ending.size())) ++out;
  return out;
}

} // namespace mainstay
