// Reads the socket monitor's events and keeps the set of open descriptors.
#include "net/zmq_connections.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

namespace mainstay::mq {
namespace {

std::string monitor_address(const void* socket) {
  return "inproc://monitor-" + std::to_string(reinterpret_cast<std::uintptr_t>(socket));
}

} // namespace

connections::connections(zmq::context_t& context, zmq::socket_t& socket)
  : watched_(socket), events_(context, zmq::socket_type::pair) {
  const auto address = monitor_address(&socket);
  // Unlimited, because ZeroMQ's thread would wait for room; two events per connection, taken on every turn of the loop.
  events_.set(zmq::sockopt::rcvhwm, 0);
  if (zmq_socket_monitor(socket.handle(), address.c_str(), ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) != 0)
    throw zmq::error_t();
  events_.connect(address);
}

connections::~connections() { zmq_socket_monitor(watched_.handle(), nullptr, 0); }

void connections::update(const std::function<void(int fd)>& closed) {
  zmq::message_t event, address;
  while (events_.recv(event, zmq::recv_flags::dontwait)) {
    if (event.more() && !events_.recv(address, zmq::recv_flags::dontwait)) return;
    std::uint16_t what = 0;
    std::int32_t fd = -1;
    if (event.size() < sizeof what + sizeof fd) continue;
    std::memcpy(&what, event.data(), sizeof what);
    std::memcpy(&fd, static_cast<const char*>(event.data()) + sizeof what, sizeof fd);
    if (what == ZMQ_EVENT_ACCEPTED)
      open_.insert(fd);
    else if (what == ZMQ_EVENT_DISCONNECTED && open_.erase(fd) != 0)
      closed(fd);
  }
}

void connections::bound_to(const std::string& endpoint) {
  if (endpoint.starts_with("ipc://"))
    paths_.insert(endpoint.substr(6));
  else if (const auto colon = endpoint.rfind(':'); colon != std::string::npos)
    ports_.insert(std::atoi(endpoint.c_str() + colon + 1));
}

bool connections::ours(int fd) const noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  if (address.ss_family == AF_INET) return ports_.contains(ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port));
  if (address.ss_family == AF_INET6) return ports_.contains(ntohs(reinterpret_cast<sockaddr_in6&>(address).sin6_port));
  return address.ss_family == AF_UNIX && paths_.contains(reinterpret_cast<sockaddr_un&>(address).sun_path);
}

void connections::cut(int fd) noexcept {
  // Shut down, not closed: the descriptor stays ZeroMQ's, which sees the end of the connection and closes it.
  if (is_open(fd) && ours(fd)) shutdown(fd, SHUT_RDWR);
}

int descriptor_of(const zmq::message_t& m) noexcept { return zmq_msg_get(m.handle(), ZMQ_SRCFD); }

bool from_loopback(const zmq::message_t& m) noexcept {
  const char* found = zmq_msg_gets(m.handle(), "Peer-Address");
  if (!found) return false;
  const std::string_view address(found);
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.") ||
         address.starts_with("localhost:"); // ipc, with the peer's user, group and process after it
}

} // namespace mainstay::mq
