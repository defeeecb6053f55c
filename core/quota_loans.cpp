// Why the rule of release is enough (Hall's theorem, for intervals that all begin in the past): the sends of the last
// window can be laid upon the loans if, for every time t, what was sent after t is at most the sum of the loans that
// end at t or later. A send at s keeps that for all t <= s, for it needs used + amount <= valid(s). Letting r go of a
// loan that ends at e changes only the conditions with t <= e, and for these `used` as a whole still fits upon the
// loans that end at e or later.
#include "core/quota_loans.hpp"

#include <algorithm>

namespace mainstay {

std::uint64_t quota_loans::valid(instant at) const noexcept {
  std::uint64_t sum = 0;
  for (auto i = layers_.rbegin(); i != layers_.rend() && i->end >= at; ++i) sum += i->amount;
  return sum;
}

instant quota_loans::valid_until(std::uint64_t amount) const noexcept {
  std::uint64_t sum = 0;
  for (auto i = layers_.rbegin(); i != layers_.rend(); ++i)
    if ((sum += i->amount) >= amount) return i->end;
  return instant::min();
}

instant quota_loans::next_end(instant now) const noexcept {
  for (const auto& l : layers_)
    if (l.end >= now) return l.end;
  return instant::max();
}

std::uint64_t quota_loans::holding(node_index lender) const noexcept {
  std::uint64_t sum = 0;
  for (const auto& l : layers_)
    if (l.lender == lender) sum += l.amount;
  return sum;
}

std::uint64_t quota_loans::valid_from(node_index lender, instant at) const noexcept {
  std::uint64_t sum = 0;
  for (auto i = layers_.rbegin(); i != layers_.rend() && i->end >= at; ++i)
    if (i->lender == lender) sum += i->amount;
  return sum;
}

instant quota_loans::end_of(node_index lender) const noexcept {
  for (auto i = layers_.rbegin(); i != layers_.rend(); ++i)
    if (i->lender == lender) return i->end;
  return instant::min();
}

void quota_loans::grant(node_index lender, std::uint64_t amount, instant end) {
  auto renewed = amount;
  for (auto i = layers_.rbegin(); i != layers_.rend() && renewed > 0; ++i) {
    if (i->lender != lender) continue;
    const auto part = std::min(renewed, i->amount);
    i->amount -= part;
    renewed -= part;
  }
  std::erase_if(layers_, [](const layer& l) { return l.amount == 0; });
  if (amount == 0) return;
  const auto place =
      std::upper_bound(layers_.begin(), layers_.end(), end, [](instant e, const layer& l) { return e < l.end; });
  layers_.insert(place, layer{lender, amount, end});
}

std::uint64_t quota_loans::releasable(node_index lender, std::uint64_t keep, std::uint64_t used) const noexcept {
  const auto held = holding(lender);
  if (held <= keep) return 0;
  // The earlier a loan ends, the more stands behind it: what may go at all may go from the first on.
  std::uint64_t behind = total(), gone = 0;
  for (const auto& l : layers_) {
    if (l.lender == lender) {
      const auto spare = behind > used ? behind - used : 0;
      const auto part = std::min({l.amount, spare, held - keep - gone});
      gone += part;
    }
    behind -= l.amount;
  }
  return gone;
}

void quota_loans::release(node_index lender, std::uint64_t keep, std::uint64_t used) {
  const auto held = holding(lender);
  auto excess = held > keep ? held - keep : 0;
  std::uint64_t behind = total();
  for (auto& l : layers_) {
    const auto amount = l.amount;
    if (l.lender == lender) {
      const auto part = std::min({amount, behind > used ? behind - used : 0, excess});
      l.amount -= part;
      excess -= part;
    }
    behind -= amount;
  }
  std::erase_if(layers_, [](const layer& l) { return l.amount == 0; });
}

void quota_loans::forget(instant before) {
  std::erase_if(layers_, [&](const layer& l) { return l.end <= before; });
}

void quota_loans::drop(node_index lender) {
  std::erase_if(layers_, [&](const layer& l) { return l.lender == lender; });
}

std::uint64_t quota_loans::total() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& l : layers_) sum += l.amount;
  return sum;
}

std::vector<node_index> quota_loans::lenders() const {
  std::vector<node_index> found;
  for (const auto& l : layers_) found.push_back(l.lender);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

} // namespace mainstay
