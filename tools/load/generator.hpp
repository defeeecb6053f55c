// The run: decides when the next request is due, hands it to a door, ends what takes too long, counts what comes back.
// One thread; the doors' sockets and the clock's alarm are served in turns.
#pragma once

#include "tools/load/door.hpp"
#include "tools/load/options.hpp"
#include "tools/load/reactor.hpp"
#include "tools/load/tally.hpp"

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace mainstay::load {

struct run_result {
  tally counted;
  duration cpu{};               // user and system time of this process while it measured
  std::uint64_t unfinished = 0; // under way when an interrupt ended the run
};

class generator final : door_owner, watcher {
public:
  /// `each_second(tally, open)` is called about once a second while measuring.
  generator(const options&, std::function<void(const tally&, std::size_t open)> each_second);
  ~generator();

  /// Warms up, measures, and returns when the last answer is in or SIGINT or SIGTERM has come. Throws
  /// std::runtime_error or std::system_error for what is wrong with addresses or this machine.
  run_result run();

private:
  struct door_slot {
    door_kind kind;
    std::unique_ptr<door> way;
    double streams = 0; // share of streams owed so far; a stream is due whenever it reaches one
  };

  void tokens_came(flight&, std::size_t events, instant now) override;
  void finished(flight&, fault, instant now) override;
  void surplus() override { counted_.surplus(); }
  void ready(std::uint32_t events) override; // a signal

  void open_doors();
  void watch_signals();
  void warm_up();
  void serve();
  void start_due(instant now);
  flight& new_flight(instant intended, instant now);
  void end_overdue(instant now);
  std::optional<instant> next_due(instant now) const;
  bool exhausted(instant now) const;
  instant next_alarm(instant now) const;
  bool room() const noexcept { return open_.size() + resting_.size() < callers_; }
  door& door_of(const flight&);

  const options& options_;
  std::function<void(const tally&, std::size_t)> each_second_;
  reactor reactor_;
  std::vector<door_slot> doors_;
  question_text question_;
  std::size_t next_door_ = 0;
  const rate_profile* rate_ = nullptr;                 // of this phase; null: closed loop
  std::size_t callers_ = 1;                            // at most so many requests under way
  std::uint64_t next_id_ = 0, begun_ = 0, wanted_ = 0; // begun_ of wanted_ in this phase
  std::list<flight> open_, spare_;                     // open_ in the order they were due
  std::deque<instant> resting_;                        // closed loop: callers who could not connect wait until then
  tally counted_;
  instant began_{}, ends_{};
  bool measuring_ = false, interrupted_ = false;
  int signals_ = -1;
};

} // namespace mainstay::load
