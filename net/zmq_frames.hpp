// The message-queue door's wire format, pure: frames to a request, an answer to frames. No sockets, no clock.
// Promises: parse_frames takes any bytes, never throws for what a peer sent, and reads at most what the limits below
// allow; every fault comes with the status, code and sentence of the one error reply it deserves.
#pragma once

#include "net/bytes.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mainstay::mq {

inline constexpr std::size_t max_id_bytes = 128;
inline constexpr std::size_t max_headers = 100;
inline constexpr std::size_t max_headers_bytes = 64u << 10; // the whole headers frame
inline constexpr std::size_t max_frames = 5;                // delimiter, id, verb, headers, body

/// What one message says, after the ROUTER's identity frame. The views point into the frames given.
struct message {
  bool req_client = false; // an empty delimiter came first and goes back first
  std::string_view id;     // empty where the sent one is not usable
  std::string_view verb;   // chat, embeddings, collect or cancel
  header_list headers;     // names in lower case; cancel needs none
  std::string_view body;
  int status = 0;        // 0: well-formed; else of the error reply
  std::string_view code; // "malformed", "body_too_large"
  std::string fault;     // a sentence for the sender; never repeats what was sent
};

/// Frames after the identity: [""] id verb headers body; of `cancel` only id and verb are needed. Callers may stop
/// collecting frames beyond max_frames + 1: more is wrong anyway. A body larger than `body_limit` bytes is status 413,
/// all else that is wrong 400.
message parse_frames(std::span<const std::string_view> frames, std::size_t body_limit);

/// The headers frame of an answer: {"status":200,"x-request-id":"..."}. `more` overrides `headers` by name. Always
/// valid UTF-8.
std::string headers_frame(int status, const header_list& headers = {}, const header_list& more = {});

/// {"error":{"message","type","param":null,"code"}}, the type following from the status.
std::string error_body(int status, std::string_view code, std::string_view text);

} // namespace mainstay::mq
