// CAF's parts are its public ones: a scribe carries a connection with a stream whose policy is ours.
#include "tools/daemon/gated_scribe.hpp"

#include <caf/io/all.hpp>
#include <caf/io/network/stream_impl.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <sys/socket.h>

namespace mainstay {

namespace {

namespace net = caf::io::network;

/// How a stream reads and writes. `opened` is called when a handshake is over.
class gated_policy {
public:
  gated_policy(guest_list::seat guest, std::function<void()> opened)
    : guest_(std::move(guest)), opened_(std::move(opened)) {} // the seat is left before the descriptor is closed

  net::rw_state read_some(std::size_t& got, int, void* to, std::size_t room) {
    const auto state = pass(got, static_cast<char*>(to), room);
    if (!guest_->known && (guest_->stream ? guest_->stream->is_open() : spoke_)) {
      if (!guest_.know()) return net::rw_state::failure;
      if (guest_->stream) opened_();
    }
    return state;
  }
  net::rw_state write_some(std::size_t& sent, int, const void* from, std::size_t size) {
    if (!guest_->stream) return outcome(sent, ::send(guest_->fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL));
    const iovec all{const_cast<void*>(from), size};
    return outcome(sent, guest_->stream->write(&all, 1));
  }
  bool must_read_more(int, std::size_t) { return guest_->stream && guest_->stream->has_unread(); }

private:
  static net::rw_state outcome(std::size_t& done, ssize_t n) {
    done = n > 0 ? static_cast<std::size_t>(n) : 0;
    const bool later = n < 0 && (errno == EAGAIN || errno == EINTR);
    return n > 0 || later ? net::rw_state::success : net::rw_state::failure;
  }

  net::rw_state receive(std::size_t& got, char* to, std::size_t room) {
    return outcome(got, guest_->stream ? guest_->stream->read(to, room) : ::recv(guest_->fd, to, room, MSG_DONTWAIT));
  }

  /// A header is kept back until it is whole and has passed the gate; what follows it goes through as it comes.
  net::rw_state pass(std::size_t& got, char* to, std::size_t room) {
    while (filled_ < header_.size()) {
      const auto state = receive(got, reinterpret_cast<char*>(header_.data()) + filled_, header_.size() - filled_);
      if (state != net::rw_state::success || got == 0) return state;
      filled_ += std::exchange(got, 0);
      if (filled_ < header_.size()) continue;
      if (!guest_.list().gate.admit(header_)) return net::rw_state::failure;
      payload_ = basp_gate::payload_of(header_);
    }
    if (handed_ < header_.size()) {
      got = std::min(room, header_.size() - handed_);
      std::memcpy(to, header_.data() + handed_, got);
      handed_ += got;
    } else if (const auto state = receive(got, to, std::min(room, payload_)); state != net::rw_state::success) {
      return state;
    } else {
      payload_ -= got;
    }
    if (handed_ == header_.size() && payload_ == 0) {
      spoke_ = spoke_ || guest_.list().gate.is_for_us(header_);
      filled_ = handed_ = 0;
    }
    return net::rw_state::success;
  }

  guest_list::seat guest_;
  std::function<void()> opened_;
  basp_gate::header header_{};
  std::size_t filled_ = 0, handed_ = 0, payload_ = 0; // of the header; still to come
  bool spoke_ = false;                                // a whole message has come for the one actor
};

/// What CAF has to say first waits in it until the handshake is over: a stream that cannot write yet would be asked to
/// again and again.
class gated_scribe final : public caf::io::scribe {
public:
  gated_scribe(net::default_multiplexer& loop, guest_list::seat guest)
    : scribe(net::conn_hdl_from_socket(guest->fd)), open_(!guest->stream || guest->stream->is_open()),
      unread_(guest->stream && guest->stream->has_unread()), stream_(loop, guest->fd, std::move(guest), [this] {
        open_ = true;
        stream_.flush(this);
      }) {}

  void configure_read(caf::io::receive_policy::config how) override {
    stream_.configure_read(how);
    if (std::exchange(launched_, true)) return;
    stream_.start(this);
    if (unread_) // came while it was dialled: the socket will not tell of it
      stream_.backend().post([me = caf::intrusive_ptr<gated_scribe>(this)] {
        if (!me->detached()) me->stream_.handle_event(net::operation::read);
      });
  }
  void ack_writes(bool) override {} // BASP asks for none
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override {
    if (stream_.wr_buf().size() > most_waiting) ::shutdown(stream_.fd(), SHUT_RDWR);
    if (open_) stream_.flush(this);
  }
  void graceful_shutdown() override {
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
  }
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }
  std::string addr() const override {
    const auto found = net::remote_addr_of_fd(stream_.fd());
    return found ? *found : std::string();
  }
  std::uint16_t port() const override {
    const auto found = net::remote_port_of_fd(stream_.fd());
    return found ? *found : std::uint16_t{0};
  }

private:
  bool open_;
  const bool unread_;
  bool launched_ = false;
  net::stream_impl<gated_policy> stream_;
};

} // namespace

caf::io::scribe_ptr make_gated_scribe(net::default_multiplexer& loop, guest_list::seat guest) {
  return caf::make_counted<gated_scribe>(loop, std::move(guest));
}

} // namespace mainstay
