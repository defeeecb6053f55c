// Which rule concerns a request, and whether it is its turn.
#include "tools/mock/script.hpp"

namespace mainstay::mock {
namespace {

bool allows(const std::optional<std::string>& pattern, std::string_view text) {
  return !pattern || glob_match(*pattern, text);
}

} // namespace

// Linear: on a mismatch only the last star is tried again, one character further.
bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool rule::concerns(const request_facts& facts) const {
  if (!path && !facts.chat) return false;
  return allows(model, facts.model) && allows(key, facts.key) && allows(path, facts.path) &&
         allows(provider, facts.provider) && allows(last_role, facts.last_role) && allows(text, facts.text) &&
         (!stream || *stream == facts.stream) && (!tools || *tools == facts.tools) && (!json || *json == facts.json) &&
         (!merged || *merged == facts.merged);
}

bool rule::fires(double elapsed_s) {
  if (between && (elapsed_s < between->first || elapsed_s >= between->second)) return false;
  if (++matched <= skip) return false;
  if ((matched - skip) % every != 0) return false;
  if (times && fired >= *times) return false;
  if (probability && random.unit() >= *probability) return false;
  ++fired;
  return true;
}

} // namespace mainstay::mock
