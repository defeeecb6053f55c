// The eventfd behind wakeup, and the signal mask of the threads that wait for it.
#include "net/wakeup.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace mainstay {

wakeup::wakeup() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

wakeup::~wakeup() { close(fd_); }

void wakeup::signal() noexcept {
  if (raised_.exchange(true)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = write(fd_, &one, sizeof one); // cannot fail: the counter is far from its end
}

void wakeup::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = read(fd_, &count, sizeof count);
  raised_.store(false);
}

void block_signals_in_this_thread() noexcept {
  sigset_t mask;
  sigfillset(&mask);
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) sigdelset(&mask, fault);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
}

} // namespace mainstay
