// One peer's way out: what waits for it, what ZeroMQ holds for it, and the sending of one answer.
// Promises: bodies are handed over without a copy; ZeroMQ never holds more than `window` bytes (and one message) for a
// peer, and the count goes down when the bytes really went to the network, not when they were queued. Whoever waits for
// that is woken.
#pragma once

#include "net/bytes.hpp"
#include "net/wakeup.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace zmq {
class socket_ref;
}

namespace mainstay::mq {

/// Counters of one peer, shared by those who answer, the socket's thread and ZeroMQ's own thread.
struct flow {
  static constexpr std::size_t window = 1u << 20;

  flow(std::shared_ptr<wakeup> w, std::size_t limit) : socket_thread(std::move(w)), ceiling(limit) {}

  const std::shared_ptr<wakeup> socket_thread;
  const std::size_t ceiling;              // of `waiting`: what comes above is dropped, and the peer with it
  std::atomic<std::size_t> waiting{0};    // bytes not yet given to ZeroMQ
  std::atomic<std::size_t> in_zmq{0};     // bytes given to ZeroMQ and not yet on the network
  std::atomic<std::uint64_t> released{0}; // messages that left ZeroMQ; changes while the peer takes anything
  std::atomic<bool> wants_room{false};    // the socket's thread waits for in_zmq to fall below half the window
  std::atomic<bool> overflowed{false};

  /// Reserves room for a message; false once the ceiling is passed (a single message always fits).
  bool admit(std::size_t cost) noexcept;
  bool idle() const noexcept { return waiting == 0 && in_zmq == 0; }
};

/// One answer, ready for the wire.
struct outgoing {
  std::string id;
  std::string_view kind; // reply, chunk, end, accepted, error
  std::string headers;
  bytes_ptr body;
  bool delimiter = false; // for a REQ client

  /// Bytes it is accounted with: its frames and what ZeroMQ spends on each message.
  std::size_t cost() const noexcept {
    return id.size() + kind.size() + headers.size() + (body ? body->size() : 0) + 256;
  }
};

enum class sent : std::uint8_t { yes, full, gone };

/// Sends one whole answer without waiting. `full`: nothing was sent, the peer's pipe has no room; `gone`: nobody has
/// this identity.
sent send_message(zmq::socket_ref, const std::string& identity, const outgoing&, const std::shared_ptr<flow>&);

} // namespace mainstay::mq
