#include "core/flight_registry.hpp"

namespace mainstay {

std::string flight_registry::ask(const std::string& key, const std::string& node, std::uint64_t number, instant until,
                                 instant now) {
  forget_ended(now);
  if (const auto found = flown_.find(key); found != flown_.end()) {
    if (found->second.node != node) return found->second.node;
    forget(found); // a flight of its own that nobody may join any more
  }
  if (until > now && flown_.size() < most) flown_.emplace(key, flight{node, number, ends_.emplace(until, key)});
  return node;
}

void flight_registry::over(const std::string& key, const std::string& node, std::uint64_t number, bool landed,
                           instant now) {
  const auto found = flown_.find(key);
  if (found == flown_.end() || found->second.node != node || found->second.number != number) return;
  if (!landed) return forget(found);
  ends_.erase(found->second.end);
  found->second.end = ends_.emplace(now + landed_for, key);
}

void flight_registry::lost(const std::string& node) {
  for (auto it = flown_.begin(); it != flown_.end();)
    if (const auto here = it++; here->second.node == node) forget(here);
}

void flight_registry::forget(flights::iterator it) {
  ends_.erase(it->second.end);
  flown_.erase(it);
}

void flight_registry::forget_ended(instant now) {
  while (!ends_.empty() && ends_.begin()->first <= now) forget(flown_.find(ends_.begin()->second));
}

} // namespace mainstay
