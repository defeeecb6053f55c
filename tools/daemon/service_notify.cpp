#include "tools/daemon/service_notify.hpp"

#include <systemd/sd-daemon.h>

namespace mainstay {

namespace {

constexpr int times_in_its_patience = 3;

/// A manager that cannot be reached is no reason to serve nobody.
void tell(const std::string& news) { sd_notify(0, news.c_str()); }

} // namespace

service_notify::service_notify(pulse p) : pulse_(std::move(p)) {
  std::uint64_t patience_us = 0;
  if (sd_watchdog_enabled(0, &patience_us) > 0)
    thread_ =
        std::thread([this, every = std::chrono::microseconds(patience_us) / times_in_its_patience] { feel(every); });
}

service_notify::~service_notify() {
  {
    std::lock_guard lock(mutex_);
    over_ = true;
  }
  over_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void service_notify::ready() const { tell("READY=1"); }
void service_notify::reloading() const { tell("RELOADING=1"); }
void service_notify::stopping() const { tell("STOPPING=1"); }

void service_notify::feel(duration every) {
  std::unique_lock lock(mutex_);
  while (!over_) {
    lock.unlock();
    if (const auto how = pulse_(every)) tell("WATCHDOG=1\nSTATUS=" + *how);
    lock.lock();
    over_changed_.wait_for(lock, every, [this] { return over_; });
  }
}

} // namespace mainstay
