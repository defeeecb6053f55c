// Edit distance over short words, and the suggestion made of it.
#include "config/spelling.hpp"

#include <algorithm>
#include <array>

namespace mainstay::config {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  constexpr std::size_t longest = 64;
  a = a.substr(0, longest);
  b = b.substr(0, longest);
  std::array<std::array<std::size_t, longest + 1>, 3> rows{}; // before last, last, current
  for (std::size_t j = 0; j <= b.size(); ++j) rows[1][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    rows[2][0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = rows[1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      rows[2][j] = std::min({rows[1][j] + 1, rows[2][j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        rows[2][j] = std::min(rows[2][j], rows[0][j - 2] + 1);
    }
    std::rotate(rows.begin(), rows.begin() + 1, rows.end());
  }
  return rows[1][b.size()];
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  constexpr std::size_t most_words = 1000; // beyond, guessing costs more than it helps
  std::string_view best;
  if (known.size() > most_words) return best;
  std::size_t best_distance = std::clamp<std::size_t>(word.size() / 3, 1, 3) + 1;
  for (const auto candidate : known) {
    if (candidate.size() > word.size() + 3 || word.size() > candidate.size() + 3) continue;
    const auto distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  const auto guess = nearest(word, known);
  return guess.empty() ? std::string() : "; did you mean " + std::string(guess) + "?";
}

bool is_name(std::string_view text) {
  constexpr std::size_t longest = 256;
  const auto printable = [](unsigned char c) { return c >= 0x20 && c <= 0x7e; };
  return !text.empty() && text.size() <= longest && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), printable);
}

} // namespace mainstay::config
