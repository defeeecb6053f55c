#include "tools/load/reactor.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace mainstay::load {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

} // namespace

reactor::reactor()
  : epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
    timer_(checked(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create")) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr; // the alarm: it only ends the wait
  checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event), "epoll_ctl");
}

reactor::~reactor() {
  close(timer_);
  close(epoll_);
}

void reactor::watch(int descriptor, std::uint32_t events, watcher& w) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.ptr = &w;
  checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
}

void reactor::turn(instant until, const std::function<void()>& after) {
  auto now = clock::now();
  if (until > now && until != alarm_) { // setting it anew also quiets one that has rung
    auto since = std::max(until.time_since_epoch(), duration(1));
    itimerspec when{};
    when.it_value.tv_sec = since / 1s;
    when.it_value.tv_nsec = (since % 1s).count();
    checked(timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr), "timerfd_settime");
    alarm_ = until;
  }
  std::array<epoll_event, 256> events;
  auto count = epoll_wait(epoll_, events.data(), events.size(), until > now ? -1 : 0);
  if (count < 0 && errno != EINTR) checked(count, "epoll_wait");
  for (int i = 0; i < count; ++i) {
    if (!events[i].data.ptr) continue;
    static_cast<watcher*>(events[i].data.ptr)->ready(events[i].events);
    after();
  }
}

} // namespace mainstay::load
