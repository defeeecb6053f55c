// ZMTP 3, the wire protocol of ZeroMQ (rfc.zeromq.org/spec/23 and 37), the server's side of it, pure: what a client
// sends taken apart, what it is sent put together. The mechanism is NULL, or CURVE where there is a session of it, by
// which every frame then comes and goes in a box (net/curve_session). Promises: whatever the bytes are, the reader
// holds no more than its limits; what is too large is refused when it is announced, before it is read; the first byte
// that is not ZMTP ends it. Sockets, time and the meaning of a message are somebody else's.
#pragma once

#include "net/curve_session.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::mq {

struct wire_limits {
  std::size_t message_bytes = 40u << 20; // of all frames of a message together
  std::size_t frames = 1000;             // of a message
  std::size_t kept_frames = 6;           // those beyond are counted and forgotten
};

/// Why a connection cannot go on. The text is a literal.
struct wire_fault {
  int status = 400;
  std::string_view text;
};

class wire_reader {
public:
  /// Without a session of CURVE: NULL.
  explicit wire_reader(wire_limits limits, std::unique_ptr<curve_session> curve = nullptr)
    : limits_(limits), curve_(std::move(curve)) {}

  enum class event : std::uint8_t {
    more,    // all input is taken
    greeted, // the client speaks ZMTP 3: with NULL it is owed a READY
    welcome, // CURVE: it is owed reply()
    ready,   // the handshake is done: with CURVE it is owed reply()
    message, // see take_frames()
    ping,    // it is owed a pong of ping_context()
    fault    // final; see fault(): it may be owed a reply()
  };
  /// Takes from the front of `input` up to the next event, however the bytes are cut.
  event feed(std::string_view& input);

  /// The frames of the message just completed.
  std::vector<std::string> take_frames();
  /// Whole frames of the message under way. Nothing more is read.
  std::vector<std::string> give_up();
  std::string_view ping_context() const noexcept { return context_; }
  /// A command of the handshake, whole.
  const std::string& reply() const noexcept { return reply_; }
  /// Null: NULL.
  curve_session* curve() const noexcept { return curve_.get(); }
  const wire_fault& fault() const noexcept { return fault_; }
  bool is_ready() const noexcept { return ready_; }
  /// A message has begun and is not complete.
  bool in_message() const noexcept { return in_message_; }
  /// Bytes that have come of it.
  std::size_t held() const noexcept {
    if (!in_message_) return 0;
    if (curve_) return bytes_seen_ + current_.size();
    return bytes_seen_ - (command_ ? 0 : static_cast<std::size_t>(left_));
  }

private:
  enum class at : std::uint8_t { greeting, flags, size, payload, faulty };

  event refuse(std::string_view text, int status = 400);
  event greeting(std::string_view& input);
  event begin_frame(unsigned char flags);
  event begin_payload();
  event payload(std::string_view& input);
  event end_frame();
  event begin_box();
  event open_box();
  event keep_frame();
  event command();
  event curve_handshake();
  bool is_acceptable_ready(std::string_view properties) const;

  const wire_limits limits_;
  std::unique_ptr<curve_session> curve_;
  at at_ = at::greeting;
  bool ready_ = false, in_message_ = false;
  bool more_ = false, command_ = false, keep_ = false; // of the frame being read
  std::uint8_t digits_ = 0;                            // bytes of its size still to come
  std::uint8_t greeted_ = 0;                           // bytes of the greeting taken
  std::uint64_t size_ = 0, left_ = 0;                  // of its payload
  std::size_t frames_seen_ = 0, bytes_seen_ = 0;       // of the message
  std::string current_;
  std::vector<std::string> frames_;
  std::string context_, reply_;
  wire_fault fault_;
};

/// Our side of the greeting, and with NULL the READY of a ROUTER.
std::string_view greeting(bool curve = false);
std::string_view ready_command();

/// A frame's head; its `size` bytes follow.
void append_frame_head(std::string& out, std::size_t size, bool more);
void append_frame(std::string& out, std::string_view bytes, bool more);
std::string ping_command();
std::string pong_command(std::string_view context);
/// Appends the frames that `lead` and `body` (the bytes of its last frame) are, each in its box.
void append_sealed(std::string& out, curve_session&, std::string_view lead, std::string_view body);

} // namespace mainstay::mq
