// One connection to Redis: connects, greets (AUTH, SELECT, PING), pipelines commands, hands out replies. The one place
// that knows hiredis' rules of life: its context frees itself on errors, calls pending callbacks with null then, and
// aborts the process on a reply nobody waits for, which is therefore never shown to it. On one thread. Promises: each
// reply callback runs exactly once; after open() either `ready` or `ended` follows, if need be by close().
#pragma once

#include "net/redis_client.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

struct redisAsyncContext;
struct redisReply;

namespace mainstay {

class redis_connection {
public:
  using reply_callback = std::function<void(const redisReply*)>; // null: the connection ended first
  struct observer {
    std::function<void()> ready;
    std::function<void(const std::string& why)> ended;
  };

  /// Watches its socket in `epoll_fd`, with `tag` as the events' data.
  redis_connection(int epoll_fd, std::uint64_t tag, const redis_settings&, observer);
  ~redis_connection();
  redis_connection(const redis_connection&) = delete;
  redis_connection& operator=(const redis_connection&) = delete;

  /// `address` is numeric: names would block.
  void open(const std::string& address);
  /// Ends the connection and tells the observer so, at the latest when the running reply callback returns. Nothing
  /// happens if there is none.
  void close(std::string why);
  /// False, with the callback not called, while there is no connection.
  bool send(std::span<const std::string_view> arguments, reply_callback);
  /// What epoll reported.
  void handle(std::uint32_t events);

  bool exists() const noexcept { return context_ != nullptr; }
  bool ready() const noexcept { return ready_; }

private:
  struct waiting;
  struct hooks;
  void greet();
  void expect_ok(std::span<const std::string_view> arguments, const char* what, bool last);
  void read();
  bool sent_unasked() const;
  void want(std::uint32_t events);
  void context_is_freed();

  const int epoll_fd_;
  const std::uint64_t tag_;
  const redis_settings& settings_;
  const observer observer_;
  redisAsyncContext* context_ = nullptr;
  std::uint32_t wanted_ = 0;
  std::size_t awaited_ = 0; // replies
  bool connected_ = false, ready_ = false;
  std::string why_; // set by close()
};

} // namespace mainstay
