#include "core/warming.hpp"

namespace mainstay {

std::string_view to_string(warming::pause p) noexcept {
  switch (p) {
  case warming::pause::none: return "";
  case warming::pause::requests_wait: return "requests wait";
  case warming::pause::capacity_used: return "half of a limit or a pool is in use";
  case warming::pause::providers_fail: return "providers fail";
  case warming::pause::after_failure: return "a call failed";
  }
  return "";
}

void warming::add(number n) { waiting_.push_back(n); }

void warming::looked(const load& l, instant now) {
  looked_ = now;
  why_ = l.waiting > 0               ? pause::requests_wait
         : l.failing                 ? pause::providers_fail
         : l.busiest > pace_.busiest ? pause::capacity_used
                                     : pause::none;
  if (why_ == pause::none) {
    next_look_ = now + pace_.look_every;
    allowed_ = at_once() - std::min(at_once(), running());
    return;
  }
  next_look_ = now + pace_.while_busy;
  allowed_ = 0;
  if (why_ == pause::requests_wait) slow_down();
}

std::optional<warming::number> warming::next(instant now) {
  if (waiting_.empty() || allowed_ == 0 || now < rest_until_ || running() >= at_once() || !look_is_fresh(now))
    return std::nullopt;
  const auto n = waiting_.front();
  waiting_.pop_front();
  --allowed_;
  auto called = called_.extract(n);
  running_.emplace(n, called ? std::move(called.mapped()) : std::string());
  return n;
}

bool warming::begin(number n, const std::string& key) {
  const auto it = running_.find(n);
  if (it == running_.end()) return false;
  if (it->second == key) return true;
  pass_on(it->second, n); // what makes lines equal has changed meanwhile
  const auto [q, fresh] = questions_.try_emplace(key);
  if (fresh) {
    q->second.asker = n;
    it->second = key;
    return true;
  }
  running_.erase(it);
  q->second.held.push_back(n);
  ++held_;
  allow_another();
  return false;
}

/// The asker has ended: the next of those who ask the same finds its answer.
void warming::pass_on(const std::string& key, number from) {
  const auto q = questions_.find(key);
  if (q == questions_.end() || q->second.asker != from) return;
  auto& held = q->second.held;
  if (held.empty()) {
    questions_.erase(q);
    return;
  }
  const auto next = held.front();
  held.pop_front();
  --held_;
  q->second.asker = next;
  called_.emplace(next, key);
  waiting_.push_front(next);
}

void warming::over(number n, ending how, instant now) {
  const auto it = running_.find(n);
  if (it == running_.end()) return;
  pass_on(it->second, n);
  running_.erase(it);
  switch (how) {
  case ending::kept:
    ++kept_;
    at_once_ = std::min(pace_.most, at_once_ + 1 / at_once_);
    next_pause_ = pace_.first_pause;
    break;
  case ending::was_there:
    ++skipped_;
    allow_another(); // it cost nobody anything
    break;
  case ending::refused:
    ++failed_;
    allow_another();
    break;
  case ending::failed:
    ++failed_;
    slow_down();
    rest_until_ = std::max(rest_until_, now + next_pause_);
    next_pause_ = std::min(pace_.longest_pause, next_pause_ * 2);
    break;
  }
}

instant warming::look_due(instant now) const {
  if (waiting_.empty() || running() >= at_once()) return instant::max();
  return std::max({next_look_, rest_until_, now});
}

warming::pause warming::why(instant now) const {
  if (waiting_.empty()) return pause::none;
  return now < rest_until_ ? pause::after_failure : why_;
}

} // namespace mainstay
