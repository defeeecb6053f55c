// While one of these lives, the first interrupt (Ctrl-C) is only noted, so that what was begun can be ended in order;
// the second one ends us.
#pragma once

#include <csignal>

namespace mainstay::ctl {

class interruptible {
public:
  interruptible() {
    seen = 0;
    struct sigaction on {};
    on.sa_handler = [](int) { seen = 1; };
    on.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &on, &before_);
  }
  ~interruptible() { sigaction(SIGINT, &before_, nullptr); }
  interruptible(const interruptible&) = delete;
  interruptible& operator=(const interruptible&) = delete;

  bool interrupted() const noexcept { return seen != 0; }

private:
  static inline volatile std::sig_atomic_t seen = 0;
  struct sigaction before_ {};
};

} // namespace mainstay::ctl
