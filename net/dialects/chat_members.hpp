// What messages of a chat request say in members that only OpenAI's dialect has a place for. Other dialects ask here
// before they translate, so that nothing is lost in silence.
#pragma once

#include "net/json_tree.hpp"

#include <string>
#include <vector>

namespace mainstay {

struct lost_member {
  std::string place; // of the first such: "messages[3].name"
  std::string what;  // of all such: "messages[].name"
};

/// Each kind of member once, in the order in which they come. Null and what is so anyway (a picture's `detail: auto`, a
/// list of nothing) is no member; the `name` of a result is known by its call.
std::vector<lost_member> members_without_counterpart(const json::value& messages);

} // namespace mainstay
