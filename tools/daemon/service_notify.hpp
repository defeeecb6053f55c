// What a service manager (systemd, sd_notify(3)) is told: when the daemon is ready, reloads and stops, and, where the
// manager keeps a watchdog (WatchdogSec), that it still works. Under no manager (NOTIFY_SOCKET is not set) nothing is
// said to anybody.
#pragma once

#include "core/clock.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace mainstay {

class service_notify {
public:
  /// Asks those without whom nothing works, and waits `patience` at most: a line about how it goes, or nothing if they
  /// did not all answer.
  using pulse = std::function<std::optional<std::string>(duration patience)>;

  /// Feels the pulse three times in the manager's patience, on a thread of its own: a drain that takes its time does
  /// not silence it. No sign of life goes out without an answer, so that a daemon that is stuck is started again.
  explicit service_notify(pulse);
  /// No sign of life comes after it. The pulse must work until then.
  ~service_notify();
  service_notify(const service_notify&) = delete;
  service_notify& operator=(const service_notify&) = delete;

  void ready() const;
  void reloading() const; // ready() follows
  void stopping() const;

private:
  void feel(duration every);

  pulse pulse_;
  std::mutex mutex_;
  std::condition_variable over_changed_;
  bool over_ = false;
  std::thread thread_;
};

} // namespace mainstay
