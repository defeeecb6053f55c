#include "core/batch_pool.hpp"

#include <algorithm>

namespace mainstay {

void batch_pool::add(number n, const std::string& name) {
  const auto [it, fresh] = all_.try_emplace(n);
  if (!fresh) return;
  auto& of = *groups_.try_emplace(name).first;
  ++of.second.members;
  it->second.of = &of;
}

void batch_pool::wait(number n, instant from) {
  const auto it = all_.find(n);
  if (it == all_.end() || !it->second.of) return;
  leave(n);
  auto& e = it->second;
  e.waits = true;
  e.from = from;
  e.of->second.waiting.emplace(from, n);
  ++waiting_;
}

void batch_pool::leave(number n) {
  const auto it = all_.find(n);
  if (it == all_.end() || !it->second.waits) return;
  it->second.waits = false;
  it->second.of->second.waiting.erase({it->second.from, n});
  --waiting_;
}

std::vector<batch_pool::number> batch_pool::companions(number n, std::size_t most, instant now) const {
  std::vector<number> out{n};
  const auto it = all_.find(n);
  if (it == all_.end() || !it->second.of || rests(it->second.of->first, now)) return out;
  for (auto& [from, other] : it->second.of->second.waiting) {
    if (out.size() >= most || from > now) break;
    if (other != n) out.push_back(other);
  }
  return out;
}

batch_pool::number batch_pool::first_of_full(number n, std::size_t size, instant now) const {
  const auto it = all_.find(n);
  if (it == all_.end() || !it->second.of || size == 0) return 0;
  auto& waiting = it->second.of->second.waiting;
  if (waiting.size() < size) return 0;
  auto last = waiting.begin();
  for (std::size_t i = 1; i < size; ++i) ++last;
  return last->first <= now ? waiting.begin()->second : 0;
}

void batch_pool::drop_out(number n, entry& e) {
  if (!e.of) return;
  leave(n);
  if (--e.of->second.members == 0) groups_.erase(e.of->first);
  e.of = nullptr;
}

void batch_pool::set_alone(number n) {
  if (const auto it = all_.find(n); it != all_.end()) drop_out(n, it->second);
}

void batch_pool::rest_group(const std::string& name, instant until) {
  auto& rests_until = resting_[name];
  rests_until = std::max(rests_until, until);
  if (resting_.size() <= most_resting) return;
  resting_.erase(
      std::min_element(resting_.begin(), resting_.end(), [](auto& a, auto& b) { return a.second < b.second; }));
}

bool batch_pool::rests(const std::string& name, instant now) const {
  const auto it = resting_.find(name);
  return it != resting_.end() && now < it->second;
}

void batch_pool::done(number n) {
  const auto it = all_.find(n);
  if (it == all_.end()) return;
  drop_out(n, it->second);
  all_.erase(it);
}

bool batch_pool::waits(number n) const noexcept {
  const auto it = all_.find(n);
  return it != all_.end() && it->second.waits;
}

} // namespace mainstay
