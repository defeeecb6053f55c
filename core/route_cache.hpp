// Lists of targets, resolved once instead of once per request; and the group of pools that lists of equal content
// share. Bounded by the lists somebody waits with, and a thousand beside.
#pragma once

#include "core/waiting_room.hpp"

#include <map>
#include <memory>
#include <unordered_map>

namespace mainstay {

class route_cache {
public:
  const std::shared_ptr<route>& of(const std::vector<target>&, capacity&);
  void clear();
  std::size_t size() const noexcept { return routes_.size(); }

private:
  struct hash {
    std::size_t operator()(const std::vector<target>&) const noexcept;
  };
  struct equal {
    bool operator()(const std::vector<target>&, const std::vector<target>&) const noexcept;
  };
  void purge();
  static constexpr std::size_t smallest_bound = 1024;
  std::unordered_map<std::vector<target>, std::shared_ptr<route>, hash, equal> routes_;
  std::map<std::vector<std::pair<std::string, std::string>>, std::shared_ptr<pool_group>> groups_; // by sorted targets
  std::size_t bound_ = smallest_bound;
};

} // namespace mainstay
