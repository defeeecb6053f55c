// What Anthropic says at the end of an answer, in OpenAI's words; and one event of its streams, read: one SAX pass
// whose strings are views into the event, spelled as they stand there, because a stream is a thousand small events.
// What becomes of the pieces is left to anthropic_completion and anthropic_stream.
#pragma once

#include "net/dialects/provider_dialect.hpp"
#include "net/json_reader.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay {

/// "end_turn" and so on as OpenAI's finish_reason.
std::string_view anthropic_finish(std::string_view stop_reason) noexcept;

/// Anthropic counts what it read from its cache or wrote there beside the other input; OpenAI counts all of it as
/// prompt_tokens.
struct anthropic_usage {
  std::uint64_t input = 0, cache_read = 0, cache_creation = 0, output = 0, thinking = 0;
  bool known = false;
};
/// OpenAI's usage object; "null" where nothing is known.
void append_usage(std::string& out, const anthropic_usage&);

/// An open object with id, object, created and model, and `choices` open.
std::string anthropic_head(const answer_label&, std::string_view id_json, std::string_view model_json,
                           std::string_view object);

class anthropic_event : public json::handler {
public:
  enum class kind : std::uint8_t {
    none, // no event of this dialect
    message_start,
    block_start,
    block_delta,
    block_stop,
    message_delta,
    message_stop,
    error,
    other // a ping, or what comes in later versions
  };
  enum class piece : std::uint8_t { none, text, thinking, signature, redacted, tool_use, arguments };

  kind read(std::string_view json);

  // What was read, valid while the event is. All JSON as it stood: strings with their quotes; empty: not said.
  piece what = piece::none; // of a block that starts, or a delta
  std::string_view text;    // of that kind, or a tool's input that came whole
  std::string_view id, name, model, error, stop_reason, stop_sequence;
  anthropic_usage usage; // of all events so far

  bool key(std::string_view name);
  bool string(std::string_view text);
  bool number(std::string_view spelled);
  bool boolean(bool) { return places_[depth_] != place::outside; }
  bool null() { return places_[depth_] != place::outside; }
  bool begin_object();
  bool end_object() { return leave(); }
  bool begin_array();
  bool end_array() { return leave(); }

private:
  enum class place : std::uint8_t { outside, root, message, part, usage, details, elsewhere };
  enum class field : std::uint8_t {
    other,
    type,
    message,
    part, // delta or content_block
    usage,
    error,
    id,
    model,
    name,
    text,
    input,
    stop_reason,
    stop_sequence,
    input_tokens,
    cache_read,
    cache_creation,
    output_tokens,
    details,
    thinking_tokens
  };
  bool enter(place p) { return places_[++depth_] = p, true; }
  bool leave();
  std::string_view spelled() const { return json_.substr(at->string_begin(), at->Tell() - at->string_begin()); }

  std::array<place, json::depth_limit + 1> places_{place::outside};
  std::size_t depth_ = 0;
  field field_ = field::other;
  kind kind_ = kind::none;
  std::string_view json_;
  std::string_view* kept_ = nullptr; // gets the value that ends at depth kept_depth_, as JSON
  std::size_t kept_from_ = 0, kept_depth_ = 0;
};

} // namespace mainstay
