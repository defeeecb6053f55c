#include "actors/console_changes.hpp"

#include <algorithm>
#include <string_view>

namespace mainstay {

namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> all) {
  return std::find(all.begin(), all.end(), word) != all.end();
}

} // namespace

std::optional<audit_change> change_asked(const std::vector<std::string>& words) {
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string(); };
  const auto change = [&](std::string what, std::string name, std::size_t from) {
    audit_change c{"console", std::move(what), std::move(name), "", ""};
    for (std::size_t i = from; i + 1 < words.size(); i += 2)
      if (words[i] != "--id") (c.with += c.with.empty() ? "" : " ") += words[i] + " " + words[i + 1];
    return c;
  };
  const auto what = word(0), second = word(1), third = word(2);
  if (what == "clients" && is_one_of(second, {"create", "rotate", "revoke", "restore"}))
    return change("clients " + second, third, 3);
  if (what == "keys" && is_one_of(third, {"enable", "disable"})) return change("keys " + third, second, 3);
  if (what == "breakers" && is_one_of(third, {"open", "close", "auto"})) return change("breakers " + third, second, 3);
  if (what == "cache" && second == "clear") return change("cache clear", "", 2);
  if (what == "cache" && second == "warming" && is_one_of(third, {"begin", "stop"}))
    return change("cache warming " + third, "", 3);
  if (what == "drill" && !is_one_of(second, {"", "look"})) {
    const bool of_all = second == "stop" || third.starts_with("--");
    return change("drill " + second, of_all ? "" : third, of_all ? 2 : 3);
  }
  if (what == "reload" || what == "drain") return change(what, "", 1);
  return std::nullopt;
}

} // namespace mainstay
