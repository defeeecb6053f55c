// One caller's connection: bytes in and out, pauses that end at once when the caller leaves, and the ways to hang up.
// Runs on one thread; every awaiting function resumes there.
#pragma once

#include <utility> // Boost 1.74 forgets it

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

namespace mainstay::mock {

namespace asio = boost::asio;
using request_parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

enum class read_result { request, left, malformed, too_large };

class peer : public std::enable_shared_from_this<peer> {
public:
  peer(asio::ip::tcp::socket socket, std::uint64_t number);

  // The next request, whole. A half-read one whose caller leaves is `left`, and so is who sends nothing for `idle`,
  // unless that is zero.
  asio::awaitable<read_result> read(request_parser& parser, std::chrono::milliseconds idle);
  // False: the caller is gone. `bytes` must live until then.
  asio::awaitable<bool> send(std::string_view bytes);
  // False: the caller left meanwhile, noticed within a round trip. A caller that shuts its sending side has left.
  asio::awaitable<bool> pause(std::chrono::nanoseconds length);
  asio::awaitable<void> until_left();

  // Notice the caller's leaving from here on, also while a send is stuck; `answered` ends that.
  void watch();
  void answered();

  void hang_up(); // FIN, when all that was sent is read
  void reset();   // RST
  std::uint64_t number() const { return number_; }

private:
  void on_readable();
  void leave();
  asio::awaitable<void> await_bytes(std::chrono::milliseconds most);

  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  boost::beast::flat_buffer inbox_; // read and not yet parsed: also what a caller sends ahead while we answer
  const std::uint64_t number_;
  bool answering_ = false; // a watch may read into the inbox
  bool watching_ = false;  // a wait is under way
  bool idle_ = false;      // nothing of the next request is there
  bool left_ = false;
};

} // namespace mainstay::mock
