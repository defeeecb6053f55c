// What all connections share, and a connection's life: its input up to whole messages, its end, its time limits. What
// is done with messages is in net/zmq_connection_requests.cpp, the output in net/zmq_connection_answer.cpp.
#include "net/zmq_connection.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mainstay::mq {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_per_turn = 1u << 20;   // read before others get their turn
constexpr std::size_t most_discarded = 64u << 20; // after a fault
constexpr std::size_t slowest_bytes_per_second = 1u << 10;
constexpr std::size_t most_unfinished = 16;      // of the largest body allowed, in bytes of all messages together
constexpr std::size_t small_message = 64u << 10; // not worth cutting off for that

} // namespace

zmq_loop::zmq_loop(event_loop& e, server_settings s, std::shared_ptr<handler> h)
  : events(e), settings(std::move(s)),
    // A quarter above the limit, so that what is a little too large is answered and only what is far too large ends the
    // connection.
    limits{.message_bytes = settings.body_limit + settings.body_limit / 4 + 2 * max_headers_bytes,
           .kept_frames = max_frames + 1},
    curve(settings.curve), door(std::move(h)), all_flows(std::make_shared<total_flow>(settings.total_outbox_limit)) {}

connection* zmq_loop::find(std::uint64_t number) {
  const auto it = connections.find(number);
  return it == connections.end() ? nullptr : it->second.get();
}

void zmq_loop::perform_answers() {
  answers->take(batch_);
  for (auto& c : batch_) {
    if (c.kind == command::what::tell_left)
      c.of->tell_left();
    else if (auto* to = find(c.of->connection))
      to->perform(std::move(c));
    else
      c.of->way->release(c.message.cost());
  }
  batch_.clear();
  flush();
}

void zmq_loop::flush() {
  while (!to_flush.empty()) {
    flushing_.swap(to_flush);
    for (auto number : flushing_)
      if (auto* c = find(number)) c->flush();
    flushing_.clear();
  }
}

connection::connection(zmq_loop& loop, int fd, std::uint64_t number, peer_name who)
  : loop_(loop), fd_(fd), number_(number), who_(std::move(who)),
    reader_(loop.limits, loop.curve ? std::make_unique<curve_session>(loop.curve) : nullptr),
    way_(std::make_shared<flow>(loop.all_flows, loop.settings.outbox_limit)) {
  born_ = heard_at_ = pinged_at_ = linger_until_ = moved_at_ = below_limit_at_ = clock::now();
}

connection::~connection() {
  if (phase_ != phase::closed) ::close(fd_);
}

void connection::start() {
  guarded([this] {
    loop_.events.watch(fd_, EPOLLIN | EPOLLRDHUP, *this);
    send_handshake(greeting(reader_.curve() != nullptr));
    read(); // the client's is often there already
    loop_.flush();
  });
}

// --- input ---

void connection::on_events(int, std::uint32_t events) {
  guarded([&] {
    if (events & EPOLLOUT) flush();
    if (phase_ == phase::closed) return;
    const bool gone = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (paused_) return gone ? close() : void(); // with what it sent before unread: it does not read either
    if (gone || (events & EPOLLIN)) read();
    loop_.flush();
  });
}

void connection::read() {
  const auto now = clock::now();
  for (std::size_t taken = 0; taken < most_per_turn && !paused_;) {
    const auto n = ::recv(fd_, loop_.scratch.data(), loop_.scratch.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n <= 0) return close(); // left, or half-closed, which counts as having left
    const auto size = static_cast<std::size_t>(n);
    taken += size;
    heard_at_ = now;
    asked_at_ = {};
    consume({loop_.scratch.data(), size});
    if (phase_ == phase::closed) return;
    note_message(size, now);
    account_for_message(reader_.held());
    if (loop_.unfinished > most_unfinished * loop_.settings.body_limit) make_room();
    if (phase_ == phase::closed) return;
    if (size < loop_.scratch.size()) break; // that was all
  }
  rearm(now);
}

/// Keeps the time of the message that is under way.
void connection::note_message(std::size_t bytes, clock::time_point now) {
  if (!reader_.in_message()) {
    message_began_at_ = {};
    return;
  }
  if (!is_under_way()) {
    message_began_at_ = now;
    message_bytes_ = 0;
  }
  message_bytes_ += bytes;
  message_moved_at_ = now;
}

void connection::account_for_message(std::size_t held) noexcept {
  loop_.unfinished += held - accounted_; // wraps where it shrank, and back again
  accounted_ = held;
}

/// Gives up the message that has not moved for longest: many of them, large and stalled, must not fill the memory.
void connection::make_room() {
  connection* slowest = nullptr;
  for (auto& [_, c] : loop_.connections)
    if (c->accounted_ > small_message && (!slowest || c->message_moved_at_ < slowest->message_moved_at_))
      slowest = c.get();
  if (slowest) slowest->guarded([slowest] { slowest->give_up({503, "too many messages are on their way"}); });
}

/// Takes messages from the input until it is used up or too much waits to be sent; then the rest is kept.
void connection::consume(std::string_view input) {
  while (!input.empty() && phase_ != phase::closed) {
    if (phase_ == phase::lingering) {
      discarded_ += input.size();
      return discarded_ > most_discarded ? close() : void();
    }
    if (way_->crowded()) {
      paused_ = true;
      early_.assign(input);
      return set_interest();
    }
    switch (reader_.feed(input)) {
    case wire_reader::event::more: break;
    case wire_reader::event::greeted:
      if (!reader_.curve()) send_handshake(ready_command());
      break;
    case wire_reader::event::welcome: send_handshake(reader_.reply()); break;
    case wire_reader::event::ready:
      phase_ = phase::traffic;
      ++loop_.peers;
      if (reader_.curve()) send_handshake(reader_.reply());
      break;
    case wire_reader::event::message: take_message(); break;
    case wire_reader::event::ping: send_command(pong_command(reader_.ping_context())); break;
    case wire_reader::event::fault: give_up(reader_.fault()); break;
    }
  }
}

void connection::resume_reading() {
  paused_ = false;
  if (is_under_way()) { // its time did not run meanwhile
    message_began_at_ = message_moved_at_ = clock::now();
    message_bytes_ = 0;
  }
  const auto kept = std::exchange(early_, {});
  consume(kept);
}

// --- the end ---

void connection::check_key() noexcept {
  const auto* curve = reader_.curve();
  if (loop_.curve && curve && reader_.is_ready() && !loop_.curve->clients.contains(curve->client_key())) close();
}

void connection::close() noexcept {
  if (phase_ == phase::closed) return;
  const auto self = shared_from_this();
  if (phase_ == phase::traffic) --loop_.peers;
  phase_ = phase::closed;
  loop_.events.disarm(*this);
  loop_.events.unwatch(fd_);
  // With a reset where the client does not read: what the kernel still holds for it is dropped too.
  const linger reset{outbox_.empty() ? 0 : 1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::close(fd_);
  for (auto& c : std::exchange(outbox_, {})) way_->release(c.message.cost());
  release(early_);
  account_for_message(0);
  leave_all();
  loop_.connections.erase(number_); // whoever is inside holds on to it
  if (loop_.on_closed) loop_.on_closed();
}

// --- time ---

connection::clock::time_point connection::message_due() const {
  const auto patience = loop_.settings.message_timeout;
  const auto earned = std::chrono::seconds(message_bytes_ / slowest_bytes_per_second) + 2 * patience;
  return std::min<clock::time_point>(message_moved_at_ + patience, message_began_at_ + earned);
}

/// When to look at this connection next.
void connection::rearm(clock::time_point now) {
  auto& s = loop_.settings;
  if (!way_->above_limit()) below_limit_at_ = now;
  if (outbox_.empty()) moved_at_ = now;
  auto due = clock::time_point::max();
  const auto by = [&](clock::time_point t) { due = std::min(due, t); };
  if (phase_ == phase::handshake) by(born_ + s.handshake_timeout);
  if (phase_ == phase::lingering) by(linger_until_);
  if (phase_ == phase::traffic && outbox_.empty()) {
    by(std::max(heard_at_, pinged_at_) + s.heartbeat);
    if (was_asked()) by(asked_at_ + s.gone_after());
  }
  if (!outbox_.empty()) by(std::min(moved_at_, below_limit_at_) + s.write_timeout);
  if (is_under_way() && !paused_) by(message_due());
  loop_.events.arm(*this, due);
}

void connection::on_deadline() {
  guarded([this] {
    auto& s = loop_.settings;
    const auto now = clock::now();
    if (phase_ == phase::handshake && now >= born_ + s.handshake_timeout) return close();
    if (phase_ == phase::lingering && now >= linger_until_) return close();
    if (!outbox_.empty() && now >= std::min(moved_at_, below_limit_at_) + s.write_timeout) return close();
    if (is_under_way() && !paused_ && now >= message_due()) return close();
    if (phase_ == phase::traffic && outbox_.empty()) {
      if (was_asked() && now >= asked_at_ + s.gone_after()) return close();
      if (now >= std::max(heard_at_, pinged_at_) + s.heartbeat) {
        pinged_at_ = now;
        if (!was_asked()) asked_at_ = now;
        send_command(ping_command());
      }
    }
    rearm(now);
    loop_.flush();
  });
}

} // namespace mainstay::mq
