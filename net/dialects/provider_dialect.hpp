// How a provider of another dialect is asked, and how what it says becomes a chat completion. Pure: text in, text out.
// A request is never translated by halves: what has no counterpart there is either named as the caller's problem or, if
// the configuration says so, left out and named in the answer's headers.
#pragma once

#include "core/dialect.hpp"
#include "net/chat_request.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mainstay {

/// A request as the provider's dialect has it.
struct provider_request {
  std::string path;    // behind the provider's URL, with its query; begins with '/'
  header_list headers; // besides content-type, accept and the key
  bytes_ptr body;
  std::vector<std::string> left_out; // parameters without a counterpart, in the caller's spelling
};

struct provider_terms {
  std::string_view model;
  const prefill* begun = nullptr; // what the caller has already, to be gone on with
  bool leave_out = false; // parameters without a counterpart; else they are a problem (code "unsupported_parameter")
};

using provider_request_or = std::variant<provider_request, request_problem>;

/// OpenAI's own: POST /chat/completions. `foreign`: the caller wrote it in another dialect; what the chat form has
/// beyond OpenAI's API is said in its words, or left out where it is a hint.
provider_request openai_request(const chat_request&, const provider_terms&, bool foreign);
/// Anthropic's Messages API, version 2023-06-01: POST /messages.
provider_request_or anthropic_request(const chat_request&, const provider_terms&);
/// Google's Gemini API: POST /models/MODEL:generateContent, or :streamGenerateContent?alt=sse.
provider_request_or gemini_request(const chat_request&, const provider_terms&);

/// The name of an answer that does not bring one of its own, and when it was given.
struct answer_label {
  std::string id;           // "chatcmpl-..."
  std::string model;        // that was asked for there
  std::int64_t created = 0; // seconds since 1970
};

/// One stream's events, one after the other, as chunks of a chat completion; "[DONE]" after the last. What is no event
/// of the dialect comes out as it is: the relay counts it as junk. An error inside a stream comes out as
/// {"error":{...}}.
class answer_translator {
public:
  using emit = std::function<void(std::string_view data)>;
  virtual ~answer_translator() = default;
  virtual void event(std::string_view type, std::string_view data, const emit&) = 0;
  /// The provider's bytes ended: dialects without an event that ends the stream say "[DONE]" here, if it was complete.
  virtual void end(const emit&) {}
};

/// `native`: each chunk also carries the event it comes from, untouched, as the member `native` (see native_member).
std::unique_ptr<answer_translator> anthropic_stream(answer_label, bool native);
std::unique_ptr<answer_translator> gemini_stream(answer_label);

/// A whole answer (status 2xx) as a chat.completion; null if it is none.
bytes_ptr anthropic_completion(std::string_view body, const answer_label&, bool native);
bytes_ptr gemini_completion(std::string_view body, const answer_label&);

/// The member of a chunk or completion under which a provider's own event or answer goes through untouched, for a
/// caller of the same dialect: {"type":"content_block_delta","data":{...}}, of a whole answer {"data":{...}}. Given to
/// nobody else.
inline constexpr std::string_view native_member = "native";

} // namespace mainstay
