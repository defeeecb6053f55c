#include "core/replay_queue.hpp"

#include <algorithm>

namespace mainstay {

void replay_queue::wait(number n, entry& e, instant ready) {
  e.at = where::later;
  e.ready = ready;
  later_.emplace(ready, n);
  if (e.tries > 0) ++parked_;
}

/// Takes it from where it is.
void replay_queue::leave(number n, entry& e) {
  switch (e.at) {
  case where::later:
    later_.erase({e.ready, n});
    if (e.tries > 0) --parked_;
    break;
  case where::ready:
    ready_.erase({e.level, n});
    if (e.tries > 0) --parked_;
    break;
  case where::running_paced: --paced_; [[fallthrough]];
  case where::running_own: --running_; break;
  case where::held:
    groups_.at(e.group).waiting.erase({e.level, n});
    --held_;
    break;
  }
}

void replay_queue::add(number n, priority level, instant ready, const std::string& group) {
  auto [it, fresh] = all_.try_emplace(n);
  if (!fresh) return;
  it->second.level = level;
  it->second.group = group;
  wait(n, it->second, ready);
}

void replay_queue::belongs_to(number n, const std::string& group) {
  const auto it = all_.find(n);
  if (it != all_.end() && is_running(n)) it->second.group = group;
}

// -- held back

replay_queue::held_back* replay_queue::holder(const entry& e) {
  if (groups_.empty() || e.group.empty()) return nullptr;
  const auto found = groups_.find(e.group);
  return found == groups_.end() ? nullptr : &found->second;
}

void replay_queue::hold_back(number n, entry& e, held_back& by) {
  e.at = where::held;
  by.waiting.emplace(e.level, n);
  ++held_;
  if (std::exchange(e.held_in, by.holding) != by.holding) ++by.in_all;
}

void replay_queue::hold(const std::vector<std::string>& groups, instant now) {
  for (auto it = groups_.begin(); it != groups_.end();) {
    if (std::find(groups.begin(), groups.end(), it->first) == groups.end()) {
      let_go(it->second, now);
      it = groups_.erase(it);
    } else {
      ++it;
    }
  }
  const auto before = holdings_;
  for (const auto& g : groups)
    if (const auto [it, fresh] = groups_.try_emplace(g); fresh) it->second.holding = ++holdings_;
  if (holdings_ == before) return;
  for (auto& [n, e] : all_) {
    auto* by = holder(e);
    const bool waits = e.at == where::ready || (e.at == where::later && e.tries > 0);
    if (!by || by->holding <= before || !waits) continue; // one that is to wait longer for its first run is held then
    leave(n, e);
    hold_back(n, e, *by);
  }
}

void replay_queue::let_go(held_back& by, instant now) {
  for (const auto& [level, n] : by.waiting) {
    auto& e = all_.at(n);
    --held_;
    wait(n, e, now);
  }
  by.waiting.clear();
  at_once_ = std::min(at_once_, pace_.begin);
}

std::size_t replay_queue::let_try(const std::string& group, std::size_t most) {
  const auto by = groups_.find(group);
  if (by == groups_.end()) return 0;
  std::size_t count = 0;
  for (; count < most && !by->second.waiting.empty(); ++count) {
    const auto n = by->second.waiting.begin()->second;
    auto& e = all_.at(n);
    leave(n, e);
    e.at = where::ready;
    ready_.emplace(e.level, n);
    if (e.tries > 0) ++parked_;
  }
  return count;
}

std::vector<replay_queue::held_group> replay_queue::held() const {
  std::vector<held_group> out;
  for (const auto& [name, g] : groups_) out.push_back({name, g.waiting.size(), g.in_all});
  return out;
}

// -- running

void replay_queue::add_running(number n, priority level, const std::string& group) {
  auto [it, fresh] = all_.try_emplace(n);
  if (!fresh) return;
  it->second.level = level;
  it->second.group = group;
  it->second.at = where::running_own;
  ++running_;
}

std::optional<replay_queue::number> replay_queue::next(instant now) {
  while (!later_.empty() && later_.begin()->first <= now) {
    const auto n = later_.begin()->second;
    auto& e = all_.at(n);
    if (auto* by = holder(e)) {
      leave(n, e);
      hold_back(n, e, *by);
      continue;
    }
    later_.erase(later_.begin());
    e.at = where::ready;
    ready_.emplace(e.level, n);
  }
  if (ready_.empty() || paced_ >= at_once()) return std::nullopt;
  const auto n = ready_.begin()->second;
  auto& e = all_.at(n);
  leave(n, e);
  e.at = where::running_paced;
  e.tries_outage = holder(e) != nullptr;
  ++running_;
  ++paced_;
  return n;
}

void replay_queue::park(number n, instant now, double draw) {
  const auto it = all_.find(n);
  if (it == all_.end() || !is_running(n)) return;
  if (auto* by = holder(it->second)) {
    leave(n, it->second);
    return hold_back(n, it->second, *by);
  }
  if (it->second.tries_outage) { // it came too early, and the end of the outage too late for it
    leave(n, it->second);
    return wait(n, it->second, now);
  }
  if (it->second.at == where::running_paced) pace_down();
  put_off(n, now, draw);
}

void replay_queue::put_off(number n, instant now, double draw) {
  const auto it = all_.find(n);
  if (it == all_.end() || !is_running(n)) return;
  auto& e = it->second;
  leave(n, e);
  const double doubled =
      std::min(double(pace_.longest_pause.count()),
               double(pace_.first_pause.count()) * double(std::uint64_t{1} << std::min(e.tries, 30)));
  ++e.tries;
  wait(n, e, now + duration(static_cast<duration::rep>(doubled * (1 - draw / 2))));
}

void replay_queue::again(number n, instant ready) {
  if (!is_running(n)) return;
  auto& e = all_.at(n);
  leave(n, e);
  wait(n, e, ready);
}

bool replay_queue::join(number n) {
  const auto it = all_.find(n);
  if (it == all_.end() || is_running(n)) return false;
  leave(n, it->second);
  it->second.at = where::running_own;
  it->second.tries_outage = holder(it->second) != nullptr;
  ++running_;
  return true;
}

void replay_queue::hasten(number n, instant now) {
  const auto it = all_.find(n);
  if (it == all_.end() || it->second.at != where::later || it->second.ready <= now) return;
  leave(n, it->second);
  wait(n, it->second, now);
}

void replay_queue::done(number n, bool answered) {
  const auto it = all_.find(n);
  if (it == all_.end()) return;
  if (answered && it->second.at == where::running_paced) pace_up();
  leave(n, it->second);
  all_.erase(it);
}

std::optional<instant> replay_queue::due() const {
  if (paced_ >= at_once()) return std::nullopt;
  if (!ready_.empty()) return instant{}; // its time has come already
  if (later_.empty()) return std::nullopt;
  return later_.begin()->first;
}

std::optional<instant> replay_queue::ready_at(number n) const {
  const auto it = all_.find(n);
  if (it == all_.end() || is_running(n)) return std::nullopt;
  return it->second.ready;
}

bool replay_queue::is_running(number n) const noexcept {
  const auto it = all_.find(n);
  return it != all_.end() && (it->second.at == where::running_own || it->second.at == where::running_paced);
}

} // namespace mainstay
