// When each of many wants to be looked at again. A sleeper says itself when that changes, so whoever looks after many
// asks none of them: O(log n) a change, and a change takes no memory. Equal times go in the order in which they were
// said. A sleeper that is in no queue is asked for its time.
#pragma once

#include "core/clock.hpp"

#include <map>
#include <vector>

namespace mainstay {

class sleeper;

class wake_queue {
public:
  wake_queue() = default;
  wake_queue(const wake_queue&) = delete;
  wake_queue& operator=(const wake_queue&) = delete;
  ~wake_queue();

  /// Until the sleeper's end, or the queue's.
  void add(sleeper&);
  /// The earliest time; max(): nobody wants anything.
  instant next() const noexcept { return order_.empty() ? instant::max() : order_.begin()->first; }
  /// Those whose time has come, the earliest first.
  std::vector<sleeper*> due(instant now) const;

private:
  friend class sleeper;
  std::multimap<instant, sleeper*> order_; // all of them: those that want nothing at its end
};

class sleeper {
public:
  sleeper() = default;
  sleeper(const sleeper&) = delete;
  sleeper& operator=(const sleeper&) = delete;
  instant next_wake() const noexcept { return wake_; }

protected:
  ~sleeper();
  /// Then at the latest.
  void wake_at(instant t) noexcept {
    if (t < wake_) move_to(t);
  }
  /// It was looked at: it wants nothing until it says so.
  void sleep() noexcept { move_to(instant::max()); }

private:
  friend class wake_queue;
  void move_to(instant) noexcept;
  wake_queue* queue_ = nullptr;
  std::multimap<instant, sleeper*>::iterator place_;
  instant wake_ = instant::max();
};

} // namespace mainstay
