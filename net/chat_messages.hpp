// The messages of a chat request, one by one: who speaks, where each stands in the caller's bytes, what it weighs. A
// second pass over the body, for the rare paths that need more of it than core routing does.
#pragma once

#include "net/chat_request.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mainstay {

enum class chat_role : std::uint8_t { system, user, assistant, tool, other }; // developer: system; function: tool

struct chat_message {
  chat_request::span where; // the object, with its braces
  chat_role role = chat_role::other;
  std::uint64_t tokens = 0;               // estimated as parse_chat_request does, rounded up
  std::optional<chat_request::span> text; // the content with its quotes, where it is one string and given once
};

struct chat_messages {
  chat_request::span list; // with its brackets
  std::vector<chat_message> all;
  std::uint64_t other_tokens = 0; // of what counts beside them (tools), rounded up
};

/// Of a request that parse_chat_request let through.
chat_messages read_messages(const chat_request&);

/// The text of the last user message, several parts joined by line feeds, cut behind `limit` bytes at most; empty if
/// there is none.
std::string last_user_text(const chat_request&, std::size_t limit = 4096);

} // namespace mainstay
