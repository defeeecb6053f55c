// Where those who wait are kept: one pool per list of targets (one model's waiters never stand before another's), each
// pool in the lines of the gates that hold it up, and what is to be looked at again, now or at a known time.
// Promise: a gate that opens costs one look at the pool in front, not one at every waiter. It decides nothing.
#pragma once

#include "core/capacity.hpp"
#include "core/throughput.hpp"
#include "core/waiting_queue.hpp"

#include <array>
#include <deque>
#include <memory>
#include <set>
#include <tuple>

namespace mainstay {

struct waiter : queue_place {
  lease_id id;
  std::uint64_t tokens = 0;
  instant expires{};
  std::string model;
  std::shared_ptr<model_gate> held_by; // null: its model is not held back, or was not when it came
  std::shared_ptr<route> way;
  std::vector<std::uint32_t> excluded;
  pool* in = nullptr;
  meter_gate* promised_by = nullptr;
};

/// Waiters of the same targets whom the same things hold up: they exclude the same keys, and those who ask for outsize
/// amounts of tokens stand apart, because they may have to wait until nothing else is in use. So do those of a model
/// that is held back.
struct lane {
  std::vector<std::uint32_t> excluded;
  bool outsize = false;
  std::uint64_t held_by = 0; // the serial of its model's gate
  friend auto operator<=>(const lane&, const lane&) = default;
};

struct pool_group {
  std::map<lane, pool*> lanes;
  throughput served; // of all who ask for these targets
};

struct pool final : wakeable {
  lane which;
  std::shared_ptr<pool_group> group;
  waiting_queue queue;
  instant look_at = instant::max(); // a rest or an open circuit ends
  std::vector<std::pair<gate*, std::list<pool*>::iterator>> lines;
  std::vector<std::shared_ptr<provider_gate>> providers;
  std::uint64_t tokens = 0;   // of all of them
  waiter* promised = nullptr; // who of them tokens are held back for
  bool in_hand = false;       // being looked at: stays, even when its last waiter leaves
};

class waiting_room {
public:
  /// Null if nobody waits there.
  static pool* find(const route&, const lane&);
  void join(waiter&, lane);
  /// Leaves unserved. The pool is looked at again: who comes next may need less.
  void leave(waiter&);
  void serve(waiter&, const level_weights&, instant now);

  /// The pool waits there, beside where it waits already.
  void hold_up(pool&, const obstacle&);
  /// Holds back tokens of that meter for that waiter, if none are held back there or for this pool yet.
  void promise(waiter&, meter_gate&);
  void break_promise(pool&);

  /// Between these two the pool is looked at: it stands in no line and does not vanish.
  void take_in_hand(pool&);
  void put_back(pool&, bool look_again);

  void wake(wakeable&);
  void wake(gate&); // if somebody stands in its line
  void alarm(wakeable&, instant at);
  /// The next gate or pool to look at; null if there is none. Empty pools never appear.
  wakeable* next_ready();
  void ring(instant now); // what is due becomes ready
  instant next_due() const noexcept;
  bool has_ready() const noexcept { return !ready_.empty(); }

  /// Forgets all pools, lines and alarms, not the waiters: to be followed by joins.
  void clear(capacity&);

  std::size_t size() const noexcept { return waiting_[0] + waiting_[1] + waiting_[2]; }
  const std::array<std::size_t, priority_count>& waiting() const noexcept { return waiting_; }

private:
  pool& open(const route&, lane);
  void departed(waiter&);
  void leave_lines(pool&);
  void set_alarm(pool&); // to its next rest's end or deadline
  void close(pool&);
  std::map<pool*, std::unique_ptr<pool>> pools_;
  std::deque<wakeable*> ready_;
  std::set<std::tuple<instant, std::uint64_t, wakeable*>> alarms_;
  std::array<std::size_t, priority_count> waiting_{};
  std::uint64_t next_order_ = 1, next_pool_ = std::uint64_t{1} << 32;
};

} // namespace mainstay
