// The greeting is checked byte by byte, so that whoever speaks another protocol is told apart by its first byte; frames
// by a small state machine that takes payloads in runs.
#include "net/zmtp_wire.hpp"

#include "net/bytes.hpp"

#include <algorithm>
#include <utility>

namespace mainstay::mq {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t greeting_size = 64;
constexpr std::size_t signature_end = 9, major_version = 10, mechanism_begin = 12, mechanism_end = 32;
constexpr std::string_view null_mechanism = "NULL", curve_mechanism = "CURVE";
constexpr auto our_properties = "\13Socket-Type\0\0\0\6ROUTER\10Identity\0\0\0\0"sv;
constexpr auto stranger_error = "\5ERROR\003400"sv; // the status that libzmq's clients know as "not authorised"

constexpr unsigned more_flag = 1, long_flag = 2, command_flag = 4;
constexpr std::size_t longest_command = 8u << 10;       // a READY with all the metadata anybody sends
constexpr std::size_t longest_context = 16;             // of a PING
constexpr std::size_t first_frame_reserve = 256u << 10; // an announced size alone reserves no more

bool starts(std::string_view body, std::string_view name) { // a command's name has its length in front
  return body.size() > name.size() && static_cast<std::size_t>(static_cast<unsigned char>(body[0])) == name.size() &&
         body.substr(1, name.size()) == name;
}

std::uint32_t big_endian_32(std::string_view bytes) {
  std::uint32_t n = 0;
  for (char c : bytes.substr(0, 4)) n = n << 8 | static_cast<unsigned char>(c);
  return n;
}

} // namespace

wire_reader::event wire_reader::refuse(std::string_view text, int status) {
  at_ = at::faulty;
  fault_ = {status, text};
  reply_.clear();
  return event::fault;
}

wire_reader::event wire_reader::feed(std::string_view& input) {
  while (!input.empty()) {
    auto next = event::more;
    switch (at_) {
    case at::greeting: next = greeting(input); break;
    case at::flags:
      next = begin_frame(static_cast<unsigned char>(input.front()));
      input.remove_prefix(1);
      break;
    case at::size:
      size_ = size_ << 8 | static_cast<unsigned char>(input.front());
      input.remove_prefix(1);
      if (--digits_ == 0) next = begin_payload();
      break;
    case at::payload: next = payload(input); break;
    case at::faulty: return event::fault;
    }
    if (next != event::more) return next;
  }
  return event::more;
}

wire_reader::event wire_reader::greeting(std::string_view& input) {
  const std::size_t i = greeted_++;
  const auto byte = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  if ((i == 0 && byte != 0xff) || (i == signature_end && byte != 0x7f)) return refuse("this is not ZMTP");
  if (i == major_version && byte < 3) return refuse("ZMTP 3 is spoken here: ZeroMQ 4 or later");
  if (i >= mechanism_begin && i < mechanism_end) {
    const auto n = i - mechanism_begin;
    const auto ours = curve_ ? curve_mechanism : null_mechanism;
    if (byte != (n < ours.size() ? static_cast<unsigned char>(ours[n]) : 0))
      return refuse(curve_ ? "the security mechanism here is CURVE" : "the security mechanism here is NULL");
  }
  if (greeted_ < greeting_size) return event::more;
  at_ = at::flags;
  return event::greeted;
}

wire_reader::event wire_reader::begin_frame(unsigned char flags) {
  if (flags & ~(more_flag | long_flag | command_flag)) return refuse("a frame with unknown flags");
  more_ = flags & more_flag;
  command_ = flags & command_flag;
  if (command_ && more_) return refuse("a command of several frames");
  if (!command_ && !ready_) return refuse("a message before the handshake");
  size_ = 0;
  digits_ = flags & long_flag ? 8 : 1;
  at_ = at::size;
  return event::more;
}

wire_reader::event wire_reader::begin_payload() {
  at_ = at::payload;
  left_ = size_;
  current_.clear();
  if (curve_ && ready_) {
    if (const auto refused = begin_box(); refused != event::more) return refused;
  } else if (command_) {
    keep_ = true;
    if (size_ > longest_command) return refuse("a command that is too long");
  } else {
    in_message_ = true;
    if (++frames_seen_ > limits_.frames) return refuse("a message with too many frames");
    if (size_ > limits_.message_bytes - bytes_seen_) return refuse("the message is too large", 413);
    bytes_seen_ += static_cast<std::size_t>(size_);
    keep_ = frames_seen_ <= limits_.kept_frames;
  }
  if (keep_) current_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(size_, first_frame_reserve)));
  return left_ == 0 ? end_frame() : event::more;
}

/// Boxes come as messages or as commands, as the client has it; what they are they say inside.
wire_reader::event wire_reader::begin_box() {
  keep_ = in_message_ = true;
  if (more_) return refuse("a box of several frames");
  if (size_ < curve_session::overhead) return refuse("a box that is too short");
  if (size_ - curve_session::overhead > limits_.message_bytes - bytes_seen_)
    return refuse("the message is too large", 413);
  return event::more;
}

wire_reader::event wire_reader::payload(std::string_view& input) {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
  if (keep_) {
    if (current_.size() + n > current_.capacity()) current_.reserve(static_cast<std::size_t>(size_));
    current_.append(input.substr(0, n));
  }
  input.remove_prefix(n);
  left_ -= n;
  return left_ == 0 ? end_frame() : event::more;
}

wire_reader::event wire_reader::end_frame() {
  at_ = at::flags;
  if (curve_ && ready_) return open_box();
  return command_ ? command() : keep_frame();
}

wire_reader::event wire_reader::open_box() {
  unsigned char flags = 0;
  if (!curve_->open(current_, flags)) return refuse("a box that does not open");
  if (flags & ~(curve_session::more | curve_session::command)) return refuse("a frame with unknown flags");
  command_ = flags & curve_session::command;
  if (command_) {
    in_message_ = frames_seen_ > 0;
    if (flags & curve_session::more) return refuse("a command of several frames");
    const auto next = current_.size() > longest_command ? refuse("a command that is too long") : command();
    current_.clear();
    return next;
  }
  more_ = flags & curve_session::more;
  if (++frames_seen_ > limits_.frames) return refuse("a message with too many frames");
  bytes_seen_ += current_.size();
  keep_ = frames_seen_ <= limits_.kept_frames;
  return keep_frame();
}

wire_reader::event wire_reader::keep_frame() {
  if (keep_) frames_.push_back(std::move(current_));
  release(current_);
  if (more_) return event::more;
  in_message_ = false;
  frames_seen_ = bytes_seen_ = 0;
  return event::message;
}

std::vector<std::string> wire_reader::take_frames() { return std::exchange(frames_, {}); }

std::vector<std::string> wire_reader::give_up() {
  at_ = at::faulty;
  in_message_ = false;
  release(current_);
  return take_frames();
}

/// HELLO, INITIATE.
wire_reader::event wire_reader::curve_handshake() {
  const auto in_frame = [](std::string_view body) {
    std::string out{static_cast<char>(command_flag), static_cast<char>(body.size())};
    return out += body;
  };
  std::string answer, properties;
  if (curve_->hello(current_, answer)) {
    reply_ = in_frame(answer);
    return event::welcome;
  }
  switch (curve_->initiate(current_, properties)) {
  case curve_session::verdict::stranger: {
    const auto fault = refuse("a client whose key is not listed");
    reply_ = in_frame(stranger_error);
    return fault;
  }
  case curve_session::verdict::malformed:
    return refuse("a handshake that is none of CURVE, or is meant for another server key");
  case curve_session::verdict::fine: break;
  }
  if (!is_acceptable_ready(properties)) return refuse("a handshake that is not of a DEALER or REQ");
  reply_ = in_frame(curve_->ready(our_properties));
  ready_ = true;
  return event::ready;
}

wire_reader::event wire_reader::command() {
  if (curve_ && !ready_) return curve_handshake();
  const std::string_view body = current_;
  if (!ready_) {
    if (!starts(body, "READY") || !is_acceptable_ready(body.substr(6)))
      return refuse("a handshake that is no READY of a DEALER or REQ");
    ready_ = true;
    return event::ready;
  }
  if (!starts(body, "PING")) return event::more; // a PONG, or nothing that concerns a ROUTER
  if (body.size() < 7) return refuse("a malformed PING");
  context_ = body.substr(7, longest_context);
  return event::ping;
}

/// Properties: name and value, each with its length in front.
bool wire_reader::is_acceptable_ready(std::string_view properties) const {
  bool fits = false;
  while (!properties.empty()) {
    const auto name_size = static_cast<unsigned char>(properties[0]);
    if (properties.size() < 1u + name_size + 4u) return false;
    const auto name = properties.substr(1, name_size);
    properties.remove_prefix(1u + name_size);
    const auto value_size = big_endian_32(properties);
    properties.remove_prefix(4);
    if (value_size > properties.size()) return false;
    const auto value = properties.substr(0, value_size);
    properties.remove_prefix(value_size);
    if (name.size() == 11 && std::equal(name.begin(), name.end(), "socket-type",
                                        [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; }))
      fits = value == "DEALER" || value == "REQ" || value == "ROUTER";
  }
  return fits;
}

std::string_view greeting(bool curve) {
  static const auto make = [](std::string_view mechanism, bool as_server) {
    std::string out("\xff\0\0\0\0\0\0\0\0\x7f\x03\0"sv);
    out += mechanism;
    out.resize(greeting_size, '\0');
    out[mechanism_end] = as_server;
    return out;
  };
  static const std::string plain = make(null_mechanism, false), boxed = make(curve_mechanism, true);
  return curve ? boxed : plain;
}

std::string_view ready_command() {
  static const std::string text = [] {
    const auto body = std::string("\5READY") += our_properties;
    std::string out{static_cast<char>(command_flag), static_cast<char>(body.size())};
    return out += body;
  }();
  return text;
}

void append_frame_head(std::string& out, std::size_t size, bool more) {
  const bool is_long = size > 255;
  out += static_cast<char>((more ? more_flag : 0) | (is_long ? long_flag : 0));
  for (int shift = is_long ? 56 : 0; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<std::uint64_t>(size) >> shift & 0xff);
}

void append_frame(std::string& out, std::string_view bytes, bool more) {
  append_frame_head(out, bytes.size(), more);
  out += bytes;
}

std::string ping_command() { return std::string("\4\7\4PING\0\0"sv); }

std::string pong_command(std::string_view context) {
  std::string out{static_cast<char>(command_flag), static_cast<char>(5 + context.size())};
  return (out += "\4PONG") += context;
}

void append_sealed(std::string& out, curve_session& curve, std::string_view lead, std::string_view body) {
  while (!lead.empty()) {
    const auto flags = static_cast<unsigned char>(lead[0]);
    const std::size_t digits = flags & long_flag ? 8 : 1;
    std::uint64_t size = 0;
    for (const char c : lead.substr(1, digits)) size = size << 8 | static_cast<unsigned char>(c);
    lead.remove_prefix(1 + digits);
    const auto bytes = lead.empty() ? body : lead.substr(0, size); // the last frame's are elsewhere
    lead.remove_prefix(std::min<std::size_t>(size, lead.size()));
    append_frame_head(out, bytes.size() + curve_session::overhead, false);
    curve.seal(out,
               static_cast<unsigned char>((flags & more_flag) | (flags & command_flag ? curve_session::command : 0)),
               bytes);
  }
}

} // namespace mainstay::mq
