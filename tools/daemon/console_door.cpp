// CAF's parts are its public ones: a doorman decides on each connection, a scribe carries one with a stream of TLS as
// its policy. Everything here runs on CAF's multiplexer thread, but for the end of a scribe, which may come elsewhere.
#include "tools/daemon/console_door.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace mainstay {

namespace {

namespace net = caf::io::network;

constexpr auto handshake_limit = 5s;

/// One connection. All but its end is the multiplexer thread's.
struct guest {
  guest(const tls_context& context, int socket) : fd(socket), stream(context, socket) {}
  const int fd;
  tls_stream stream;
  std::uint64_t number = 0;
  bool known = false;   // has shown a certificate that lets it in
  bool leaving = false; // shown out; CAF will notice
};

/// The connections that are open, the oldest first.
class guest_list {
public:
  using place = std::list<guest>::iterator;

  guest_list(std::shared_ptr<const tls_context> context, std::size_t most)
    : context_(std::move(context)), most_(most) {}

  /// Throws std::bad_alloc.
  place add(int fd) {
    std::lock_guard lock(mutex_);
    const auto at = all_.emplace(all_.end(), *context_, fd);
    at->number = ++numbers_;
    return at;
  }
  std::uint64_t newest() {
    std::lock_guard lock(mutex_);
    return numbers_;
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
    if (closed_) return false;
    if (staying < most_) return true;
    const auto oldest = std::find_if(all_.begin(), all_.end(), [](auto& g) { return !g.known && !g.leaving; });
    if (oldest == all_.end()) return false;
    show_out(*oldest);
    return true;
  }
  /// Of a handshake.
  void time_is_up(std::uint64_t number) {
    std::lock_guard lock(mutex_);
    for (auto& g : all_)
      if (g.number == number && !g.known) show_out(g);
  }
  /// For connections to come; those of whom it does not let in are ended, and handshakes that began under the old one.
  void use(std::shared_ptr<const tls_context> context) {
    std::lock_guard lock(mutex_);
    context_ = std::move(context);
    for (auto& g : all_)
      if (!g.known || !g.stream.is_welcome_to(*context_)) show_out(g);
  }

  /// For good.
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (auto& g : all_) show_out(g);
  }

private:
  static void show_out(guest& g) {
    g.leaving = true;
    ::shutdown(g.fd, SHUT_RDWR);
  }

  std::shared_ptr<const tls_context> context_;
  const std::size_t most_;
  std::mutex mutex_;
  std::list<guest> all_;
  std::uint64_t numbers_ = 0;
  bool closed_ = false;
};

/// How a stream reads and writes. `opened` is called when the handshake is over.
class tls_policy {
public:
  tls_policy(std::shared_ptr<guest_list> guests, int fd, std::function<void()> opened)
    : guests_(std::move(guests)), place_(guests_->add(fd)), opened_(std::move(opened)) {}
  ~tls_policy() { guests_->remove(place_); } // before the descriptor is closed

  net::rw_state read_some(std::size_t& got, int, void* to, std::size_t room) {
    const auto state = outcome(got, place_->stream.read(static_cast<char*>(to), room));
    if (!place_->known && place_->stream.is_open()) {
      guests_->know(place_);
      opened_();
    }
    return state;
  }
  net::rw_state write_some(std::size_t& sent, int, const void* from, std::size_t size) {
    const iovec all{const_cast<void*>(from), size};
    return outcome(sent, place_->stream.write(&all, 1));
  }
  bool must_read_more(int, std::size_t) { return place_->stream.has_unread(); }

private:
  static net::rw_state outcome(std::size_t& done, ssize_t n) {
    done = n > 0 ? static_cast<std::size_t>(n) : 0;
    const bool later = n < 0 && errno == EAGAIN;
    return n > 0 || later ? net::rw_state::success : net::rw_state::failure;
  }

  std::shared_ptr<guest_list> guests_;
  guest_list::place place_;
  std::function<void()> opened_;
};

/// What CAF has to say first waits in it until the handshake is over: a stream that cannot write yet would be asked to
/// again and again.
class console_scribe final : public caf::io::scribe {
public:
  console_scribe(net::default_multiplexer& loop, int fd, std::shared_ptr<guest_list> guests)
    : scribe(net::conn_hdl_from_socket(fd)), stream_(loop, fd, std::move(guests), fd, [this] {
        open_ = true;
        stream_.flush(this);
      }) {}

  void configure_read(caf::io::receive_policy::config how) override {
    stream_.configure_read(how);
    if (!std::exchange(launched_, true)) stream_.start(this);
  }
  void ack_writes(bool) override {} // BASP asks for none
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override {
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
  net::stream_impl<tls_policy> stream_;
  bool launched_ = false, open_ = false;
};

class console_doorman final : public net::doorman_impl {
public:
  console_doorman(net::default_multiplexer& loop, int fd, std::shared_ptr<guest_list> guests, caf::actor porter)
    : net::doorman_impl(loop, fd), guests_(std::move(guests)), porter_(std::move(porter)) {}

  bool new_connection() override {
    const int fd = acceptor_.accepted_socket();
    if (detached() || !guests_->has_room()) return turn_away(fd);
    caf::io::scribe_ptr scribe;
    try {
      net::nonblocking(fd, true);
      scribe = caf::make_counted<console_scribe>(acceptor_.backend(), fd, guests_);
      caf::delayed_anon_send(porter_, handshake_limit, guests_->newest());
    } catch (const std::exception& e) { // no memory
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
  const caf::actor porter_;
};

/// Told of each handshake when its time is over.
caf::behavior keep_time(caf::event_based_actor*, std::shared_ptr<guest_list> guests) {
  return {[guests](std::uint64_t number) { guests->time_is_up(number); }};
}

class listener : public caf::io::middleman_actor_impl {
public:
  listener(caf::actor_config& config, caf::actor broker, std::shared_ptr<guest_list> guests, caf::actor porter)
    : middleman_actor_impl(config, std::move(broker)), guests_(std::move(guests)), porter_(std::move(porter)) {}

protected:
  caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* host, bool reuse) override {
    auto fd = net::new_tcp_acceptor_impl(port, host, reuse);
    if (!fd) return std::move(fd.error());
    auto& loop = static_cast<net::default_multiplexer&>(system().middleman().backend());
    return caf::io::doorman_ptr{caf::make_counted<console_doorman>(loop, *fd, guests_, porter_)};
  }

private:
  const std::shared_ptr<guest_list> guests_;
  const caf::actor porter_;
};

} // namespace

struct console_door::staff {
  std::shared_ptr<guest_list> guests;
  caf::actor porter;
  caf::io::middleman_actor listening;

  ~staff() {
    guests->close(); // CAF waits for streams that have something to say
    caf::anon_send_exit(listening, caf::exit_reason::kill);
    caf::anon_send_exit(porter, caf::exit_reason::kill);
  }
};

console_door::console_door(caf::actor_system& sys, const console_actor& console, const std::string& host,
                           std::uint16_t port, std::size_t most_connections, std::shared_ptr<const tls_context> tls)
  : system_(sys), staff_(std::make_unique<staff>()) {
  staff_->guests = std::make_shared<guest_list>(std::move(tls), most_connections);
  staff_->porter = sys.spawn<caf::hidden>(keep_time, staff_->guests);
  staff_->listening = caf::actor_cast<caf::io::middleman_actor>(sys.spawn<listener, caf::hidden>(
      sys.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP")), staff_->guests, staff_->porter));
  caf::scoped_actor self{sys};
  std::string why;
  self->request(staff_->listening, caf::infinite, caf::publish_atom::value, port,
                caf::actor_cast<caf::strong_actor_ptr>(console), sys.message_types(console), host, true)
      .receive([this](std::uint16_t got) { port_ = got; }, [&](const caf::error& e) { why = to_string(e); });
  if (!why.empty()) throw std::runtime_error(why);
}

console_door::~console_door() = default;

void console_door::use_tls(std::shared_ptr<const tls_context> tls) {
  std::promise<void> done;
  system_.middleman().backend().post([&] {
    staff_->guests->use(std::move(tls));
    done.set_value();
  });
  done.get_future().get();
}

} // namespace mainstay
