// Requests as bytes, made once: one pattern for plain and one for streamed requests, in which only the question's
// number changes. Pure.
#pragma once

#include "tools/load/question.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mainstay::load {

struct request_shape {
  std::string model = "smart";
  std::string path = "/v1/chat/completions";
  std::optional<std::uint32_t> max_tokens;
  std::vector<std::pair<std::string, std::string>> headers; // names in lower case
};

/// Bytes with a number in them.
struct pattern {
  std::string bytes;
  std::size_t number_at = 0;

  /// The bytes of request `number`, until the next call.
  std::string_view of(std::uint64_t number) noexcept {
    write_number(bytes.data() + number_at, number);
    return bytes;
  }
};

/// The body: {"model","messages":[{"role":"user","content"}]}, with `max_tokens` and `"stream":true` where asked for.
pattern chat_body(const request_shape&, const question_text&, bool stream);
/// The whole HTTP/1.1 request for `host` ("127.0.0.1:8080").
pattern http_request(const request_shape&, const question_text&, bool stream, std::string_view host);
/// The message-queue door's headers frame.
std::string zmq_headers(const request_shape&);

} // namespace mainstay::load
