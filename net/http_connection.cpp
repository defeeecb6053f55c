// The connection's life and its input: head, body, and off to the handler; what comes early waits. One wait for
// readability stays pending through all phases, so leaving is noticed while an answer is made. Reading is a wait and
// then a plain recv into the loop's scratch buffer: ten thousand idle streams hold no read buffers. Answers are in
// net/http_connection_answer.cpp.
#include "net/http_connection.hpp"

#include <algorithm>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mainstay::http {
namespace {

constexpr std::size_t early_input_slack = 4u << 10;  // beyond header_limit, while a request is being answered
constexpr std::size_t most_discarded = 64u << 20;    // of a refused request's body
constexpr std::size_t most_per_turn = 1u << 20;      // read before others get their turn
constexpr std::size_t first_body_reserve = 1u << 20; // a large content-length alone reserves no more
constexpr std::uint64_t slowest_body_per_second = 1u << 10;
constexpr std::size_t most_unfinished_bodies = 16; // of the largest size allowed, in bytes of all together
constexpr std::size_t small_body = 64u << 10;      // not worth cutting off for that

} // namespace

connection::connection(http_loop& loop, int fd, std::string peer, bool peer_is_loopback)
  : loop_(loop), fd_(fd), tls_(loop.settings.tls ? std::make_unique<tls_stream>(*loop.settings.tls, fd) : nullptr),
    peer_(std::move(peer)), peer_is_loopback_(peer_is_loopback) {}

connection::~connection() {
  if (fd_ >= 0) ::close(fd_);
}

void connection::start() {
  guarded([this] {
    loop_.events.watch(fd_, EPOLLIN, *this);
    set_deadline(loop_.settings.header_timeout);
    readable(); // the request is often there already
  });
}

void connection::set_deadline(std::chrono::milliseconds from_now) { loop_.events.arm(*this, clock::now() + from_now); }

/// While reading is paused the socket still tells of a connection that broke.
void connection::set_interest() {
  if (phase_ == phase::closed) return;
  const bool reads = !paused_ && !queued_;
  const bool wants_room = writing_ || (tls_ && reads && tls_->reading_wants_room());
  loop_.events.rewatch(fd_, (reads ? EPOLLIN : 0u) | (wants_room ? EPOLLOUT : 0u));
}

void connection::on_events(int, std::uint32_t events) {
  guarded([&] {
    if (events & EPOLLOUT && writing_) {
      writing_ = false;
      flush();
      set_interest();
    }
    if ((paused_ || queued_) && events & (EPOLLHUP | EPOLLERR)) return close();
    const bool tls_may_go_on = events & EPOLLOUT && tls_ && tls_->reading_wants_room();
    if (!paused_ && (tls_may_go_on || events & (EPOLLIN | EPOLLHUP | EPOLLERR))) readable();
  });
}

// --- reading ---

std::size_t connection::read_room() const noexcept {
  auto room = loop_.scratch.size();
  if (phase_ != phase::answering) return room;
  auto most = loop_.settings.header_limit + early_input_slack;
  return std::min(room, most - std::min(most, in_.size()));
}

void connection::readable() {
  if (phase_ == phase::closed) return;
  if (tls_ && !tls_->is_open()) return await_handshake();
  read_on();
}

void connection::await_handshake() {
  if (std::exchange(queued_, true)) return;
  set_interest();
  loop_.handshakes.join([weak = weak_from_this()] {
    const auto c = weak.lock();
    if (!c || c->phase_ == phase::closed) return;
    c->queued_ = false;
    c->guarded([&] { c->read_on(); });
  });
}

void connection::read_on() {
  for (std::size_t taken = 0; taken < most_per_turn;) {
    auto room = read_room();
    if (room == 0) {
      paused_ = true;
      set_interest();
      watch_answer();
      return;
    }
    auto n = receive(loop_.scratch.data(), room);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n <= 0) return input_ended();
    taken += static_cast<std::size_t>(n);
    received({loop_.scratch.data(), static_cast<std::size_t>(n)});
    if (phase_ == phase::closed) return;
    if (!tls_ && static_cast<std::size_t>(n) < room) break; // that was all
  }
  if (tls_) settle_tls();
}

ssize_t connection::receive(char* to, std::size_t room) noexcept {
  return tls_ ? tls_->read(to, room) : ::recv(fd_, to, room, MSG_DONTWAIT);
}

/// The caller left, or half-closed, which counts as having left; or what it speaks is not TLS.
void connection::input_ended() {
  if (!tls_ || !tls_->met_plain_http()) return close();
  tls_.reset();
  refuse({400, "tls_required", "this door speaks TLS: use https://"});
}

/// The socket does not tell of what TLS holds already, and reading may wait for room to write.
void connection::settle_tls() {
  set_interest();
  if (paused_ || !tls_->has_unread()) return;
  loop_.events.post([weak = weak_from_this()] {
    if (auto c = weak.lock()) c->guarded([&] { c->readable(); });
  });
}

void connection::received(std::string_view bytes) {
  switch (phase_) {
  case phase::head:
  case phase::body:
    if (in_.empty()) return consume(bytes);
    in_.append(bytes);
    return consume(in_);
  case phase::answering: in_.append(bytes); return;
  case phase::leaving:
  case phase::lingering:
    discarded_ += bytes.size();
    if (discarded_ > most_discarded) abort();
    return;
  case phase::closed: return;
  }
}

/// Takes requests from the front of `input`, which is either in_ itself or fresh bytes while in_ is empty; what is left
/// waits in in_.
void connection::consume(std::string_view input) {
  bool kept = !in_.empty();
  consuming_ = true;
  for (bool more = true; more;)
    more = phase_ == phase::head ? take_head(input) : phase_ == phase::body && take_body(input);
  consuming_ = false;
  if (phase_ >= phase::leaving || input.empty()) {
    unread_input_ = unread_input_ || !input.empty();
    if (in_.capacity() > 512)
      release(in_);
    else
      in_.clear();
  } else if (kept) {
    in_.erase(0, in_.size() - input.size());
  } else {
    in_.assign(input);
  }
}

bool connection::take_head(std::string_view& input) {
  if (!line_skipped_ && !head_began_ && input.substr(0, 2) == "\r\n") { // some clients end a body with one too many
    input.remove_prefix(2);
    line_skipped_ = true;
  }
  if (input.empty()) return false;
  if (!line_skipped_ && !head_began_ && input == "\r") return false;
  head_limits limits{loop_.settings.header_limit, loop_.settings.max_headers};
  switch (scanner_.scan(input, limits)) {
  case head_scanner::state::more:
    if (!head_began_) set_deadline(loop_.settings.header_timeout);
    head_began_ = true;
    return false;
  case head_scanner::state::fault: refuse(scanner_.fault()); return false;
  case head_scanner::state::complete: break;
  }
  auto read = read_head(input.substr(0, scanner_.size()), limits);
  input.remove_prefix(scanner_.size());
  more_input_ = !input.empty();
  if (auto fault = std::get_if<framing_fault>(&read)) {
    refuse(*fault);
    return false;
  }
  begin(std::move(std::get<request_head>(read)));
  return true;
}

void connection::begin(request_head head) {
  http11_ = head.http11;
  keep_alive_ = head.keep_alive;
  bodiless_ = head.method == "HEAD";
  chunked_ = head.chunked;
  body_left_ = head.content_length;
  expects_continue_ = head.expects_continue;
  request_ = {std::move(head.method), std::move(head.path), std::move(head.query), std::move(head.headers), peer_,
              peer_is_loopback_};
  body_.clear();
  if (body_left_ > loop_.settings.body_limit) return refuse({413, "body_too_large", "request body too large"});
  if (!admit()) return;
  if (chunked_ || body_left_ > 0)
    await_body();
  else
    dispatch();
}

/// Asks the handler about the head; answers in its stead where it refuses.
bool connection::admit() {
  handler::refusal refusal;
  try {
    refusal = loop_.answers->check_head(request_);
  } catch (...) {
    refusal = {500, {}, error_json("the request could not be examined", "server_error", "internal_error")};
  }
  if (refusal.status == 0) return true;
  if (chunked_ || body_left_ > 0) {
    keep_alive_ = false;
    unread_input_ = true;
  }
  answer_at_once(refusal.status, refusal.headers, make_bytes(std::move(refusal.json_body)));
  return false;
}

void connection::await_body() {
  phase_ = phase::body;
  body_began_at_ = clock::now();
  if (chunked_)
    decoder_ = {};
  else
    body_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, first_body_reserve)));
  set_deadline(loop_.settings.body_timeout);
  if (!expects_continue_ || more_input_) return;
  out_.push({{}, nullptr, "HTTP/1.1 100 Continue\r\n\r\n"});
  flush();
}

bool connection::take_body(std::string_view& input) {
  if (input.empty()) return false;
  if (chunked_) {
    auto state = decoder_.feed(input, body_, loop_.settings.body_limit);
    more_input_ = !input.empty();
    if (state == chunked_decoder::state::fault) refuse(decoder_.fault());
    if (state == chunked_decoder::state::complete) dispatch();
    if (state != chunked_decoder::state::more) return true;
  } else {
    auto n = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, input.size()));
    if (body_.size() + n > body_.capacity()) body_.reserve(body_.size() + static_cast<std::size_t>(body_left_));
    body_.append(input.substr(0, n));
    input.remove_prefix(n);
    body_left_ -= n;
    more_input_ = !input.empty();
    if (body_left_ == 0) {
      dispatch();
      return true;
    }
  }
  // Every byte buys time, but not forever: a body may not come slower than a floor on average.
  auto now = clock::now();
  auto earned = std::chrono::seconds(body_.size() / slowest_body_per_second) + 2 * loop_.settings.body_timeout;
  loop_.events.arm(*this, std::min<clock::time_point>(now + loop_.settings.body_timeout, body_began_at_ + earned));
  account_for_body();
  if (loop_.unfinished_bodies > most_unfinished_bodies * loop_.settings.body_limit) make_room();
  return false;
}

void connection::account_for_body() noexcept {
  loop_.unfinished_bodies += body_.size() - accounted_; // wraps where it shrank, and back again
  accounted_ = body_.size();
}

/// Refuses the body that is the furthest from going on: many of them, large and stalled, must not fill the memory.
void connection::make_room() {
  connection* slowest = nullptr;
  for (auto& [c, _] : loop_.connections)
    if (c->accounted_ > small_body && (!slowest || c->deadline() < slowest->deadline())) slowest = c;
  if (!slowest) return;
  slowest->guarded([slowest] { slowest->refuse({503, "overloaded", "too many request bodies are on their way"}); });
}

void connection::dispatch() {
  phase_ = phase::answering;
  loop_.events.disarm(*this);
  auto framing = http11_ ? stream_framing::chunked : stream_framing::until_close;
  exchange_ = std::make_shared<exchange>(loop_.events, this, framing, bodiless_);
  auto body = body_.empty() ? loop_.nothing : make_bytes(std::move(body_));
  release(body_);
  account_for_body();
  try {
    loop_.answers->handle(std::move(request_), std::move(body), exchange_->handle());
  } catch (...) { // the dropped response has become a 500
  }
  request_ = {};
  answer_waits();
}

// --- endings ---

void connection::drain() {
  guarded([this] {
    if (phase_ == phase::head) readable();
    if (phase_ == phase::head && !head_began_ && in_.empty()) close();
  });
}

void connection::close() noexcept {
  if (phase_ == phase::closed) return;
  auto self = shared_from_this();
  phase_ = phase::closed;
  if (tls_) tls_->end();
  loop_.events.unwatch(fd_);
  ::close(std::exchange(fd_, -1));
  loop_.events.disarm(*this);
  out_.clear();
  release(body_);
  account_for_body();
  if (auto unfinished = std::exchange(exchange_, nullptr)) unfinished->caller_left();
  loop_.connections.erase(this);
  loop_.count.store(loop_.connections.size(), std::memory_order_relaxed);
  if (loop_.on_closed) loop_.on_closed();
}

} // namespace mainstay::http
