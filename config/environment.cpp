// Expands variables in one scan, left to right.
#include "config/environment.hpp"

#include <algorithm>
#include <cstdlib>

namespace mainstay::config {
namespace {

bool is_variable_name(std::string_view name) noexcept {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

bool names_a_secret(std::string name) {
  for (auto& c : name)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  const auto holds = [&](const char* word) { return name.find(word) != name.npos; };
  return holds("KEY") || holds("SECRET") || holds("TOKEN") || holds("PASSWORD");
}

// `inside` is what stands between the braces.
void expand_one(std::string_view inside, const environment& env, expansion& out) {
  const auto colon = inside.find(":-");
  const std::string name(inside.substr(0, colon));
  if (!is_variable_name(name)) {
    out.errors.push_back("what stands in ${…} is not the name of a variable");
    return;
  }
  const auto value = env ? env(name) : std::nullopt;
  if (value && names_a_secret(name)) out.secrets.push_back(*value);
  if (colon == inside.npos) {
    if (!value) out.errors.push_back("the environment variable " + name + " is not set");
    out.text += value.value_or("");
  } else if (value && !value->empty()) {
    out.text += *value;
  } else {
    out.text += inside.substr(colon + 2);
    if (out.defaulted.empty()) out.defaulted = name;
  }
}

} // namespace

expansion expand(std::string_view written, const environment& env) {
  expansion out;
  for (;;) {
    const auto begin = written.find("${");
    out.text += written.substr(0, begin);
    if (begin == written.npos) return out;
    out.changed = true;
    const auto end = written.find('}', begin);
    if (end == written.npos) {
      out.errors.push_back("a ${ is never closed by a }");
      return out;
    }
    expand_one(written.substr(begin + 2, end - begin - 2), env, out);
    written.remove_prefix(end + 1);
  }
}

environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
}

} // namespace mainstay::config
