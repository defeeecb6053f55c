// What callers of other dialects send, as a chat request of OpenAI's, and what they are told: chat completions, chunks
// and errors as their own dialect has them. Pure: text in, text out.
#pragma once

#include "net/dialects/provider_dialect.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mainstay {

/// Tells one answer in the caller's dialect. One for each request; no thread of its own.
class answer_teller {
public:
  struct event {
    std::string type; // of the SSE event; empty: none is written
    std::string data;
  };
  virtual ~answer_teller() = default;
  /// A chat.completion as a whole answer. Empty: it is none.
  virtual std::string whole(std::string_view completion) = 0;
  /// A chat.completion.chunk as the events it stands for: none, one or several.
  virtual std::vector<event> chunk(std::string_view chunk) = 0;
  /// The stream is complete. `usage_json`: see usage_json(); "null" where nobody knows.
  virtual std::vector<event> end(std::string_view usage_json) = 0;
  /// {"error":{...}} as the body of an answer with that status.
  virtual std::string error(int status, std::string_view error_json) = 0;
  /// The stream cannot be completed.
  virtual std::vector<event> broken(int status, std::string_view error_json) = 0;
  /// Ends with "data: [DONE]".
  virtual bool says_done() const { return false; }
};

/// What the caller wrote, for a provider that speaks its dialect and gets it as it is, but for the model's name.
struct native_request {
  dialect spoken = dialect::anthropic;
  bytes_ptr body;
  chat_request::span model_value; // with its quotes
  /// What only that dialect has ("mcp_servers", "tools[0].type", "messages[2].content[0].type"): it stands in the chat
  /// request as the caller wrote it, and no provider of another dialect can do it justice.
  std::vector<std::string> only_native;
  header_list headers; // of the dialect, to go along (anthropic-version, anthropic-beta); the door's to fill in
};

/// The request for a provider of that dialect.
provider_request native_call(const native_request&, std::string_view model);

/// A body of another dialect, understood.
struct caller_request {
  bytes_ptr chat;                               // the same as a chat request of OpenAI's
  std::shared_ptr<const native_request> native; // null: no provider speaks that dialect
  std::unique_ptr<answer_teller> teller;
};
using caller_request_or = std::variant<caller_request, request_problem>;

/// POST /v1/messages: Anthropic's Messages API.
caller_request_or read_messages(const bytes_ptr& body);
/// POST /v1/completions: one prompt, answered by a chat with one message.
caller_request_or read_completions(const bytes_ptr& body);
/// POST /v1/responses. Without what needs an answer to be kept (previous_response_id, background, store: true).
caller_request_or read_responses(const bytes_ptr& body);

/// An error of the door's own, before there is a teller, as that path's callers expect it.
std::string anthropic_error(int status, std::string_view error_json);

} // namespace mainstay
