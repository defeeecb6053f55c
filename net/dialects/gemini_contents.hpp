// A conversation as Gemini has it: what the system says apart, then turns of user and model made of parts, with the
// results of calls under the name of their function.
#pragma once

#include "net/chat_request.hpp"
#include "net/json_tree.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace mainstay {

/// "gemini-3-pro-preview": what differs from one generation to the next.
struct gemini_family {
  bool third = false; // or later: thinks by levels, and wants the signatures of its calls back
  bool pro = false;
  bool first_of_third = false; // 3, not 3.1
  bool pro_of_25 = false;
  static gemini_family of(std::string_view model) noexcept;
};

struct gemini_conversation {
  std::string system;   // parts, a JSON list; empty: nothing was said
  std::string contents; // a JSON list
};

/// `messages` as the caller wrote them; `begun` becomes the model's last turn.
std::variant<gemini_conversation, request_problem> gemini_contents(const json::value& messages, gemini_family,
                                                                   const prefill* begun);

} // namespace mainstay
