// Which durable requests wait to be run, and when the next one may: those whose time has come go by level, then in the
// order of their acceptance; few at a time, more with every success and fewer with every failure, so that neither a
// restart nor a provider's return begins with a storm. What failed in a way that waiting can help is tried again after
// growing pauses. Requests of a group (those of one model) can be held back all together while nobody can answer them.
// Time and random draws are passed in. Every operation is O(log n), holding and letting go O(n).
#pragma once

#include "core/clock.hpp"
#include "core/priority.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mainstay {

class replay_queue {
public:
  using number = std::int64_t; // of a request; grows with acceptance

  struct pace {
    double begin = 4, most = 64; // at a time
    duration first_pause = 1s, longest_pause = 5min;
  };
  replay_queue() = default;
  explicit replay_queue(const pace& p) : pace_(p), at_once_(p.begin) {}

  /// To be run from `ready` on. `group`: empty where it is not known yet. Known already: nothing changes.
  void add(number, priority, instant ready, const std::string& group = {});
  /// Runs already, with its caller there: the pace does not count it. Known already: nothing changes.
  void add_running(number, priority, const std::string& group = {});
  /// What is found out of it later.
  void belongs_to(number, const std::string& group);

  /// Exactly these groups are held from now on: whoever of them runs in vain waits without a pause of its own until its
  /// group is let go. Groups that are let go begin as gently as after a restart.
  void hold(const std::vector<std::string>& groups, instant now);
  /// The first so many who are held there may run, in order. How many there were.
  std::size_t let_try(const std::string& group, std::size_t most);
  struct held_group {
    std::string name;
    std::size_t now = 0, in_all = 0; // since it is held
  };
  std::vector<held_group> held() const;

  /// The next one that may run now, from now on running; none: whoever is running is enough, or nobody's time has come.
  std::optional<number> next(instant now);
  /// It ran and has no answer: it will run again after its pause, twice as long as the last one, shortened by up to
  /// half. Unless it is running nothing changes. `draw` in [0,1).
  void park(number, instant now, double draw);
  /// The same, for a reason that says nothing about how many may run at a time.
  void put_off(number, instant now, double draw);
  /// It ran and came to nothing, which says nothing either: it waits again, until then.
  void again(number, instant ready);
  /// One that waits runs from now on, in the place of another that `next` gave out: the pace does not count it. False:
  /// it does not wait.
  bool join(number);
  /// One that waits for its time need not wait any longer.
  void hasten(number, instant now);
  /// Forgets it. `answered`: by a run of its own, which speaks for more at a time.
  void done(number, bool answered);

  /// When `next` may have somebody, if nothing happens before; none: only a park, a done or an add can change that.
  std::optional<instant> due() const;

  /// When one that waits may run; none: it does not wait.
  std::optional<instant> ready_at(number) const;

  bool knows(number n) const noexcept { return all_.count(n) > 0; }
  bool is_running(number) const noexcept;
  std::size_t size() const noexcept { return all_.size(); }
  std::size_t running() const noexcept { return running_; }       // with those that add_running told
  std::size_t parked() const noexcept { return parked_ + held_; } // tried, or held, and waiting to be tried again
  std::size_t at_once() const noexcept { return static_cast<std::size_t>(at_once_); }

private:
  enum class where : std::uint8_t { later, ready, running_own, running_paced, held };
  struct entry {
    priority level = priority::normal;
    where at = where::later;
    instant ready{};
    int tries = 0;
    std::string group;
    bool tries_outage = false; // runs, let go while its group was held
    std::uint64_t held_in = 0; // the last holding of its group that it was part of
  };
  struct held_back {
    std::set<std::pair<priority, number>> waiting;
    std::uint64_t holding = 0;
    std::size_t in_all = 0;
  };
  void wait(number, entry&, instant ready);
  void hold_back(number, entry&, held_back&);
  held_back* holder(const entry&);
  void let_go(held_back&, instant now);
  void leave(number, entry&);
  void pace_up() { at_once_ = std::min(pace_.most, at_once_ + 1 / at_once_); }
  void pace_down() { at_once_ = std::max(1.0, at_once_ / 2); }

  pace pace_;
  double at_once_ = pace{}.begin;
  std::map<number, entry> all_;
  std::set<std::pair<instant, number>> later_;
  std::set<std::pair<priority, number>> ready_;
  std::map<std::string, held_back> groups_; // that are held
  std::uint64_t holdings_ = 0;
  std::size_t running_ = 0, paced_ = 0, parked_ = 0, held_ = 0;
};

} // namespace mainstay
