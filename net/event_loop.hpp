// One thread that waits for sockets, timers and other threads' tasks, and then does what they ask for: every HTTP
// connection, the calls to providers and the actors' turns live on such a thread, so that a request crosses no thread
// on its way. Promises: watchers are level-triggered and never called after unwatch(); tasks run in the order they were
// posted, and however many are posted, the thread is woken once; followers work after every round of events until none
// has anything left. Throwing is forgiven (the round goes on without the thrower). Nobody here may block.
#pragma once

#include "core/clock.hpp"
#include "net/deadline_wheel.hpp"
#include "net/wakeup.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <vector>

namespace mainstay {

class event_loop {
public:
  using task = std::function<void()>;

  /// Owner of a descriptor. Told on the loop's thread; `events` as of epoll.
  class watcher {
  public:
    virtual void on_events(int fd, std::uint32_t events) = 0;

  protected:
    ~watcher() = default;
  };

  /// Has work of its own that comes up while others work; asked after every round.
  class follower {
  public:
    /// Does a bounded amount. True: something was done, all are to be asked again.
    virtual bool work() = 0;
    /// There is work left: the next round must not wait.
    virtual bool pending() const = 0;
    /// When it wants to work even if nothing happens; instant::max(): never.
    virtual instant due() const = 0;

  protected:
    ~follower() = default;
  };

  /// Something with a coarse deadline (the wheel's ticks), called once when it has passed.
  class timed : public deadline_wheel::entry {
  public:
    virtual void on_deadline() = 0;

  protected:
    ~timed() = default;
  };

  /// The thread starts at once, with no signals of its own. Throws std::system_error without descriptors or threads.
  explicit event_loop(const std::string& thread_name);
  ~event_loop(); // stop()
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  // Any thread.
  /// False: the loop has stopped, and the task was dropped.
  bool post(task);
  /// Runs it on the loop's thread and waits for that; at once where this is the loop's thread or it has stopped.
  void run(const task&);
  bool on_thread() const noexcept;
  /// Ends the thread after what was posted before. Idempotent; not from the loop's own thread.
  void stop();

  // The loop's thread only (or before anything of it is used).
  /// Throws std::system_error.
  void watch(int fd, std::uint32_t events, watcher&);
  /// Another set of events for the same watcher.
  void rewatch(int fd, std::uint32_t events);
  /// To be called before the descriptor is closed.
  void unwatch(int fd) noexcept;
  void follow(follower&);
  void unfollow(follower&) noexcept;
  void arm(timed& entry, instant due) noexcept { wheel_.arm(entry, due); }
  void disarm(timed& entry) noexcept { wheel_.disarm(entry); }
  /// Grows with every round: who wants to work once in each can tell them apart.
  std::uint64_t rounds() const noexcept { return rounds_; }
  /// Runs the task at that time, to the millisecond; there is no taking it back.
  void at(instant when, task);

private:
  struct watched {
    watcher* by = nullptr;
    std::uint32_t events = 0, generation = 0;
  };
  struct timer {
    instant when;
    std::uint64_t number;
    task what;
    bool operator<(const timer& other) const noexcept {
      return when != other.when ? when > other.when : number > other.number;
    }
  };

  void loop(const std::string& name);
  void round();
  int wait_ms() const;
  void run_tasks();
  void run_followers();
  void run_timers();
  void control(int operation, int fd, std::uint32_t events);

  const int epoll_;
  wakeup wake_;
  deadline_wheel wheel_{clock::now()};
  std::vector<watched> watched_; // by descriptor
  std::vector<follower*> followers_;
  std::priority_queue<timer> timers_;
  std::uint64_t timers_made_ = 0, rounds_ = 0;
  std::vector<task> own_;   // posted from the loop's thread
  std::vector<task> batch_; // being done

  std::mutex mutex_; // guards the next two
  std::vector<task> posted_;
  bool closed_ = false;
  std::atomic<bool> stopping_{false};
  std::mutex stop_mutex_;
  std::thread thread_;
};

} // namespace mainstay
