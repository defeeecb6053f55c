// Sending with accounting: the body frame carries a note that ZeroMQ gives back when it has written the message out.
#include "net/zmq_outbox.hpp"

#include <zmq.hpp>

namespace mainstay::mq {
namespace {

struct delivery_note {
  bytes_ptr body;
  std::shared_ptr<flow> way;
  std::size_t cost;
};

// On ZeroMQ's thread when written, on any when the connection is gone.
void delivered(void*, void* hint) {
  const std::unique_ptr<delivery_note> note(static_cast<delivery_note*>(hint));
  flow& way = *note->way;
  way.released.fetch_add(1);
  const auto left = way.in_zmq.fetch_sub(note->cost) - note->cost;
  if (left < flow::window / 2 && way.wants_room.exchange(false)) way.socket_thread->signal();
}

zmq::message_t body_frame(const outgoing& m, const std::shared_ptr<flow>& way) {
  static const bytes_ptr nothing = make_bytes({});
  auto note = std::make_unique<delivery_note>(delivery_note{m.body ? m.body : nothing, way, m.cost()});
  auto* bytes = const_cast<char*>(note->body->data()); // ZeroMQ only reads it
  zmq::message_t frame(bytes, note->body->size(), delivered, note.get());
  way->in_zmq.fetch_add(note->cost);
  note.release();
  return frame;
}

} // namespace

bool flow::admit(std::size_t cost) noexcept {
  const auto before = waiting.fetch_add(cost);
  if (before == 0 || before + cost <= ceiling) return true;
  waiting.fetch_sub(cost);
  return false;
}

sent send_message(zmq::socket_ref socket, const std::string& identity, const outgoing& m,
                  const std::shared_ptr<flow>& way) {
  constexpr auto more = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
  try {
    if (!socket.send(zmq::buffer(identity), more)) return sent::full;
  } catch (const zmq::error_t& e) {
    if (e.num() == EHOSTUNREACH) return sent::gone;
    throw;
  }
  // After the identity ZeroMQ takes the rest of the message, and throws it away by itself if the peer leaves meanwhile.
  if (m.delimiter) socket.send(zmq::const_buffer{}, more);
  socket.send(zmq::buffer(m.id), more);
  socket.send(zmq::buffer(m.kind), more);
  socket.send(zmq::buffer(m.headers), more);
  socket.send(body_frame(m, way), zmq::send_flags::dontwait);
  return sent::yes;
}

} // namespace mainstay::mq
