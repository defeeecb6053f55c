// The text of an HTTP/1.1 answer's head, and small readings of a request's target.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay::mock {

struct answer_head {
  int status = 200;
  std::string_view content_type = "application/json";
  std::optional<std::size_t> content_length; // none: chunked, or until the connection ends
  bool chunked = false;
  bool keep_alive = true;
  std::uint64_t request_number = 0; // 0: no x-request-id
  std::string_view lines = {};      // more header lines, each ending in CRLF; a content-type here replaces ours
};

std::string head_text(const answer_head& head);

// "a%20b" is "a b".
std::string percent_decoded(std::string_view text);

// `"name=value"` of a query string, percent-decoded.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

// One chunk of a chunked body.
void append_chunk(std::string& out, std::string_view bytes);

} // namespace mainstay::mock
