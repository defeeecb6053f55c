// What keeps Redis usable or out of everybody's way: one connection after another with backoff between them, a deadline
// for every command, a circuit that opens when answers stay away and is closed again by a PING of our own. On the
// client's thread but for the counters. Promises: each result callback runs exactly once, with null when the deadline
// passes or the connection ends first; a late reply is ignored; while the session is not up() nothing but greetings and
// PINGs is sent.
#pragma once

#include "core/circuit.hpp"
#include "net/host_lookup.hpp"
#include "net/redis_connection.hpp"

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <random>

namespace mainstay {

class redis_session {
public:
  using result = std::function<void(const redisReply*)>;

  redis_session(const redis_settings&, int epoll_fd, std::uint64_t tag, std::shared_ptr<wakeup>);
  ~redis_session();

  /// Counts one command, from any thread, before it is given to start() or given up with release().
  void reserve(std::size_t value_bytes = 0) noexcept;
  void release(std::size_t value_bytes = 0) noexcept;
  /// Sends a command that was reserved.
  void start(std::span<const std::string_view> arguments, instant deadline, std::size_t value_bytes, result);
  void handle(std::uint32_t epoll_events) { connection_.handle(epoll_events); }
  /// Does what is due: deadlines, connecting, probing.
  void tick(instant now);
  /// When tick() has something to do next.
  instant next_tick() const;
  /// Ends everything; pending results get null.
  void shut_down();

  // From any thread.
  void freeze_until(instant until) noexcept { frozen_until_ = until.time_since_epoch().count(); }
  bool up() const noexcept { return up_; }
  bool connected() const noexcept { return connected_; }
  circuit_state breaker() const noexcept { return breaker_; }
  /// Commands reserved or sent whose reply or end has not come, late ones included.
  std::size_t unanswered() const noexcept { return unanswered_; }
  std::size_t unanswered_bytes() const noexcept { return unanswered_bytes_; }
  std::uint64_t timeouts() const noexcept { return timeouts_; }
  std::uint64_t commands() const noexcept { return commands_; }

private:
  struct call;
  void connect(instant now);
  void greeted();
  void ended(const std::string& why);
  void expire(instant now);
  void probe(instant now);
  void replied(call&, const redisReply*);
  void settle(const call&, verdict, const std::string& why);
  void publish(const std::string& why);
  bool frozen(instant now) const noexcept { return now.time_since_epoch().count() < frozen_until_; }
  double draw() { return std::uniform_real_distribution<>(0, 1)(random_); }

  const redis_settings& settings_;
  host_lookup lookup_;
  redis_connection connection_;
  circuit circuit_;
  std::mt19937_64 random_{std::random_device{}()};
  std::deque<std::shared_ptr<call>> deadlines_; // earliest first
  instant connect_at_{}, connect_deadline_ = instant::max();
  bool looking_up_ = false, probing_ = false, shut_ = false;
  int failed_connects_ = 0;
  std::size_t address_ = 0;
  std::optional<bool> reported_; // what on_state was last told
  std::atomic<bool> up_{false}, connected_{false};
  std::atomic<circuit_state> breaker_{circuit_state::closed};
  std::atomic<std::size_t> unanswered_{0}, unanswered_bytes_{0};
  std::atomic<std::uint64_t> timeouts_{0}, commands_{0};
  std::atomic<instant::rep> frozen_until_{0};
};

} // namespace mainstay
