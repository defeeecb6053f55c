// CAF's parts are its public ones: a doorman decides on each connection, a scribe carries one with a session of TLS as
// its policy. Everything here runs on CAF's multiplexer thread, but for the end of a scribe, which may come elsewhere.
#include "tools/daemon/console_door.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/openssl/session.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace mainstay {

namespace {

namespace net = caf::io::network;

/// The connections that are open, the oldest first.
class guest_list {
public:
  struct guest {
    int fd;
    bool known = false;   // has shown a certificate, and spoken
    bool leaving = false; // shown out; CAF will notice
  };
  using place = std::list<guest>::iterator;

  explicit guest_list(std::size_t most) : most_(most) {}

  place add(int fd) {
    std::lock_guard lock(mutex_);
    return all_.insert(all_.end(), {fd});
  }
  void remove(place at) {
    std::lock_guard lock(mutex_);
    all_.erase(at);
  }
  void know(place at) {
    std::lock_guard lock(mutex_);
    at->known = true;
  }
  /// Whether one more may come in; if that takes it, the oldest stranger is shown out.
  bool has_room() {
    std::lock_guard lock(mutex_);
    const auto staying = all_.size() - std::count_if(all_.begin(), all_.end(), [](auto& g) { return g.leaving; });
    if (staying < most_) return true;
    const auto oldest = std::find_if(all_.begin(), all_.end(), [](auto& g) { return !g.known && !g.leaving; });
    if (oldest == all_.end()) return false;
    oldest->leaving = true;
    ::shutdown(oldest->fd, SHUT_RDWR);
    return true;
  }

private:
  const std::size_t most_;
  std::mutex mutex_;
  std::list<guest> all_;
};

/// How a stream reads and writes.
class tls_policy {
public:
  tls_policy(caf::openssl::session_ptr session, std::shared_ptr<guest_list> guests, int fd)
    : session_(std::move(session)), guests_(std::move(guests)), place_(guests_->add(fd)) {}
  ~tls_policy() { guests_->remove(place_); } // before the descriptor is closed

  net::rw_state read_some(std::size_t& got, int fd, void* to, std::size_t room) {
    const auto state = session_->read_some(got, fd, to, room);
    if (got > 0 && !std::exchange(known_, true)) guests_->know(place_);
    return state;
  }
  net::rw_state write_some(std::size_t& sent, int fd, const void* from, std::size_t size) {
    return session_->write_some(sent, fd, from, size);
  }
  bool must_read_more(int fd, std::size_t threshold) { return session_->must_read_more(fd, threshold); }

private:
  caf::openssl::session_ptr session_;
  std::shared_ptr<guest_list> guests_;
  guest_list::place place_;
  bool known_ = false;
};

class console_scribe final : public caf::io::scribe {
public:
  console_scribe(net::default_multiplexer& loop, int fd, caf::openssl::session_ptr session,
                 std::shared_ptr<guest_list> guests)
    : scribe(net::conn_hdl_from_socket(fd)), stream_(loop, fd, std::move(session), std::move(guests), fd) {}

  void configure_read(caf::io::receive_policy::config how) override {
    stream_.configure_read(how);
    if (std::exchange(launched_, true)) return;
    stream_.start(this);
    stream_.force_empty_write(this); // the handshake may have something to say first
  }
  void ack_writes(bool) override {} // BASP asks for none
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override { stream_.flush(this); }
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
  net::stream_impl<tls_policy> stream_;
  bool launched_ = false;
};

class console_doorman final : public net::doorman_impl {
public:
  console_doorman(net::default_multiplexer& loop, int fd, std::shared_ptr<guest_list> guests)
    : net::doorman_impl(loop, fd), guests_(std::move(guests)) {}

  bool new_connection() override {
    const int fd = acceptor_.accepted_socket();
    if (detached() || !guests_->has_room()) return turn_away(fd);
    caf::io::scribe_ptr scribe;
    try {
      net::nonblocking(fd, true);
      auto session = caf::openssl::make_session(parent()->system(), fd, true);
      if (session) scribe = caf::make_counted<console_scribe>(acceptor_.backend(), fd, std::move(session), guests_);
    } catch (const std::exception& e) { // no descriptor for its files
      spdlog::warn("admin door: a connection could not be made: {}", e.what());
    }
    if (!scribe) return turn_away(fd);
    const auto handle = scribe->hdl();
    parent()->add_scribe(std::move(scribe));
    return doorman::new_connection(&acceptor_.backend(), handle);
  }

private:
  static bool turn_away(int fd) {
    ::close(fd);
    return false;
  }

  const std::shared_ptr<guest_list> guests_;
};

class listener : public caf::io::middleman_actor_impl {
public:
  listener(caf::actor_config& config, caf::actor broker, std::size_t most_connections)
    : middleman_actor_impl(config, std::move(broker)), guests_(std::make_shared<guest_list>(most_connections)) {}

protected:
  caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* host, bool reuse) override {
    auto fd = net::new_tcp_acceptor_impl(port, host, reuse);
    if (!fd) return std::move(fd.error());
    auto& loop = static_cast<net::default_multiplexer&>(system().middleman().backend());
    return caf::io::doorman_ptr{caf::make_counted<console_doorman>(loop, *fd, guests_)};
  }

private:
  const std::shared_ptr<guest_list> guests_;
};

} // namespace

console_door::console_door(caf::actor_system& sys, const console_actor& console, const std::string& host,
                           std::uint16_t port, std::size_t most_connections)
  : listener_(caf::actor_cast<caf::io::middleman_actor>(sys.spawn<listener, caf::hidden>(
        sys.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP")), most_connections))) {
  caf::scoped_actor self{sys};
  std::string why;
  self->request(listener_, caf::infinite, caf::publish_atom::value, port,
                caf::actor_cast<caf::strong_actor_ptr>(console), sys.message_types(console), host, true)
      .receive([this](std::uint16_t got) { port_ = got; }, [&](const caf::error& e) { why = to_string(e); });
  if (why.empty()) return;
  caf::anon_send_exit(listener_, caf::exit_reason::kill);
  throw std::runtime_error(why);
}

console_door::~console_door() { caf::anon_send_exit(listener_, caf::exit_reason::kill); }

} // namespace mainstay
