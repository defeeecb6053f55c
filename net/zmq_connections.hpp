// Which connections of the socket are open, told by its monitor: how a peer's leaving is noticed without sending to it.
// A message names its connection by file descriptor (ZMQ_SRCFD), and so do the monitor's events, which ZeroMQ's thread
// emits in the order of what happened: accepted before a connection's first message, disconnected before its descriptor
// can be used again. Promises: if update() is called after a message was received and before it is acted on, a closed
// connection is known as closed.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <unordered_set>
#include <zmq.hpp>

namespace mainstay::mq {

class connections {
public:
  /// Watches `socket`, before it is bound.
  connections(zmq::context_t&, zmq::socket_t& socket);
  ~connections();

  /// Takes all events; `closed(fd)` for each connection that ended.
  void update(const std::function<void(int fd)>& closed);
  bool is_open(int fd) const { return open_.contains(fd); }
  zmq::socket_ref events() { return events_; }

  /// Adds an address the socket was bound to, as ZMQ_LAST_ENDPOINT names it.
  void bound_to(const std::string& endpoint);
  /// Ends a connection as a broken network would: its peer notices and connects anew. Only touches a descriptor that
  /// belongs to one of our addresses.
  void cut(int fd) noexcept;

private:
  bool ours(int fd) const noexcept;

  zmq::socket_t& watched_;
  zmq::socket_t events_;
  std::unordered_set<int> open_;
  std::set<int> ports_;         // of tcp addresses
  std::set<std::string> paths_; // of ipc addresses
};

/// The connection a message came through, -1 where unknown (peers older than ZMTP 3).
int descriptor_of(const zmq::message_t&) noexcept;
/// ipc, or a loopback address; an unknown address is not.
bool from_loopback(const zmq::message_t&) noexcept;

} // namespace mainstay::mq
