// What the tests of the HTTP server share: a client on a raw socket that never waits longer than it says, and a handler
// that hands its requests to the test.
#pragma once

#include "net/http_server.hpp"

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mainstay::http::test {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
inline constexpr auto patience = 10s;

/// A caller. All waits end with patience; a failed wait fails the test.
class caller {
public:
  explicit caller(std::uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  caller(caller&& other) noexcept { *this = std::move(other); }
  caller& operator=(caller&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(connected_, other.connected_);
    std::swap(ended_, other.ended_);
    got_.swap(other.got_);
    return *this;
  }
  ~caller() { leave(); }

  bool connected() const { return connected_; }
  void leave() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    leave();
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }

  /// False: the connection broke (or nobody reads) before everything was taken.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!wait(POLLOUT, patience)) return false;
      auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno != EAGAIN) return false;
      if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// One read into the buffer. False: end, reset, or nothing within `time`.
  bool receive(std::chrono::milliseconds time = patience) {
    if (!wait(POLLIN, time)) return false;
    char piece[65536];
    auto n = ::recv(fd_, piece, sizeof piece, MSG_DONTWAIT);
    if (n <= 0) {
      ended_ = true;
      return false;
    }
    got_.append(piece, static_cast<std::size_t>(n));
    return true;
  }

  /// Plays a slow reader.
  void receive_nothing_for(std::chrono::milliseconds time) const { ::poll(nullptr, 0, static_cast<int>(time.count())); }

  /// Everything up to and including `mark`, or what came before the end.
  std::string until(std::string_view mark) {
    for (std::size_t from = 0;;) {
      if (auto at = got_.find(mark, from); at != std::string::npos) return take(at + mark.size());
      from = got_.size() - std::min(got_.size(), mark.size() - 1);
      if (!receive()) return std::exchange(got_, {});
    }
  }

  std::string take(std::size_t n) {
    while (got_.size() < n && receive()) {}
    auto out = got_.substr(0, n);
    got_.erase(0, out.size());
    return out;
  }

  /// Everything to the end of the connection.
  std::string rest() {
    while (receive()) {}
    return std::exchange(got_, {});
  }

  /// The server closed, and sent nothing more.
  bool closed() {
    auto more = rest();
    return ended_ && more.empty();
  }

  struct answer {
    int status = 0;
    std::string head, body;
    bool has(std::string_view line) const { return head.find(line) != std::string::npos; }
  };

  /// A whole answer with a content-length.
  answer reply() {
    answer a;
    a.head = until("\r\n\r\n");
    if (a.head.size() < 12) return a;
    a.status = std::atoi(a.head.c_str() + 9);
    if (auto at = a.head.find("content-length: "); at != std::string::npos)
      a.body = take(static_cast<std::size_t>(std::atoll(a.head.c_str() + at + 16)));
    return a;
  }

  answer ask(std::string_view bytes) {
    send(bytes);
    return reply();
  }

  const std::string& buffered() const { return got_; }

private:
  bool wait(short what, std::chrono::milliseconds time) {
    pollfd p{fd_, what, 0};
    return ::poll(&p, 1, static_cast<int>(time.count())) > 0;
  }

  int fd_ = -1;
  bool connected_ = false, ended_ = false;
  std::string got_;
};

inline std::string get(std::string_view path = "/", std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
inline std::string post(std::string_view body, std::string_view fields = "") {
  return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) +
         "\r\n" + std::string(body);
}

/// A number that other threads raise and the test waits for.
class counter {
public:
  void raise(std::size_t by = 1) {
    std::lock_guard lock(mutex_);
    value_ += by;
    changed_.notify_all();
  }
  bool reaches(std::size_t value, std::chrono::milliseconds time = patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [&] { return value_ >= value; });
  }
  std::size_t value() const {
    std::lock_guard lock(mutex_);
    return value_;
  }

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t value_ = 0;
};

struct asked {
  request what;
  bytes_ptr body;
  std::shared_ptr<response> answer;
};

/// Answers by `answering` on the server's thread, or keeps requests for the test, which answers from its own.
class scripted : public handler {
public:
  std::function<refusal(const request&)> checking;
  std::function<void(asked)> answering;

  refusal check_head(const request& r) override { return checking ? checking(r) : refusal{}; }
  void handle(request r, bytes_ptr body, std::shared_ptr<response> answer) override {
    asked a{std::move(r), std::move(body), std::move(answer)};
    handled.raise();
    if (answering) return answering(std::move(a));
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(a));
    came_.notify_one();
  }

  asked next() {
    std::unique_lock lock(mutex_);
    if (!came_.wait_for(lock, patience, [&] { return !waiting_.empty(); })) throw std::runtime_error("no request came");
    auto a = std::move(waiting_.front());
    waiting_.pop_front();
    return a;
  }

  counter handled;

private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<asked> waiting_;
};

/// A server with a scripted handler.
struct door {
  explicit door(server_settings settings = {}, bool start = true)
    : it(std::make_shared<event_loop>("test"), settings, script) {
    if (start) it.start();
  }
  caller call(int receive_buffer = 0) { return caller(it.port(), receive_buffer); }
  /// Answers every request at once with its path.
  void echo_paths() {
    script->answering = [](asked a) { a.answer->reply(200, {}, make_bytes(a.what.path)); };
  }
  /// The last connection is gone. There is no signal for that, so this looks again and again, yielding.
  bool empties() {
    for (auto end = clock::now() + patience; it.connections() > 0;) {
      if (clock::now() > end) return false;
      ::poll(nullptr, 0, 1);
    }
    return true;
  }

  std::shared_ptr<scripted> script = std::make_shared<scripted>();
  server it;
};

} // namespace mainstay::http::test
