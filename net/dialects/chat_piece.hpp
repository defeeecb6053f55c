// One chat.completion or chunk, read for those who tell it in another dialect: one pass, no tree, no copy. Every text
// is a view of the JSON as it stands there, so that a string goes from one dialect's JSON into another's as it is.
#pragma once

#include "core/token_usage.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace mainstay {

struct chat_piece {
  using raw = std::string_view; // a value as JSON, a string with its quotes; empty: not given, or null

  struct call {
    std::optional<std::uint64_t> index; // of a chunk
    raw id, name, arguments;
  };
  struct choice {
    std::uint64_t index = 0;
    raw content, refusal, reasoning, thinking_blocks, finish_reason, stop_reason;
    std::vector<call> calls;
  };
  /// What a provider's own event does to the blocks of an Anthropic stream.
  struct native_event {
    raw type, data;
    raw kind; // data.type
    std::optional<std::uint64_t> index;
    raw block; // content_block.type
  };

  bool valid = false; // JSON, an object with `choices` or `usage`
  raw id, model, created;
  std::vector<choice> choices;
  raw usage; // as it is
  std::optional<token_usage> counted;
  std::optional<native_event> native;
};

/// `json` must outlive what is read. What is not `valid` may be half read.
void read_piece(std::string_view json, chat_piece& into);

/// Of a string: what stands between its quotes.
inline std::string_view inside(chat_piece::raw text) noexcept {
  return text.size() < 2 ? std::string_view() : text.substr(1, text.size() - 2);
}
/// A string that says something.
inline bool says(chat_piece::raw text) noexcept { return text.size() > 2 && text.front() == '"'; }

} // namespace mainstay
