// What an answer looks like on the wire: response heads, server-sent events, chunks, and the queue of pieces that waits
// for the socket. Bodies stay shared and are never copied; an event costs no allocation. Promises that nothing a
// handler puts into a header can end a line. Pure: the socket is somebody else's.
#pragma once

#include "net/bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <vector>

namespace mainstay::http {

/// `lead`, `body` and `tail` go out one after the other. `tail` is a literal.
struct wire_piece {
  std::string lead;
  bytes_ptr body;
  std::string_view tail;
  bool event = false; // its body counts as progress (reply_channel::observe_progress)

  std::size_t body_size() const noexcept { return body ? body->size() : 0; }
  std::size_t size() const noexcept { return lead.size() + body_size() + tail.size(); }
};

/// How the end of a stream's body is told: chunks (HTTP/1.1) or closing (1.0).
enum class stream_framing : std::uint8_t { chunked, until_close };

/// "data: <json>\n\n". JSON with line ends in it becomes an event of several data lines, as SSE demands.
/// `type`: "event: <type>\n" before it, unless it is empty or has line ends.
wire_piece event_piece(bytes_ptr json, stream_framing, std::string_view type = {});
/// ": text\n\n"; line ends in the text become spaces. `counts`: as an event, for reply_channel::observe_progress.
wire_piece comment_piece(std::string text, stream_framing, bool counts = false);
/// "data: [DONE]\n\n" and the end of the body.
wire_piece done_piece(stream_framing);
/// The end of the body alone.
wire_piece end_piece(stream_framing);

struct answer_head {
  int status = 200; // outside 200..599: 500
  std::string_view content_type;
  std::optional<std::size_t> content_length; // none: a stream
  bool chunked = false;
  bool http11 = true, keep_alive = true; // of the request, and what becomes of the connection
};

/// Status line to empty line. Of `headers`, those that framing owns (content-length, transfer-encoding, connection,
/// content-type and the like) and malformed names are dropped; control characters in values become spaces.
std::string head_text(const answer_head&, const header_list& headers);

/// Whether answers of this status have a body at all (204 and 304 do not).
bool status_has_body(int status) noexcept;

/// Pieces waiting for the socket, first in first out.
class wire_queue {
public:
  void push(wire_piece);
  void push(std::vector<wire_piece>&&);
  /// Fills at most `most` entries; returns how many. `bytes` is their sum.
  std::size_t gather(iovec* out, std::size_t most, std::size_t& bytes) const noexcept;
  /// `bytes` from the front have left. Returns the bytes of event bodies completed by that.
  std::size_t consume(std::size_t bytes) noexcept;
  bool empty() const noexcept { return first_ == pieces_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  /// Bytes of event bodies not completely gone yet.
  std::size_t event_bytes() const noexcept { return event_bytes_; }
  void clear() noexcept;

private:
  void count(const wire_piece&) noexcept;
  std::vector<wire_piece> pieces_;
  std::size_t first_ = 0, gone_ = 0; // the piece in front and how much of it has left
  std::size_t bytes_ = 0, event_bytes_ = 0;
};

} // namespace mainstay::http
