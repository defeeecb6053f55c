// Where actors take the random draws from that policies ask for.
#pragma once

#include <random>

namespace mainstay {

/// Evenly from [0,1). Each thread has a source of its own.
inline double draw() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return std::uniform_real_distribution<double>()(random);
}

} // namespace mainstay
