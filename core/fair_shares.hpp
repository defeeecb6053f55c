// How whole units are shared when there are fewer than wanted: max-min fairly, so that nobody gets more by asking for
// more. Where a fair part is too little for anything (a limit of 1, one large request), turns are taken instead: who
// has waited longest is served whole.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <vector>

namespace mainstay {

struct fair_claim {
  std::uint64_t base = 0; // what it has of its own and counts towards its part
  std::uint64_t want = 0; // in all, base included
  std::uint64_t first =
      0; // the next use of it: a part that is smaller than that is of no help, ever; 0: anything helps
  std::uint64_t least = 0;        // in all: with so much, the next use fits now; 0: nothing waits
  instant since = instant::max(); // since when it waits in vain: the earliest is served first
};

/// What each may have in all, base included; never less than its base. Their sum is at most `pool` where that is at
/// least the sum of the bases.
std::vector<std::uint64_t> fair_shares(std::uint64_t pool, const std::vector<fair_claim>&);

} // namespace mainstay
