// Wakes a thread that waits in poll or epoll, from any other thread: an eventfd.
// Promises: signal() never blocks; any number of signals before the next clear() cost one write. The waiting thread
// calls clear() first and looks into its queues afterwards, so nothing pushed before a signal is overlooked.
#pragma once

#include <atomic>

namespace mainstay {

class wakeup {
public:
  wakeup(); // throws std::system_error when the process has no descriptors left
  ~wakeup();
  wakeup(const wakeup&) = delete;
  wakeup& operator=(const wakeup&) = delete;

  int fd() const noexcept { return fd_; }
  void signal() noexcept;
  void clear() noexcept;

private:
  int fd_;
  std::atomic<bool> raised_{false};
};

/// Leaves signals to the thread that wants them, and makes a write to a closed socket an EPIPE instead of a death.
/// To be called first in every thread of net/. Faults of the program itself stay deliverable.
void block_signals_in_this_thread() noexcept;

} // namespace mainstay
