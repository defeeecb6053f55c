// Where a process begins to number what it asks its peers: not where the process before it, or its actor, did, so that
// late answers meet no question.
#pragma once

#include <cstdint>
#include <random>

namespace mainstay {

/// Far below what JSON readers take for exact, with room to count on.
inline std::uint64_t some_number() {
  std::random_device random;
  return (std::uint64_t{random()} << 8) + 1;
}

} // namespace mainstay
