#include "net/dialects/caller_body.hpp"

#include "net/json_text.hpp"
#include "net/json_tree_builder.hpp"
#include "net/request_faults.hpp"

#include <algorithm>

namespace mainstay {
namespace {

constexpr std::size_t most_values = 250'000;
constexpr std::size_t most_members = 250; // at the top: each is compared with all before

struct body_reader : json::tree_builder {
  body_reader() : tree_builder(most_values) {}

  chat_request::span model_value;
  bool half_a_character = false, no_object = false;
  std::string twice;

  bool key(std::string_view text) {
    if (at->lone_surrogate()) return half_a_character = true, false;
    if (open.size() == 1 && root.items.size() >= most_members) return false;
    if (open.size() == 1 && root.find(text)) return twice = text, false;
    return tree_builder::key(text);
  }
  bool string(std::string_view text) {
    if (at->lone_surrogate()) return half_a_character = true, false;
    if (open.empty()) return no_object = true, false;
    if (open.size() == 1 && name == "model") model_value = {at->string_begin(), at->Tell()};
    return tree_builder::string(text);
  }
  bool begin_array() {
    if (open.empty()) return no_object = true, false;
    return tree_builder::begin_array();
  }
};

} // namespace

std::variant<caller_body, request_problem> read_caller_body(const bytes_ptr& body) {
  if (!body) return fault_of_json({json::outcome::empty});
  body_reader reader;
  const auto read = json::read(*body, reader);
  if (reader.half_a_character)
    return request_problem{"The body is not valid JSON: The surrogate pair in string is invalid.", "", "invalid_json"};
  if (!reader.twice.empty())
    return request_problem{"Parameter '" + reader.twice + "' is given more than once.", reader.twice,
                           "duplicate_parameter"};
  if (read.what == json::outcome::stopped && !reader.no_object)
    return request_problem{"The body has too many values.", "", "invalid_json"};
  if (!read && !reader.no_object) return fault_of_json(read);
  if (!reader.root.is(json::kind::object))
    return request_problem{"The body must be a JSON object.", "", "invalid_type"};
  return caller_body{std::move(reader.root), reader.model_value};
}

request_problem missing(std::string param) {
  return {"Missing required parameter: '" + param + "'.", param, "missing_required_parameter"};
}

request_problem wrong_type(std::string param, std::string_view expected) {
  return {"Invalid type for '" + param + "': expected " + std::string(expected) + ".", param, "invalid_type"};
}

request_problem unsupported(std::string param, std::string_view why) {
  return {"Unsupported parameter: '" + param + "': " + std::string(why) + ".", param, "unsupported_parameter"};
}

request_problem unknown(std::string param) {
  return {"Unknown parameter: '" + param + "'.", param, "unknown_parameter"};
}

const json::value* find_given(const json::value& object, std::string_view member) noexcept {
  const auto* found = object.find(member);
  return found && !found->is(json::kind::null) ? found : nullptr;
}

bool is_nothing(const json::value& v) noexcept {
  switch (v.kind) {
  case json::kind::null: return true;
  case json::kind::boolean: return v.text == "false";
  case json::kind::number: return v.text == "0";
  case json::kind::string: return v.text.empty();
  case json::kind::array:
  case json::kind::object: return v.items.empty();
  }
  return false;
}

void begin_item(std::string& out) {
  if (!out.empty() && out.back() != '[' && out.back() != '{') out += ',';
}

void begin_member(std::string& out, std::string_view name) {
  begin_item(out);
  out += '"';
  out += name; // always a literal of ours
  out += "\":";
}

void add_json(std::string& out, std::string_view name, std::string_view json) {
  begin_member(out, name);
  out += json;
}

void add_text(std::string& out, std::string_view name, std::string_view text) {
  begin_member(out, name);
  json::append_string(out, text);
}

void add_value(std::string& out, std::string_view name, const json::value& v) {
  begin_item(out);
  json::append_string(out, name);
  out += ':';
  json::append(out, v);
}

void copy_given(std::string& out, const json::value& from, std::string_view member, std::string_view as) {
  if (const auto* v = find_given(from, member)) add_value(out, as.empty() ? member : as, *v);
}

} // namespace mainstay
