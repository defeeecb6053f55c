#include "core/wake_queue.hpp"

#include <utility>

namespace mainstay {

wake_queue::~wake_queue() {
  for (auto& [at, who] : order_) who->queue_ = nullptr;
}

void wake_queue::add(sleeper& s) {
  s.place_ = order_.emplace(s.wake_, &s);
  s.queue_ = this;
}

std::vector<sleeper*> wake_queue::due(instant now) const {
  std::vector<sleeper*> found;
  for (auto i = order_.begin(); i != order_.end() && i->first <= now; ++i) found.push_back(i->second);
  return found;
}

sleeper::~sleeper() {
  if (queue_) queue_->order_.erase(place_);
}

void sleeper::move_to(instant t) noexcept {
  wake_ = t;
  if (!queue_) return;
  auto node = queue_->order_.extract(place_);
  node.key() = t;
  place_ = queue_->order_.insert(std::move(node));
}

} // namespace mainstay
