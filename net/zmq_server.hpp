// The message-queue socket: a ZeroMQ ROUTER on a thread of its own. Takes multipart messages apart, keeps a bounded
// outbox per peer, notices peers that left (heartbeats, socket monitor), answers malformed frames by itself. Knows
// nothing of LLMs or actors. Frames in: [id, verb, headers, body] after the envelope; a REQ client's envelope ends in
// an empty delimiter, which is put back into its replies. Frames out: [id, kind, headers, body].
#pragma once

#include "net/bytes.hpp"
#include "net/reply_channel.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mainstay::mq {

struct server_settings {
  std::vector<std::string> listen;     // "tcp://127.0.0.1:5555", "ipc:///run/mainstay.sock"; port "*" or 0 for any
  std::size_t body_limit = 32u << 20;  // larger messages: error 413 to the sender
  std::size_t outbox_limit = 8u << 20; // bytes waiting for one peer; above sixteen times that it is dropped at once
  std::chrono::milliseconds heartbeat{
      1000}; // ZMQ_HEARTBEAT_IVL; timeout and TTL are the longer of three times that and write_timeout:
             // a reader with a full queue does not see heartbeats, and being slow is not being gone
  std::chrono::milliseconds write_timeout{
      30000}; // a peer that takes nothing, or stays above outbox_limit, for so long is disconnected
};

struct request {
  std::string id; // 1..128 bytes, the client's own
  std::string verb;
  header_list headers; // of the JSON object; strings as they are, numbers, true and false as their JSON text
  bytes_ptr body;
  bool req_client = false;      // plain replies only
  bool peer_is_loopback = true; // ipc, or the peer's address (message metadata "Peer-Address")
};

/// reply() sends kind `reply` for status < 400, else `error`; stream events are `chunk`s with the body's JSON,
/// stream_end `end` with body {"usage":...}, stream_error `error`. The headers frame is a JSON object with "status"
/// (number) and the headers given.
class response : public reply_channel {
public:
  /// Kind `accepted` with status 202, before the answer: a durable request is in the journal, or a collected one is
  /// pending. For a REQ client, who can take one message only, it is the answer.
  virtual void accepted(header_list headers, bytes_ptr body) = 0;
  /// As for HTTP: called once, on the socket's thread, if the peer is gone or sent `cancel` for this id before the
  /// answer was complete. After a `cancel` this class has already sent the `error` of status 499.
  virtual void on_caller_left(std::function<void()> left) = 0;
};

class handler {
public:
  virtual ~handler() = default;
  /// Called on the socket's thread for every well-formed request but `cancel`, which the server handles. An id that is
  /// still in use by the same peer is refused (409) by the server. An unanswered, dropped response becomes an error
  /// 500.
  virtual void handle(request, std::shared_ptr<response>) = 0;
};

class server {
public:
  /// Binds; throws std::runtime_error naming the endpoint.
  server(server_settings, std::shared_ptr<handler>);
  ~server();
  void start();
  std::vector<std::string> endpoints() const; // with the real ports
  /// From now on every new request gets error 503; what runs goes on.
  void drain();
  void stop();
  std::size_t in_flight() const noexcept;
  std::size_t peers() const noexcept;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace mainstay::mq
