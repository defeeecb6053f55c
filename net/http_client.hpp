// The way out: an event_loop drives every provider's connections through libcurl's multi interface (socket_action).
// Owns: connections, easy handles (reused), timers per call. Knows nothing of LLMs; reports bytes as they
// come. HTTP/1.1, and HTTP/2 where TLS negotiates it (ALPN); certificates and host names are always verified
// (SSL_CERT_FILE is honoured); redirects are never followed; nothing but http and https; signals off; TCP_NODELAY; no
// Expect header; accept-encoding identity.
#pragma once

#include "core/clock.hpp"
#include "core/failure.hpp"
#include "core/secret.hpp"
#include "net/bytes.hpp"
#include "net/event_loop.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mainstay::http {

struct call_timeouts {
  duration connect = 5s;     // name, TCP and TLS
  duration first_byte = 30s; // from the request sent to the response head's first byte
  duration idle = 30s;       // between two pieces of the body; does not run while the caller's credit is used up
  duration total = 120s;
};

struct call {
  std::string url;
  std::vector<std::string> header_lines; // "content-type: application/json", ...
  secret authorization;                  // a whole line, "authorization: Bearer ..."; empty: none
  std::vector<bytes_ptr> body;           // pieces sent one after the other without joining them; POST
  call_timeouts timeouts;
  std::size_t credit = 256u << 10;    // bytes of body taken before pausing; see client::add_credit
  std::size_t head_limit = 64u << 10; // a longer response head ends the call as malformed
  std::string proxy;                  // empty: none (the environment's proxy settings are not used)
  std::string pool;                   // provider's name: connections are shared and capped per pool
  instant send_by = instant::max();   // not begun to be sent by then, it ends as unsent: it must not be sent any more
  bool get = false;                   // GET without a body instead of POST
};

/// How a call ended without (complete) answer.
struct call_error {
  failure_class what;           // dns_failed, connect_failed, connect_timeout, reset, first_byte_timeout, idle_timeout,
                                // total_timeout, truncated, malformed
  std::string detail;           // for logs: curl's words; never contains a secret or a body
  bool kept_connection = false; // a reset: of a connection that had served before, after the whole request went out
                                // on it and before a byte of the response came
  bool unsent = false;          // nothing of it was sent, for it was too late: call::send_by
};

struct call_summary {
  instant sent_at{}; // when the request's bytes had left; zero if they never did
  bool new_connection = false;
  std::string http_version; // "1.1", "2"
  std::uint64_t received_bytes = 0;
};

/// Called on the loop's thread, in order: head at most once, data any number of times, end exactly once (also after
/// cancel()). Implementations must not block or throw.
class call_observer {
public:
  virtual ~call_observer() = default;
  virtual void on_sent(instant) {} // the request's bytes have left; again if curl sends it again
  virtual void on_head(int status, header_list headers) = 0;
  virtual void on_data(bytes_ptr piece) = 0; // one or more network reads joined within one drive of the loop
  virtual void on_end(std::optional<call_error>, const call_summary&) = 0; // none: the response is complete
};

using call_handle = std::uint64_t;

struct pool_settings {
  std::string name;
  std::uint32_t connections = 20, per_host = 10;
};

class client {
public:
  explicit client(std::shared_ptr<event_loop>);
  ~client(); // cancels every call (on_end with cancelled)
  /// Caps of a pool, from now on. The multi handle's connection cache is at least as large, so that idle connections
  /// are kept.
  void configure(const std::vector<pool_settings>&);
  /// Starts a call; thread-safe, never blocks. A retry on a fresh connection is made by this class alone where a
  /// *reused* idle connection turned out to be closed by the peer before the request was out: nobody can have processed
  /// it. One that was out may have been, so that is a reset, and for the caller to decide.
  call_handle start(call, std::shared_ptr<call_observer>);
  /// Ends a call soon: the connection (or HTTP/2 stream) is closed, on_end follows with failure_class::cancelled.
  /// Unknown handles are ignored.
  void cancel(call_handle);
  /// Lets `bytes` more of the body through. A call whose credit is used up is paused (curl pauses, the peer feels TCP
  /// back-pressure).
  void add_credit(call_handle, std::size_t bytes);
  std::size_t open_calls() const noexcept;

  struct pool_view {
    std::string name;
    std::uint32_t active_calls;
    std::uint64_t connections_made;
  };
  std::vector<pool_view> pools() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace mainstay::http
