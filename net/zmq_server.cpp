// The door's listening sockets: accepts, paces accepting when places or descriptors run out, drains, stops. Lives on an
// event_loop it shares with others.
#include "net/zmq_server.hpp"

#include "net/zmq_connection.hpp"
#include "net/zmq_listener.hpp"

#include <cerrno>
#include <future>
#include <mutex>
#include <sys/epoll.h>
#include <unistd.h>

namespace mainstay::mq {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr int most_accepts_per_turn = 128;
constexpr auto accept_pause = 100ms; // after running out of descriptors or memory
constexpr auto last_words = 1000ms;  // how long stop() lets answers go out

bool out_of_resources(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

} // namespace

struct server::impl final : event_loop::watcher, event_loop::timed {
  impl(std::shared_ptr<event_loop> e, server_settings s, std::shared_ptr<handler> h)
    : events(std::move(e)), loop(std::make_shared<zmq_loop>(*events, std::move(s), std::move(h))) {
    for (auto& endpoint : loop->settings.listen) {
      listeners.push_back(std::make_unique<listener>(endpoint));
      endpoints.push_back(listeners.back()->endpoint());
    }
    loop->answers = std::make_shared<inbox>(*events, [weak = std::weak_ptr(loop)] {
      if (auto l = weak.lock()) l->perform_answers();
    });
  }

  // --- accepting ---

  void start() {
    if (std::exchange(started, true)) return;
    loop->on_closed = [this] { watch_callers(); };
    for (auto& l : listeners) events->watch(l->fd(), 0, *this);
    watch_callers();
  }

  bool full() const noexcept { return loop->connections.size() >= loop->settings.max_connections; }

  void watch_callers() {
    if (!started) return;
    for (auto& l : listeners) events->rewatch(l->fd(), full() || pausing ? 0u : EPOLLIN);
  }

  void on_events(int fd, std::uint32_t) override {
    try {
      for (auto& l : listeners)
        if (l->fd() == fd)
          for (int i = 0; i < most_accepts_per_turn && !full(); ++i)
            if (!accept_one(*l)) break;
    } catch (...) { // no memory for one more
      pause();
    }
    watch_callers();
  }

  /// False: nobody waits, or accepting has to pause.
  bool accept_one(const listener& at) {
    const auto caller = at.accept();
    if (caller.fd < 0) {
      if (out_of_resources(errno)) pause();
      return errno == EINTR || errno == ECONNABORTED;
    }
    const auto number = ++last_number;
    std::shared_ptr<connection> c;
    try {
      c = std::make_shared<connection>(*loop, caller.fd, number, caller.who);
    } catch (...) {
      ::close(caller.fd);
      throw;
    }
    loop->connections.emplace(number, c);
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

  std::vector<std::shared_ptr<connection>> everybody() const {
    std::vector<std::shared_ptr<connection>> all;
    for (auto& [_, c] : loop->connections) all.push_back(c);
    return all;
  }

  bool all_sent() const {
    return std::all_of(loop->connections.begin(), loop->connections.end(),
                       [](auto& c) { return c.second->all_sent(); });
  }

  void stop_accepting() {
    if (started)
      for (auto& l : listeners) events->unwatch(l->fd());
    events->disarm(*this);
    listeners.clear();
  }

  /// Whoever still has a request open hears that nothing will come of it. `then` is called once that has left.
  void say_last_words(std::function<void()> then) {
    stop_accepting();
    loop->perform_answers();
    for (auto& c : everybody()) c->end_all(503, "shutting_down", "the server is shutting down");
    loop->flush();
    const auto look = [this, then = std::move(then), told = std::make_shared<bool>(false)] {
      if (all_sent() && !std::exchange(*told, true)) then();
    };
    loop->on_sent = loop->on_closed = look;
    look();
  }

  void shut_down() {
    stop_accepting();
    loop->on_sent = loop->on_closed = nullptr;
    loop->answers->close();
    for (auto& c : everybody()) c->close();
    loop->door = nullptr; // whoever still holds a response must not keep the handler, which may hold responses
  }

  std::shared_ptr<event_loop> events;
  std::shared_ptr<zmq_loop> loop;
  std::vector<std::unique_ptr<listener>> listeners;
  std::vector<std::string> endpoints;
  std::uint64_t last_number = 0;
  bool started = false, pausing = false; // the loop's thread
  std::mutex stopping;
  bool stopped = false;
};

server::server(std::shared_ptr<event_loop> events, server_settings settings, std::shared_ptr<handler> h)
  : impl_(std::make_unique<impl>(std::move(events), std::move(settings), std::move(h))) {}

server::~server() { stop(); }

void server::start() {
  impl_->events->run([this] { impl_->start(); });
}

std::vector<std::string> server::endpoints() const { return impl_->endpoints; }
void server::use_keys(std::shared_ptr<const curve_keys> keys) {
  impl_->events->run([&] {
    impl_->loop->curve = std::move(keys);
    for (auto& c : impl_->everybody()) c->check_key();
  });
}

void server::drain() { impl_->loop->draining = true; }

void server::stop() {
  std::lock_guard lock(impl_->stopping);
  if (std::exchange(impl_->stopped, true)) return;
  auto sent = std::make_shared<std::promise<void>>();
  impl_->events->run([&] { impl_->say_last_words([sent] { sent->set_value(); }); });
  sent->get_future().wait_for(last_words);
  impl_->events->run([this] { impl_->shut_down(); });
}

std::size_t server::in_flight() const noexcept { return impl_->loop->in_flight; }
std::size_t server::peers() const noexcept { return impl_->loop->peers; }

} // namespace mainstay::mq
