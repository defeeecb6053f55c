#include "tools/load/http_door.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace mainstay::load {

http_address resolve(const std::string& text) {
  constexpr std::string_view scheme = "http://";
  auto name = text.starts_with(scheme) ? text.substr(scheme.size()) : text;
  while (name.ends_with('/')) name.pop_back();
  auto colon = name.rfind(':');
  if (colon == name.npos || colon == 0) throw std::runtime_error(text + ": must be HOST:PORT");
  auto host = name.substr(0, colon), port = name.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  if (auto code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); code != 0)
    throw std::runtime_error(text + ": " + gai_strerror(code));
  http_address out{name, {}, found->ai_addrlen};
  std::memcpy(&out.address, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return out;
}

class http_door::connection final : public watcher, public response_sink {
public:
  explicit connection(http_door& door) : door_(door) {}
  ~connection() { shut(); }

  std::size_t index = 0; // in its door's list

  void carry(flight& f) {
    flight_ = &f;
    f.carrier = this;
    auto bytes = (f.streamed ? door_.streamed_ : door_.plain_).of(f.number);
    if (socket_ < 0) {
      unsent_ = bytes;
      open();
    } else {
      write(bytes);
    }
  }

  void shut() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

  void ready(std::uint32_t events) override {
    if (socket_ < 0) return;
    if (connecting_ && !connected()) return;
    if (!unsent_.empty() && (events & EPOLLOUT)) {
      auto rest = std::move(unsent_);
      unsent_.clear();
      write(rest);
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) read(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
  }

  void on_head(const response_head& head) override {
    if (flight_) flight_->got.take_status(head.status, head.source);
  }

  void on_body(std::string_view piece) override {
    if (!flight_) return;
    if (auto tokens = flight_->got.take_body(piece)) door_.owner_.tokens_came(*flight_, tokens, now_);
  }

private:
  void open() {
    socket_ = socket(door_.target_.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return fail(fault::connect);
    int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto address = reinterpret_cast<const sockaddr*>(&door_.target_.address);
    connecting_ = connect(socket_, address, door_.target_.length) != 0;
    if (connecting_ && errno != EINPROGRESS) return fail(fault::connect);
    door_.reactor_.watch(socket_, EPOLLIN | EPOLLOUT | EPOLLRDHUP, *this); // writable: its first edge sends
  }

  bool connected() {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) return fail(fault::connect), false;
    connecting_ = false;
    return true;
  }

  // What the kernel does not take now is kept. A lost connection is noticed by reading: an answer may have come first.
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    unsent_ = bytes;
  }

  void read(bool hung_up) {
    auto& buffer = door_.buffer_;
    for (;;) {
      auto got = recv(socket_, buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      now_ = clock::now();
      if (got < 0) return fail(fault::reset);
      if (got == 0) return ended();
      if (!take({buffer.data(), static_cast<std::size_t>(got)})) return;
      if (static_cast<std::size_t>(got) < buffer.size() && !hung_up)
        return; // drained, for less than a call that says so
    }
  }

  // False: the connection is gone.
  bool take(std::string_view bytes) {
    if (!flight_) {
      door_.owner_.surplus();
      return fail(fault::malformed), false;
    }
    switch (reader_.feed(bytes, *this)) {
    case response_reader::state::more: return true;
    case response_reader::state::malformed: return fail(fault::malformed), false;
    case response_reader::state::complete: break;
    }
    if (!bytes.empty()) door_.owner_.surplus();
    auto reusable = reader_.keep_alive() && unsent_.empty() && bytes.empty();
    auto& f = *flight_;
    flight_ = nullptr;
    if (reusable)
      door_.idle_.push_back(this);
    else
      give_up();
    door_.owner_.finished(f, fault::none, now_);
    return reusable;
  }

  void ended() {
    if (!flight_ || reader_.idle() || reader_.end() != response_reader::state::complete) return fail(fault::reset);
    auto& f = *flight_;
    flight_ = nullptr;
    give_up();
    door_.owner_.finished(f, fault::none, now_);
  }

  void fail(fault why) {
    if (!flight_) std::erase(door_.idle_, this);
    give_up();
    if (!flight_) return;
    auto& f = *flight_;
    flight_ = nullptr;
    door_.owner_.finished(f, why, clock::now());
  }

  void give_up() {
    shut();
    door_.lost(*this);
  }

  http_door& door_;
  int socket_ = -1;
  bool connecting_ = false;
  flight* flight_ = nullptr;
  instant now_;
  response_reader reader_;
  std::string unsent_;

  friend class http_door;
};

http_door::http_door(reactor& r, door_owner& owner, http_address target, const request_shape& shape,
                     const question_text& question)
  : reactor_(r), owner_(owner), target_(std::move(target)), plain_(http_request(shape, question, false, target_.name)),
    streamed_(http_request(shape, question, true, target_.name)), buffer_(256u << 10) {}

http_door::~http_door() = default;

void http_door::send(flight& f) {
  if (idle_.empty()) {
    auto& fresh = *connections_.emplace_back(std::make_unique<connection>(*this));
    fresh.index = connections_.size() - 1;
    fresh.carry(f);
    return;
  }
  auto& c = *idle_.back();
  idle_.pop_back();
  c.carry(f);
}

void http_door::abandon(flight& f) {
  auto& c = *static_cast<connection*>(f.carrier);
  c.flight_ = nullptr;
  c.give_up();
}

void http_door::lost(connection& c) {
  auto at = c.index;
  closed_.push_back(std::move(connections_[at]));
  if (at + 1 != connections_.size()) {
    connections_[at] = std::move(connections_.back());
    connections_[at]->index = at;
  }
  connections_.pop_back();
}

bool http_door::before_wait() {
  closed_.clear();
  return false;
}

} // namespace mainstay::load
