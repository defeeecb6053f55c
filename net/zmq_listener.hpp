// A listening socket at an endpoint as ZeroMQ writes it: tcp://ADDRESS:PORT (* for any), ipc://PATH. Owns the socket
// and, of ipc, the file: one that nobody listens at any more is replaced, and removed at the end.
#pragma once

#include "net/peer_name.hpp"

#include <string>

namespace mainstay::mq {

class listener {
public:
  /// Listens. Throws std::runtime_error naming the endpoint.
  explicit listener(const std::string& endpoint);
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  int fd() const noexcept { return fd_; }
  /// With the real port.
  const std::string& endpoint() const noexcept { return endpoint_; }

  struct caller {
    int fd = -1; // non-blocking; negative: nobody waits, or errno says what is missing
    peer_name who;
  };
  caller accept() const noexcept;

private:
  void listen_tcp(const std::string& address);
  void listen_ipc(const std::string& path);

  int fd_ = -1;
  std::string endpoint_, path_;
};

} // namespace mainstay::mq
