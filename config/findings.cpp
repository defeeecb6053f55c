// Collects, orders and cleans the problems of one file.
#include "config/findings.hpp"

#include <algorithm>
#include <tuple>

namespace mainstay::config {
namespace {

// Shorter ones would be found inside ordinary words; they are no secrets in earnest.
constexpr std::size_t shortest_hidden = 8;

void hide(std::string& text, const std::string& secret_value) {
  constexpr std::string_view mask = "[redacted]";
  for (auto at = text.find(secret_value); at != text.npos; at = text.find(secret_value, at + mask.size()))
    text.replace(at, secret_value.size(), mask);
}

void one_line(std::string& text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
}

} // namespace

spot spot::beneath(std::string_view name) const {
  return {line, column, key.empty() ? std::string(name) : key + "." + std::string(name)};
}

problem findings::make(const spot& where, std::string what) const {
  return {file_, where.line, where.column, where.key, std::move(what)};
}

void findings::error(const spot& where, std::string what) { errors_.push_back(make(where, std::move(what))); }
void findings::warn(const spot& where, std::string what) { warnings_.push_back(make(where, std::move(what))); }

void findings::keep_out(const std::string& secret_value) {
  if (secret_value.size() >= shortest_hidden) secrets_.push_back(secret_value);
}

void findings::finish(std::vector<problem>& problems) const {
  for (auto& one : problems) {
    for (const auto& value : secrets_) {
      hide(one.what, value);
      hide(one.key, value);
    }
    one_line(one.what);
    one_line(one.key);
  }
  std::stable_sort(problems.begin(), problems.end(), [](const problem& a, const problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
}

void findings::hand_over(loaded& to) {
  // The longest first: a secret that begins with another one is hidden whole.
  std::sort(secrets_.begin(), secrets_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  finish(errors_);
  finish(warnings_);
  to.errors = std::move(errors_);
  to.warnings = std::move(warnings_);
}

std::string join(const std::vector<std::string>& words, std::string_view last_word) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " " + std::string(last_word) + " " : ", ";
    out += words[i];
  }
  return out;
}

std::string to_string(const problem& one) {
  std::string out = one.file + ":" + std::to_string(one.line) + ":" + std::to_string(one.column) + ": ";
  if (!one.key.empty()) out += one.key + ": ";
  return out + one.what;
}

} // namespace mainstay::config
