#include "core/personal_data.hpp"

#include "core/personal_numbers.hpp"

#include <algorithm>

namespace mainstay {

namespace {

using text_marks::begins;
using text_marks::digit;
using text_marks::is;
using text_marks::letter;
using text_marks::local;

constexpr std::size_t longest_local_part = 64, longest_domain = 253;

class finder {
public:
  finder(std::string_view text, personal_kinds wanted, std::vector<personal_match>& out)
    : around_(text), text_(text), wanted_(wanted), out_(out), first_(out.size()) {}

  void run() {
    for (std::size_t i = 0; i < text_.size();) {
      while (i < text_.size() && !is(text_[i], begins)) ++i;
      if (i == text_.size()) return;
      i = text_[i] == '@' ? at_sign(i) : at_digit(i);
    }
  }

private:
  std::size_t floor() const noexcept { return out_.size() == first_ ? 0 : out_.back().end; }

  std::size_t add(std::size_t begin, std::size_t end, personal_kind k) {
    out_.push_back({begin, end, k});
    return end;
  }

  // -- mail

  std::size_t at_sign(std::size_t at_place) {
    if (!wanted_.has(personal_kind::email)) return at_place + 1;
    const auto lowest = at_place > longest_local_part ? at_place - longest_local_part : 0;
    auto begin = at_place;
    while (begin > lowest && is(text_[begin - 1], local) && !around_.escaped(begin - 1)) --begin;
    while (begin < at_place && !is(text_[begin], digit | letter) && text_[begin] != '_') ++begin;
    const auto end = domain_end(at_place + 1);
    if (begin == at_place || end == 0 || text_[at_place - 1] == '.') return at_place + 1;
    if (text_.substr(begin, at_place - begin) == "git" && around_.at(end) == ':') return end; // git@host:path
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
      if (const auto end = iban_end(around_, i - 2)) return add(i - 2, end, personal_kind::iban);
    std::size_t end = i;
    while (end < text_.size() && is(text_[end], digit)) ++end;
    const auto begin = i > floor() && text_[i - 1] == '+' ? i - 1 : i;
    const auto from = begin > floor() && text_[begin - 1] == '(' ? begin - 1 : begin;
    if (end - i <= longest_digit_group && around_.begins_alone(from, floor())) {
      const auto found = personal_number_at(around_, i, floor(), wanted_);
      if (found.end) return add(found.begin, found.end, found.kind);
    }
    while (end < text_.size() && is(text_[end], letter)) ++end; // a word with digits in it has no number behind them
    return end;
  }

  const text_marks::surroundings around_;
  const std::string_view text_;
  const personal_kinds wanted_;
  std::vector<personal_match>& out_;
  const std::size_t first_;
};

} // namespace

void find_personal_data(std::string_view text, personal_kinds wanted, std::vector<personal_match>& out) {
  if (!wanted.none()) finder(text, wanted, out).run();
}

} // namespace mainstay
