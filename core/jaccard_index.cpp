#include "core/jaccard_index.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

namespace mainstay {

namespace {

// What one look-up may read at most: about a millisecond. Only many sets that share all their rare features get there.
constexpr std::size_t most_postings = 250'000, most_compared = 1'000;
constexpr std::size_t compare_costs = 100; // as much as reading so many postings

std::uint64_t mix(std::uint64_t group, std::uint64_t what) noexcept {
  auto x = what + group * 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

} // namespace

std::uint32_t jaccard_index::weight(std::uint32_t base, std::size_t having, std::size_t all) noexcept {
  const auto rarity = std::bit_width(all) - std::bit_width(std::max<std::size_t>(having, 1));
  return base * static_cast<std::uint32_t>(std::max<int>(1, 1 + static_cast<int>(rarity)));
}

std::uint32_t jaccard_index::weight_of(feature_id id, std::size_t all) const noexcept {
  const auto& f = features_[id];
  return weight(f.base, f.size(), all);
}

jaccard_index::feature_id jaccard_index::intern(std::uint64_t what, std::uint32_t base) {
  const auto [it, is_new] = ids_.try_emplace(what, 0);
  if (!is_new) return it->second;
  if (free_.empty()) {
    free_.push_back(static_cast<feature_id>(features_.size()));
    features_.emplace_back();
    is_wanted_.push_back(0);
  }
  it->second = free_.back();
  free_.pop_back();
  features_[it->second] = {what, base, 0, {}};
  return it->second;
}

void jaccard_index::add(set_id id, std::uint64_t group, std::span<const feature> features) {
  if (sets_.size() <= id) {
    sets_.resize(id + 1);
    overlap_.resize(id + 1);
  }
  auto& set = sets_[id];
  set = {group, next_order_++, {}};
  set.features.reserve(features.size());
  for (const auto& f : features) {
    const auto known = intern(mix(group, f.what), f.base);
    set.features.push_back(known);
    features_[known].sets.push_back(id);
  }
  std::sort(set.features.begin(), set.features.end());
  ++groups_[group];
  ++size_;
  held_ += features.size();
}

void jaccard_index::remove(set_id id) {
  auto& set = sets_[id];
  for (const auto f : set.features) {
    auto& p = features_[f];
    const auto at = std::find(p.sets.begin() + p.first, p.sets.end(), id); // the oldest go first: it is in front
    if (at == p.sets.begin() + p.first)
      ++p.first;
    else
      p.sets.erase(at);
    if (p.size() == 0) {
      ids_.erase(p.what);
      p = {};
      free_.push_back(f);
    } else if (p.first > 32 && p.first > p.sets.size() / 2) {
      p.sets.erase(p.sets.begin(), p.sets.begin() + p.first);
      p.first = 0;
    }
  }
  held_ -= set.features.size();
  if (const auto g = groups_.find(set.group); --g->second == 0) groups_.erase(g);
  set = {};
  --size_;
}

void jaccard_index::clear() { *this = {}; }

std::size_t jaccard_index::bytes() const noexcept {
  constexpr std::size_t per_feature = 128, per_set = 64; // map nodes, heads of vectors
  return ids_.size() * per_feature + sets_.size() * per_set + held_ * (sizeof(feature_id) + sizeof(set_id));
}

/// `sought`: the weight of all that is looked for; what of it is here is marked in is_wanted_.
double jaccard_index::score(const one_set& set, std::size_t all, std::uint64_t sought) const {
  std::uint64_t own = 0, shared = 0;
  for (const auto f : set.features) {
    const auto w = weight_of(f, all);
    own += w;
    if (is_wanted_[f]) shared += w;
  }
  return static_cast<double>(shared) / static_cast<double>(sought + own - shared);
}

std::vector<jaccard_index::match> jaccard_index::find(std::uint64_t group, std::span<const feature> features,
                                                      double threshold, std::size_t most) {
  cut_short_ = false;
  std::vector<match> out;
  const auto here = groups_.find(group);
  if (here == groups_.end() || features.empty()) return out;
  const auto all = here->second;

  struct wanted {
    feature_id id;
    std::uint32_t weight;
    std::size_t having;
  };
  std::vector<wanted> sought; // of what somebody here has
  std::uint64_t total = 0, rest = 0;
  for (const auto& f : features) {
    const auto known = ids_.find(mix(group, f.what));
    if (known == ids_.end()) {
      total += weight(f.base, 0, all);
      continue;
    }
    const auto w = weight_of(known->second, all);
    total += w;
    rest += w;
    sought.push_back({known->second, w, features_[known->second].size()});
  }
  std::sort(sought.begin(), sought.end(),
            [](auto& a, auto& b) { return a.having != b.having ? a.having < b.having : a.id < b.id; });
  // The weight of the union is `total` at least. Half a unit lower: the exact comparison comes last.
  const auto need = threshold * static_cast<double>(total) - 0.5;

  std::size_t read = 0;
  auto next = sought.begin();
  const auto take = [&](const wanted& w, bool newcomers) {
    const auto& p = features_[w.id];
    for (auto i = p.sets.begin() + p.first; i != p.sets.end(); ++i) {
      auto& sum = overlap_[*i];
      if (sum == 0) {
        if (!newcomers) continue;
        touched_.push_back(*i);
      }
      sum += w.weight;
    }
    read += w.having;
    rest -= w.weight;
  };
  const auto drop_hopeless = [&] {
    std::erase_if(touched_, [&](set_id s) {
      if (static_cast<double>(overlap_[s] + rest) >= need) return false;
      overlap_[s] = 0;
      return true;
    });
  };
  for (; next != sought.end() && static_cast<double>(rest) >= need; ++next) {
    if (read + next->having > most_postings) {
      cut_short_ = true;
      break;
    }
    take(*next, true);
  }
  drop_hopeless();
  // Those left are compared one by one, or reading on leaves fewer, whichever is less work.
  for (; next != sought.end() && touched_.size() * compare_costs > next->having; ++next) {
    if (read + next->having > most_postings) break;
    take(*next, false);
    drop_hopeless();
  }

  candidates_.clear();
  for (const auto t : touched_) candidates_.emplace_back(std::exchange(overlap_[t], 0), t);
  touched_.clear();
  if (candidates_.size() > most_compared) {
    cut_short_ = true;
    std::nth_element(candidates_.begin(), candidates_.begin() + most_compared, candidates_.end(), std::greater<>());
    candidates_.resize(most_compared);
  }
  for (const auto& w : sought) is_wanted_[w.id] = 1;
  for (const auto& [overlap, id] : candidates_) {
    const auto s = score(sets_[id], all, total);
    if (s >= threshold) out.push_back({id, s});
  }
  for (const auto& w : sought) is_wanted_[w.id] = 0;

  const auto better = [&](const match& a, const match& b) {
    return a.score != b.score ? a.score > b.score : sets_[a.id].order > sets_[b.id].order;
  };
  const auto kept = std::min(most, out.size());
  std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(kept), out.end(), better);
  out.resize(kept);
  return out;
}

} // namespace mainstay
