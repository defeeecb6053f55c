#include "core/personal_numbers.hpp"

#include "core/check_digits.hpp"

#include <algorithm>
#include <array>

namespace mainstay {

namespace {

using text_marks::digit;
using text_marks::is;
using text_marks::letter;

constexpr std::size_t most_groups = 8, longest_group = longest_digit_group;

/// Groups of digits with something between them, as numbers are written for people.
struct number_groups {
  struct group {
    std::size_t begin = 0, end = 0;
    char before = 0; // between it and the group before: ' ', '-', '.', or '(' where a bracket is among it
  };
  std::array<group, most_groups> all;
  std::size_t count = 0;
};

class number_reader {
public:
  number_reader(const text_marks::surroundings& around, std::size_t floor, personal_kinds wanted)
    : around_(around), text_(around.text()), floor_(floor), wanted_(wanted) {}

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
      if (i > floor_ && text_[i - 1] == '+') --begin;
      if (groups.count > 1 && begin > floor_ && text_[begin - 1] == '(') --begin;
      return {begin, end, personal_kind::phone};
    }
    return {};
  }

private:
  char at(std::size_t i) const noexcept { return around_.at(i); }
  bool ends_alone(std::size_t i) const noexcept { return around_.ends_alone(i); }

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

  const text_marks::surroundings& around_;
  const std::string_view text_;
  const std::size_t floor_;
  const personal_kinds wanted_;
};

} // namespace

personal_match personal_number_at(const text_marks::surroundings& around, std::size_t i, std::size_t floor,
                                  personal_kinds wanted) {
  return number_reader(around, floor, wanted).number_at(i);
}

std::size_t iban_end(const text_marks::surroundings& around, std::size_t begin) {
  const auto text = around.text();
  if (!is(text[begin], letter) || !is(text[begin + 1], letter) || !is(around.at(begin + 3), digit)) return 0;
  if (begin > 0 && around.word_at(begin - 1)) return 0;
  if (begin > 0 && text[begin - 1] == '\\') return 0;
  const auto length = iban_length(text[begin], text[begin + 1]);
  if (length == 0) return 0;
  std::array<char, 34> compact;
  std::size_t count = 0, i = begin;
  for (; count < length && i < text.size(); ++i) {
    if (is(text[i], digit | letter))
      compact[count++] = text[i];
    else if ((text[i] != ' ' && text[i] != '-') || count % 4 != 0 || !is(text[i - 1], digit | letter))
      return 0;
  }
  if (count < length || around.word_at(i) || !iban_holds({compact.data(), count})) return 0;
  return i;
}

} // namespace mainstay
