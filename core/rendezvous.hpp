// Who answers for what among nodes that agree on nothing but their names: rendezvous hashing (Thaler and Ravishankar,
// 1998). Every node computes the same order of the nodes for a name; when one is gone, only its names move. The hash is
// a part of what nodes say to each other: it is the same in every build and must stay as it is.
#pragma once

#include <cstdint>
#include <string_view>

namespace mainstay {

/// FNV-1a, then a mixer (splitmix64's), so that names that differ in one letter are far apart in every bit.
inline constexpr std::uint64_t stable_hash(std::string_view text) noexcept {
  auto h = std::uint64_t{0xcbf29ce484222325};
  for (const auto c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
  return h ^ (h >> 31);
}

/// The weight of a node for a name, from the hashes of both: the reachable node with the highest owns the name.
inline constexpr std::uint64_t rendezvous_weight(std::uint64_t name, std::uint64_t node) noexcept {
  auto h = name ^ (node + 0x9e3779b97f4a7c15 + (name << 6) + (name >> 2));
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
  return h ^ (h >> 31);
}

/// The part of `limit` that belongs to node `index` of `nodes` for good: whole numbers whose sum is the limit. What is
/// left over goes to the nodes in turn, from one that the limit's name picks.
inline constexpr std::uint64_t home_share(std::uint64_t limit, std::uint64_t name, std::uint32_t nodes,
                                          std::uint32_t index) noexcept {
  const auto rank = (index + nodes - static_cast<std::uint32_t>(name % nodes)) % nodes;
  return limit / nodes + (rank < limit % nodes ? 1 : 0);
}

} // namespace mainstay
