// One caller's connection, and what all connections of a server share (the loop). Owns the socket and walks it through
// its phases: head, body, answering, and again. Everything here runs on the loop's thread; answers from elsewhere come
// through net/http_exchange. Promises: a silent connection holds no buffers; input that comes early is kept up to a
// bound, then reading pauses; the caller's leaving is noticed in every phase; no phase lasts longer than its time
// limit, but for the handler's own time to answer.
#pragma once

#include "net/event_loop.hpp"
#include "net/http_chunked.hpp"
#include "net/http_exchange.hpp"
#include "net/http_framing.hpp"
#include "net/http_handshakes.hpp"
#include "net/http_server.hpp"
#include "net/http_wire.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <unordered_map>

namespace mainstay::http {

class connection;

/// What all connections of one server share.
struct http_loop {
  http_loop(event_loop& e, server_settings s, std::shared_ptr<handler> h)
    : events(e), settings(std::move(s)), answers(std::move(h)) {}

  event_loop& events;
  server_settings settings;
  std::shared_ptr<handler> answers;
  handshake_queue handshakes{events}; // followed by the server
  bool draining = false;
  std::array<char, 64u << 10> scratch; // every read lands here first
  bytes_ptr nothing = make_bytes({});
  std::unordered_map<connection*, std::shared_ptr<connection>> connections;
  std::atomic<std::size_t> count{0};
  std::function<void()> on_closed;   // a place became free
  std::size_t unfinished_bodies = 0; // bytes of bodies that are still coming, of all connections
};

class connection final : public exchange_owner,
                         public event_loop::watcher,
                         public event_loop::timed,
                         public std::enable_shared_from_this<connection> {
public:
  /// Takes the descriptor over.
  connection(http_loop& loop, int fd, std::string peer, bool peer_is_loopback);
  ~connection();
  void start();
  void answer_waits() override;
  void on_events(int fd, std::uint32_t events) override;
  void on_deadline() override;
  /// Reads what has already arrived; closes if that is nothing and no request is under way.
  void drain();
  /// At once, whatever is under way. The handler of an unfinished answer is told that its caller left.
  void close() noexcept;

private:
  enum class phase : std::uint8_t { head, body, answering, leaving, lingering, closed };
  using clock = std::chrono::steady_clock;

  /// What goes wrong inside (memory, the system) costs this connection and no other.
  template <class Step>
  void guarded(Step&& step) noexcept {
    auto self = shared_from_this();
    try {
      step();
    } catch (...) { close(); }
  }
  void set_interest();
  void readable();
  void read_on();
  void await_handshake();
  std::size_t read_room() const noexcept;
  ssize_t receive(char* to, std::size_t room) noexcept;
  void input_ended();
  void settle_tls();
  void received(std::string_view bytes);
  void consume(std::string_view input);
  bool take_head(std::string_view& input);
  bool take_body(std::string_view& input);
  void account_for_body() noexcept;
  void make_room();
  void begin(request_head head);
  void await_body();
  bool admit();
  void dispatch();
  void next_request();

  void refuse(const framing_fault&);
  void refuse_timeout();
  void answer_at_once(int status, const header_list& headers, bytes_ptr body);
  void absorb(answer_part part);
  std::string head_of(int status, std::string_view type, const header_list& headers, std::optional<std::size_t> length);
  void flush();
  bool write_some();
  void report_progress();
  void all_written();
  void linger();
  void abort() noexcept;
  bool peer_hung_up() noexcept;
  void watch_answer();
  void set_deadline(std::chrono::milliseconds from_now);

  // What every event of a stream needs comes first: of thousands of open streams nothing is in a cache any more.
  http_loop& loop_;
  int fd_;
  phase phase_ = phase::head;
  std::unique_ptr<tls_stream> tls_;             // null: in the clear
  bool writing_ = false;                        // waiting for room in the socket
  bool consuming_ = false, more_input_ = false; // in consume(), and whether it has more than this request
  bool paused_ = false;
  bool queued_ = false; // for its handshake
  bool head_began_ = false, line_skipped_ = false;
  bool http11_ = true, keep_alive_ = true, bodiless_ = false, ended_ = false, unread_input_ = false;
  bool backed_up_ = false, blocked_ = false; // blocked: the socket is full
  std::shared_ptr<exchange> exchange_;
  wire_queue out_;
  std::size_t unreported_ = 0;
  clock::time_point write_due_{};

  std::string peer_;
  bool peer_is_loopback_;
  std::string in_; // came early or incomplete
  head_scanner scanner_;
  request request_;
  std::string body_;
  bool chunked_ = false, expects_continue_ = false;
  chunked_decoder decoder_;
  std::uint64_t body_left_ = 0;
  std::size_t accounted_ = 0; // of unfinished_bodies
  clock::time_point body_began_at_{};
  std::size_t discarded_ = 0;
};

} // namespace mainstay::http
