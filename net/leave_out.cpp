#include "net/leave_out.hpp"

#include "net/json_reader.hpp"

#include <vector>

namespace mainstay {
namespace {

struct member {
  std::size_t begin = 0, end = 0; // from the name's quote to behind the value
  std::optional<feature> asks;
};

std::optional<feature> asked_by(std::string_view name) {
  for (auto known : {"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"})
    if (name == known) return feature::tools;
  return name == "response_format" ? std::optional(feature::json) : std::nullopt;
}

/// Of a request that parse_chat_request let through.
class finder : public json::handler {
public:
  std::vector<member> members;
  feature_set asked;
  bool tools_used = false; // in the conversation

  bool key(std::string_view name) {
    if (depth_ == 1) {
      members.push_back({at->string_begin(), 0, asked_by(name)});
      in_messages_ = name == "messages";
      list_of_tools_ = name == "tools" || name == "functions";
      is_format_ = name == "response_format";
    }
    inner_ = !in_messages_ || depth_ != 3                      ? inner::other
             : name == "role"                                  ? inner::role
             : name == "tool_calls" || name == "function_call" ? inner::calls
                                                               : inner::other;
    is_type_ = is_format_ && depth_ == 2 && name == "type";
    return true;
  }
  bool string(std::string_view text) {
    if (inner_ == inner::role && depth_ == 3 && (text == "tool" || text == "function")) tools_used = true;
    if (is_type_ && depth_ == 2 && text != "text") asked.add(feature::json);
    return value();
  }
  bool number(std::string_view) { return value(); }
  bool boolean(bool) { return value(); }
  bool null() { return end(); }
  bool begin_object() { return value(), ++depth_, true; }
  bool end_object() { return --depth_, end(); }
  bool begin_array() { return ++depth_, true; } // an empty one asks for nothing
  bool end_array() { return --depth_, end(); }

private:
  enum class inner : std::uint8_t { other, role, calls };
  bool value() {
    if (in_messages_ && depth_ >= 3 && inner_ == inner::calls) tools_used = true;
    if (list_of_tools_ && depth_ == 2) asked.add(feature::tools);
    return end();
  }
  bool end() {
    if (depth_ == 1 && !members.empty()) members.back().end = at->Tell();
    return true;
  }

  int depth_ = 0;
  bool in_messages_ = false, list_of_tools_ = false, is_format_ = false, is_type_ = false;
  inner inner_ = inner::other;
};

finder read(const chat_request& request) {
  finder found;
  json::read(*request.bytes, found);
  return found;
}

} // namespace

feature_set dispensable_features(const chat_request& request) {
  auto found = read(request);
  if (found.tools_used) found.asked.remove(feature::tools);
  return found.asked;
}

bytes_ptr leave_out(const chat_request& request, feature_set what) {
  std::string out = "{";
  for (auto& m : read(request).members) {
    if (m.asks && what.has(*m.asks)) continue;
    if (out.size() > 1) out += ',';
    out.append(*request.bytes, m.begin, m.end - m.begin);
  }
  return make_bytes(out + "}");
}

} // namespace mainstay
