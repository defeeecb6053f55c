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
  }
}

void replay_queue::add(number n, priority level, instant ready) {
  auto [it, fresh] = all_.try_emplace(n);
  if (!fresh) return;
  it->second.level = level;
  wait(n, it->second, ready);
}

void replay_queue::add_running(number n, priority level) {
  auto [it, fresh] = all_.try_emplace(n);
  if (!fresh) return;
  it->second.level = level;
  it->second.at = where::running_own;
  ++running_;
}

std::optional<replay_queue::number> replay_queue::next(instant now) {
  while (!later_.empty() && later_.begin()->first <= now) {
    const auto n = later_.begin()->second;
    later_.erase(later_.begin());
    auto& e = all_.at(n);
    e.at = where::ready;
    ready_.emplace(e.level, n);
  }
  if (ready_.empty() || paced_ >= at_once()) return std::nullopt;
  const auto n = ready_.begin()->second;
  auto& e = all_.at(n);
  leave(n, e);
  e.at = where::running_paced;
  ++running_;
  ++paced_;
  return n;
}

void replay_queue::park(number n, instant now, double draw) {
  if (const auto it = all_.find(n); it != all_.end() && it->second.at == where::running_paced) pace_down();
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
