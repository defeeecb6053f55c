#include "core/flight_book.hpp"

namespace mainstay {

std::optional<flight_book::seat> flight_book::join(const std::string& key, number who, const terms& with,
                                                   instant looked, instant now) {
  if (const auto has = seats_.find(who); has != seats_.end())
    return seat{has->second, flights_.at(has->second).leader == who, false, {}};
  const auto found = open_.find(key);
  if (found == open_.end()) {
    forget_landed(now);
    const auto landed = landed_.find(key);
    if (landed == landed_.end() || looked >= landed->second) return {};
    return seat{0, false, true, {}};
  }
  const auto n = found->second;
  auto& f = flights_.at(n);
  ++saved_;
  f.callers.insert(who);
  seats_.emplace(who, n);
  seat s{n, false, false, {}};
  if (with.until > f.lives_by.until || with.level < f.lives_by.level) {
    f.lives_by = {std::max(with.until, f.lives_by.until), std::min(with.level, f.lives_by.level)};
    s.changed = f.lives_by;
  }
  return s;
}

void flight_book::lead(const std::string& key, number n, number who, const terms& with) {
  if (const auto before = open_.find(key); before != open_.end()) close(before->second);
  flights_.emplace(n, flight{key, who, with, {who}});
  open_[key] = n;
  seats_[who] = n;
}

std::optional<flight_book::number> flight_book::leave(number who) {
  const auto has = seats_.find(who);
  if (has == seats_.end()) return {};
  const auto n = has->second;
  seats_.erase(has);
  auto& callers = flights_.at(n).callers;
  callers.erase(who);
  if (!callers.empty()) return {};
  forget(n);
  return n;
}

void flight_book::close(number n) {
  const auto f = flights_.find(n);
  if (f == flights_.end()) return;
  if (const auto open = open_.find(f->second.key); open != open_.end() && open->second == n) open_.erase(open);
}

void flight_book::over(number n, bool landed, instant now) {
  const auto found = flights_.find(n);
  if (found == flights_.end()) return;
  forget_landed(now);
  for (auto who : found->second.callers) seats_.erase(who);
  if (landed) {
    landed_[found->second.key] = now;
    queue_.emplace_back(found->second.key, now);
  }
  forget(n);
}

void flight_book::forget(number n) {
  close(n);
  flights_.erase(n);
}

void flight_book::forget_landed(instant now) {
  for (; !queue_.empty() && queue_.front().second + landed_for <= now; queue_.pop_front())
    if (const auto l = landed_.find(queue_.front().first); l != landed_.end() && l->second == queue_.front().second)
      landed_.erase(l);
}

} // namespace mainstay
