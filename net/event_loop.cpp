// A round: wait, events, tasks, followers until they are quiet, timers. Tasks of the loop's own thread need neither the
// lock nor the eventfd.
#include "net/event_loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <future>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>

namespace mainstay {

namespace {

constexpr std::size_t events_a_round = 512;
constexpr int follower_passes = 64; // then sockets get their turn, whatever followers still want
constexpr std::uint32_t wakeup_fd_mark = ~std::uint32_t{0};

thread_local const event_loop* current = nullptr;

int make_epoll() {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

template <class Step>
void forgiving(Step&& step) noexcept {
  try {
    step();
  } catch (...) { // whoever threw looks after its own; the others on this thread go on
  }
}

} // namespace

event_loop::event_loop(const std::string& thread_name) : epoll_(make_epoll()) {
  epoll_event wish{};
  wish.events = EPOLLIN;
  wish.data.u64 = std::uint64_t{wakeup_fd_mark} << 32;
  // Signals are for the main thread: the new one inherits a mask that is closed from the start.
  sigset_t before;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_.fd(), &wish) != 0 ? errno : 0;
  try {
    if (failed) throw std::system_error(failed, std::generic_category(), "epoll_ctl");
    thread_ = std::thread([this, thread_name] { loop(thread_name); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    close(epoll_);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

event_loop::~event_loop() {
  stop();
  close(epoll_);
}

bool event_loop::on_thread() const noexcept { return current == this; }

bool event_loop::post(task what) {
  if (on_thread()) {
    own_.push_back(std::move(what));
    return true;
  }
  {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    posted_.push_back(std::move(what));
  }
  wake_.signal();
  return true;
}

void event_loop::run(const task& what) {
  if (on_thread()) return what();
  std::promise<void> done;
  bool accepted = post([&] {
    try {
      what();
      done.set_value();
    } catch (...) { done.set_exception(std::current_exception()); }
  });
  if (accepted) return done.get_future().get();
  std::lock_guard lock(stop_mutex_); // the thread has gone, or is about to: nobody else touches what it owned
  what();
}

void event_loop::stop() {
  std::lock_guard lock(stop_mutex_);
  if (!thread_.joinable()) return;
  stopping_.store(true);
  wake_.signal();
  thread_.join();
}

void event_loop::control(int operation, int fd, std::uint32_t events) {
  auto& w = watched_[static_cast<std::size_t>(fd)];
  epoll_event wish{};
  wish.events = events;
  wish.data.u64 = std::uint64_t{static_cast<std::uint32_t>(fd)} << 32 | w.generation;
  if (epoll_ctl(epoll_, operation, fd, &wish) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  w.events = events;
}

void event_loop::watch(int fd, std::uint32_t events, watcher& by) {
  auto index = static_cast<std::size_t>(fd);
  if (watched_.size() <= index) watched_.resize(std::max(index + 1, watched_.size() * 2));
  control(EPOLL_CTL_ADD, fd, events);
  watched_[index].by = &by;
}

void event_loop::rewatch(int fd, std::uint32_t events) {
  if (watched_[static_cast<std::size_t>(fd)].events != events) control(EPOLL_CTL_MOD, fd, events);
}

void event_loop::unwatch(int fd) noexcept {
  auto index = static_cast<std::size_t>(fd);
  if (index >= watched_.size() || !watched_[index].by) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  auto& w = watched_[index];
  w.by = nullptr;
  w.events = 0;
  ++w.generation; // events of this round that are still to come are nobody's
}

void event_loop::follow(follower& f) { followers_.push_back(&f); }

void event_loop::unfollow(follower& f) noexcept {
  std::replace(followers_.begin(), followers_.end(), &f, static_cast<follower*>(nullptr)); // they may be walked now
}

void event_loop::at(instant when, task what) { timers_.push({when, ++timers_made_, std::move(what)}); }

void event_loop::loop(const std::string& name) {
  block_signals_in_this_thread();
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  current = this;
  while (!stopping_.load()) round();
  for (bool more = true; more;) { // what was posted before the stop is done; from then on nothing is taken
    run_tasks();
    std::lock_guard lock(mutex_);
    closed_ = posted_.empty() && own_.empty();
    more = !closed_;
  }
  current = nullptr;
}

void event_loop::round() {
  std::array<epoll_event, events_a_round> events;
  auto count = epoll_wait(epoll_, events.data(), events.size(), wait_ms());
  ++rounds_;
  for (int i = 0; i < count; ++i) {
    auto fd = static_cast<std::uint32_t>(events[i].data.u64 >> 32);
    if (fd == wakeup_fd_mark) {
      wake_.clear();
      continue;
    }
    auto& w = watched_[fd];
    if (!w.by || w.generation != static_cast<std::uint32_t>(events[i].data.u64)) continue;
    forgiving([&, by = w.by] { by->on_events(static_cast<int>(fd), events[i].events); });
  }
  run_tasks();
  run_followers();
  run_timers();
}

int event_loop::wait_ms() const {
  if (!own_.empty()) return 0;
  auto until = wheel_.empty() ? instant::max() : wheel_.next_turn();
  if (!timers_.empty()) until = std::min(until, timers_.top().when);
  for (auto* f : followers_) {
    if (f && f->pending()) return 0;
    if (f) until = std::min(until, f->due());
  }
  if (until == instant::max()) return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

/// Those of other threads, then our own, also what they post meanwhile.
void event_loop::run_tasks() {
  {
    std::lock_guard lock(mutex_);
    batch_.swap(posted_);
  }
  for (auto& t : batch_) forgiving(t);
  batch_.clear();
  for (int pass = 0; !own_.empty() && pass < follower_passes; ++pass) {
    batch_.swap(own_);
    for (auto& t : batch_) forgiving(t);
    batch_.clear();
  }
}

void event_loop::run_followers() {
  bool more = true;
  for (int pass = 0; more && pass < follower_passes; ++pass) {
    more = false;
    for (std::size_t i = 0; i < followers_.size(); ++i)
      if (auto* f = followers_[i]) forgiving([&] { more = f->work() || more; });
    if (!own_.empty()) {
      run_tasks();
      more = true;
    }
  }
  std::erase(followers_, nullptr);
}

void event_loop::run_timers() {
  auto now = clock::now();
  while (!timers_.empty() && timers_.top().when <= now) {
    own_.push_back(std::move(const_cast<timer&>(timers_.top()).what)); // its order does not depend on it
    timers_.pop();
  }
  if (!wheel_.empty() && wheel_.next_turn() <= now)
    wheel_.expire(now, [](deadline_wheel::entry& e) { forgiving([&] { static_cast<timed&>(e).on_deadline(); }); });
}

} // namespace mainstay
