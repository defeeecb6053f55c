// Redis on a thread of its own through hiredis' asynchronous interface. Pipelined; every command has a deadline of its
// own (hiredis 0.14 has none); reconnects with backoff; a circuit of its own (core/circuit) keeps a dead or frozen
// server from costing anybody time. Promises: get/set never block and never throw; each callback is called exactly
// once, on the client's thread, at the latest when the deadline passes; one log line per change of state.
#pragma once

#include "core/circuit.hpp"
#include "core/clock.hpp"
#include "core/secret.hpp"
#include "net/bytes.hpp"

#include <functional>
#include <memory>
#include <string>

namespace mainstay {

struct redis_settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  int database = 0;
  std::string user;
  secret password;
  duration command_deadline = 25ms;
  duration connect_deadline = 500ms;
  duration reconnect_min = 100ms, reconnect_max = 5s; // full jitter
  circuit_settings breaker{.failure_threshold = 3, .recovery_timeout = 1s, .success_threshold = 1, .ramp = 0s};
  std::size_t max_pending = 10000;                               // commands waiting for an answer; more fail at once
  std::function<void(bool up, const std::string& why)> on_state; // from the client's thread, per change
};

/// redis://[user[:password]@]host[:port][/database]; throws std::invalid_argument saying what is wrong (without the
/// password).
redis_settings parse_redis_url(const std::string& url);

enum class redis_result : std::uint8_t { hit, miss, unavailable };

class redis_client {
public:
  explicit redis_client(redis_settings);
  ~redis_client(); // pending callbacks get `unavailable`
  /// GET. While the circuit is open the callback comes at once, from the calling thread, with `unavailable`.
  void get(std::string key, std::function<void(redis_result, bytes_ptr value)> done);
  /// SET key value PX ttl. Best effort: failures are counted, not reported.
  /// `if_absent` (NX): what is there stays.
  void set(std::string key, bytes_ptr value, duration ttl, bool if_absent = false);
  /// DEL of every key that begins with `prefix` (SCAN in steps); `done(deleted)`, -1 when unavailable.
  void clear(std::string prefix, std::function<void(long deleted)> done);

  /// For drills: until then commands are not sent, and end with their deadlines, as with a server that is frozen. A
  /// time that has passed: from now on they are sent again. From any thread.
  void freeze_until(instant) noexcept;

  struct view {
    bool connected;
    circuit_state breaker;
    std::size_t pending;
    std::uint64_t timeouts, failures, commands;
  };
  view look() const;

private:
  struct impl;
  std::shared_ptr<impl> impl_; // shared with its thread
};

} // namespace mainstay
