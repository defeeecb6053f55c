// Reading with Beast's parser, fed by hand: one receive for a small request, and the bytes after it stay ours.
#include "tools/mock/peer.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>

namespace mainstay::mock {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t read_size = 32 << 10;
constexpr std::size_t most_ahead = 1 << 20; // bytes a caller may send before its answer is done

auto into(error_code& ec) { return asio::redirect_error(asio::use_awaitable, ec); }

} // namespace

peer::peer(asio::ip::tcp::socket socket, std::uint64_t number)
  : socket_(std::move(socket)), timer_(socket_.get_executor()), number_(number) {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

// Returns when bytes are there, the caller left, or the time is over.
asio::awaitable<void> peer::await_bytes(std::chrono::milliseconds most) {
  idle_ = true;
  timer_.expires_after(most);
  timer_.async_wait([self = shared_from_this()](error_code ec) {
    error_code ignored;
    if (!ec && self->idle_) self->socket_.cancel(ignored);
  });
  error_code ec;
  co_await socket_.async_wait(asio::ip::tcp::socket::wait_read, into(ec));
  idle_ = false;
  timer_.cancel(ec);
}

asio::awaitable<read_result> peer::read(request_parser& parser, std::chrono::milliseconds idle) {
  bool welcomed = false;
  if (idle.count() > 0 && inbox_.size() == 0) {
    co_await await_bytes(idle);
    error_code ec;
    if (socket_.available(ec) == 0 || ec) co_return read_result::left;
  }
  for (;;) {
    while (inbox_.size() > 0 && !parser.is_done()) {
      error_code ec;
      auto used = parser.put(inbox_.data(), ec);
      inbox_.consume(used);
      if (ec == http::error::need_more) break;
      if (ec == http::error::body_limit) co_return read_result::too_large;
      if (ec) co_return read_result::malformed;
      if (used == 0) break;
    }
    if (parser.is_done()) co_return read_result::request;
    if (!welcomed && parser.is_header_done() && parser.get().find(http::field::expect) != parser.get().end()) {
      welcomed = true;
      bool sent = co_await send("HTTP/1.1 100 Continue\r\n\r\n");
      if (!sent) co_return read_result::left;
    }
    error_code ec;
    auto got = co_await socket_.async_read_some(inbox_.prepare(read_size), into(ec));
    if (ec) co_return read_result::left;
    inbox_.commit(got);
  }
}

asio::awaitable<bool> peer::send(std::string_view bytes) {
  if (left_) co_return false;
  error_code ec;
  co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()), into(ec));
  if (ec) left_ = true;
  co_return !left_;
}

asio::awaitable<bool> peer::pause(std::chrono::nanoseconds length) {
  if (left_ || length.count() <= 0) co_return !left_;
  watch();
  timer_.expires_after(length);
  error_code ec;
  co_await timer_.async_wait(into(ec));
  co_return !left_;
}

asio::awaitable<void> peer::until_left() {
  bool there = true;
  while (there) there = co_await pause(std::chrono::hours(24));
}

void peer::watch() {
  answering_ = true;
  if (watching_ || left_ || !socket_.is_open()) return;
  watching_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](error_code ec) {
    self->watching_ = false;
    if (!ec && self->answering_) self->on_readable();
  });
}

void peer::answered() {
  answering_ = false;
  if (!watching_ || !socket_.is_open()) return;
  error_code ignored;
  socket_.cancel(ignored);
}

// Bytes sent ahead are kept for the next request, so that a FIN behind them is seen too.
void peer::on_readable() {
  auto room = inbox_.prepare(4096);
  auto got = ::recv(socket_.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
  if (got > 0) inbox_.commit(static_cast<std::size_t>(got));
  bool nothing = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  if ((got > 0 && inbox_.size() < most_ahead) || nothing) return watch();
  leave();
}

void peer::leave() {
  left_ = true;
  error_code ignored;
  timer_.cancel(ignored);
  socket_.cancel(ignored); // a send that is stuck
}

void peer::hang_up() {
  error_code ignored;
  answering_ = false;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

void peer::reset() {
  error_code ignored;
  answering_ = false;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

} // namespace mainstay::mock
