#include "core/audit_queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mainstay {

void audit_queue::join(audit_entry& e, call& c) {
  const bool pays = !std::exchange(c.paid, true);
  if (e.provider.empty()) e.provider = c.came_to.provider;
  e.input_tokens += c.came_to.input_tokens;
  e.output_tokens += c.came_to.output_tokens;
  if (!pays) return;
  if (!e.cost_usd || !c.came_to.cost_usd)
    e.cost_usd.reset();
  else
    *e.cost_usd += *c.came_to.cost_usd;
}

void audit_queue::add(audit_entry e, request_id shared, instant now) {
  if (size() >= most_waiting || bytes_ + e.request.size() > most_bytes) {
    ++lost_, ++untold_;
    return;
  }
  e.lost = std::exchange(untold_, 0);
  bytes_ += e.request.size();
  if (shared != 0) {
    const auto over = calls_.find(shared);
    if (over == calls_.end()) {
      waiting_.push_back({std::move(e), shared, now});
      waiting_for_.emplace(shared, std::prev(waiting_.end()));
      return;
    }
    join(e, over->second);
  }
  ready_.push_back(std::move(e));
}

void audit_queue::add_call(request_id number, const audit_entry& came_to) {
  const auto [at, fresh] = calls_.try_emplace(number, call{came_to, false});
  if (!fresh) return;
  call_order_.push_back(number);
  const auto [from, to] = waiting_for_.equal_range(number);
  for (auto it = from; it != to; ++it) {
    join(it->second->entry, at->second);
    ready_.push_back(std::move(it->second->entry));
    waiting_.erase(it->second);
  }
  waiting_for_.erase(from, to);
  if (call_order_.size() > most_calls) {
    calls_.erase(call_order_.front());
    call_order_.pop_front();
  }
}

void audit_queue::settle(instant now, bool all) {
  while (!waiting_.empty() && (all || now - waiting_.front().since >= patience)) {
    const auto [from, to] = waiting_for_.equal_range(waiting_.front().shared);
    waiting_for_.erase(std::find_if(from, to, [&](auto& w) { return w.second == waiting_.begin(); }));
    ready_.push_back(std::move(waiting_.front().entry));
    waiting_.pop_front();
  }
}

std::vector<audit_entry> audit_queue::take(std::size_t most) {
  const auto end = ready_.begin() + static_cast<std::ptrdiff_t>(std::min(most, ready_.size()));
  std::vector<audit_entry> out(std::make_move_iterator(ready_.begin()), std::make_move_iterator(end));
  ready_.erase(ready_.begin(), end);
  for (const auto& e : out) bytes_ -= e.request.size();
  return out;
}

void audit_queue::put_back(std::vector<audit_entry> entries) {
  for (const auto& e : entries) bytes_ += e.request.size();
  ready_.insert(ready_.begin(), std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
}

} // namespace mainstay
