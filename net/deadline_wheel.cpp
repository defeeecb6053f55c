// The wheel's lists. A slot holds the entries of all ticks that are equal modulo the wheel's size.
#include "net/deadline_wheel.hpp"

#include <algorithm>

namespace mainstay {

void deadline_wheel::entry::unlink() noexcept {
  if (!wheel_) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  --wheel_->linked_;
  wheel_ = nullptr;
}

deadline_wheel::deadline_wheel(time_point start) : start_(start) {
  for (auto& head : heads_) head.previous_ = head.next_ = &head;
}

/// Rounded up: an entry is looked at when it is due, not before.
std::int64_t deadline_wheel::tick_of(time_point when) const noexcept {
  auto passed = when - start_;
  return passed / tick + (passed % tick > passed.zero() ? 1 : 0);
}

void deadline_wheel::arm(entry& e, time_point due) noexcept {
  e.due_ = due;
  if (due == never) return;
  if (e.wheel_ && e.slot_tick_ <= tick_of(due)) return;
  e.unlink();
  link(e);
}

void deadline_wheel::link(entry& e) noexcept {
  auto at = std::clamp(tick_of(e.due_), turned_ + 1, turned_ + static_cast<std::int64_t>(slots));
  auto& head = heads_[static_cast<std::size_t>(at) % slots];
  e.slot_tick_ = at;
  e.wheel_ = this;
  e.previous_ = head.previous_;
  e.next_ = &head;
  head.previous_->next_ = &e;
  head.previous_ = &e;
  ++linked_;
}

std::int64_t deadline_wheel::begin_expiry(time_point now) noexcept {
  auto current = (now - start_) / tick;
  // After a long pause one whole turn looks at everything.
  turned_ = std::max(turned_, current - static_cast<std::int64_t>(slots));
  return current;
}

void deadline_wheel::take_next_slot(entry& list) noexcept {
  ++turned_;
  auto& head = heads_[static_cast<std::size_t>(turned_) % slots];
  list.previous_ = list.next_ = &list;
  if (head.next_ == &head) return;
  list.next_ = head.next_;
  list.previous_ = head.previous_;
  list.next_->previous_ = list.previous_->next_ = &list;
  head.previous_ = head.next_ = &head;
}

/// Takes entries off the list until one is due; those that were moved later go to their new slots.
deadline_wheel::entry* deadline_wheel::next_due(entry& list, time_point now) noexcept {
  while (list.next_ != &list) {
    auto& e = *list.next_;
    e.unlink();
    if (e.due_ == never) continue;
    if (e.due_ > now) {
      link(e);
      continue;
    }
    e.due_ = never;
    return &e;
  }
  return nullptr;
}

} // namespace mainstay
