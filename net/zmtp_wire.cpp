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
constexpr std::string_view null_mechanism = "NULL";

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
    if (byte != (n < null_mechanism.size() ? static_cast<unsigned char>(null_mechanism[n]) : 0))
      return refuse("the security mechanism here is NULL");
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
  if (command_) {
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
  if (command_) return command();
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

wire_reader::event wire_reader::command() {
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

std::string_view greeting() {
  static const std::string text = [] {
    std::string out("\xff\0\0\0\0\0\0\0\0\x7f\x03\0"sv);
    out += null_mechanism;
    out.resize(greeting_size, '\0');
    return out;
  }();
  return text;
}

std::string_view ready_command() {
  static const std::string text = [] {
    const auto body = "\5READY\13Socket-Type\0\0\0\6ROUTER\10Identity\0\0\0\0"sv;
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

} // namespace mainstay::mq
