// The top-level members of a chat request that Mainstay reads, and what each means to it. Everything not listed passes
// through unread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mainstay {

/// `shape`: makes the answer something else than plain text unless null or false.
enum class chat_member : std::uint8_t {
  unknown,
  model,
  messages,
  stream,
  stream_options,
  n,
  cap,
  tools,
  response_format,
  modalities,
  shape
};

struct known_member {
  std::string_view name;
  chat_member means;
  unsigned number; // 0 to 31, in the order of the table
};

/// Null for a member that is not ours.
const known_member* find_known(std::string_view name) noexcept;

/// The member of ours that some providers would take `name` for, though it is spelled otherwise; null if there is none.
const known_member* find_alias(std::string_view name);

} // namespace mainstay
