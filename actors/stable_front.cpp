#include "actors/stable_front.hpp"

#include "actors/turn.hpp"

namespace mainstay {

namespace {

stable_front& self_of(const caf::strong_actor_ptr& front) {
  return *static_cast<stable_front*>(caf::actor_cast<caf::abstract_actor*>(front));
}

} // namespace

caf::strong_actor_ptr stable_front::make(caf::actor_system& sys, turn& home) {
  caf::actor_config cfg{nullptr};
  auto handle = caf::make_actor<stable_front, caf::actor>(sys.next_actor_id(), sys.node(), &sys, cfg, home);
  return caf::actor_cast<caf::strong_actor_ptr>(handle);
}

void stable_front::point_to(const caf::strong_actor_ptr& front, caf::strong_actor_ptr child) {
  auto& self = self_of(front);
  // What waited goes first: the child becomes visible only when nothing waits any more. Nothing is delivered under the
  // lock, because a child that is dead already drops letters, and those ask closed().
  for (;;) {
    std::deque<caf::mailbox_element_ptr> waiting;
    {
      std::lock_guard lock(self.guard_);
      if (!child || self.closed_ || self.waiting_.empty()) {
        self.child_ = self.closed_ ? nullptr : std::move(child);
        return;
      }
      self.child_ = nullptr;
      waiting.swap(self.waiting_);
    }
    for (auto& m : waiting) child->enqueue(std::move(m), &self.home_);
  }
}

void stable_front::close(const caf::strong_actor_ptr& front) {
  auto& self = self_of(front);
  std::deque<caf::mailbox_element_ptr> waiting;
  caf::strong_actor_ptr child;
  {
    std::lock_guard lock(self.guard_);
    self.closed_ = true;
    child.swap(self.child_);
    waiting.swap(self.waiting_);
  }
}

bool stable_front::closed(const caf::strong_actor_ptr& front) {
  auto& self = self_of(front);
  std::lock_guard lock(self.guard_);
  return self.closed_;
}

std::uint64_t stable_front::passed(const caf::strong_actor_ptr& front) {
  auto& self = self_of(front);
  std::lock_guard lock(self.guard_);
  return self.passed_;
}

void stable_front::later(const caf::strong_actor_ptr& front, instant when, std::function<void()> what) {
  self_of(front).home_.later(when, std::move(what));
}

void stable_front::enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) {
  caf::strong_actor_ptr child;
  {
    std::lock_guard lock(guard_);
    ++passed_;
    if (closed_) {
      child = nullptr;
    } else if (!child_ && waiting_.size() < waiting_limit) {
      waiting_.push_back(std::move(what));
      return;
    } else {
      child = child_;
    }
  }
  if (child) {
    child->enqueue(std::move(what), &home_);
  } else {
    bounce(what); // a request is answered with an error, anything else ends here
  }
}

} // namespace mainstay
