// What a chat request says in members that only OpenAI's dialect has a place for: in its messages, tools,
// response_format and stream_options. Other dialects ask here before they translate, so that nothing is lost in
// silence; members of the request itself, and values without a counterpart, are theirs to judge.
#pragma once

#include "net/json_tree.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

struct lost_member {
  std::string place; // of the first such: "messages[3].name"
  std::string what;  // of all such: "messages[].name"
};

/// Each kind of member once, in the order in which they come. Null, false and what is so anyway (a picture's
/// `detail: auto`, a list of nothing) is no member; the `name` of a result is known by its call.
std::vector<lost_member> members_without_counterpart(const json::value& request);

/// What an assistant's message says in a member that other dialects have no place for, and that nobody would understand
/// what follows without: it is never left out. Its name; empty: there is none.
std::string_view indispensable_member(const json::value& message);

/// The schema in a `response_format` of type json_schema, with what is said of it in `description` if it says nothing
/// of itself. None: there is no schema.
std::optional<json::value> schema_asked_for(const json::value& response_format);

} // namespace mainstay
