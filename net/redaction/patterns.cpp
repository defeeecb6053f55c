#include "net/redaction/patterns.hpp"

#include <re2/re2.h>

#include <string>

namespace mainstay {

namespace {

bool find(const re2::RE2& e, std::string_view text, std::size_t from, re2::StringPiece* match) {
  return e.Match({text.data(), text.size()}, from, text.size(), re2::RE2::UNANCHORED, match, match ? 1 : 0);
}

std::size_t behind(std::string_view text, const re2::StringPiece& match) {
  return static_cast<std::size_t>(match.data() - text.data()) + match.size();
}

} // namespace

const named_pattern* first_match(const std::vector<named_pattern>& rules, std::string_view text) {
  for (auto& rule : rules)
    if (find(*rule.expression, text, 0, nullptr)) return &rule;
  return nullptr;
}

void each_match(const named_pattern& rule, std::string_view text,
                const std::function<void(std::size_t, std::size_t)>& found) {
  re2::StringPiece match;
  for (std::size_t from = 0; from < text.size() && find(*rule.expression, text, from, &match);) {
    const auto end = behind(text, match);
    if (!match.empty()) found(end - match.size(), end);
    from = match.empty() ? end + 1 : end;
  }
}

const named_pattern* match_so_far(const std::vector<named_pattern>& rules, std::string_view text, bool beginning_gone,
                                  bool more) {
  const std::size_t from = beginning_gone ? 1 : 0; // no pattern takes this for the text's beginning
  re2::StringPiece match;
  std::string longer;
  for (auto& rule : rules) {
    if (!find(*rule.expression, text, from, &match)) continue;
    if (!more || behind(text, match) < text.size()) return &rule;
    // It ends where the text does so far: is it one whatever comes?
    const auto with = [&](char next) {
      longer.assign(text) += next;
      return find(*rule.expression, longer, from, nullptr);
    };
    if (with('x') && with(' ')) return &rule;
  }
  return nullptr;
}

} // namespace mainstay
