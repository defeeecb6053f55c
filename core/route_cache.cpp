// A list is found by its content, in its own order and with its weights; its group by the sorted names alone.
#include "core/route_cache.hpp"

#include <algorithm>
#include <functional>

namespace mainstay {

std::size_t route_cache::hash::operator()(const std::vector<target>& targets) const noexcept {
  std::size_t h = targets.size();
  for (const auto& t : targets) {
    h = (h ^ std::hash<std::string>{}(t.provider)) * 0x9E3779B97F4A7C15ull;
    h = (h ^ std::hash<std::string>{}(t.model)) * 0x9E3779B97F4A7C15ull;
  }
  return h;
}

bool route_cache::equal::operator()(const std::vector<target>& a, const std::vector<target>& b) const noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const target& x, const target& y) { return x == y && x.weight == y.weight; });
}

const std::shared_ptr<route>& route_cache::of(const std::vector<target>& targets, capacity& all) {
  if (const auto found = routes_.find(targets); found != routes_.end()) return found->second;
  if (routes_.size() >= bound_) purge();
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& t : targets) names.emplace_back(t.provider, t.model);
  std::sort(names.begin(), names.end());
  auto& group = groups_[std::move(names)];
  if (!group) group = std::make_shared<pool_group>();
  std::shared_ptr<route> fresh = all.resolve(targets);
  fresh->group = group;
  return routes_.emplace(targets, std::move(fresh)).first->second;
}

void route_cache::clear() {
  routes_.clear();
  groups_.clear();
  bound_ = smallest_bound;
}

void route_cache::purge() {
  std::erase_if(routes_, [](auto& r) { return r.second.use_count() == 1; });
  std::erase_if(groups_, [](auto& g) { return g.second.use_count() == 1; });
  bound_ = std::max(smallest_bound, 2 * routes_.size()); // so that purging stays cheap per list
}

} // namespace mainstay
