// A conversation as Anthropic has it: what the system says apart, then messages of user and assistant made of blocks,
// with the results of tools among what the user says.
#pragma once

#include "net/chat_request.hpp"
#include "net/json_tree.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mainstay {

/// "claude-opus-4-5-20251101": what differs from one generation to the next. A model of another vendor that speaks this
/// dialect is taken for one that knows no more than the oldest, but for structured outputs.
struct anthropic_family {
  unsigned version = 0; // 405 is 4.5; 0: of another vendor
  static anthropic_family of(std::string_view model) noexcept;

  bool claude() const noexcept { return version > 0; }
  bool thinks() const noexcept { return !claude() || version >= 307; }
  bool thinks_by_effort() const noexcept { return version >= 406; } // adaptive thinking, output_config.effort
  bool extra_effort() const noexcept { return version >= 407; }     // "xhigh"
  bool samples() const noexcept { return version < 407; }           // temperature, top_p and top_k may be chosen
  bool one_of_sampling() const noexcept { return version >= 401; }  // temperature or top_p, not both
  bool structured() const noexcept { return !claude() || version >= 401; }
  bool takes_prefill() const noexcept { return version < 406; }
};

struct anthropic_conversation {
  std::string system;              // blocks, a JSON list; empty: nothing was said
  std::string messages;            // a JSON list
  std::vector<std::string> called; // the functions it has calls of
  bool unsigned_call = false;      // ends with results of calls that no thought with a signature stands before
};

/// `messages` as the caller wrote them, in about so many bytes; `begun` becomes the assistant's last one. Anthropic
/// refuses blocks without text, and blanks at the end of a last message of the assistant's: such blocks and blanks are
/// left out. What the system says later on goes to the beginning too, as Anthropic's own OpenAI dialect has it
/// (docs.claude.com/en/api/openai-sdk): there is no place for it among the messages.
std::variant<anthropic_conversation, request_problem> anthropic_messages(const json::value& messages,
                                                                         const prefill* begun, std::size_t bytes);

} // namespace mainstay
