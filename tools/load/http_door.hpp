// Requests over keep-alive connections, one at a time on each, as many connections as there are requests under way.
// Sends straight from the pattern's bytes and reads into one buffer: a plain request costs a send, a receive and its
// share of a wait.
#pragma once

#include "tools/load/door.hpp"
#include "tools/load/reactor.hpp"
#include "tools/load/request_bytes.hpp"
#include "tools/load/response_reader.hpp"

#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

namespace mainstay::load {

/// An address that can be connected to; `name` is what it was asked by.
struct http_address {
  std::string name; // HOST:PORT, for the host field
  sockaddr_storage address{};
  socklen_t length = 0;
};
/// "HOST:PORT" or "http://HOST:PORT". Throws std::runtime_error with a sentence if it is none or cannot be resolved.
http_address resolve(const std::string& text);

class http_door final : public door {
public:
  http_door(reactor&, door_owner&, http_address, const request_shape&, const question_text&);
  ~http_door() override;

  void send(flight&) override;
  void abandon(flight&) override;
  bool before_wait() override;

private:
  class connection;
  friend class connection;

  void lost(connection&); // closed: forgets it when the turn is over

  reactor& reactor_;
  door_owner& owner_;
  http_address target_;
  pattern plain_, streamed_;
  std::vector<char> buffer_;
  std::vector<std::unique_ptr<connection>> connections_;
  std::vector<connection*> idle_; // the one used last is used next
  std::vector<std::unique_ptr<connection>> closed_;
};

} // namespace mainstay::load
