// Who waits for capacity, and in which order they get it: levels share by weight (smooth weighted round-robin), inside
// a level the clients take turns, and a client's own waiters go earliest deadline first. Ageing: a level's weight grows
// while its oldest waits, so that even a level of weight zero is served.
// Every operation is O(log n). It owns no waiter; whoever pushes one removes it before it dies.
#pragma once

#include "core/clock.hpp"
#include "core/priority.hpp"

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace mainstay {

/// A place in the queue: a base of what really waits.
struct queue_place {
  std::string client;
  priority level = priority::normal;
  instant since{};
  instant wait_until{};
  std::uint64_t order = 0; // of arrival: given by the queue's user, never twice
};

using level_weights = std::array<int, priority_count>;
using level_flags = std::array<bool, priority_count>;

class waiting_queue {
public:
  static constexpr duration ageing = 5s; // a level gains one unit of weight for each such time its oldest has waited

  void push(queue_place&);
  void remove(queue_place&);
  /// Removes it as the one that was served: its level's and its client's turn is over.
  void serve(queue_place&, const level_weights&, instant now);

  /// Fills `out` with the first `count` of each level in the order in which they should be served, at most `per_client`
  /// of one client in one level: however many of a level cannot go, the other levels are looked at too.
  void in_turn(std::vector<queue_place*>& out, std::size_t count, std::size_t per_client, const level_weights&,
               instant now) const;
  /// How many are likely to be served before a newcomer with that wait, if nobody leaves or comes: of its own client
  /// those with less time, of the others what they get meanwhile by turns and weights. Levels that are `held` get
  /// nothing. O(clients that wait).
  double before(const std::string& client, priority, instant wait_until, const level_weights&, const level_flags& held,
                instant now) const;
  /// The one who came last to the level whose turn comes least often, of those that are not `held`; null: there is
  /// none.
  queue_place* last_in_line(const level_weights&, const level_flags& held, instant now) const;
  /// Since when the one who came first to that level waits; none: nobody does.
  std::optional<instant> oldest(priority) const;
  /// The one whose wait ends first; the queue must not be empty.
  queue_place& most_urgent() const { return *by_deadline_.begin()->place; }

  bool empty() const noexcept { return by_deadline_.empty(); }
  std::size_t size() const noexcept { return by_deadline_.size(); }

private:
  struct entry {
    instant until;
    std::uint64_t order;
    queue_place* place;
    friend bool operator<(const entry& a, const entry& b) noexcept {
      return a.until != b.until ? a.until < b.until : a.order < b.order;
    }
  };
  struct turn {
    std::string client;
    std::set<entry> waiters;
  };
  struct level {
    std::list<turn> turns; // the client at the front is next
    std::unordered_map<std::string, std::list<turn>::iterator> by_client;
    std::set<std::pair<std::uint64_t, queue_place*>> by_age;
    double credit = 0;
  };
  static entry entry_of(queue_place& p) noexcept { return {p.wait_until, p.order, &p}; }
  level& level_of(const queue_place& p) noexcept { return levels_[static_cast<std::size_t>(p.level)]; }
  double weight_of(std::size_t level, const level_weights&, instant now) const noexcept;

  std::array<level, priority_count> levels_;
  std::set<entry> by_deadline_;
};

} // namespace mainstay
