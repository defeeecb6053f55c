// An HTTP/1.1 server on an event_loop: accepts, guards the framing, reads whole requests up to a limit, answers
// whole or as server-sent events, notices callers who leave (a half-close counts as leaving). Knows nothing of LLMs,
// actors or JSON. Guards (RFC 9112): content-length with transfer-encoding, differing or odd content-lengths, transfer
// codings other than a single "chunked" (501), HTTP/1.0 with chunked, bare LF, obs-fold, control characters in the
// head: 400 and close. Head over `header_limit`: 431 and close. Body over `body_limit`: 413 and close, without reading
// it. A head that is not complete within `header_timeout`, or a body that makes no progress for `body_timeout` or comes
// slower than 1 KiB/s on average: 408 and close. `expect: 100-continue` is answered. Pipelined requests are answered in
// order, one at a time. Keep-alive connections idle longer than `idle_timeout` are closed. A reader that takes nothing
// for `write_timeout` while bytes wait is disconnected. Unfinished bodies may hold sixteen times `body_limit` together:
// beyond that the one that is the furthest from going on is refused with 503. At most `max_connections`; more wait in
// the listen backlog. With TLS its handshake is part of the head's time, handshakes take turns with what open
// connections have to do (net/http_handshakes), and HTTP in the clear is told so (400) and closed.
#pragma once

#include "net/bytes.hpp"
#include "net/event_loop.hpp"
#include "net/reply_channel.hpp"
#include "net/tls_stream.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace mainstay::http {

struct server_settings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0; // 0: any free port, see server::port()
  std::size_t body_limit = 32u << 20;
  std::size_t header_limit = 32u << 10;
  std::size_t max_headers = 100;
  std::size_t max_connections = 20000;
  std::chrono::milliseconds header_timeout{10000};
  std::chrono::milliseconds body_timeout{30000};
  std::chrono::milliseconds idle_timeout{75000};
  std::chrono::milliseconds write_timeout{30000};
  std::shared_ptr<const tls_context> tls; // null: in the clear
  std::function<header_list()>
      fault_headers; // of answers that the server gives itself (framing, 413, 408); may be empty
};

struct request {
  std::string method, path, query; // path without query, not decoded
  header_list headers;             // names in lower case, values trimmed
  std::string peer;                // "127.0.0.1:51234"
  bool peer_is_loopback = false;
};

/// Besides reply_channel: answers that are not JSON, streams of other dialects, and what becomes of the connection.
class response : public reply_channel {
public:
  /// An event with a type ("event: <type>"); empty: none is written.
  virtual void stream_typed_event(std::string_view type, bytes_ptr json) = 0;
  /// A comment whose text counts as an event's for observe_progress.
  virtual void stream_filler(std::string text) = 0;
  /// The end of the stream without [DONE].
  virtual void stream_close() = 0;
  /// A whole answer with its own content type (metrics text, a page).
  virtual void reply_as(int status, std::string content_type, header_list headers, bytes_ptr body) = 0;
  /// `left` is called once, on the server's thread, if the caller disconnects (or the server stops) before the last
  /// byte of the answer was handed to the network. If that has happened already it is called at once, within this call.
  /// Not called after a complete answer. Null removes it. Must not block; may use the response.
  virtual void on_caller_left(std::function<void()> left) = 0;
  /// The connection is closed after this answer.
  virtual void close_after() = 0;
};

class handler {
public:
  virtual ~handler() = default;
  /// Called on the server's thread when the head is complete, before any byte of the body is read. A returned status
  /// other than 0 refuses the request without reading the body: `refusal_body` is sent with it and the connection
  /// closes if a body was announced.
  struct refusal {
    int status = 0;
    header_list headers;
    std::string json_body;
  };
  virtual refusal check_head(const request&) = 0;
  /// Called on the server's thread with the complete request. Never blocks; the answer may come later, from any thread.
  /// Of a `response` whose last reference is dropped unanswered the server makes a 500 (or, in a stream, an error event
  /// without [DONE]).
  virtual void handle(request, bytes_ptr body, std::shared_ptr<response>) = 0;
};

/// The OpenAI-shaped error body for faults found by the server itself:
/// {"error":{"message","type","param":null,"code"}}.
std::string error_json(std::string_view message, std::string_view type, std::string_view code,
                       std::string_view param = {});

class server {
public:
  /// Binds and listens; throws std::system_error with the address in its text. Serves from start().
  server(std::shared_ptr<event_loop>, server_settings, std::shared_ptr<handler>);
  ~server(); // closes everything, at once; not from within a handler
  void start();
  std::uint16_t port() const noexcept;
  /// Stops accepting and closes idle keep-alive connections; requests in flight go on and get "connection: close".
  void drain();
  /// Closes everything; from within a handler, once it has returned. Idempotent. The loop goes on.
  void stop();
  /// Connections open now.
  std::size_t connections() const noexcept;
  /// Changes what may change while running: body_limit and timeouts.
  void reconfigure(server_settings);
  /// The certificate of connections to come.
  void use_tls(std::shared_ptr<const tls_context>);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace mainstay::http
