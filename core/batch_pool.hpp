// Which durable requests wait to be asked together: those of one group, equal but for what they ask. Knows who waits
// since when, who goes with whom, and who has to be asked alone. How long to gather, and what fits into one call, is
// its user's business; when anybody's turn comes is core/replay_queue's. Times are passed in. Every operation takes
// O(log n), and as much again for each request that it names.
#pragma once

#include "core/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mainstay {

class batch_pool {
public:
  using number = std::int64_t; // of a request

  /// It belongs to that group and does not wait yet. Known already: nothing changes.
  void add(number, const std::string& group);
  /// It waits, and may be asked from then on. Of one that is unknown, or has to be asked alone, nothing changes.
  void wait(number, instant from);
  /// Whoever goes together if this one goes now: itself first, then those of its group whose time has come, who wait
  /// longest first, `most` in all. They go on waiting until leave().
  std::vector<number> companions(number, std::size_t most, instant now) const;
  /// The first of its group, if so many of it wait whose time has come; 0: they are not so many.
  number first_of_full(number, std::size_t size, instant now) const;
  /// It waits no longer: it is being asked.
  void leave(number);

  /// From now on nobody goes with it.
  void set_alone(number);
  /// Nobody of that group goes with another until then, also those that come later. So many groups are remembered; of
  /// more, those that rest longest.
  void rest_group(const std::string& group, instant until);
  static constexpr std::size_t most_resting = 1000;
  /// Forgets it.
  void done(number);

  bool knows(number n) const noexcept { return all_.count(n) > 0; }
  bool waits(number) const noexcept;
  std::size_t waiting() const noexcept { return waiting_; }
  std::size_t groups() const noexcept { return groups_.size(); }

private:
  struct group {
    std::set<std::pair<instant, number>> waiting;
    std::size_t members = 0;
  };
  using group_entry = std::pair<const std::string, group>; // an unordered_map moves none of them
  struct entry {
    group_entry* of = nullptr; // null: alone
    bool waits = false;
    instant from{};
  };
  void drop_out(number, entry&);
  bool rests(const std::string& group, instant now) const;

  std::unordered_map<std::string, group> groups_;
  std::unordered_map<number, entry> all_;
  std::map<std::string, instant> resting_; // until then
  std::size_t waiting_ = 0;
};

} // namespace mainstay
