// Requests over a few DEALER sockets at the message-queue door, many under way on each.
#pragma once

#include "tools/load/door.hpp"
#include "tools/load/reactor.hpp"
#include "tools/load/request_bytes.hpp"

#include <zmq.hpp>

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace mainstay::load {

class zmq_door final : public door {
public:
  /// Throws std::runtime_error with a sentence if `address` ("tcp://HOST:PORT", "ipc://PATH") is none.
  zmq_door(reactor&, door_owner&, const std::string& address, std::size_t sockets, const request_shape&,
           const question_text&);
  ~zmq_door() override;

  void send(flight&) override;
  void abandon(flight&) override;
  bool before_wait() override;

private:
  struct dealer;

  void take(std::size_t frames);
  void finish(flight&, fault, instant now);

  door_owner& owner_;
  pattern plain_, streamed_;
  std::string headers_;
  zmq::context_t context_;
  std::vector<std::unique_ptr<dealer>> dealers_;
  std::size_t next_ = 0;
  std::unordered_map<std::uint64_t, flight*> open_;
  std::unordered_set<std::uint64_t> abandoned_;
  std::array<zmq::message_t, 4> frames_; // of the message being read
};

} // namespace mainstay::load
