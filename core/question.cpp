// Reading a question: one walk over its words, one over its signs, one over its quotes.
#include "core/question.hpp"

#include "core/code_points.hpp"
#include "core/message_language.hpp"
#include "core/message_words.hpp"
#include "core/question_words.hpp"

#include <algorithm>
#include <functional>

namespace mainstay {

namespace {

constexpr std::size_t longest_text = 4096, most_features = 256;
constexpr std::uint32_t little = 1, some = 2, much = 4;

std::uint64_t hash_of(std::string_view s) { return std::hash<std::string_view>{}(s); }
question::word word_of(std::string_view s) { return static_cast<question::word>(hash_of(s)); }

bool is_digit(char32_t c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 0x660 && c <= 0x669) || (c >= 0x6F0 && c <= 0x6F9) ||
         (c >= 0x966 && c <= 0x96F);
}

/// Signs that mean something of their own: C++ is not C, 2*2 is not 2+2.
bool is_sign(char32_t c) noexcept {
  if (c < 0x80) return std::string_view("+#*/=<>%&|^~$@\\_").find(static_cast<char>(c)) != std::string_view::npos;
  return (c >= 0xA2 && c <= 0xA5) || c == 0xAC || (c >= 0xB0 && c <= 0xB3) || c == 0xB9 || (c >= 0xBC && c <= 0xBE) ||
         c == 0xD7 || c == 0xF7 || (c >= 0x2070 && c <= 0x20CF) || (c >= 0x2190 && c <= 0x22FF) ||
         (c >= 0x27C0 && c <= 0x27EF) || (c >= 0x2980 && c <= 0x2AFF);
}

/// Blanks, dashes, quotes and other marks beyond ASCII.
bool is_mark(char32_t c) noexcept {
  return c == 0xA0 || c == 0xA1 || c == 0xAB || c == 0xBB || c == 0xBF || (c >= 0x2000 && c <= 0x206F);
}

bool ends_sentence(std::string_view between) noexcept {
  return between.find_first_of(".!?:;\n\"") != std::string_view::npos ||
         between.find("\xE3\x80\x82") != std::string_view::npos; // the ideographic full stop
}

/// English plurals, and nothing else: what is cut off more boldly joins what does not belong together.
void take_plural_off(std::string& word) {
  const auto ends = [&](std::string_view with) { return word.ends_with(with); };
  if (word.size() < 4 || !ends("s") || ends("ss") || ends("us") || ends("is")) return;
  word.pop_back();
  if (word.size() > 4 && ends("ie")) word.replace(word.size() - 2, 2, "y");
}

class reader {
public:
  explicit reader(std::string_view text) : text_(text) {}

  std::optional<question> read() {
    if (text_.size() > longest_text) return std::nullopt;
    out_.language = language_of(text_);
    german_ = out_.language == "de";
    read_signs();
    read_quotes();
    out_.exact += '|';
    for (auto& word : read_words(text_)) take(word);
    out_.asks |= asks_in_cjk(text_);
    out_.exact.append(kana_negations(text_), '-');
    std::sort(out_.names.begin(), out_.names.end());
    auto& all = out_.features;
    std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.what < b.what; });
    all.erase(std::unique(all.begin(), all.end(), [](auto& a, auto& b) { return a.what == b.what; }), all.end());
    if (out_.content.empty() || all.size() > most_features) return std::nullopt;
    return std::move(out_);
  }

private:
  // -- signs and numbers: what stands between blanks, if it holds any

  void read_signs() {
    std::string piece;
    bool matters = false;
    const auto end = [&] {
      const auto stop = piece.find_last_not_of(".,;:!?)]}'\"-");
      piece.resize(stop == piece.npos ? 0 : stop + 1);
      const auto start = piece.find_first_not_of(".,;:!?([{'\"");
      if (start != piece.npos && (matters || has_inner_dot(piece, start))) {
        out_.exact.append(piece, start);
        out_.exact += ' ';
      }
      piece.clear();
      matters = false;
    };
    for (std::size_t at = 0; at < text_.size();) {
      const auto next = decode_utf8(text_, at);
      at += next.length ? next.length : 1;
      const auto c = narrow(next.value);
      if (!next.length || c <= ' ' || c == '`' || is_mark(c) || (c >= 0x80 && is_ideograph(c))) {
        end();
        continue;
      }
      matters = matters || is_digit(c) || is_sign(c);
      append_utf8(piece, c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    end();
  }

  static bool has_inner_dot(std::string_view piece, std::size_t start) {
    const auto dot = piece.find('.', start);
    return dot != piece.npos && dot > start && dot + 1 < piece.size();
  }

  // -- what is quoted is meant to the letter

  void read_quotes() {
    static constexpr std::pair<std::string_view, std::string_view> pairs[] = {{"\"", "\""}, {"`", "`"},   {"“", "”"},
                                                                              {"„", "“"},   {"«", "»"},   {"»", "«"},
                                                                              {"「", "」"}, {"『", "』"}, {"《", "》"}};
    out_.exact += '|';
    for (std::size_t at = 0; at < text_.size();) {
      const auto rest = text_.substr(at);
      const auto* open =
          std::find_if(std::begin(pairs), std::end(pairs), [&](auto& p) { return rest.starts_with(p.first); });
      if (open == std::end(pairs)) {
        ++at;
        continue;
      }
      const auto begin = at + open->first.size();
      const auto end = std::min(text_.find(open->second, begin), text_.size());
      out_.exact += '"' + words_of(text_.substr(begin, end - begin));
      at = std::min(end + open->second.size(), text_.size());
    }
  }

  // -- words

  void take(message_word& word) {
    const bool begins = last_end_ == 0 || ends_sentence(text_.substr(last_end_, word.begin - last_end_));
    const auto first = decode_utf8(word.text, 0);
    const bool capital = decode_utf8(text_, word.begin).value != first.value;
    last_end_ = word.end;
    std::string run; // of what is no ideograph
    for (std::size_t at = 0; at < word.text.size();) {
      const auto c = decode_utf8(word.text, at);
      const auto piece = std::string_view(word.text).substr(at, c.length);
      at += c.length;
      if (is_ideograph(c.value)) {
        take_run(run, capital && !begins);
        take_sign(piece);
      } else {
        end_signs();
        run += piece;
      }
    }
    end_signs();
    take_run(run, capital && !begins);
  }

  void take_run(std::string& word, bool as_name) {
    if (word.empty()) return;
    auto kind = kind_of_word(word, german_);
    if (word == "t" && last_word_.ends_with('n')) kind.what = word_kind::exact; // "isn't"
    last_word_ = word;
    out_.asks |= kind.asks;
    if (kind.what == word_kind::exact) out_.exact += kind.means + ' ';
    if (!german_) take_plural_off(word);
    const bool is_content = kind.what == word_kind::content;
    add(word, is_content ? much : little);
    if (is_content) add_content(word_of(word), as_name);
    if (kind.leads) role_ = word_of(word);
    word.clear();
  }

  void add(std::string_view piece, std::uint32_t base) { out_.features.push_back({hash_of(piece), base}); }

  void add_content(question::word word, bool as_name) {
    out_.content.push_back(word);
    if (as_name) out_.names.push_back(word);
    if (role_) out_.roles.emplace_back(*role_, word);
    role_.reset();
  }

  // -- scripts without blanks

  void take_sign(std::string_view sign) {
    const auto kind = kind_of_sign(sign);
    if (kind == word_kind::exact) (out_.exact += sign) += ' ';
    const bool is_content = kind == word_kind::content;
    if (is_content) add_content(word_of(sign), false);
    if (!before_.empty()) {
      add(std::string(before_) += sign, is_content && before_says_ ? much : is_content || before_says_ ? some : little);
      paired_ = true;
    }
    before_ = sign;
    before_says_ = is_content;
  }

  /// One that stands alone has no neighbour.
  void end_signs() {
    if (!before_.empty() && !paired_) add(before_, before_says_ ? much : little);
    before_ = {};
    paired_ = before_says_ = false;
  }

  std::string_view text_;
  question out_;
  bool german_ = false;
  std::size_t last_end_ = 0;
  std::string last_word_;
  std::optional<question::word> role_;
  std::string_view before_;
  bool before_says_ = false, paired_ = false;
};

bool holds(const std::vector<question::word>& all, question::word one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::vector<question::word> common(const std::vector<question::word>& of, const std::vector<question::word>& with) {
  std::vector<question::word> out;
  for (auto w : of)
    if (holds(with, w)) out.push_back(w);
  return out;
}

/// "In Python, how do I sort a list?" begins elsewhere; "dog bites man" says something else.
bool is_rotation(const std::vector<question::word>& a, const std::vector<question::word>& b) {
  if (a.size() != b.size()) return false;
  auto twice = a;
  twice.insert(twice.end(), a.begin(), a.end());
  return std::search(twice.begin(), twice.end(), b.begin(), b.end()) != twice.end();
}

/// One may say a little more than the other, but each something of its own makes two questions.
bool about_the_same(const question& a, const question& b) {
  const auto in_a = common(a.content, b.content), in_b = common(b.content, a.content);
  const auto more_a = a.content.size() - in_a.size(), more_b = b.content.size() - in_b.size();
  if (more_a > 0 && more_b > 0) return false;
  return 2 * (more_a + more_b) <= in_a.size() && is_rotation(in_a, in_b);
}

/// From where and to where: of two that both say it, one word has to be the same.
bool roles_agree(const question& a, const question& b) {
  for (auto& [way, what] : a.roles) {
    bool named = false, same = false;
    for (auto& [other_way, other] : b.roles) {
      named = named || other_way == way;
      for (auto& [again, mine] : a.roles) same = same || (other_way == way && again == way && other == mine);
    }
    if (named && !same) return false;
  }
  return true;
}

bool ask_alike(unsigned a, unsigned b) {
  return a == b || ((a == 0 || b == 0) && ((a | b) & ~(asks_what | asks_how)) == 0);
}

} // namespace

std::optional<question> read_question(std::string_view text) { return reader(text).read(); }

bool state_the_same(const question& a, const question& b) {
  if (!a.language.empty() && !b.language.empty() && a.language != b.language) return false;
  if (((a.asks ^ b.asks) & ~(asks_what | asks_how)) != 0 && a.asks != 0 && b.asks != 0) return false;
  const auto all_in = [](const question& of, const question& in) {
    return std::all_of(of.names.begin(), of.names.end(), [&](auto w) { return holds(in.content, w); });
  };
  return all_in(a, b) && all_in(b, a) && roles_agree(a, b);
}

bool may_share_an_answer(const question& a, const question& b) {
  return state_the_same(a, b) && ask_alike(a.asks, b.asks) && about_the_same(a, b);
}

} // namespace mainstay
