// What waits to become lines of the audit. Bounded: what finds no room is lost, and the next entry that finds some says
// how many were. Equal requests may share one call to a provider: what that call came to is reported on its own, and
// goes into the lines of those who shared it, its cost into the first of them. Whichever report comes first waits for
// the other, for a while. Not thread-safe.
#pragma once

#include "core/audit_chain.hpp"
#include "core/lease.hpp"

#include <deque>
#include <list>
#include <map>
#include <unordered_map>
#include <vector>

namespace mainstay {

class audit_queue {
public:
  static constexpr std::size_t most_waiting = 65'536;  // entries, some 30 MB
  static constexpr std::size_t most_bytes = 64u << 20; // of requests' texts in them
  static constexpr std::size_t most_calls = 16'384;    // shared ones that are over, kept for who comes later
  static constexpr duration patience = 2s;             // of an entry with the call that it shared

  /// A request is over. `shared`: number of the call that it shared; 0: none.
  void add(audit_entry, request_id shared, instant now);
  /// That call is over.
  void add_call(request_id number, const audit_entry& came_to);

  /// Those that waited long enough for a call go without. `all`: they all do.
  void settle(instant now, bool all = false);
  /// The oldest that can be written.
  std::vector<audit_entry> take(std::size_t most);
  /// They were not written after all.
  void put_back(std::vector<audit_entry>);

  bool empty() const noexcept { return ready_.empty() && waiting_.empty(); }
  std::size_t size() const noexcept { return ready_.size() + waiting_.size(); }
  /// In all, and those of them that no entry says yet.
  std::uint64_t lost() const noexcept { return lost_; }
  std::uint64_t lost_untold() const noexcept { return untold_; }

private:
  struct call {
    audit_entry came_to;
    bool paid = false; // its cost is in a line
  };
  struct waiting {
    audit_entry entry;
    request_id shared = 0;
    instant since{};
  };
  using line = std::list<waiting>;
  static void join(audit_entry&, call&);

  std::deque<audit_entry> ready_;
  line waiting_;                                          // in the order in which they came
  std::multimap<request_id, line::iterator> waiting_for_; // those of one call in their order
  std::unordered_map<request_id, call> calls_;
  std::deque<request_id> call_order_;
  std::uint64_t lost_ = 0, untold_ = 0;
  std::size_t bytes_ = 0;
};

} // namespace mainstay
