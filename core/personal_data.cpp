#include "core/personal_data.hpp"

#include "core/check_digits.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t longest_local_part = 64, longest_domain = 253;
constexpr std::size_t most_groups = 8, longest_group = 19;

enum : std::uint8_t { digit = 1, letter = 2, local = 4, begins = 8 }; // begins: something may begin or stand here

constexpr std::array<std::uint8_t, 256> classes = [] {
  std::array<std::uint8_t, 256> out{};
  for (int c = '0'; c <= '9'; ++c) out[c] = digit | local | begins;
  for (int c = 'a'; c <= 'z'; ++c) out[c] = out[c - 'a' + 'A'] = letter | local;
  for (char c : {'.', '_', '%', '+', '-'}) out[static_cast<unsigned char>(c)] = local;
  out['@'] = begins;
  return out;
}();

bool is(char c, std::uint8_t what) noexcept { return classes[static_cast<unsigned char>(c)] & what; }

/// Groups of digits with something between them, as numbers are written for people.
struct number_groups {
  struct group {
    std::size_t begin = 0, end = 0;
    char before = 0; // between it and the group before: ' ', '-', '.', or '(' where a bracket is among it
  };
  std::array<group, most_groups> all;
  std::size_t count = 0;
};

class finder {
public:
  finder(std::string_view text, personal_kinds wanted, std::vector<personal_match>& out)
    : text_(text), wanted_(wanted), out_(out), first_(out.size()) {}

  void run() {
    for (std::size_t i = 0; i < text_.size();) {
      while (i < text_.size() && !is(text_[i], begins)) ++i;
      if (i == text_.size()) return;
      i = text_[i] == '@' ? at_sign(i) : at_digit(i);
    }
  }

private:
  char at(std::size_t i) const noexcept { return i < text_.size() ? text_[i] : '\0'; }
  std::size_t floor() const noexcept { return out_.size() == first_ ? 0 : out_.back().end; }

  std::size_t add(std::size_t begin, std::size_t end, personal_kind k) {
    out_.push_back({begin, end, k});
    return end;
  }

  /// A letter that an escape inside the text ends in ("\n" in JSON inside JSON, or in code) belongs to no word.
  bool escaped(std::size_t i) const noexcept {
    const char c = text_[i];
    return i > 0 && text_[i - 1] == '\\' && (c == 'n' || c == 'r' || c == 't' || c == 'b' || c == 'f');
  }
  bool word_at(std::size_t i) const noexcept {
    return i < text_.size() && (is(text_[i], digit | letter) || text_[i] == '_') && !escaped(i);
  }
  /// Nothing of a longer word, number, path or UUID stands before.
  bool begins_alone(std::size_t i) const noexcept {
    if (i == 0 || (floor() > 0 && i == floor() + 1)) return true; // "13800138000/13900139000"
    const char before = text_[i - 1];
    if (word_at(i - 1)) return false;
    switch (before) {
    case '#':
    case '$':
    case '%':
    case '&':
    case '@':
    case '\\': return false;
    case '-':
    case '.':
    case '/':
    case '+':
    case ':': return i < 2 || !is(text_[i - 2], digit | (before == ':' ? digit : letter));
    default: return true;
    }
  }
  bool ends_alone(std::size_t i) const noexcept {
    if (word_at(i)) return false;
    switch (at(i)) {
    case '%': return false;
    case '-': return !word_at(i + 1);
    case '.':
    case ':': return !is(at(i + 1), digit);
    default: return true;
    }
  }

  // -- mail

  std::size_t at_sign(std::size_t at_place) {
    if (!wanted_.has(personal_kind::email)) return at_place + 1;
    const auto lowest = at_place > longest_local_part ? at_place - longest_local_part : 0;
    auto begin = at_place;
    while (begin > lowest && is(text_[begin - 1], local) && !escaped(begin - 1)) --begin;
    while (begin < at_place && !is(text_[begin], digit | letter) && text_[begin] != '_') ++begin;
    const auto end = domain_end(at_place + 1);
    if (begin == at_place || end == 0 || text_[at_place - 1] == '.') return at_place + 1;
    if (text_.substr(begin, at_place - begin) == "git" && at(end) == ':') return end; // git@host:path
    while (out_.size() > first_ && out_.back().end > begin) { // a number that is the first part of it
      if (out_.back().kind == personal_kind::email) {
        begin = std::max(begin, out_.back().end);
        if (begin >= at_place) return at_place + 1;
        break;
      }
      out_.pop_back();
    }
    return add(begin, end, personal_kind::email);
  }

  /// Behind the longest run of labels whose last one may be a top-level domain; 0: there is none.
  std::size_t domain_end(std::size_t begin) const {
    const auto highest = std::min(text_.size(), begin + longest_domain);
    std::size_t labels = 0, end = 0, label = begin;
    for (auto i = begin; i <= highest; ++i) {
      if (i < highest && (is(text_[i], digit | letter) || text_[i] == '-')) continue;
      auto stop = i;
      while (stop > label && text_[stop - 1] == '-') --stop;
      if (stop == label || text_[label] == '-') break;
      if (++labels > 1 && is_top_level(text_.substr(label, stop - label))) end = stop;
      if (stop != i || i == highest || text_[i] != '.') break;
      label = i + 1;
    }
    if (end == 0 || is_picture(text_.substr(begin, end - begin))) return 0;
    return end;
  }
  static bool is_top_level(std::string_view label) noexcept {
    if (label.substr(0, 4) == "xn--") return true;
    return label.size() >= 2 && std::all_of(label.begin(), label.end(), [](char c) { return is(c, letter); });
  }
  /// logo@2x.png
  static bool is_picture(std::string_view domain) noexcept {
    return domain.size() > 2 && is(domain[0], digit) && domain[1] == 'x' && domain[2] == '.';
  }

  // -- numbers

  std::size_t at_digit(std::size_t i) {
    if (i >= floor() + 2 && wanted_.has(personal_kind::iban))
      if (const auto end = iban_end(i - 2)) return add(i - 2, end, personal_kind::iban);
    std::size_t end = i;
    while (end < text_.size() && is(text_[end], digit)) ++end;
    const auto begin = i > floor() && text_[i - 1] == '+' ? i - 1 : i;
    const auto from = begin > floor() && text_[begin - 1] == '(' ? begin - 1 : begin;
    if (end - i <= longest_group && begins_alone(from)) {
      const auto found = number_at(i);
      if (found.end) return add(found.begin, found.end, found.kind);
    }
    while (end < text_.size() && is(text_[end], letter)) ++end; // a word with digits in it has no number behind them
    return end;
  }

  std::size_t iban_end(std::size_t begin) const {
    if (!is(text_[begin], letter) || !is(text_[begin + 1], letter) || !is(at(begin + 3), digit)) return 0;
    if (begin > 0 && word_at(begin - 1)) return 0;
    if (begin > 0 && text_[begin - 1] == '\\') return 0;
    const auto length = iban_length(text_[begin], text_[begin + 1]);
    if (length == 0) return 0;
    std::array<char, 34> compact;
    std::size_t count = 0, i = begin;
    for (; count < length && i < text_.size(); ++i) {
      if (is(text_[i], digit | letter))
        compact[count++] = text_[i];
      else if ((text_[i] != ' ' && text_[i] != '-') || count % 4 != 0 || !is(text_[i - 1], digit | letter))
        return 0;
    }
    if (count < length || word_at(i) || !iban_holds({compact.data(), count})) return 0;
    return i;
  }

  number_groups groups_at(std::size_t i) const {
    number_groups out;
    char before = 0;
    while (out.count < most_groups) {
      auto end = i;
      while (end < text_.size() && is(text_[end], digit) && end - i <= longest_group) ++end;
      out.all[out.count++] = {i, end, before};
      before = 0;
      i = end;
      for (int n = 0; n < 2; ++n) {
        const char c = at(i);
        if (c == '(' || c == ')')
          before = '(';
        else if ((c == ' ' || c == '-' || c == '.') && before != c)
          before = before ? before : c;
        else
          break;
        ++i;
      }
      if (before == 0 || !is(at(i), digit)) break;
    }
    return out;
  }

  personal_match number_at(std::size_t i) const {
    const auto groups = groups_at(i);
    std::array<char, most_groups*(longest_group + 1)> digits;
    std::array<std::size_t, most_groups> counts{};
    std::size_t count = 0;
    for (std::size_t g = 0; g < groups.count; ++g) {
      for (auto at = groups.all[g].begin; at < groups.all[g].end; ++at) digits[count++] = text_[at];
      counts[g] = count;
    }
    for (auto g = groups.count; g-- > 0;) { // the longest first
      const std::string_view all(digits.data(), counts[g]);
      const auto end = groups.all[g].end;
      if (wanted_.has(personal_kind::id_number))
        if (const auto stop = id_end(groups, g, all)) return {i, stop, personal_kind::id_number};
      if (!ends_alone(end)) continue;
      if (wanted_.has(personal_kind::card) && is_card(groups, g, all)) return {i, end, personal_kind::card};
      if (!wanted_.has(personal_kind::phone) || !is_phone(i, groups, g, all)) continue;
      auto begin = i;
      if (i > floor() && text_[i - 1] == '+') --begin;
      if (groups.count > 1 && begin > floor() && text_[begin - 1] == '(') --begin;
      return {begin, end, personal_kind::phone};
    }
    return {};
  }

  /// All of the first groups stand together, or apart by the same character.
  static char apart_by(const number_groups& groups, std::size_t last) noexcept {
    for (std::size_t g = 2; g <= last; ++g)
      if (groups.all[g].before != groups.all[1].before) return '?';
    return last == 0 ? '\0' : groups.all[1].before;
  }
  static std::size_t length(const number_groups& groups, std::size_t g) noexcept {
    return groups.all[g].end - groups.all[g].begin;
  }

  /// 18 digits, or 17 and an X; written in one, or as place, birthday and rest.
  std::size_t id_end(const number_groups& groups, std::size_t last, std::string_view all) const {
    if (all.size() != 17 && all.size() != 18) return 0;
    const auto by = apart_by(groups, last);
    if (by != '\0' && by != ' ' && by != '-') return 0;
    if (last > 0 && (last != 2 || length(groups, 0) != 6 || length(groups, 1) != 8)) return 0;
    auto end = groups.all[last].end;
    std::array<char, 18> id;
    std::copy(all.begin(), all.end(), id.begin());
    if (all.size() == 17) {
      if (at(end) != 'X' && at(end) != 'x') return 0;
      id[17] = text_[end++];
    }
    return ends_alone(end) && is_resident_id({id.data(), 18}) ? end : 0;
  }

  static bool is_card(const number_groups& groups, std::size_t last, std::string_view all) {
    const auto by = apart_by(groups, last);
    if (by != '\0' && by != ' ' && by != '-') return false;
    for (std::size_t g = 0; last > 0 && g <= last; ++g)
      if (length(groups, g) < 3) return false;
    return is_card_prefix(all) && luhn_holds(all);
  }

  bool is_phone(std::size_t i, const number_groups& groups, std::size_t last, std::string_view all) const {
    if (all.size() < 8 || all.size() > 17) return false;
    const auto by = apart_by(groups, last);
    for (std::size_t g = 1; g <= last; ++g)
      if (length(groups, g) < 2 && !(g == 1 && all.size() > 8)) return false;
    if (i > 0 && text_[i - 1] == '+') return is_international(all);
    if (all.substr(0, 2) == "00" && all[2] != '0')
      return is_international(all.substr(2)) && (last > 0 || all.substr(2, 3) == "861");
    if (all.substr(0, 2) == "86" && is_chinese_mobile(all.substr(2))) return by != '.';
    if (by == '?' && groups.all[1].before != '(') return false;
    const bool in_brackets = i > 0 && text_[i - 1] == '(' && last > 0 && groups.all[1].before == '(';
    const bool as_mobile = last == 0 || length(groups, 0) == 3 || length(groups, 0) == 4;
    if (as_mobile && by != '.' && is_chinese_mobile(all)) return true;
    return is_chinese_line(groups, last, all, in_brackets) || is_american(groups, last, all, in_brackets) ||
           is_national(groups, last, all);
  }
  static bool is_chinese_mobile(std::string_view all) noexcept {
    return all.size() == 11 && all[0] == '1' && all[1] >= '3';
  }
  static bool is_international(std::string_view all) noexcept {
    const auto code = calling_code(all);
    if (code == 0 || all.size() < 9 || all.size() > 15) return false;
    if (all[0] == '1') return all.size() == 11 && all[1] >= '2' && all[4] >= '2';
    if (all.substr(0, 2) == "86") return all.size() >= 12 && all.size() <= 14;
    return true;
  }
  /// (010) 6234-5678, 0755-86013388, 400-820-8820
  static bool is_chinese_line(const number_groups& groups, std::size_t last, std::string_view all, bool in_brackets) {
    const auto area = length(groups, 0);
    if (last >= 1 && all.size() == 10 && (all.substr(0, 3) == "400" || all.substr(0, 3) == "800"))
      return area == 3 && groups.all[1].before == '-';
    if (last < 1 || last > 2 || all[0] != '0' || all[1] == '0' || (area != 3 && area != 4)) return false;
    const auto rest = all.size() - area;
    return (rest == 7 || rest == 8) && (in_brackets || groups.all[1].before == '-' || groups.all[1].before == ' ');
  }
  /// (415) 555-2671, 415.555.2671, 1-415-555-2671
  static bool is_american(const number_groups& groups, std::size_t last, std::string_view all, bool in_brackets) {
    std::size_t g = 0;
    if (all.size() == 11 && all[0] == '1' && length(groups, 0) == 1) {
      all.remove_prefix(1);
      g = 1;
    }
    if (all.size() != 10 || last != g + 2 || length(groups, g) != 3 || length(groups, g + 1) != 3) return false;
    if (!in_brackets && groups.all[g + 1].before == '(' && g == 0) return false;
    return all[0] >= '2' && all[3] >= '2';
  }
  /// 020 7946 0958, 06 12 34 56 78: a trunk's zero, and blanks or hyphens between.
  static bool is_national(const number_groups& groups, std::size_t last, std::string_view all) {
    if (last < 1 || all.size() < 10 || all.size() > 11 || all[0] != '0' || all[1] == '0') return false;
    const auto by = apart_by(groups, last);
    if (by != ' ' && by != '-' && by != '.') return false;
    if (last == 3 && length(groups, 0) == 2) return false; // a date and an hour
    for (std::size_t g = 0; g <= last; ++g)
      if (length(groups, g) < 2) return false;
    return true;
  }

  std::string_view text_;
  personal_kinds wanted_;
  std::vector<personal_match>& out_;
  const std::size_t first_;
};

} // namespace

void find_personal_data(std::string_view text, personal_kinds wanted, std::vector<personal_match>& out) {
  if (!wanted.none()) finder(text, wanted, out).run();
}

} // namespace mainstay
