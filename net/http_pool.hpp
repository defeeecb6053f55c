// One provider's connections: a multi handle of its own, so that no provider's calls meet another's, and the caps. A
// call beyond the caps waits here in order (the caller bounds the calls, so this is rare) and never inside curl, which
// would wake only one waiter per finished call. One call per connection, with HTTP/2 too: in libcurl 7.88 a paused
// stream stops the whole connection's reading, so a shared one would let one slow reader hold up everybody else's
// answers.
#pragma once

#include "net/http_transfer.hpp"

#include <curl/curl.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

namespace mainstay::http {

class connection_pool final : event_loop::watcher {
public:
  /// Hears of every drive that a socket's event set off.
  class owner {
  public:
    virtual void driven(connection_pool&) = 0;

  protected:
    ~owner() = default;
  };

  /// Throws std::bad_alloc.
  connection_pool(std::string name, event_loop&, owner&, std::uint32_t index);
  ~connection_pool(); // every transfer has left
  connection_pool(const connection_pool&) = delete;
  connection_pool& operator=(const connection_pool&) = delete;

  // From any thread.
  void set_caps(std::uint32_t connections, std::uint32_t per_host) noexcept;
  client::pool_view view() const;
  std::uint32_t index() const noexcept { return index_; }

  // On the loop's thread only.
  void apply_caps();
  /// Where there is room the call starts, else it waits. False: curl has no memory for it.
  bool admit(transfer&);
  void wait(transfer& t) { waiting_.push_back(&t); }
  /// Takes a call out, running or waiting; `spoilt` as in transfer::leave.
  void remove(transfer&, bool spoilt);
  /// The longest waiting call there is room for now, no longer waiting; null: none. The caller admits or ends it.
  transfer* next_with_room();
  void count_connections(transfer& t) { made_.fetch_add(t.take_new_connections(), std::memory_order_relaxed); }

  /// Lets curl work on what is due.
  void drive_timers();
  instant timers_due() const noexcept { return timers_due_; }
  /// Tells the loop what curl wants to know of its sockets by now. To be called after whatever had curl work.
  void watch_sockets();
  /// The next finished transfer, still entered; null: none.
  transfer* next_finished(CURLcode& result);

private:
  /// What curl wants to know of a socket, and what the loop was asked for: the same only when it has to be, because
  /// between two calls on a kept connection curl's wishes go back and forth.
  struct socket_wish {
    std::uint32_t wanted = 0, watched = 0;
    bool connection = false; // on_close will be told; curl's own sockets (its resolver's) close without a word
  };

  void on_events(int fd, std::uint32_t events) override;
  bool has_room(const transfer&) const;

  static int on_socket(CURL*, curl_socket_t, int what, void* self, void* known) noexcept;
  static int on_timer(CURLM*, long ms, void* self) noexcept;
  static int on_made(void* self, curl_socket_t, curlsocktype) noexcept;
  static int on_close(void* self, curl_socket_t) noexcept;

  const std::string name_;
  event_loop& loop_;
  owner& owner_;
  const std::uint32_t index_;
  std::atomic<std::uint32_t> connections_{20}, per_host_{10}, active_{0};
  std::atomic<std::uint64_t> made_{0};
  CURLM* multi_;
  CURLSH* share_; // TLS sessions: a new connection resumes
  instant timers_due_ = instant::max();
  std::unordered_map<int, socket_wish> wishes_;
  std::vector<int> changed_; // sockets whose wishes are to be looked at
  std::unordered_map<std::string, std::uint32_t> active_per_host_;
  std::deque<transfer*> waiting_;
};

} // namespace mainstay::http
