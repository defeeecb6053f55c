// A provider's answers in the OpenAI dialect, read on the way through: what the run must know of a whole completion, a
// streamed chunk or an error, without touching the bytes; and the conversions between the plain and the streamed form
// that cache and continuation need.
#pragma once

#include "core/failure.hpp"
#include "core/token_usage.hpp"
#include "net/chat_request.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// One event of a stream. Read in one SAX pass; absent fields stay empty.
struct chunk_facts {
  bool valid = false;    // a JSON object that is a chunk, an error, or both; anything else is junk to be skipped
  bool visible = false;  // carries something of the answer: text, refusal, reasoning, a tool call, audio, an unknown
                         // delta member that is not empty
  bool only_text = true; // nothing visible but delta.content of choice 0
  bool finished = false; // a finish_reason is set for some choice
  std::uint32_t finishes = 0; // for how many
  bool no_choices = false;    // `choices` is an empty array (the usage chunk)
  std::string text;           // delta.content of choice 0, unescaped
  std::string finish_reason, id, model;
  std::optional<token_usage> usage;
  std::optional<provider_error>
      error; // {"error":{...}} or {"error":"..."} in place of a chunk; status 200 unless it carries a numeric code
};
chunk_facts read_chunk(std::string_view json);

/// A whole answer (status 2xx).
struct completion_facts {
  bool valid = false; // a JSON object with a `choices` array of objects, complete to the end
  std::string finish_reason, id, model;
  std::optional<token_usage> usage;
  std::optional<provider_error> error;
};
completion_facts read_completion(std::string_view json);
/// The same for what answers a request of that kind: embeddings have `data` in place of `choices`.
completion_facts read_answer(request_kind, std::string_view json);

/// The facts of an error answer; understands OpenAI's object, a bare string, {"message"}, {"detail"}, Gemini's list
/// form and HTML or nothing (then the status speaks). retry_after: the longest of retry-after-ms, retry-after, Gemini's
/// retryDelay in the body, and, of a 429 only, the x-ratelimit-reset-* of a resource whose remaining is 0. The message
/// is cut at 2,000 bytes and stripped of control characters.
provider_error read_error(int status, const header_list& headers, std::string_view body, utc_time now);

/// OpenAI's error body: {"error":{"message","type","param","code"}}; empty param and code become null.
std::string error_body(std::string_view message, std::string_view type, std::string_view code,
                       std::string_view param = {});

/// Puts streamed chunks together into the chat.completion they stand for: strings of a delta are appended, arrays
/// merged by `index`, other members replaced; of every choice. Unknown members survive. Holds at most `limit` bytes of
/// chunks: beyond that result() is null.
class completion_assembler {
public:
  explicit completion_assembler(std::size_t limit = 8u << 20);
  void add(bytes_ptr chunk_json);
  /// Null unless every choice finished and no chunk was malformed.
  bytes_ptr result() const;

private:
  std::size_t limit_, held_ = 0;
  bool overflow_ = false;
  std::vector<bytes_ptr> chunks_;
};

/// The chunks of a stream that says the same as `completion`: a role chunk, the content in pieces at word boundaries of
/// about 200 bytes (never inside a UTF-8 sequence), tool calls, other message members in one chunk each, a chunk with
/// finish_reason, per choice; then the usage chunk (choices []) if `include_usage` and usage is known. Empty if
/// `completion` is not one.
std::vector<std::string> chunks_of(std::string_view completion, bool include_usage);

/// A chunk of another attempt made part of the stream the caller already reads: id and model replaced (kept if empty),
/// `role` removed, where `text` is given delta.content of choice 0 replaced by it, and `before` added to its usage.
std::string adopt_chunk(std::string_view chunk, std::string_view id, std::string_view model,
                        std::optional<std::string_view> text, const token_usage& before = {});

/// {"prompt_tokens":..,"completion_tokens":..,"total_tokens":..} with details where known; "null" without.
std::string usage_json(const std::optional<token_usage>&);

} // namespace mainstay
