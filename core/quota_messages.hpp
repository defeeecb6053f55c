// What two nodes say to each other about one limit, and the times of a loan. A borrower asks, a lender grants; nothing
// else is ever said, and either may be lost, doubled, late or out of order.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace mainstay {

using node_index = std::uint32_t; // a node's place among the sorted addresses

/// The borrower's word. It is also how a loan is given back: by a smaller holding.
struct quota_ask {
  std::uint64_t incarnation = 0; // the borrower's
  std::uint64_t seq = 0;         // grows with every ask of that incarnation
  std::uint64_t holding = 0;     // what it has from this lender: valid, or still to be counted for what was sent on it
  std::uint64_t want = 0;        // the whole loan it would like
  std::uint64_t first = 0;       // its first waiting send, if that is more than its home share; else 0
  std::uint64_t least = 0; // the whole loan with which its first waiting send would fit now; 0: it does, or none waits
  std::uint64_t spare = 0; // of its home share, what it would lend
  bool collect = false;    // to be lent on to others, so only what the lender does not need
};

/// The lender's answer: the whole loan, `amount`, is valid for `valid_for` from the moment the ask was SENT.
struct quota_grant {
  std::uint64_t incarnation = 0; // the borrower's, as asked
  std::uint64_t seq = 0;         // of the ask
  std::uint64_t amount = 0;
  duration valid_for{};
  std::uint64_t held = 0, held_seq = 0; // what the lender itself has from the borrower, as of its own ask `held_seq`
};

using addressed_asks = std::vector<std::pair<node_index, quota_ask>>;

/// All nodes of a cluster have the same.
struct quota_times {
  duration short_loan = 2s;     // to who sends on it
  duration collected_loan = 5s; // to who lends it on: renewed in time it always backs a short one
  duration long_loan = 10s;     // from a node without demand; no loan is longer
  duration margin = 500ms;      // what clocks may differ by over a loan and a window
  duration ask_every = 200ms;   // to one lender, at most
  duration lost_after = 500ms;  // without an answer
};

} // namespace mainstay
