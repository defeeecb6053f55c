// The listening socket: accepts, paces accepting when places or file descriptors run out, drains, stops. Lives on an
// event_loop it shares with others.
#include "net/http_server.hpp"

#include "net/http_connection.hpp"
#include "net/peer_name.hpp"

#include <cerrno>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace mainstay::http {

using namespace std::chrono_literals;

namespace {

constexpr int listen_backlog = 4096;
constexpr int most_accepts_per_turn = 128;
constexpr auto accept_pause = 100ms; // after running out of file descriptors or memory

[[noreturn]] void fail(const server_settings& settings, int error) {
  throw std::system_error(error, std::system_category(),
                          "cannot listen on " + settings.address + ":" + std::to_string(settings.port));
}

/// Accepted sockets inherit these from the listening one, which saves system calls for every connection.
void set_inherited_options(int fd) {
  auto set = [fd](int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  // Keep-alive probes: a caller whose machine vanished is noticed while its answer takes minutes.
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
}

/// A socket that listens on the settings' address; `port` becomes the one it got.
int listen_on(const server_settings& settings, std::uint16_t& port) {
  auto host = settings.address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (getaddrinfo(host.c_str(), std::to_string(settings.port).c_str(), &hints, &found) != 0)
    fail(settings, EADDRNOTAVAIL);
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> holder(found, &freeaddrinfo);
  int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(settings, errno);
  int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  set_inherited_options(fd);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, listen_backlog) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    int error = errno;
    ::close(fd);
    fail(settings, error);
  }
  port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(bound).sin_port);
  return fd;
}

bool out_of_resources(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

} // namespace

struct server::impl final : event_loop::watcher, event_loop::timed {
  impl(std::shared_ptr<event_loop> e, server_settings settings, std::shared_ptr<handler> answers)
    : events(std::move(e)), loop(*events, std::move(settings), std::move(answers)) {
    listener = listen_on(loop.settings, port);
  }

  // --- accepting ---

  void start() {
    if (started || listener < 0) return;
    started = true;
    loop.on_closed = [this] { watch_callers(); };
    events->watch(listener, 0, *this);
    events->follow(loop.handshakes);
    watch_callers();
  }

  bool full() const noexcept { return loop.connections.size() >= loop.settings.max_connections; }

  void watch_callers() {
    if (started && listener >= 0) events->rewatch(listener, full() || pausing ? 0u : EPOLLIN);
  }

  void on_events(int, std::uint32_t) override {
    try {
      for (int i = 0; i < most_accepts_per_turn && !full(); ++i)
        if (!accept_one()) break;
    } catch (...) { // no memory for one more
      pause();
    }
    watch_callers();
  }

  /// False: nobody waits, or accepting has to pause.
  bool accept_one() {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    int fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (out_of_resources(errno)) pause();
      return errno == EINTR || errno == ECONNABORTED;
    }
    std::shared_ptr<connection> c;
    try {
      auto peer = name_of(from);
      c = std::make_shared<connection>(loop, fd, std::move(peer.text), peer.loopback);
    } catch (...) {
      ::close(fd);
      throw;
    }
    loop.connections.emplace(c.get(), c);
    loop.count.store(loop.connections.size(), std::memory_order_relaxed);
    c->start();
    return true;
  }

  void pause() {
    pausing = true;
    events->arm(*this, clock::now() + accept_pause);
  }

  void on_deadline() override {
    pausing = false;
    watch_callers();
  }

  // --- ending ---

  template <class Step>
  void each_connection(Step step) {
    std::vector<std::shared_ptr<connection>> all;
    all.reserve(loop.connections.size());
    for (auto& [_, c] : loop.connections) all.push_back(c);
    for (auto& c : all) step(*c);
  }

  void drain() {
    if (loop.draining) return;
    while (listener >= 0 && !full() && accept_one()) {} // whom the kernel has already let in
    loop.draining = true;
    stop_accepting();
    each_connection([](connection& c) { c.drain(); });
  }

  void stop_accepting() {
    if (listener < 0) return;
    events->unwatch(listener);
    ::close(std::exchange(listener, -1));
    events->disarm(*this);
  }

  void shut_down() {
    loop.draining = true;
    loop.on_closed = nullptr;
    events->unfollow(loop.handshakes);
    stop_accepting();
    each_connection([](connection& c) { c.close(); });
    loop.answers = nullptr; // whoever still holds a response must not keep the handler, which may hold responses
  }

  std::shared_ptr<event_loop> events;
  http_loop loop;
  int listener = -1;
  std::uint16_t port = 0;
  bool started = false, pausing = false; // the loop's thread
};

server::server(std::shared_ptr<event_loop> events, server_settings settings, std::shared_ptr<handler> answers)
  : impl_(std::make_unique<impl>(std::move(events), std::move(settings), std::move(answers))) {}

server::~server() {
  impl_->events->run([this] { impl_->shut_down(); });
}
void server::start() {
  impl_->events->run([this] { impl_->start(); });
}
std::uint16_t server::port() const noexcept { return impl_->port; }
void server::stop() {
  auto end = [i = impl_.get()] { i->shut_down(); };
  if (impl_->events->on_thread())
    impl_->events->post(end); // a handler stops its own server: when it has returned
  else
    impl_->events->run(end);
}
std::size_t server::connections() const noexcept { return impl_->loop.count.load(std::memory_order_relaxed); }

void server::drain() {
  impl_->events->post([i = impl_.get()] { i->drain(); });
}

void server::reconfigure(server_settings settings) {
  impl_->events->run([&] {
    auto& now = impl_->loop.settings;
    now.body_limit = settings.body_limit;
    now.header_timeout = settings.header_timeout;
    now.body_timeout = settings.body_timeout;
    now.idle_timeout = settings.idle_timeout;
    now.write_timeout = settings.write_timeout;
  });
}

void server::use_tls(std::shared_ptr<const tls_context> tls) {
  impl_->events->run([&] { impl_->loop.settings.tls = std::move(tls); });
}

} // namespace mainstay::http
