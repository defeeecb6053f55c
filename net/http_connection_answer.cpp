// The connection's answers: what the exchange brought becomes bytes, the bytes leave when the socket takes them, and
// then comes the next request, the end, or the time limit of a caller who takes nothing.
#include "net/http_connection.hpp"

#include <algorithm>
#include <poll.h>
#include <sys/socket.h>

namespace mainstay::http {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t most_unsent = 64u << 20;  // of streams: whoever produces without watching progress ends here
constexpr std::size_t most_per_turn = 1u << 20; // written before others get their turn
constexpr auto linger_time = 2s;
constexpr auto hang_up_check = 500ms; // while reading is paused

} // namespace

void connection::answer_waits() {
  guarded([this] {
    if (!exchange_) return;
    auto part = exchange_->collect();
    if (part.broken) return abort();
    bool write = part.worth_writing();
    absorb(std::move(part));
    if (write) flush();
  });
}

void connection::absorb(answer_part part) {
  keep_alive_ = keep_alive_ && !part.close_after;
  if (part.whole) {
    auto& answer = *part.whole;
    auto head = head_of(answer.status, answer.content_type, answer.headers, answer.body ? answer.body->size() : 0);
    bool with_body = !bodiless_ && status_has_body(answer.status);
    out_.push({std::move(head), with_body ? std::move(answer.body) : nullptr, {}});
  } else if (part.stream_head) {
    if (!http11_) keep_alive_ = false;
    if (!find_header(*part.stream_head, "cache-control")) part.stream_head->emplace_back("cache-control", "no-cache");
    out_.push({head_of(200, "text/event-stream", *part.stream_head, std::nullopt), nullptr, {}});
  }
  out_.push(std::move(part.pieces));
  ended_ = ended_ || part.ended;
}

std::string connection::head_of(int status, std::string_view type, const header_list& headers,
                                std::optional<std::size_t> length) {
  keep_alive_ = keep_alive_ && !loop_.draining;
  return head_text({status, type, length, !length && http11_, http11_, keep_alive_}, headers);
}

/// An answer of the server's own, without an exchange.
void connection::answer_at_once(int status, const header_list& headers, bytes_ptr body) {
  phase_ = keep_alive_ ? phase::answering : phase::leaving;
  loop_.events.disarm(*this);
  release(body_);
  account_for_body();
  answer_part part;
  part.whole.emplace(whole_answer{status, "application/json", headers, std::move(body)});
  part.ended = true;
  absorb(std::move(part));
  flush();
}

/// The framing cannot be trusted from here on: answer and go.
void connection::refuse(const framing_fault& fault) {
  keep_alive_ = false;
  unread_input_ = true;
  auto type = fault.status >= 500 ? "server_error" : "invalid_request_error";
  auto& labels = loop_.settings.fault_headers;
  answer_at_once(fault.status, labels ? labels() : header_list{},
                 make_bytes(error_json(fault.message, type, fault.code)));
}

void connection::refuse_timeout() { refuse({408, "request_timeout", "the request did not arrive in time"}); }

void connection::next_request() {
  phase_ = phase::head;
  ended_ = head_began_ = line_skipped_ = backed_up_ = paused_ = false;
  unreported_ = 0;
  scanner_.reset();
  set_deadline(loop_.settings.idle_timeout);
  set_interest();
  if (tls_) settle_tls();
  if (!consuming_ && !in_.empty()) consume(in_);
}

// --- writing ---

/// Writes until everything left, the socket is full, or it is others' turn. While a wait is pending there is no point
/// in trying.
void connection::flush() {
  auto before = out_.bytes();
  while (!writing_ && !out_.empty() && phase_ != phase::closed && before - out_.bytes() < most_per_turn)
    if (!write_some()) break;
  if (phase_ == phase::closed) return;
  bool moved = out_.bytes() != before;
  if (out_.empty()) return all_written();
  if (exchange_ && out_.bytes() > most_unsent && out_.event_bytes() > 0) return abort();
  if (moved || !blocked_) write_due_ = clock::now() + loop_.settings.write_timeout;
  blocked_ = true;
  watch_answer();
  writing_ = true;
  set_interest();
  report_progress();
}

/// False: the socket takes no more now, or the connection is gone.
bool connection::write_some() {
  std::array<iovec, 192> parts;
  std::size_t offered = 0;
  const auto count = out_.gather(parts.data(), parts.size(), offered);
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  auto sent = tls_ ? tls_->write(parts.data(), count) : ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno == EINTR) return true;
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (sent < 0) {
    close();
    return false;
  }
  unreported_ += out_.consume(static_cast<std::size_t>(sent));
  return tls_ || static_cast<std::size_t>(sent) == offered; // of TLS it was one record
}

/// Steps of at least `step`; the rest too when a backlog of more than `step` has gone.
void connection::report_progress() {
  if (!exchange_) return;
  auto observer = exchange_->observer();
  if (!observer) return;
  backed_up_ = backed_up_ || out_.event_bytes() > observer->step;
  bool relieved = backed_up_ && out_.empty();
  if (unreported_ == 0 || (unreported_ < observer->step && !relieved)) return;
  if (relieved) backed_up_ = false;
  try {
    observer->written(std::exchange(unreported_, 0));
  } catch (...) { // see exchange: callbacks owe us noexcept
  }
}

void connection::all_written() {
  blocked_ = false;
  report_progress();
  if (phase_ == phase::body) return; // that was a 100
  if (phase_ == phase::leaving) return linger();
  if (phase_ != phase::answering) return;
  if (!ended_) return watch_answer();
  if (auto done = std::exchange(exchange_, nullptr)) done->complete();
  if (keep_alive_ && !loop_.draining) return next_request();
  unread_input_ = unread_input_ || paused_ || (consuming_ ? more_input_ : !in_.empty());
  linger();
}

/// Closes after the answer. Where the caller may still be sending, closing at once would reset the connection and could
/// take the answer with it: so first end our side and read the rest away, for a bounded time.
void connection::linger() {
  if (!unread_input_) return close();
  phase_ = phase::lingering;
  paused_ = false;
  release(in_);
  if (tls_) tls_->end();
  tls_.reset(); // what still comes is read away as it is
  ::shutdown(fd_, SHUT_WR);
  set_deadline(linger_time);
  set_interest();
}

// --- time and endings ---

/// While answering: how long may a full socket stay full, and when to look after a caller whose input we stopped
/// reading.
void connection::watch_answer() {
  auto due = deadline_wheel::never;
  if (blocked_) due = write_due_;
  if (paused_) due = std::min<clock::time_point>(due, clock::now() + hang_up_check);
  if (phase_ == phase::body) return; // the body's own deadline holds
  loop_.events.arm(*this, due);
}

void connection::on_deadline() {
  guarded([this] {
    switch (phase_) {
    case phase::head: return head_began_ || !in_.empty() ? refuse_timeout() : close();
    case phase::body: return refuse_timeout();
    case phase::answering:
    case phase::leaving:
      if (blocked_ && clock::now() >= write_due_) return abort();
      if (paused_ && peer_hung_up()) return close();
      return watch_answer();
    case phase::lingering: return close();
    case phase::closed: return;
    }
  });
}

bool connection::peer_hung_up() noexcept {
  pollfd p{fd_, POLLRDHUP, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/// Closes with a reset: what the kernel still holds for a reader that takes nothing is dropped too.
void connection::abort() noexcept {
  ::linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  tls_.reset();
  close();
}

} // namespace mainstay::http
