// The exchange's bookkeeping and the inbox that carries answers to the loop's thread.
#include "net/zmq_exchange.hpp"

#include "net/zmq_frames.hpp"

#include <utility>

namespace mainstay::mq {

void exchange::tell_left() noexcept {
  std::function<void()> observer; // destroyed after the lock is gone: observers may own the response
  std::function<void(std::size_t)> written;
  std::function<void()> cancelled;
  {
    std::lock_guard lock(guard_);
    closed_ = true;
    written.swap(written_);
    cancelled.swap(cancelled_);
    if (told_ || !left_) return;
    told_ = true;
    observer.swap(left_);
  }
  try {
    observer();
  } catch (...) {} // an observer's fault must not stop the socket
}

void exchange::forget_observers() noexcept {
  std::function<void()> observer, cancelled;
  std::function<void(std::size_t)> written;
  std::lock_guard lock(guard_);
  closed_ = true;
  observer.swap(left_);
  cancelled.swap(cancelled_);
  written.swap(written_);
}

void exchange::on_left(std::function<void()> observer) {
  std::lock_guard lock(guard_);
  if (!told_ && (!closed_ || left())) left_.swap(observer);
}

void exchange::on_cancel(std::function<void()> asked) {
  std::lock_guard lock(guard_);
  if (!closed_) cancelled_.swap(asked);
}

std::function<void()> exchange::whom_to_ask() {
  std::lock_guard lock(guard_);
  return cancelled_;
}

void exchange::observe(std::size_t step, std::function<void(std::size_t)> written) {
  std::lock_guard lock(guard_);
  if (closed_) return;
  step_ = step;
  written_.swap(written);
}

void exchange::queued(std::size_t bytes) {
  std::lock_guard lock(guard_);
  backlog_ += bytes;
  if (backlog_ > step_) backed_up_ = true;
}

void exchange::handed_over(std::size_t bytes) noexcept {
  std::function<void(std::size_t)> observer;
  std::size_t report = 0;
  {
    std::lock_guard lock(guard_);
    backlog_ -= bytes;
    unreported_ += bytes;
    const bool drained = backlog_ == 0 && std::exchange(backed_up_, false);
    if (!written_ || (unreported_ < step_ && !drained)) return;
    report = std::exchange(unreported_, 0);
    observer = written_;
  }
  try {
    observer(report);
  } catch (...) {}
}

bool inbox::push(command c) {
  auto& way = *c.of->way;
  const auto cost = c.kind == command::what::tell_left ? 0 : c.message.cost();
  if (cost && !way.admit(cost)) {
    if (!way.overflows()) return true;
    c = {command::what::overflow, std::move(c.of), {}, 0};
  }
  {
    std::lock_guard lock(guard_);
    if (closed_) return false;
    commands_.push_back(std::move(c));
    if (!asked_) asked_ = loop_.post(look_);
  }
  return true;
}

void inbox::take(std::vector<command>& out) {
  std::lock_guard lock(guard_);
  out.swap(commands_);
  asked_ = false;
}

void inbox::close() {
  std::vector<command> dropped; // destroyed outside the lock: responses in them may push
  std::lock_guard lock(guard_);
  closed_ = true;
  dropped.swap(commands_);
}

outgoing error_message(std::string_view id, bool delimiter, int status, std::string_view code, std::string_view text,
                       const header_list& headers) {
  return make_outgoing(id, "error", headers_frame(status, headers), make_bytes(error_body(status, code, text)),
                       delimiter);
}

} // namespace mainstay::mq
