// One call on its way through curl: its easy handle (kept and reused for later calls), the bytes it sends, the head it
// reads, its credit and its phase. Promises: the observer hears head, data and end in order, the end once. Knows
// neither epoll nor the pool's other calls; whoever drives curl looks at `touched` afterwards, hands on what came
// (flush) and arms the deadline. One thread.
#pragma once

#include "net/event_loop.hpp"
#include "net/http_call_outcome.hpp"
#include "net/http_client.hpp"
#include "net/http_response_head.hpp"

#include <curl/curl.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mainstay::http {

/// A call as it came in from another thread.
struct call_start {
  call_handle handle = 0;
  call what;
  std::shared_ptr<call_observer> observer;
  instant at{};
};

class transfer final : public event_loop::timed {
public:
  using touched_list = std::vector<transfer*>;

  /// Who looks after transfers whose deadline has passed (or was moved).
  class watcher {
  public:
    virtual void deadline_of(transfer&) = 0;

  protected:
    ~watcher() = default;
  };

  /// `touched` collects the transfers whose observer has something to hear or whose deadline changed. Throws
  /// std::bad_alloc.
  transfer(watcher&, touched_list& touched);
  ~transfer();
  void on_deadline() override { watcher_.deadline_of(*this); }
  transfer(const transfer&) = delete;
  transfer& operator=(const transfer&) = delete;

  /// Takes a call over; nothing is sent yet. An error: the call cannot be made as it stands; end() it with that.
  std::optional<call_error> take(call_start&&);
  /// Told of the sockets of connections that this call makes; `on_close` has to close them.
  struct socket_keeper {
    curl_sockopt_callback on_made;
    curl_closesocket_callback on_close;
    void* self;
  };
  /// Becomes part of a pool's multi handle; from here on curl's callbacks run. False: curl has no memory left.
  bool enter(CURLM*, CURLSH*, const socket_keeper&);
  /// The connection was a reused one that the peer had closed, and the request did not get out whole: nobody can have
  /// acted on it. curl repeats a request where reading fails so, but not where sending does. True at most once per
  /// call.
  bool deserves_fresh_connection(CURLcode) const;
  /// Does it all again on a new connection. False: curl has no memory left.
  bool again_on_fresh_connection();
  /// Leaves the multi handle. `spoilt`: the connection must not serve another call (who knows what still comes on it).
  void leave(bool spoilt);
  /// Hands on what was received since the last time.
  void flush();
  /// More body may pass. An error: the paused bytes turned out to be no good.
  std::optional<call_error> add_credit(std::size_t bytes);
  /// The last word to the observer, after leave(); the transfer is ready for take() again.
  void end(std::optional<call_error>);

  /// curl's result and what the callbacks found out, as one verdict.
  std::optional<call_error> verdict(CURLcode) const;
  /// Which limit passed when deadline() did; total or that of the phase.
  call_error lateness() const;

  instant deadline_wanted() const noexcept { return std::min(total_at_, phase_at_); }
  call_handle handle() const noexcept { return handle_; }
  const std::string& pool() const noexcept { return call_.pool; }
  const std::string& authority() const noexcept { return authority_; }
  bool entered() const noexcept { return multi_ != nullptr; }
  std::uint32_t take_new_connections(); // made since the last time
  bool touched = false;                 // is in the list

private:
  enum class phase { waiting, connecting, sending, expecting, reading };

  void set_lasting_options();
  bool set_headers();
  void set_body();
  void touch();
  bool request_begins();
  void request_sent();
  std::size_t take_head_line(std::string_view);
  std::size_t take_body(std::string_view);
  std::size_t give_body(char* to, std::size_t room);
  bool seek_body(std::uint64_t offset);
  std::size_t give_up(failure_class, std::string detail);
  void check_sent(std::uint64_t body_bytes_out);
  bool credit_left() const noexcept { return credit_ > 0; }
  long connects() const;

  static std::size_t on_header(char*, std::size_t, std::size_t, void*) noexcept;
  static std::size_t on_write(char*, std::size_t, std::size_t, void*) noexcept;
  static std::size_t on_read(char*, std::size_t, std::size_t, void*) noexcept;
  static int on_seek(void*, curl_off_t, int) noexcept;
  static int on_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept;
  static int on_connected(void*, char*, char*, int, int) noexcept;

  // What every piece of a stream needs lies together: of thousands of open streams nothing is in a cache any more.
  bool paused_ = false, leaving_ = false, repeated_ = false, connects_known_ = false;
  phase phase_ = phase::waiting;
  instant total_at_{}, phase_at_{};
  duration idle_{};
  std::int64_t credit_ = 0; // may fall below zero by one of curl's buffers (16 KiB)
  std::string received_;    // not yet flushed
  std::uint64_t received_bytes_ = 0;
  std::shared_ptr<call_observer> observer_;
  watcher& watcher_;
  touched_list& touched_;
  CURL* easy_;

  CURLM* multi_ = nullptr;
  curl_slist* headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> words_{};
  call_handle handle_ = 0;
  call call_;
  std::string authority_;
  response_head head_;
  std::optional<call_error> found_; // by a callback that stopped the transfer
  call_summary summary_;
  long connects_seen_ = 0;
  int times_begun_ = 0; // the request went out; more than once where curl repeated it
  std::uint64_t body_size_ = 0;
  std::size_t piece_ = 0, offset_ = 0; // where on_read goes on
};

} // namespace mainstay::http
