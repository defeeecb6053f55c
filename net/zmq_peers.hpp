// The peers of the ROUTER socket: their requests in flight, their outboxes, and what happens when they are slow or
// leave. On the socket's thread only, but for the two counters. Promises: one peer's full pipe never delays another; a
// peer that leaves has every open request told so once; a peer is forgotten when its connection is.
#pragma once

#include "net/zmq_connections.hpp"
#include "net/zmq_exchange.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace mainstay::mq {

using steady = std::chrono::steady_clock;

struct peer {
  std::string identity;
  int fd = -1;
  std::shared_ptr<flow> way;
  std::unordered_map<std::string, std::shared_ptr<exchange>>
      requests; // by the client's id, until their last message is in the outbox
  std::deque<command> outbox;
  bool pipe_full = false; // ZeroMQ refused; it does not say when it would not, so this peer is asked again soon
  std::uint64_t released_seen = 0; // flow::released when progress was last looked at
  steady::time_point progress_at{}, below_limit_at{};
};

class peers {
public:
  peers(zmq::socket_t&, connections&, const server_settings&, std::shared_ptr<wakeup>);

  /// The peer a message came from, entered if new. Who is known to have used its connection's descriptor or its
  /// identity before has left.
  peer& arrived(const std::string& identity, int fd, steady::time_point now);
  /// A message may be read after its connection has closed and another one got the descriptor: somebody younger uses it
  /// then.
  bool superseded(const std::string& identity);
  peer* find(const std::string& identity);
  /// An exchange for a new request of `p`.
  std::shared_ptr<exchange> open_exchange(peer& p, std::string_view id, bool req_client);
  /// Ends the exchange's time as a request in flight: its id may be used again.
  void close_request(peer& p, const std::shared_ptr<exchange>&);

  /// Performs what an answering thread asked for.
  void perform(command);
  /// Queues an answer that belongs to no exchange.
  void send(peer&, outgoing);
  /// Sends what there is room for, for all peers that were given something or wait for room.
  void flush(bool retry_full_pipes);
  /// Disconnects those who take nothing or let too much pile up.
  void sweep(steady::time_point now);

  void left(const std::string& identity);
  void connection_closed(int fd);
  /// Every open request ends with an `error`, and its handler hears that the caller is gone.
  void end_all(int status, std::string_view code, std::string_view text);
  void leave_all();

  bool any_pipe_full() const noexcept { return full_pipes_ != 0; }
  bool all_sent() const noexcept { return unsent_.empty(); }
  std::size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  std::size_t in_flight() const noexcept { return in_flight_.load(std::memory_order_relaxed); }

private:
  void drop(peer& p);
  bool flush_one(peer& p); // false: the peer is gone
  void handed_over(command&);

  zmq::socket_t& socket_;
  connections& connections_;
  const server_settings& settings_;
  const std::shared_ptr<wakeup> wakeup_;
  std::unordered_map<std::string, peer> by_identity_;
  std::unordered_multimap<int, std::string> by_fd_; // late messages bring a second one
  std::unordered_set<std::string> unsent_;          // identities with something in the outbox
  std::size_t full_pipes_ = 0;
  std::atomic<std::size_t> count_{0}, in_flight_{0};
};

} // namespace mainstay::mq
