// One client's connection, and what all connections of a door share. Owns the socket, the client's requests in flight
// and what waits for it, and walks it through handshake, traffic and, after a fault, lingering. Everything here runs on
// the loop's thread; answers from elsewhere come as commands (net/zmq_exchange). Promises: a client that leaves has
// every open request told so once; while more than `outbox_limit` waits for a client nothing more is read from it; a
// message is read within its limits and in bounded time; what goes wrong with one connection costs no other.
#pragma once

#include "net/event_loop.hpp"
#include "net/peer_name.hpp"
#include "net/zmq_exchange.hpp"
#include "net/zmq_frames.hpp"
#include "net/zmtp_wire.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace mainstay::mq {

class connection;

/// Lives as long as somebody may still post to it.
struct zmq_loop {
  zmq_loop(event_loop&, server_settings, std::shared_ptr<handler>);

  connection* find(std::uint64_t number);
  /// Performs what answering threads asked for.
  void perform_answers();
  /// Sends what was queued since the last time.
  void flush();

  event_loop& events;
  const server_settings settings;
  const wire_limits limits;                // of one message, following from the settings
  std::shared_ptr<const curve_keys> curve; // of connections to come; null: in the clear
  std::shared_ptr<handler> door;
  std::shared_ptr<inbox> answers;
  const std::shared_ptr<total_flow> all_flows;
  std::array<char, 64u << 10> scratch; // every read lands here first
  std::unordered_map<std::uint64_t, std::shared_ptr<connection>> connections;
  std::vector<std::uint64_t> to_flush;
  std::function<void()> on_closed; // a place became free
  std::size_t unfinished = 0;      // bytes of messages that are still coming, of all connections
  std::function<void()> on_sent;   // a connection has nothing left to send; may be empty
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> peers{0}, in_flight{0};

private:
  std::vector<command> batch_;
  std::vector<std::uint64_t> flushing_;
};

class connection final : public event_loop::watcher,
                         public event_loop::timed,
                         public std::enable_shared_from_this<connection> {
public:
  using clock = std::chrono::steady_clock;

  /// Takes the descriptor over. `number` is never used twice.
  connection(zmq_loop&, int fd, std::uint64_t number, peer_name who);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  void start();
  void on_events(int fd, std::uint32_t events) override;
  void on_deadline() override;
  void flush() noexcept;
  void perform(command) noexcept;
  /// Every open request ends with an `error`, and its handler hears that the caller is gone.
  void end_all(int status, std::string_view code, std::string_view text) noexcept;
  bool all_sent() const noexcept { return outbox_.empty(); }
  /// Ends if the client's key is not listed any more.
  void check_key() noexcept;
  /// At once, whatever is under way.
  void close() noexcept;

private:
  enum class phase : std::uint8_t { handshake, traffic, lingering, closed };

  /// What goes wrong inside (memory, the system) costs this connection and no other.
  template <class Step>
  void guarded(Step&& step) noexcept {
    auto self = shared_from_this();
    try {
      step();
    } catch (...) { close(); }
  }

  void read();
  void note_message(std::size_t bytes, clock::time_point now);
  void consume(std::string_view input);
  void account_for_message(std::size_t held) noexcept;
  void make_room();
  void resume_reading();
  void take_message();
  void begin(const message&, std::string body, bool cancels);
  void cancel(const message&);
  void refuse(const message&, int status, std::string_view code, std::string_view text, const header_list& = {});
  void give_up(const wire_fault&);
  void leave_all() noexcept;
  void close_request(const std::shared_ptr<exchange>&);

  void send(outgoing);
  void send_command(std::string bytes);
  void send_handshake(std::string_view bytes);
  void queue(command);
  void put(command);
  std::size_t write_some();
  void sent_whole(command&);
  void set_interest();

  bool is_under_way() const noexcept { return message_began_at_ != clock::time_point{}; }
  bool was_asked() const noexcept { return asked_at_ != clock::time_point{}; }
  clock::time_point message_due() const;
  void rearm(clock::time_point now);

  zmq_loop& loop_;
  const int fd_;
  const std::uint64_t number_;
  const peer_name who_;
  phase phase_ = phase::handshake;
  wire_reader reader_;
  std::string early_; // read, but not looked at while too much waits to be sent
  std::unordered_map<std::string, std::shared_ptr<exchange>> requests_; // until their last message is in the outbox
  const std::shared_ptr<flow> way_;
  std::deque<command> outbox_;
  std::size_t gone_ = 0;          // of the message in front
  bool paused_ = false;           // nothing is read while too much waits to be sent
  bool flush_due_ = false;        // is in to_flush
  std::size_t message_bytes_ = 0; // of the message under way
  std::size_t accounted_ = 0;     // of the loop's unfinished
  std::size_t discarded_ = 0;     // while lingering
  clock::time_point born_, heard_at_, pinged_at_, linger_until_;
  clock::time_point asked_at_{};         // the first ping since it was heard; zero: none
  clock::time_point moved_at_;           // the outbox was empty, or something left it
  clock::time_point below_limit_at_;     // no more than outbox_limit waited
  clock::time_point message_began_at_{}; // zero: none is under way
  clock::time_point message_moved_at_{};
};

} // namespace mainstay::mq
