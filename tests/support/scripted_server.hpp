// A TCP server for tests whose every connection runs a script on a thread of its own: it reads, sends, stalls, cuts or
// resets as the test says. Owns its threads and sockets; its end wakes every script that still waits. Blocking reads
// and writes give up after ten seconds, so that a failing test ends.
#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <list>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <strings.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace mainstay::test {

struct scripted_request {
  std::string head; // request line and fields with their line ends, without the blank line
  std::string body;

  /// Value of a field, by name in any case; none where it is missing.
  std::optional<std::string> field(std::string_view name) const {
    for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
      auto line = std::string_view{head}.substr(at + 2);
      if (line.size() <= name.size() || line[name.size()] != ':') continue;
      if (strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
      line = line.substr(name.size() + 1, line.find("\r\n") - name.size() - 1);
      return std::string{line.substr(std::min(line.find_first_not_of(' '), line.size()))};
    }
    return std::nullopt;
  }
};

class scripted_connection {
public:
  scripted_connection(int fd, std::size_t number) : fd_(fd), number_(number) {}
  ~scripted_connection() { close(); }

  /// Counted from 0 in the order of accept.
  std::size_t number() const { return number_; }

  /// A whole request with a content-length body; none: the peer left first.
  std::optional<scripted_request> read_request() {
    scripted_request out;
    std::size_t end;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos)
      if (!read_more()) return std::nullopt;
    out.head = input_.substr(0, end + 2);
    input_.erase(0, end + 4);
    auto length = std::strtoull(out.field("content-length").value_or("0").c_str(), nullptr, 10);
    while (input_.size() < length)
      if (!read_more()) return std::nullopt;
    out.body = input_.substr(0, length);
    input_.erase(0, length);
    return out;
  }

  /// Some bytes are there, or the peer left (false).
  bool read_more() {
    char buffer[65536];
    auto n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    input_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Sends `total` bytes of `x` until nothing has gone out for `patience`; how many went.
  std::size_t send_until_stuck(std::size_t total, std::chrono::milliseconds patience) {
    const std::string chunk(65536, 'x');
    std::size_t sent = 0;
    while (sent < total) {
      pollfd p{fd_, POLLOUT, 0};
      if (::poll(&p, 1, static_cast<int>(patience.count())) <= 0) break;
      auto n = ::send(fd_, chunk.data(), std::min(chunk.size(), total - sent), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    return sent;
  }

  /// Until the peer closes; what still comes is thrown away.
  void wait_until_left() {
    while (read_more()) input_.clear();
  }

  /// Lets `time` pass without reading, or returns early when the peer leaves.
  void pass(std::chrono::milliseconds time) {
    pollfd p{fd_, POLLRDHUP, 0};
    ::poll(&p, 1, static_cast<int>(time.count()));
  }

  void close() {
    std::lock_guard lock(mutex_);
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  /// Closes with a RST instead of a FIN.
  void reset() {
    linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }

  /// From another thread: every call above fails from now on.
  void interrupt() {
    std::lock_guard lock(mutex_);
    if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
  }

private:
  std::mutex mutex_; // interrupt() against close()
  std::atomic<int> fd_;
  std::size_t number_;
  std::string input_;
};

class scripted_server {
public:
  using script = std::function<void(scripted_connection&)>;

  /// `receive_buffer` > 0 makes the kernel hold back a sender early.
  explicit scripted_server(script s, int receive_buffer = 0) : script_(std::move(s)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 1024) != 0)
      throw std::runtime_error("scripted_server: no port");
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~scripted_server() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (auto& r : running_) r.connection.interrupt();
    for (auto& r : running_) r.thread.join();
    ::close(listener_);
  }

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string{path};
  }
  std::size_t accepted() const { return accepted_.load(); }

private:
  struct running {
    running(int fd, std::size_t number) : connection(fd, number) {}
    scripted_connection connection;
    std::thread thread;
  };

  void accept_all() {
    for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      timeval patience{10, 0};
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      auto& r = running_.emplace_back(fd, accepted_.fetch_add(1));
      r.thread = std::thread([this, &r] {
        script_(r.connection);
        r.connection.close();
      });
    }
  }

  script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> accepted_{0};
  std::list<running> running_; // the acceptor's until it is joined
  std::thread acceptor_;
};

} // namespace mainstay::test
