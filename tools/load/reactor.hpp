// One thread's events: readiness of descriptors, edge-triggered (epoll), and one alarm (timerfd, which is exact to
// microseconds where epoll's own time-out is not).
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <functional>

namespace mainstay::load {

/// Whoever waits for a descriptor. Must outlive the turn in which it was taken off.
class watcher {
public:
  virtual void ready(std::uint32_t events) = 0; // EPOLL*; an edge: read and write until it would block

protected:
  ~watcher() = default;
};

class reactor {
public:
  reactor(); // throws std::system_error
  ~reactor();
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;

  /// Until the descriptor is closed. Throws std::system_error.
  void watch(int descriptor, std::uint32_t events, watcher&);
  /// Waits until something is ready or `until` has come, and serves all that is; `after` is called after each watcher.
  void turn(instant until, const std::function<void()>& after);

private:
  int epoll_ = -1, timer_ = -1;
  instant alarm_{};
};

} // namespace mainstay::load
