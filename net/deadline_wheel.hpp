// Coarse deadlines for very many things of which few ever fire: a wheel of intrusive lists. Arming, moving and
// disarming are O(1) and mostly a mere store: a deadline moved later (or disarmed) stays in its slot and is looked at
// again when the slot comes up. Fires never early, late by at most one tick and what the caller adds. One thread; time
// is passed in.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mainstay {

class deadline_wheel {
public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr time_point never = time_point::max();
  static constexpr std::chrono::milliseconds tick{50};

  /// Base of what has a deadline. Leaves its wheel by itself when destroyed; must not outlive it while armed.
  class entry {
  public:
    entry() = default;
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    ~entry() { unlink(); }
    time_point deadline() const noexcept { return due_; }

  private:
    friend class deadline_wheel;
    void unlink() noexcept;
    entry *previous_ = nullptr, *next_ = nullptr;
    time_point due_ = never;
    std::int64_t slot_tick_ = 0; // when it will be looked at
    deadline_wheel* wheel_ = nullptr;
  };

  explicit deadline_wheel(time_point start);
  deadline_wheel(const deadline_wheel&) = delete;
  deadline_wheel& operator=(const deadline_wheel&) = delete;

  void arm(entry&, time_point due) noexcept;
  void disarm(entry& e) noexcept { e.due_ = never; }
  /// Disarms whatever is due by `now` and calls on_due(entry&) for each, which may arm, disarm and destroy entries but
  /// must not throw.
  template <class OnDue>
  void expire(time_point now, OnDue&& on_due) {
    auto current = begin_expiry(now);
    while (turned_ < current) {
      entry waiting; // takes the slot's list over, so that what is put back cannot be met again
      take_next_slot(waiting);
      while (auto* e = next_due(waiting, now)) on_due(*e);
    }
  }
  /// When expire() has something to look at next.
  time_point next_turn() const noexcept { return start_ + (turned_ + 1) * tick; }
  /// Nothing is in the wheel: it need not turn.
  bool empty() const noexcept { return linked_ == 0; }

private:
  static constexpr std::size_t slots = 1024; // 51 s a turn; later deadlines are looked at once a turn
  std::int64_t tick_of(time_point) const noexcept;
  void link(entry&) noexcept;
  std::int64_t begin_expiry(time_point now) noexcept;
  void take_next_slot(entry& list) noexcept;
  entry* next_due(entry& list, time_point now) noexcept;

  time_point start_;
  std::int64_t turned_ = 0; // every tick before and at this one has been looked at
  std::size_t linked_ = 0;
  std::array<entry, slots> heads_; // circular lists
};

} // namespace mainstay
