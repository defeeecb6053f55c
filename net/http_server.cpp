// The listening socket and the thread: accepts, paces accepting when places or file descriptors run out, drains, stops.
// The thread ends by running out of work: stop() closes everything, and a loop without connections and timers returns.
#include "net/http_server.hpp"

#include "net/http_connection.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <csignal>
#include <fcntl.h>
#include <mutex>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>

namespace mainstay::http {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr int listen_backlog = 4096;
constexpr int most_accepts_per_turn = 128;
constexpr auto accept_pause = 100ms; // after running out of file descriptors or memory

[[noreturn]] void fail(const server_settings& settings, const boost::system::error_code& ec) {
  std::error_code code = ec.category() == boost::system::system_category()
                             ? std::error_code(ec.value(), std::system_category())
                             : std::make_error_code(std::errc::address_not_available);
  throw std::system_error(code, "cannot listen on " + settings.address + ":" + std::to_string(settings.port));
}

tcp::endpoint endpoint_of(asio::io_context& context, const server_settings& settings) {
  auto host = settings.address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  boost::system::error_code ec;
  auto address = asio::ip::make_address(host, ec);
  if (!ec) return {address, settings.port};
  auto found = tcp::resolver(context).resolve(host, std::to_string(settings.port), tcp::resolver::passive, ec);
  if (ec || found.empty()) fail(settings, ec);
  return found.begin()->endpoint();
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

bool out_of_resources(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

} // namespace

struct server::impl : std::enable_shared_from_this<server::impl> {
  impl(server_settings settings, std::shared_ptr<handler> answers)
    : loop(std::make_shared<http_loop>(std::move(settings), std::move(answers))) {
    listen();
  }

  void listen() {
    auto endpoint = endpoint_of(loop->context, loop->settings);
    boost::system::error_code ec;
    auto check = [&] {
      if (ec) fail(loop->settings, ec);
    };
    acceptor.open(endpoint.protocol(), ec), check();
    ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    acceptor.set_option(tcp::acceptor::reuse_address(true), ec), check();
    set_inherited_options(acceptor.native_handle());
    acceptor.bind(endpoint, ec), check();
    acceptor.listen(listen_backlog, ec), check();
    acceptor.non_blocking(true, ec), check();
    port = acceptor.local_endpoint(ec).port(), check();
  }

  void run() {
    wait_for_callers();
    for (;;) try {
        loop->context.run();
        return;
      } catch (...) { // connections catch their own; whatever else went wrong, the door stays open
      }
  }

  // --- accepting ---

  void wait_for_callers() {
    if (waiting || pausing || !acceptor.is_open()) return;
    waiting = true;
    acceptor.async_wait(tcp::acceptor::wait_read, [this](boost::system::error_code ec) {
      waiting = false;
      if (!ec) accept_callers();
    });
  }

  bool full() const noexcept { return loop->connections.size() >= loop->settings.max_connections; }

  void accept_callers() {
    try {
      for (int i = 0; i < most_accepts_per_turn && !full(); ++i)
        if (!accept_one()) break;
    } catch (...) { // no memory for one more
      pause();
    }
    if (!full()) wait_for_callers(); // else on_closed does
  }

  /// False: nobody waits, or accepting has to pause.
  bool accept_one() {
    tcp::endpoint peer;
    auto size = static_cast<socklen_t>(peer.capacity());
    int fd = ::accept4(acceptor.native_handle(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (out_of_resources(errno)) pause();
      return errno == EINTR || errno == ECONNABORTED;
    }
    peer.resize(size);
    tcp::socket socket(loop->context);
    boost::system::error_code ec;
    socket.assign(peer.protocol(), fd, ec);
    if (ec) {
      ::close(fd);
      return true;
    }
    auto c = std::make_shared<connection>(*loop, std::move(socket), peer);
    loop->connections.emplace(c.get(), c);
    loop->count.store(loop->connections.size(), std::memory_order_relaxed);
    c->start();
    return true;
  }

  void pause() {
    pausing = true;
    pause_timer.expires_after(accept_pause);
    pause_timer.async_wait([this](boost::system::error_code ec) {
      pausing = false;
      if (!ec) accept_callers();
    });
  }

  // --- ending ---

  template <class Step>
  void each_connection(Step step) {
    std::vector<std::shared_ptr<connection>> all;
    all.reserve(loop->connections.size());
    for (auto& [_, c] : loop->connections) all.push_back(c);
    for (auto& c : all) step(*c);
  }

  void drain() {
    if (loop->draining) return;
    while (acceptor.is_open() && !full() && accept_one()) {} // whom the kernel has already let in
    loop->draining = true;
    stop_accepting();
    each_connection([](connection& c) { c.drain(); });
  }

  void stop_accepting() {
    boost::system::error_code ignored;
    acceptor.close(ignored);
    pause_timer.cancel(ignored);
  }

  void shut_down() {
    loop->draining = true;
    stop_accepting();
    loop->on_closed = nullptr;
    each_connection([](connection& c) { c.close(); });
    loop->turning.cancel();
    work.reset();
  }

  void start(std::shared_ptr<impl> self) {
    std::lock_guard lock(control);
    if (thread.joinable() || stopped) return;
    loop->on_closed = [this]() noexcept {
      if (!full()) wait_for_callers();
    };
    // Signals are for the main thread.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      thread = std::thread([self = std::move(self)] { self->run(); });
    } catch (...) {
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void stop() {
    std::lock_guard lock(control);
    if (!std::exchange(stopped, true)) {
      if (!thread.joinable()) return stop_accepting();
      asio::post(loop->context, [this] { shut_down(); });
    }
    if (!thread.joinable()) return;
    // From inside a handler the thread cannot wait for itself: it ends when the handler has returned.
    if (thread.get_id() == std::this_thread::get_id()) return thread.detach();
    thread.join();
    loop->answers =
        nullptr; // responses still held somewhere keep the loop; let them not keep the handler, which may hold them
  }

  std::shared_ptr<http_loop> loop;
  tcp::acceptor acceptor{loop->context};
  asio::steady_timer pause_timer{loop->context};
  asio::executor_work_guard<asio::io_context::executor_type> work{loop->context.get_executor()};
  std::uint16_t port = 0;
  bool waiting = false, pausing = false; // the loop's thread
  std::mutex control;                    // start and stop
  bool stopped = false;
  std::thread thread;
};

server::server(server_settings settings, std::shared_ptr<handler> answers)
  : impl_(std::make_shared<impl>(std::move(settings), std::move(answers))) {}

server::~server() { stop(); }
void server::start() { impl_->start(impl_); }
std::uint16_t server::port() const noexcept { return impl_->port; }
void server::stop() { impl_->stop(); }
std::size_t server::connections() const noexcept { return impl_->loop->count.load(std::memory_order_relaxed); }

void server::drain() {
  asio::post(impl_->loop->context, [i = impl_.get()] { i->drain(); });
}

void server::reconfigure(server_settings settings) {
  asio::post(impl_->loop->context, [i = impl_.get(), settings = std::move(settings)] {
    auto& now = i->loop->settings;
    now.body_limit = settings.body_limit;
    now.header_timeout = settings.header_timeout;
    now.body_timeout = settings.body_timeout;
    now.idle_timeout = settings.idle_timeout;
    now.write_timeout = settings.write_timeout;
  });
}

} // namespace mainstay::http
