// The message-queue door: a ZeroMQ ROUTER of our own on an event loop. Clients are DEALER or REQ sockets of any ZeroMQ
// library that speaks ZMTP 3. Takes multipart messages apart, keeps a bounded outbox per client, notices clients that
// left (end of the connection, heartbeats), answers malformed messages by itself. Knows nothing of LLMs or actors.
// Frames in: [id, verb, headers, body]; a REQ client sends an empty delimiter before them, which is put back before its
// replies. Frames out: [id, kind, headers, body]. Why libzmq is not behind it:
// docs/decisions/0006-the-message-queue-door-speaks-zmtp.md.
#pragma once

#include "net/bytes.hpp"
#include "net/curve_session.hpp"
#include "net/event_loop.hpp"
#include "net/reply_channel.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mainstay::mq {

struct server_settings {
  std::shared_ptr<const curve_keys> curve; // null: in the clear, the mechanism is NULL
  std::vector<std::string> listen;         // "tcp://127.0.0.1:5555", "ipc:///run/mainstay.sock"; port "*" or 0 for any
  std::size_t body_limit = 32u << 20;      // a larger body: error 413; one a quarter larger ends the connection too
  std::size_t outbox_limit = 8u << 20; // bytes waiting for one client: above it nothing more is read from that client,
                                       // above sixteen times that it is disconnected at once
  std::size_t total_outbox_limit = 512u << 20; // for all clients together: above it, whoever adds to its own backlog
                                               // is disconnected
  std::size_t max_connections = 10000;         // more wait in the listen backlog
  std::chrono::milliseconds handshake_timeout{10000};
  std::chrono::milliseconds message_timeout{30000}; // a message that has begun comes no further for so long, or comes
                                                    // slower than 1 KiB/s on average: disconnected
  std::chrono::milliseconds heartbeat{5000};        // a client that is silent for so long is asked whether it is there
  std::chrono::milliseconds write_timeout{30000};   // a client that takes nothing, or stays above outbox_limit, for so
                                                    // long is disconnected
  /// So long a client may leave a heartbeat unanswered: one with a full queue does not see it, and being slow is not
  /// being gone.
  std::chrono::milliseconds gone_after() const { return std::max(3 * heartbeat, write_timeout); }
};

struct request {
  std::string id; // 1..128 bytes, the client's own
  std::string verb;
  header_list headers; // of the JSON object; strings as they are, numbers, true and false as their JSON text
  bytes_ptr body;
  bool req_client = false;      // plain replies only
  bool peer_is_loopback = true; // ipc, or by the client's address
  std::string peer;             // "127.0.0.1:51234"; empty: ipc
};

/// reply() sends kind `reply` for status < 400, else `error`; stream events are `chunk`s with the body's JSON,
/// stream_end `end` with body {"usage":...}, stream_error `error`. The headers frame is a JSON object with "status"
/// (number) and the headers given.
class response : public reply_channel {
public:
  /// Kind `accepted` with status 202, before the answer: a durable request is in the journal, or a collected one is
  /// pending. For a REQ client, who can take one message only, it is the answer.
  virtual void accepted(header_list headers, bytes_ptr body) = 0;
  /// As for HTTP: called once, on the loop's thread, if the peer is gone or sent `cancel` for this id before the
  /// answer was complete. After a `cancel` this class has already sent the `error` of status 499.
  virtual void on_caller_left(std::function<void()> left) = 0;
  /// From now on a `cancel` for this id does not end the request: `asked` is called instead, on the loop's thread and
  /// perhaps more than once, and whoever answers says what became of it.
  virtual void on_cancel(std::function<void()> asked) = 0;
};

class handler {
public:
  virtual ~handler() = default;
  /// Called on the loop's thread for every well-formed request but `cancel`. An id that is still in use by the same
  /// peer is refused (409) by the server. An unanswered, dropped response becomes an error 500.
  virtual void handle(request, std::shared_ptr<response>) = 0;
  /// A `cancel` whose id no request of this connection has, with what headers it has.
  virtual void cancel(request, std::shared_ptr<response>) = 0;
};

/// Says that there is nothing to cancel.
void refuse_cancel(response&);

class server {
public:
  /// Binds; throws std::runtime_error naming the endpoint. Serves on the loop's thread from start().
  server(std::shared_ptr<event_loop>, server_settings, std::shared_ptr<handler>);
  ~server(); // stop()
  void start();
  std::vector<std::string> endpoints() const; // with the real ports
  /// Of a door with CURVE, from now on. Connections of clients that are not listed any more end.
  void use_keys(std::shared_ptr<const curve_keys>);
  /// From now on every new request gets error 503; what runs goes on.
  void drain();
  /// Tells whoever waits for an answer that none will come, gives that a second to leave, and closes everything.
  /// Idempotent; not from the loop's own thread.
  void stop();
  std::size_t in_flight() const noexcept;
  std::size_t peers() const noexcept;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace mainstay::mq
