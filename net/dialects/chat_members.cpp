#include "net/dialects/chat_members.hpp"

#include <algorithm>
#include <string_view>

namespace mainstay {
namespace {

using json::kind;
using json::value;

/// Thoughts that a provider did not sign are for people, and no provider takes them back; `annotations` are of an
/// answer that the model gave, as its providers take it back without.
constexpr std::string_view translated[] = {"role",          "content",     "tool_calls",      "tool_call_id",
                                           "refusal",       "is_error",    "thinking_blocks", "reasoning_content",
                                           "cache_control", "annotations", "extra_content"};
constexpr std::string_view part_types[] = {"text", "image_url", "input_audio", "file", "refusal"};
constexpr std::string_view beside_parts[] = {"type", "cache_control", "annotations"};

bool is_one_of(std::string_view name, auto& list) { return std::ranges::find(list, name) != std::end(list); }

bool says_nothing(const value& v) {
  return v.is(kind::null) || ((v.is(kind::array) || v.is(kind::object)) && v.items.empty());
}

class gatherer {
public:
  std::vector<lost_member> found;

  void message(const value& m, std::size_t number) {
    place_ = "messages[" + std::to_string(number) + "].";
    what_ = "messages[].";
    const auto role = m.find("role");
    const bool result = role && role->string_or_empty() == "tool";
    for (auto& member : m.items)
      if (!is_one_of(member.name, translated) && !says_nothing(member) && !(result && member.name == "name"))
        add(member.name);
    const auto content = m.find("content");
    if (!content || !content->is(kind::array)) return;
    for (std::size_t i = 0; i < content->items.size(); ++i) part(content->items[i], number, i);
  }

private:
  void part(const value& p, std::size_t number, std::size_t i) {
    place_ = "messages[" + std::to_string(number) + "].content[" + std::to_string(i) + "].";
    what_ = "messages[].content[].";
    const auto type = p.find("type");
    if (!type || !is_one_of(type->string_or_empty(), part_types)) return; // is none of ours: that will be said of it
    for (auto& member : p.items)
      if (member.name != type->text && !is_one_of(member.name, beside_parts) && !says_nothing(member)) add(member.name);
    const auto picture = p.find("image_url");
    const auto detail = picture ? picture->find("detail") : nullptr;
    if (detail && !says_nothing(*detail) && detail->string_or_empty() != "auto") add("image_url.detail");
  }

  void add(std::string_view member) {
    auto what = what_ + std::string(member);
    const auto same = [&](const lost_member& other) { return other.what == what; };
    if (std::ranges::none_of(found, same)) found.push_back({place_ + std::string(member), std::move(what)});
  }

  std::string place_, what_;
};

} // namespace

std::vector<lost_member> members_without_counterpart(const value& messages) {
  gatherer all;
  for (std::size_t i = 0; i < messages.items.size(); ++i) all.message(messages.items[i], i);
  return std::move(all.found);
}

} // namespace mainstay
