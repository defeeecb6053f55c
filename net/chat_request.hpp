// A chat request in the OpenAI dialect, read once: what routing, limits and caching need to know, and where in the
// bytes the few things stand that may be replaced for a provider. Everything else reaches the provider as the caller
// wrote it.
#pragma once

#include "net/bytes.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mainstay {

/// What is asked for: an answer in a conversation, or vectors of texts.
enum class request_kind : std::uint8_t { chat, embeddings };

/// Of embeddings only model, base64, prompt_tokens and where the model's name stands are known.
struct chat_request {
  struct span {
    std::size_t begin = 0, end = 0;
  }; // of a value in `bytes`, end exclusive

  request_kind kind = request_kind::chat;
  bytes_ptr bytes;
  std::string model;
  bool stream = false;
  bool wants_usage = false; // stream_options.include_usage
  bool base64 = false;      // vectors as such
  bool plain_text = true;   // one choice, no tools, no response_format other than text, no audio, no logprobs: a cut
                            // stream may be continued
  std::uint64_t prompt_tokens = 0; // estimate (core/token_estimate) over the strings of `messages` and `tools`
  std::uint32_t choices = 1;       // n
  std::uint64_t answer_cap = 0;    // max_completion_tokens or max_tokens, times n; 0: none given
  span model_value;                // with its quotes
  std::optional<span> stream_options_value;
  std::size_t first_member = 0; // just behind the opening brace
  std::size_t messages_end = 0; // the bracket that closes them
  bool assistant_last = false;  // the last message is the assistant's already
  struct cap {
    span value;
    std::uint64_t tokens = 0;
  };
  std::array<std::optional<cap>, 2> caps; // max_tokens and max_completion_tokens, where given
};

/// Whose fault it is: always the caller's (400). `param` names the offending field, empty for the body as a whole.
struct request_problem {
  std::string message, param, code;
};

/// Strict where it matters, blind to what it does not know: UTF-8, no duplicate of the members read here, nesting at
/// most 128, `model` a non-empty string up to 256 bytes without control characters, `messages` a non-empty array of
/// objects with a string `role`, `stream` a bool, caps positive integers, n 1..128, stream_options an object with
/// stream only. One pass (SAX, bounded depth), no DOM. Names that some providers match to ours without case ("Model")
/// are refused too.
std::variant<chat_request, request_problem> parse_chat_request(bytes_ptr body);

/// The same for a request for embeddings: `input` is a string, or a list of 1 to 2,048 strings, or of tokens, or of
/// lists of tokens; `encoding_format` float or base64.
std::variant<chat_request, request_problem> parse_embeddings_request(bytes_ptr body);

std::variant<chat_request, request_problem> parse_request(request_kind, bytes_ptr body);

/// What the caller of a stream has got already, to be gone on with: `text` becomes the last message, the assistant's,
/// and `tokens` are taken off the caps.
struct prefill {
  std::string_view text;
  std::uint64_t tokens = 0;
};

/// The bytes for the provider, always made from the caller's own: model name replaced where it differs, for streams
/// stream_options.include_usage true, and the prefill if one is given (the request does not end in an assistant
/// message). Returns the caller's bytes (no copy) where nothing changes.
bytes_ptr upstream_body(const chat_request&, std::string_view model, const prefill* = nullptr);

/// SHA-256, hex, over everything that can change the answer in canonical form (members sorted, numbers normalised,
/// unknown ones included, `stream` and `stream_options` not), plus `scope` (the model's configuration hash and the
/// client, or "" if shared). Depends on no whitespace or member order.
std::string cache_key(const chat_request&, std::string_view scope);

} // namespace mainstay
