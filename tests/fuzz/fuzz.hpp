// What every fuzz target shares: the way in, claims that end the run where they do not hold, and decisions that follow
// from the input alone, so that a seed can be a real text and still says where it is cut.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#define MUST(claim) ((claim) ? void() : ::mainstay::fuzz::broken(#claim, __FILE__, __LINE__))

namespace mainstay::fuzz {

[[noreturn]] inline void broken(const char* claim, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
  std::abort();
}

/// Numbers that are another sequence for every input, and always the same for one (splitmix64 over FNV-1a).
class draws {
public:
  explicit draws(std::string_view input) noexcept {
    for (unsigned char c : input) state_ = (state_ ^ c) * 1099511628211u;
  }
  std::uint64_t next() noexcept {
    auto z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) noexcept { return static_cast<std::size_t>(next() % n); }
  bool coin() noexcept { return (next() & 1) != 0; }

private:
  std::uint64_t state_ = 14695981039346656037u;
};

/// The input in pieces, now and then a byte each. Every piece has memory of its own: who looks beyond its end is seen.
inline std::vector<std::string> cut(std::string_view input, draws& draw) {
  const std::size_t longest = draw.below(4) == 0 ? 1 : 1 + draw.below(std::max<std::size_t>(input.size(), 1));
  std::vector<std::string> out;
  while (!input.empty()) {
    out.emplace_back(input.substr(0, 1 + draw.below(longest)));
    input.remove_prefix(out.back().size());
  }
  return out;
}

/// Each target's: one input, tried.
void try_input(std::string_view input);

} // namespace mainstay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mainstay::fuzz::try_input({reinterpret_cast<const char*>(data), size});
  return 0;
}
