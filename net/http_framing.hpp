// The guard at the door: reads the head of an HTTP/1 request strictly, from bytes alone (RFC 9112), before anything
// else looks at it. Promises that two readers of an accepted head cannot disagree about where the request ends: one
// content-length or one "chunked", never both, no bare line ends, no folded lines, no control characters. What it
// refuses, it refuses with the status to answer. Pure: no sockets, no clock. It reads the whole head, so that no second
// parser (Beast 1.74's is laxer) can come to another reading.
#pragma once

#include "net/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace mainstay::http {

/// Why a request cannot be taken. The connection closes after it: its framing can no longer be trusted. The texts are
/// literals.
struct framing_fault {
  int status = 400;
  std::string_view code, message;
};

struct head_limits {
  std::size_t bytes = 32u << 10; // the whole head, request line and empty line included
  std::size_t fields = 100;
};

struct request_head {
  std::string method, path, query; // path and query as sent, not decoded; of an absolute-form target its path and query
  header_list headers;             // names in lower case, values trimmed
  bool http11 = true;              // false: 1.0
  bool keep_alive = true;          // as the caller wishes and the version allows
  bool expects_continue = false;
  bool chunked = false;
  std::uint64_t content_length = 0; // 0 when chunked

  bool announces_body() const noexcept { return chunked || content_length > 0; }
};

/// Finds the end of a head while its bytes come in; looks at every byte once, however small the pieces.
class head_scanner {
public:
  enum class state { more, complete, fault };
  /// `received` is everything since the head's first byte. Faults are final: a bare LF, or more than `limits.bytes`
  /// without an end.
  state scan(std::string_view received, const head_limits& limits) noexcept;
  /// Size of the complete head with its empty line.
  std::size_t size() const noexcept { return end_; }
  const framing_fault& fault() const noexcept { return fault_; }
  void reset() noexcept { *this = {}; }

private:
  std::size_t next_ = 0, line_ = 0, end_ = 0; // first byte not looked at, start of the current line
  framing_fault fault_;
};

/// Reads a head that head_scanner found complete. Body limits are the caller's affair.
std::variant<request_head, framing_fault> read_head(std::string_view head, const head_limits&);

/// A character of a header name or method (RFC 9110, section 5.6.2).
bool is_token_char(unsigned char) noexcept;
/// What may stand in a header value: tab, space, visible ASCII and bytes above 0x7f.
bool is_field_char(unsigned char) noexcept;

} // namespace mainstay::http
