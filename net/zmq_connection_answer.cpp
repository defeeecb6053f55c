// The connection's output: what is to be sent waits in the outbox, leaves when the socket takes it, and is accounted
// for.
#include "net/zmq_connection.hpp"

#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace mainstay::mq {
namespace {

constexpr std::size_t most_per_turn = 1u << 20; // written before others get their turn
constexpr std::size_t most_parts = 128;         // of one write: two for each message

} // namespace

void connection::perform(command c) noexcept {
  guarded([&] {
    if (c.kind == command::what::overflow) return close();
    if (c.kind == command::what::last) close_request(c.of);
    // After a cancel the 499 was the last word.
    const bool unwanted = c.kind == command::what::part && c.of->left();
    if (unwanted || phase_ != phase::traffic) return way_->release(c.message.cost());
    queue(std::move(c));
  });
}

/// An answer that belongs to no exchange. Who asks nonsense and does not read the answers is disconnected.
void connection::send(outgoing message) {
  if (!way_->admit(message.cost())) return close();
  queue({command::what::part, nullptr, std::move(message), 0});
}

void connection::send_command(std::string bytes) { send({std::move(bytes), nullptr}); }

/// What comes before anything is encrypted.
void connection::send_handshake(std::string_view bytes) {
  outgoing message{std::string(bytes), nullptr};
  if (!way_->admit(message.cost())) return close();
  put({command::what::part, nullptr, std::move(message), 0});
}

/// In the order in which it leaves: boxes are numbered.
void connection::queue(command c) {
  if (auto* curve = reader_.curve()) {
    outgoing boxed;
    append_sealed(boxed.lead, *curve, c.message.lead, c.message.body ? std::string_view(*c.message.body) : "");
    boxed.added = boxed.size() - c.message.size();
    c.message = std::move(boxed);
  }
  put(std::move(c));
}

void connection::put(command c) {
  if (outbox_.empty()) moved_at_ = clock::now();
  outbox_.push_back(std::move(c));
  if (flush_due_) return;
  loop_.to_flush.push_back(number_);
  flush_due_ = true;
}

void connection::flush() noexcept {
  guarded([this] {
    if (phase_ == phase::closed) return;
    flush_due_ = false;
    std::size_t written = 0;
    for (std::size_t n = 1; n > 0 && written < most_per_turn && !outbox_.empty(); written += n) n = write_some();
    if (phase_ == phase::closed) return;
    const auto now = clock::now();
    if (written > 0) moved_at_ = now;
    if (outbox_.empty() && phase_ == phase::lingering) ::shutdown(fd_, SHUT_WR);
    if (paused_ && way_->relieved()) resume_reading();
    if (phase_ == phase::closed) return;
    set_interest();
    rearm(now);
    if (outbox_.empty() && loop_.on_sent) loop_.on_sent();
  });
}

/// Bytes written; 0: the socket takes no more now, or the connection is gone.
std::size_t connection::write_some() {
  std::array<iovec, most_parts> parts;
  std::size_t n = 0, skip = gone_;
  const auto add = [&](std::string_view part) {
    const auto hidden = std::min(skip, part.size());
    skip -= hidden;
    part.remove_prefix(hidden);
    if (!part.empty()) parts[n++] = {const_cast<char*>(part.data()), part.size()}; // sendmsg only reads
  };
  for (auto c = outbox_.begin(); c != outbox_.end() && n + 2 <= parts.size(); ++c) {
    add(c->message.lead);
    if (c->message.body) add(*c->message.body);
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = n;
  ssize_t sent = 0;
  do sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) close();
    return 0;
  }
  gone_ += static_cast<std::size_t>(sent);
  while (!outbox_.empty() && gone_ >= outbox_.front().message.size()) {
    gone_ -= outbox_.front().message.size();
    sent_whole(outbox_.front());
    outbox_.pop_front();
  }
  return static_cast<std::size_t>(sent);
}

void connection::sent_whole(command& c) {
  way_->release(c.message.cost());
  if (!c.of) return;
  if (c.event_bytes) c.of->handed_over(c.event_bytes);
  if (c.kind == command::what::last) c.of->forget_observers();
}

void connection::set_interest() {
  if (phase_ == phase::closed) return;
  loop_.events.rewatch(fd_, EPOLLRDHUP | (paused_ ? 0u : EPOLLIN) | (outbox_.empty() ? 0u : EPOLLOUT));
}

} // namespace mainstay::mq
