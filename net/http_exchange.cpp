// Locks are held for moves and flags only; callbacks and destructors of callbacks always run outside them.
#include "net/http_exchange.hpp"

#include <utility>

namespace mainstay::http {
namespace {

void tell(const std::function<void()>& f) noexcept {
  try {
    if (f) f();
  } catch (...) { // a handler's callback owes us noexcept; the door survives those that forget
  }
}

} // namespace

exchange::exchange(event_loop& loop, exchange_owner* owner, stream_framing framing, bool bodiless)
  : loop_(loop), framing_(framing), bodiless_(bodiless), owner_(owner) {}

std::shared_ptr<response> exchange::handle() {
  return {this, [self = shared_from_this()](response*) { self->dropped(); }};
}

/// Runs a change under the lock, unless the answer is over. Running out of memory ends the connection instead of the
/// process.
template <class Change>
void exchange::change(Change&& apply) noexcept {
  std::lock_guard lock(mutex_);
  if (closed_ || ended_) return;
  try {
    apply();
  } catch (...) {
    part_.broken = true;
    try {
      wake();
    } catch (...) { // the next call, or the drop, tries again
    }
  }
}

/// Posting is safe only until the connection closed: the loop runs at least until then.
void exchange::wake() {
  if (scheduled_) return;
  loop_.post([self = shared_from_this()] {
    if (self->owner_) self->owner_->answer_waits();
  });
  scheduled_ = true;
}

void exchange::begin_stream() {
  if (streaming_) return;
  part_.stream_head.emplace();
  streaming_ = true;
}

void exchange::put(wire_piece piece) {
  begin_stream();
  if (!bodiless_) part_.pieces.push_back(std::move(piece));
  wake();
}

void exchange::end_with(wire_piece piece) {
  put(std::move(piece));
  part_.ended = ended_ = true;
}

void exchange::reply(int status, header_list headers, bytes_ptr body) {
  reply_as(status, "application/json", std::move(headers), std::move(body));
}

void exchange::reply_as(int status, std::string content_type, header_list headers, bytes_ptr body) {
  change([&] {
    if (streaming_) return;
    part_.whole.emplace(whole_answer{status, std::move(content_type), std::move(headers), std::move(body)});
    wake();
    part_.ended = ended_ = true;
  });
}

/// Nobody is woken: the head leaves together with what follows.
void exchange::stream_head(header_list headers) {
  change([&] {
    if (streaming_) return;
    part_.stream_head.emplace(std::move(headers));
    streaming_ = true;
  });
}

void exchange::stream_event(bytes_ptr json) {
  change([&] { put(event_piece(std::move(json), framing_)); });
}

void exchange::stream_comment(std::string text) {
  change([&] { put(comment_piece(std::move(text), framing_)); });
}

void exchange::stream_end(bytes_ptr, header_list) {
  change([&] { end_with(done_piece(framing_)); });
}

void exchange::stream_error(int status, bytes_ptr error_json, header_list trailers) {
  change([&] {
    if (!streaming_) { // no head was asked for yet, so the error can still have its true status
      part_.whole.emplace(whole_answer{status, "application/json", std::move(trailers), std::move(error_json)});
      wake();
      part_.ended = ended_ = true;
      return;
    }
    put(event_piece(std::move(error_json), framing_));
    end_with(end_piece(framing_));
  });
}

void exchange::stream_typed_event(std::string_view type, bytes_ptr json) {
  change([&] { put(event_piece(std::move(json), framing_, type)); });
}

void exchange::stream_filler(std::string text) {
  change([&] { put(comment_piece(std::move(text), framing_, true)); });
}

void exchange::stream_close() {
  change([&] { end_with(end_piece(framing_)); });
}

void exchange::dropped() noexcept {
  change([&] {
    auto body = make_bytes(error_json("the request was given up without an answer", "server_error", "internal_error"));
    if (streaming_) {
      put(event_piece(std::move(body), framing_));
      end_with(end_piece(framing_));
      return;
    }
    part_.whole.emplace(whole_answer{500, "application/json", {}, std::move(body)});
    wake();
    part_.ended = ended_ = true;
  });
}

void exchange::observe_progress(std::size_t step, std::function<void(std::size_t)> written) {
  std::shared_ptr<const progress_observer> observer;
  if (written) try {
      observer = std::make_shared<const progress_observer>(progress_observer{step, std::move(written)});
    } catch (...) { // unobserved, the stream is bounded by the connection's own limit
    }
  std::lock_guard lock(mutex_);
  if (!closed_) observer_.swap(observer);
}

void exchange::on_caller_left(std::function<void()> left) {
  {
    std::lock_guard lock(mutex_);
    if (completed_ || told_) return;
    if (!closed_) {
      left_.swap(left);
      return;
    }
    told_ = static_cast<bool>(left);
  }
  tell(left);
}

void exchange::close_after() {
  std::lock_guard lock(mutex_);
  part_.close_after = true;
}

answer_part exchange::collect() noexcept {
  std::lock_guard lock(mutex_);
  scheduled_ = false;
  bool close = part_.close_after; // sticks: it may come before the answer
  auto part = std::exchange(part_, {});
  part_.close_after = close;
  return part;
}

std::shared_ptr<const progress_observer> exchange::observer() const noexcept {
  std::lock_guard lock(mutex_);
  return observer_;
}

void exchange::complete() noexcept {
  owner_ = nullptr;
  std::function<void()> left;
  std::shared_ptr<const progress_observer> observer;
  std::lock_guard lock(mutex_);
  closed_ = completed_ = true;
  left.swap(left_);
  observer.swap(observer_);
}

void exchange::caller_left() noexcept {
  owner_ = nullptr;
  std::function<void()> left;
  std::shared_ptr<const progress_observer> observer;
  answer_part unsent;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    left.swap(left_);
    observer.swap(observer_);
    std::swap(unsent, part_);
    told_ = static_cast<bool>(left);
  }
  tell(left);
}

} // namespace mainstay::http
