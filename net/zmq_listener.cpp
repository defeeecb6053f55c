// Addresses and socket options.
#include "net/zmq_listener.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace mainstay::mq {
namespace {

constexpr int backlog = 4096;
constexpr int unsent_in_kernel = 256 << 10; // a client that reads nothing holds no more of the kernel's memory

[[noreturn]] void fail(const std::string& endpoint, const std::string& why) {
  throw std::runtime_error("cannot listen on " + endpoint + ": " + why);
}
[[noreturn]] void fail(const std::string& endpoint, int error) {
  fail(endpoint, std::generic_category().message(error));
}

void set(int fd, int level, int option, int value) noexcept { ::setsockopt(fd, level, option, &value, sizeof value); }

/// Accepted sockets inherit these. Keep-alive probes notice a client whose machine vanished.
void set_tcp_options(int fd) {
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_in_kernel);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

int open_socket(int family) { return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

using addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

addresses resolve(const std::string& endpoint, std::string host, std::string port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host == "*") host = "0.0.0.0";
  if (port == "*") port = "0";
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    fail(endpoint, ::gai_strerror(error));
  return {found, &::freeaddrinfo};
}

std::string name_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  char host[INET6_ADDRSTRLEN] = "";
  const bool v6 = address.ss_family == AF_INET6;
  auto& in6 = reinterpret_cast<sockaddr_in6&>(address);
  auto& in4 = reinterpret_cast<sockaddr_in&>(address);
  ::inet_ntop(address.ss_family, v6 ? static_cast<void*>(&in6.sin6_addr) : &in4.sin_addr, host, sizeof host);
  return "tcp://" + (v6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" +
         std::to_string(ntohs(v6 ? in6.sin6_port : in4.sin_port));
}

/// A socket's file that was left by a process that could not clean up: nobody listens there.
bool is_abandoned(const std::string& path, const sockaddr* name, socklen_t size) noexcept {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const int probe = open_socket(AF_UNIX);
  if (probe < 0) return false;
  const bool refused = ::connect(probe, name, size) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

} // namespace

listener::listener(const std::string& endpoint) : endpoint_(endpoint) {
  if (endpoint.starts_with("tcp://"))
    listen_tcp(endpoint.substr(6));
  else if (endpoint.starts_with("ipc://"))
    listen_ipc(endpoint.substr(6));
  else
    fail(endpoint, "neither tcp:// nor ipc://");
}

listener::~listener() {
  if (fd_ >= 0) ::close(fd_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

void listener::listen_tcp(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) fail(endpoint_, "no port");
  const auto found = resolve(endpoint_, address.substr(0, colon), address.substr(colon + 1));
  fd_ = open_socket(found->ai_family);
  if (fd_ < 0) fail(endpoint_, errno);
  set_tcp_options(fd_);
  if (::bind(fd_, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd_, backlog) != 0) {
    const int error = errno;
    ::close(std::exchange(fd_, -1));
    fail(endpoint_, error);
  }
  endpoint_ = name_of(fd_);
}

void listener::listen_ipc(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) fail(endpoint_, "the path is empty or too long");
  path.copy(address.sun_path, path.size());
  const bool abstract = path.front() == '@';
  if (abstract) address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  auto* name = reinterpret_cast<const sockaddr*>(&address);
  if (!abstract && is_abandoned(path, name, size)) ::unlink(path.c_str());
  fd_ = open_socket(AF_UNIX);
  if (fd_ < 0 || ::bind(fd_, name, size) != 0 || ::listen(fd_, backlog) != 0) {
    const int error = errno;
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    fail(endpoint_, error);
  }
  if (!abstract) path_ = path;
}

listener::caller listener::accept() const noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int fd = ::accept4(fd_, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return {};
  if (address.ss_family == AF_UNSPEC) address.ss_family = AF_UNIX; // an unnamed one
  return {fd, mainstay::name_of(address)};
}

} // namespace mainstay::mq
