#include "net/dialects/lost_members.hpp"

#include <algorithm>
#include <span>
#include <string_view>
#include <unordered_set>

namespace mainstay {
namespace {

using json::kind;
using json::value;
using names = std::span<const std::string_view>;

/// Thoughts that a provider did not sign are for people, and no provider takes them back; `annotations` and pictures of
/// the model's own are of an answer that it gave, as its providers take it back without.
constexpr std::string_view of_message[] = {"role",          "content",          "tool_calls",      "tool_call_id",
                                           "refusal",       "is_error",         "thinking_blocks", "reasoning_content",
                                           "cache_control", "annotations",      "extra_content",   "images",
                                           "reasoning",     "reasoning_details"};
constexpr std::string_view part_types[] = {"text", "image_url", "input_audio", "file", "refusal"};
constexpr std::string_view beside_parts[] = {"type", "cache_control", "annotations"};
constexpr std::string_view of_media[] = {"url", "detail", "data", "format", "file_data", "file_id", "filename"};
constexpr std::string_view of_call[] = {"id", "type", "index", "function", "extra_content", "cache_control"};
constexpr std::string_view of_called[] = {"name", "arguments"};
constexpr std::string_view of_tool[] = {"type", "function", "cache_control", "eager_input_streaming"};
constexpr std::string_view of_function[] = {"name", "description", "parameters", "strict", "cache_control"};
constexpr std::string_view of_format[] = {"type", "json_schema"};
// A schema's name is for logs, and others' are always strict; what is not padded elsewhere needs no padding.
constexpr std::string_view of_schema[] = {"name", "description", "schema", "strict"};
constexpr std::string_view of_stream[] = {"include_usage", "include_obfuscation"};

bool is_one_of(std::string_view name, names list) { return std::ranges::find(list, name) != list.end(); }

bool says_nothing(const value& v) {
  return v.is(kind::null) || (v.is(kind::boolean) && v.text == "false") ||
         ((v.is(kind::array) || v.is(kind::object)) && v.items.empty());
}

bool is_of(const value& v, std::string_view type) {
  const auto said = v.find("type");
  return said && said->string_or_empty() == type;
}

class gatherer {
public:
  std::vector<lost_member> found;

  void request(const value& r) {
    each(r, "messages", [this](const value& m) { message(m); });
    each(r, "tools", [this](const value& t) {
      if (!is_of(t, "function")) return; // is none of ours: that will be said of it
      others(t, of_tool);
      within(t, "function", [this](const value& f) { others(f, of_function); });
    });
    within(r, "response_format", [this](const value& f) {
      others(f, of_format);
      within(f, "json_schema", [this](const value& s) { others(s, of_schema); });
    });
    within(r, "stream_options", [this](const value& o) { others(o, of_stream); });
  }

private:
  void message(const value& m) {
    const bool result = [&] {
      const auto role = m.find("role");
      return role && role->string_or_empty() == "tool";
    }();
    others(m, of_message, result ? "name" : "");
    each(m, "content", [this](const value& p) { part(p); });
    each(m, "tool_calls", [this](const value& c) {
      others(c, of_call);
      within(c, "function", [this](const value& f) { others(f, of_called); });
    });
  }

  void part(const value& p) {
    const auto type = p.find("type");
    if (!type || !is_one_of(type->string_or_empty(), part_types)) return; // is none of ours: that will be said of it
    others(p, beside_parts, type->text);
    within(p, type->text, [this](const value& media) {
      others(media, of_media);
      const auto detail = media.find("detail");
      if (detail && !says_nothing(*detail) && detail->string_or_empty() != "auto") add("detail");
    });
  }

  /// `too`: one more name that is known.
  void others(const value& object, names known, std::string_view too = {}) {
    for (auto& member : object.items)
      if (!is_one_of(member.name, known) && member.name != too && !says_nothing(member)) add(member.name);
  }

  void each(const value& object, std::string_view name, auto look) {
    const auto list = object.find(name);
    if (!list || !list->is(kind::array)) return;
    for (std::size_t i = 0; i < list->items.size(); ++i)
      if (list->items[i].is(kind::object)) at(name, i, list->items[i], look);
  }
  void within(const value& object, std::string_view name, auto look) {
    if (const auto inner = object.find(name); inner && inner->is(kind::object)) at(name, std::nullopt, *inner, look);
  }
  void at(std::string_view name, std::optional<std::size_t> number, const value& v, auto look) {
    const auto place = place_.size(), what = what_.size();
    place_ += name, what_ += name;
    if (number) ((place_ += '[') += std::to_string(*number)) += ']', what_ += "[]";
    place_ += '.', what_ += '.';
    look(v);
    place_.resize(place), what_.resize(what);
  }

  void add(std::string_view member) {
    auto what = what_ + std::string(member);
    if (seen_.insert(what).second) found.push_back({place_ + std::string(member), std::move(what)});
  }

  std::string place_, what_; // of what is looked at, up to its last dot
  std::unordered_set<std::string> seen_;
};

} // namespace

std::vector<lost_member> members_without_counterpart(const value& request) {
  gatherer all;
  all.request(request);
  return std::move(all.found);
}

std::string_view indispensable_member(const value& message) {
  for (std::string_view name : {"function_call", "audio"})
    if (const auto old = message.find(name); old && !old->is(kind::null)) return name;
  return {};
}

std::optional<value> schema_asked_for(const value& response_format) {
  const auto named = is_of(response_format, "json_schema") ? response_format.find("json_schema") : nullptr;
  const auto schema = named ? named->find("schema") : nullptr;
  if (!schema || !schema->is(kind::object)) return std::nullopt;
  auto out = *schema;
  const auto said = named->find("description");
  if (said && !said->string_or_empty().empty() && !out.find("description"))
    out.set("description", value::make_string(said->text));
  return out;
}

} // namespace mainstay
