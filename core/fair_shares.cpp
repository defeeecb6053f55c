#include "core/fair_shares.hpp"

#include <algorithm>
#include <numeric>

namespace mainstay {

namespace {

std::uint64_t at_level(const fair_claim& c, std::uint64_t level) { return std::max(c.base, std::min(c.want, level)); }

} // namespace

std::vector<std::uint64_t> fair_shares(std::uint64_t pool, const std::vector<fair_claim>& claims) {
  const auto sum_at = [&](std::uint64_t level) {
    std::uint64_t sum = 0;
    for (const auto& c : claims) sum += at_level(c, level);
    return sum;
  };
  std::uint64_t low = 0, high = pool + 1; // the highest level that the pool can fill
  while (high - low > 1) {
    const auto level = low + (high - low) / 2;
    (sum_at(level) <= pool ? low : high) = level;
  }
  std::vector<std::uint64_t> shares(claims.size());
  std::vector<std::size_t> turn(claims.size());
  std::iota(turn.begin(), turn.end(), std::size_t{0});
  std::stable_sort(turn.begin(), turn.end(), [&](auto a, auto b) { return claims[a].since < claims[b].since; });
  for (std::size_t i = 0; i < claims.size(); ++i) shares[i] = at_level(claims[i], low);

  auto used = std::accumulate(shares.begin(), shares.end(), std::uint64_t{0});
  for (const auto i : turn) // what whole numbers leave over
    if (used < pool && shares[i] < claims[i].want) ++shares[i], ++used;

  const auto helped = [&](std::size_t i) { return claims[i].first <= shares[i]; };
  const auto all = std::all_of(turn.begin(), turn.end(), helped);
  if (all) return shares;

  std::uint64_t left = pool;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    shares[i] = claims[i].base;
    left -= std::min(left, claims[i].base);
  }
  const auto serve = [&](std::size_t i, std::uint64_t in_all) {
    if (in_all <= shares[i] || in_all - shares[i] > left) return;
    left -= in_all - shares[i];
    shares[i] = in_all;
  };
  for (const auto i : turn) { // who waits first, gets what helps it; nobody behind it is served from what it waits for
    const auto least = claims[i].least;
    if (least > shares[i] && least - shares[i] > left && least <= pool) {
      shares[i] += left;
      left = 0;
      break;
    }
    serve(i, least);
  }
  for (const auto i : turn) serve(i, std::min(claims[i].want, shares[i] + left));
  return shares;
}

} // namespace mainstay
