// What one node has borrowed of one limit, from whom and until when. A loan that has ended is kept for a window: what
// was sent on it still counts, and its lender must not have it back before. Promise: everything used in the last window
// can be laid upon loans that were valid when it was used, so that no two lenders count on the same send.
#pragma once

#include "core/quota_messages.hpp"

namespace mainstay {

class quota_loans {
public:
  /// The sum of what is valid at `at`.
  std::uint64_t valid(instant at) const noexcept;
  /// The last instant until which `amount` is valid; instant::min() if that much is not valid at all.
  instant valid_until(std::uint64_t amount) const noexcept;
  /// When the first loan that is valid now ends.
  instant next_end(instant now) const noexcept;

  /// What this lender is told.
  std::uint64_t holding(node_index lender) const noexcept;
  std::uint64_t valid_from(node_index lender, instant at) const noexcept;
  /// When what is valid of this lender's ends; instant::min() if nothing is.
  instant end_of(node_index lender) const noexcept;

  /// The lender said that `amount` in all is valid until `end`. What is held beyond that keeps its old ends.
  void grant(node_index lender, std::uint64_t amount, instant end);
  /// Lets go of as much of this lender's as `used` (of all that is borrowed) allows, down to `keep` at most. Whatever
  /// is used is laid upon the loans that end last, so a loan may only go if those that end no earlier cover all without
  /// it.
  void release(node_index lender, std::uint64_t keep, std::uint64_t used);
  /// What release would let go.
  std::uint64_t releasable(node_index lender, std::uint64_t keep, std::uint64_t used) const noexcept;
  /// Forgets what ended at or before `before`: a window later nothing that was sent on it counts.
  void forget(instant before);
  /// The lender began anew (it knows nothing of a loan of calls, and frees it by another way).
  void drop(node_index lender);

  bool empty() const noexcept { return layers_.empty(); }
  std::uint64_t total() const noexcept;
  std::vector<node_index> lenders() const; // each once

private:
  struct layer {
    node_index lender;
    std::uint64_t amount;
    instant end;
  };
  std::vector<layer> layers_; // in the order of their ends
};

} // namespace mainstay
