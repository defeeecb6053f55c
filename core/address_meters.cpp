#include "core/address_meters.hpp"

#include <iterator>

namespace mainstay {

namespace {

constexpr int looked_at = 4; // with each request: more than it can add

limit_set of_one(const address_limits& l) {
  limit_set out;
  out.rpm = l.rpm;
  out.concurrency = l.concurrency;
  return out;
}

} // namespace

void address_meters::limit_to(const address_limits& l) {
  if (l == limits_) return;
  limits_ = l;
  if (!l.none()) {
    for (auto& e : latest_) e->meter.limit_to(of_one(l));
    return;
  }
  by_address_.clear();
  latest_.clear();
}

address_meters::refusal address_meters::refuses(std::string_view address, instant now) {
  if (limits_.none() || address.empty()) return {};
  const auto found = by_address_.find(address);
  if (found == by_address_.end()) {
    sweep(now);
    if (by_address_.size() < most_) return {};
    return {"concurrency", instant::max()}; // every one of them has a request open
  }
  auto& meter = (*found->second)->meter;
  if (const auto at = meter.rpm().fits_at(1, 0, now); at > now) return {"requests", at};
  if (limits_.concurrency && meter.in_flight() >= *limits_.concurrency) return {"concurrency", instant::max()};
  return {};
}

address_meters::taken address_meters::take(std::string_view address, instant now) {
  if (limits_.none() || address.empty()) return {};
  const auto found = by_address_.find(address);
  if (found != by_address_.end()) {
    latest_.splice(latest_.begin(), latest_, found->second);
  } else {
    latest_.push_front(std::make_shared<entry>(entry{std::string(address), {}}));
    latest_.front()->meter.limit_to(of_one(limits_));
    by_address_.emplace(latest_.front()->address, latest_.begin());
  }
  taken t{latest_.front(), latest_.front()->meter.take(0, now)};
  t.of->meter.stamp(t.tickets, now);
  return t;
}

void address_meters::give_back(const taken& t, bool was_sent, instant now) {
  if (t.of) t.of->meter.give_back(t.tickets, was_sent, {}, now);
}

/// From the end that has been silent the longest. Those with a request open are passed over, and come to the front.
void address_meters::sweep(instant now) {
  for (int i = 0; i < looked_at && !latest_.empty(); ++i) {
    const auto last = std::prev(latest_.end());
    if ((*last)->meter.in_flight() > 0) {
      latest_.splice(latest_.begin(), latest_, last);
      continue;
    }
    const bool idle = (*last)->meter.idle(now);
    if (!idle && by_address_.size() < most_) return;
    by_address_.erase((*last)->address);
    latest_.erase(last);
    if (!idle) return; // one is enough to make room
  }
}

} // namespace mainstay
