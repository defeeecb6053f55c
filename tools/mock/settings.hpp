// What the command line of mainstay-mock decides, once, before the first connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace mainstay::mock {

inline constexpr std::size_t body_limit = 64u << 20; // bytes of a request's body
inline constexpr std::uint32_t most_words = 200000;  // of one answer: a stream is laid out in memory before it is sent

struct settings {
  std::string name = "mock"; // rules can be meant for one provider of several; also the system_fingerprint
  std::uint32_t words = 60;  // of an answer, unless a rule says otherwise
  double token_ms = 0;       // pause before each streamed word
  double latency_ms = 0;     // pause before each answer
  std::uint64_t seed = 1;
  std::size_t keep_bodies = 0;
  bool require_key = false;
  std::uint32_t idle_ms = 0; // a connection without a request for that long is closed; 0: never
  unsigned threads = 1;
};

} // namespace mainstay::mock
