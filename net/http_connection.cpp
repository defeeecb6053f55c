// The connection's phases. One wait for readability stays pending through all of them, so leaving is noticed while an
// answer is made. Reading is a wait and then a plain recv into the loop's scratch buffer: ten thousand idle streams
// hold no read buffers.
#include "net/http_connection.hpp"

#include <algorithm>
#include <poll.h>
#include <sys/socket.h>

namespace mainstay::http {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t early_input_slack = 4u << 10;  // beyond header_limit, while a request is being answered
constexpr std::size_t most_unsent = 64u << 20;       // of streams: whoever produces without watching progress ends here
constexpr std::size_t most_discarded = 64u << 20;    // of a refused request's body
constexpr std::size_t most_per_turn = 1u << 20;      // read or written before others get their turn
constexpr std::size_t first_body_reserve = 1u << 20; // a large content-length alone reserves no more
constexpr std::uint64_t slowest_body_per_second = 1u << 10;
constexpr auto linger_time = 2s;
constexpr auto hang_up_check = 500ms; // while reading is paused

std::string text_of(const tcp::endpoint& peer, asio::ip::address address) {
  auto host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return host + ":" + std::to_string(peer.port());
}

asio::ip::address unmapped(const tcp::endpoint& peer) {
  auto address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return address;
}

} // namespace

void http_loop::arm(deadline_wheel::entry& entry, deadline_wheel::time_point due) {
  wheel.arm(entry, due);
  if (turns || wheel.empty()) return;
  turns = true;
  turn();
}

void http_loop::turn() {
  turning.expires_after(deadline_wheel::tick);
  turning.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    std::vector<deadline_wheel::entry*> due;
    wheel.expire(std::chrono::steady_clock::now(), due);
    // One that fires may close others only by way of the loop's queue, but stay safe: hold them all.
    std::vector<std::shared_ptr<connection>> fired;
    for (auto* entry : due) fired.push_back(static_cast<connection*>(entry)->shared_from_this());
    for (auto& c : fired) c->deadline_reached();
    turns = !wheel.empty();
    if (turns) turn();
  });
}

connection::connection(http_loop& loop, tcp::socket socket, const tcp::endpoint& peer)
  : loop_(loop), socket_(std::move(socket)), peer_(text_of(peer, unmapped(peer))),
    peer_is_loopback_(unmapped(peer).is_loopback()) {}

/// What goes wrong inside (memory, the system) costs this connection and no other.
template <class Step>
void connection::guarded(Step&& step) noexcept {
  auto self = shared_from_this();
  try {
    step();
  } catch (...) { close(); }
}

void connection::start() {
  guarded([this] {
    set_deadline(loop_.settings.header_timeout);
    readable(); // the request is often there already
  });
}

void connection::set_deadline(std::chrono::milliseconds from_now) { loop_.arm(*this, clock::now() + from_now); }

// --- reading ---

void connection::wait_readable() {
  if (reading_ || paused_ || phase_ == phase::closed) return;
  reading_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](boost::system::error_code ec) {
    self->reading_ = false;
    if (!ec) self->guarded([&] { self->readable(); });
  });
}

std::size_t connection::read_room() const noexcept {
  auto room = loop_.scratch.size();
  if (phase_ != phase::answering) return room;
  auto most = loop_.settings.header_limit + early_input_slack;
  return std::min(room, most - std::min(most, in_.size()));
}

void connection::readable() {
  for (std::size_t taken = 0; taken < most_per_turn;) {
    auto room = read_room();
    if (room == 0) {
      paused_ = true;
      watch_answer();
      return;
    }
    auto n = ::recv(socket_.native_handle(), loop_.scratch.data(), room, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n <= 0) return close(); // left, or half-closed, which counts as having left
    taken += static_cast<std::size_t>(n);
    received({loop_.scratch.data(), static_cast<std::size_t>(n)});
    if (phase_ == phase::closed) return;
    if (static_cast<std::size_t>(n) < room) break; // that was all
  }
  wait_readable();
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
      in_ = {};
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
  loop_.arm(*this, std::min<clock::time_point>(now + loop_.settings.body_timeout, body_began_at_ + earned));
  return false;
}

// --- answering ---

void connection::dispatch() {
  phase_ = phase::answering;
  loop_.wheel.disarm(*this);
  auto framing = http11_ ? stream_framing::chunked : stream_framing::until_close;
  std::shared_ptr<asio::io_context> context(loop_.shared_from_this(), &loop_.context);
  exchange_ = std::make_shared<exchange>(std::move(context), this, framing, bodiless_);
  auto body = body_.empty() ? loop_.nothing : make_bytes(std::move(body_));
  body_ = {};
  try {
    loop_.answers->handle(std::move(request_), std::move(body), exchange_->handle());
  } catch (...) { // the dropped response has become a 500
  }
  request_ = {};
  answer_waits();
}

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
  loop_.wheel.disarm(*this);
  absorb({whole_answer{status, "application/json", headers, std::move(body)}, {}, {}, true});
  flush();
}

/// The framing cannot be trusted from here on: answer and go.
void connection::refuse(const framing_fault& fault) {
  keep_alive_ = false;
  unread_input_ = true;
  auto type = fault.status >= 500 ? "server_error" : "invalid_request_error";
  answer_at_once(fault.status, {}, make_bytes(error_json(fault.message, type, fault.code)));
}

void connection::refuse_timeout() { refuse({408, "request_timeout", "the request did not arrive in time"}); }

void connection::next_request() {
  phase_ = phase::head;
  ended_ = head_began_ = line_skipped_ = backed_up_ = paused_ = false;
  unreported_ = 0;
  scanner_.reset();
  set_deadline(loop_.settings.idle_timeout);
  if (consuming_) return;
  if (!in_.empty()) consume(in_);
  wait_readable();
}

// --- writing ---

void connection::wait_writable() {
  if (writing_ || phase_ == phase::closed) return;
  writing_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](boost::system::error_code ec) {
    self->writing_ = false;
    if (!ec) self->guarded([&] { self->flush(); });
  });
}

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
  wait_writable();
  report_progress();
}

/// False: the socket takes no more now, or the connection is gone.
bool connection::write_some() {
  std::array<iovec, 192> parts;
  std::size_t offered = 0;
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = out_.gather(parts.data(), parts.size(), offered);
  auto sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno == EINTR) return true;
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (sent < 0) {
    close();
    return false;
  }
  unreported_ += out_.consume(static_cast<std::size_t>(sent));
  return static_cast<std::size_t>(sent) == offered;
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
  in_ = {};
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  set_deadline(linger_time);
  wait_readable();
}

// --- time and endings ---

/// While answering: how long may a full socket stay full, and when to look after a caller whose input we stopped
/// reading.
void connection::watch_answer() {
  auto due = deadline_wheel::never;
  if (blocked_) due = write_due_;
  if (paused_) due = std::min<clock::time_point>(due, clock::now() + hang_up_check);
  if (phase_ == phase::body) return; // the body's own deadline holds
  loop_.arm(*this, due);
}

void connection::deadline_reached() {
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
  pollfd p{socket_.native_handle(), POLLRDHUP, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void connection::drain() {
  guarded([this] {
    if (phase_ == phase::head) readable();
    if (phase_ == phase::head && !head_began_ && in_.empty()) close();
  });
}

/// Closes with a reset: what the kernel still holds for a reader that takes nothing is dropped too.
void connection::abort() noexcept {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

void connection::close() noexcept {
  if (phase_ == phase::closed) return;
  auto self = shared_from_this();
  phase_ = phase::closed;
  boost::system::error_code ignored;
  socket_.close(ignored);
  loop_.wheel.disarm(*this);
  out_.clear();
  if (auto unfinished = std::exchange(exchange_, nullptr)) unfinished->caller_left();
  loop_.connections.erase(this);
  loop_.count.store(loop_.connections.size(), std::memory_order_relaxed);
  if (loop_.on_closed) loop_.on_closed();
}

} // namespace mainstay::http
