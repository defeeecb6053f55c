#include "core/answer_cache.hpp"

namespace mainstay {

namespace {

constexpr std::size_t entry_overhead = 200; // list node, index node, string heads

std::size_t cost(std::size_t key, std::size_t value) { return key + value + entry_overhead; }

} // namespace

answer_cache::answer_cache(settings s) : settings_(s) {}

void answer_cache::reconfigure(settings s) {
  settings_ = s;
  shrink();
}

void answer_cache::drop(place p) {
  bytes_ -= cost(p->key.size(), p->value->size());
  index_.erase(p->key);
  order_.erase(p);
}

void answer_cache::shrink() {
  while (!order_.empty() && (order_.size() > settings_.entries || bytes_ > settings_.bytes)) {
    drop(std::prev(order_.end()));
    ++evictions_;
  }
}

std::shared_ptr<const std::string> answer_cache::get(const std::string& key, instant now) {
  auto it = index_.find(key);
  if (it == index_.end()) return nullptr;
  auto p = it->second;
  if (p->until <= now) {
    drop(p);
    return nullptr;
  }
  order_.splice(order_.begin(), order_, p);
  return p->value;
}

void answer_cache::put(const std::string& key, std::shared_ptr<const std::string> value, instant now) {
  if (!value || cost(key.size(), value->size()) > settings_.bytes / 16) return;
  if (auto it = index_.find(key); it != index_.end()) drop(it->second);
  bytes_ += cost(key.size(), value->size());
  order_.push_front({key, std::move(value), now + settings_.ttl});
  index_.emplace(order_.front().key, order_.begin());
  shrink();
}

std::size_t answer_cache::clear() {
  auto n = order_.size();
  index_.clear();
  order_.clear();
  bytes_ = 0;
  return n;
}

} // namespace mainstay
