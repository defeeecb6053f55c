#include "tools/load/zmq_door.hpp"

#include <rapidjson/document.h>

#include <sys/epoll.h>

#include <charconv>
#include <stdexcept>

namespace mainstay::load {
namespace {

constexpr std::size_t messages_a_turn = 256; // then the other sockets have theirs

std::string_view text(const zmq::message_t& frame) { return frame.to_string_view(); }

struct labels {
  int status = 0;
  std::string source;
};

// The headers frame; status 0 if it is none.
labels labels_of(std::string_view json) {
  rapidjson::Document document;
  if (document.Parse(json.data(), json.size()).HasParseError() || !document.IsObject()) return {};
  labels out;
  if (auto at = document.FindMember("status"); at != document.MemberEnd() && at->value.IsInt())
    out.status = at->value.GetInt();
  if (auto at = document.FindMember("x-mainstay-source"); at != document.MemberEnd() && at->value.IsString())
    out.source = at->value.GetString();
  return out;
}

} // namespace

struct zmq_door::dealer final : watcher {
  explicit dealer(zmq::context_t& context) : socket(context, zmq::socket_type::dealer) {}
  void ready(std::uint32_t) override { touched = true; }

  zmq::socket_t socket;
  bool touched = false; // something may have come: libzmq's descriptor tells only once, and sending may hide it
};

zmq_door::zmq_door(reactor& r, door_owner& owner, const std::string& address, std::size_t sockets,
                   const request_shape& shape, const question_text& question)
  : owner_(owner), plain_(chat_body(shape, question, false)), streamed_(chat_body(shape, question, true)),
    headers_(zmq_headers(shape)) {
  for (std::size_t i = 0; i < sockets; ++i) {
    auto& d = *dealers_.emplace_back(std::make_unique<dealer>(context_));
    d.socket.set(zmq::sockopt::linger, 0);
    d.socket.set(zmq::sockopt::sndhwm, 0); // how many are under way is bounded elsewhere
    d.socket.set(zmq::sockopt::rcvhwm, 0);
    try {
      d.socket.connect(address);
    } catch (const zmq::error_t& e) { throw std::runtime_error(address + ": " + e.what()); }
    r.watch(d.socket.get(zmq::sockopt::fd), EPOLLIN, d);
  }
}

zmq_door::~zmq_door() = default;

void zmq_door::send(flight& f) {
  auto& d = *dealers_[next_];
  next_ = (next_ + 1) % dealers_.size();
  f.carrier = &d;
  open_.emplace(f.id, &f);
  std::array<char, question_text::digits> id;
  write_number(id.data(), f.id);
  auto body = (f.streamed ? streamed_ : plain_).of(f.number);
  d.socket.send(zmq::const_buffer(id.data(), id.size()), zmq::send_flags::sndmore);
  d.socket.send(zmq::str_buffer("chat"), zmq::send_flags::sndmore);
  d.socket.send(zmq::buffer(headers_), zmq::send_flags::sndmore);
  d.socket.send(zmq::buffer(body), zmq::send_flags::none);
  d.touched = true;
}

void zmq_door::abandon(flight& f) {
  auto& d = *static_cast<dealer*>(f.carrier);
  open_.erase(f.id);
  abandoned_.insert(f.id);
  std::array<char, question_text::digits> id;
  write_number(id.data(), f.id);
  d.socket.send(zmq::const_buffer(id.data(), id.size()), zmq::send_flags::sndmore);
  d.socket.send(zmq::str_buffer("cancel"), zmq::send_flags::none);
  d.touched = true;
}

bool zmq_door::before_wait() {
  bool more = false;
  for (auto& d : dealers_) {
    if (!d->touched) continue;
    std::size_t count = 0;
    for (; count < messages_a_turn; ++count) {
      if (!d->socket.recv(frames_[0], zmq::recv_flags::dontwait)) break;
      std::size_t frames = 1;
      zmq::message_t excess;
      for (bool another = frames_[0].more(); another; ++frames) {
        auto& frame = frames < frames_.size() ? frames_[frames] : excess;
        if (!d->socket.recv(frame)) break; // never: a message comes whole
        another = frame.more();
      }
      take(frames);
    }
    d->touched = count == messages_a_turn;
    more = more || count > 0;
  }
  return more;
}

void zmq_door::finish(flight& f, fault what, instant now) {
  open_.erase(f.id);
  owner_.finished(f, what, now);
}

// [id, kind, headers, body]
void zmq_door::take(std::size_t frames) {
  auto now = clock::now();
  auto id_text = text(frames_[0]);
  std::uint64_t id = 0;
  auto [last, code] = std::from_chars(id_text.data(), id_text.data() + id_text.size(), id);
  auto whole = frames == frames_.size() && code == std::errc() && last == id_text.data() + id_text.size();
  auto kind = whole ? text(frames_[1]) : std::string_view();
  auto at = open_.find(id);
  if (!whole || at == open_.end()) {
    auto known = whole && abandoned_.contains(id);
    if (!known) owner_.surplus();
    if (known && kind != "chunk") abandoned_.erase(id);
    return;
  }
  auto& f = *at->second;
  if (kind == "accepted") return; // a durable request: its answer follows
  auto begun = f.got.status() != 0;
  auto body = text(frames_[3]);
  if (kind == "chunk" && f.streamed) {
    if (!begun) {
      auto said = labels_of(text(frames_[2]));
      f.got.take_status(said.status, said.source);
    }
    if (f.got.take_event(body)) owner_.tokens_came(f, 1, now);
    return;
  }
  auto said = labels_of(text(frames_[2]));
  if (kind == "end" && f.streamed) {
    f.got.take_status(said.status, said.source);
    f.got.take_end();
    return finish(f, fault::none, now);
  }
  if (kind == "error" && begun) {
    f.got.take_event(body);
    return finish(f, fault::none, now);
  }
  if (kind == "error" || (kind == "reply" && !f.streamed)) {
    f.got.take_status(said.status, said.source);
    f.got.take_body(body);
    return finish(f, fault::none, now);
  }
  finish(f, fault::malformed, now);
}

} // namespace mainstay::load
