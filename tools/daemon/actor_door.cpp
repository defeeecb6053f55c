// CAF's parts are its public ones: a doorman decides on each connection. Everything here runs on CAF's multiplexer
// thread.
#include "tools/daemon/actor_door.hpp"

#include "actors/log.hpp"
#include "tools/daemon/gated_scribe.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>

#include <future>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace mainstay {

namespace {

namespace net = caf::io::network;

constexpr auto handshake_limit = 5s, stuck_limit = 10s;

class doorman final : public net::doorman_impl {
public:
  doorman(net::default_multiplexer& loop, int fd, std::shared_ptr<guest_list> guests, caf::actor porter, bool of_nodes)
    : net::doorman_impl(loop, fd), guests_(std::move(guests)), porter_(std::move(porter)), of_nodes_(of_nodes) {}

  bool new_connection() override {
    const int fd = acceptor_.accepted_socket();
    if (detached() || !guests_->has_room()) return turn_away(fd);
    caf::io::scribe_ptr scribe;
    try {
      net::nonblocking(fd, true);
      net::tcp_nodelay(fd, true);
      if (of_nodes_) give_up_when_stuck(fd);
      scribe = make_gated_scribe(acceptor_.backend(), guests_->add(fd));
      caf::delayed_anon_send(porter_, handshake_limit, guests_->newest());
    } catch (const std::exception& e) { // no memory
      log::warn("a connection of CAF's could not be made: {}", e.what());
    }
    if (!scribe) return turn_away(fd);
    const auto handle = scribe->hdl();
    parent()->add_scribe(std::move(scribe));
    return caf::io::doorman::new_connection(&acceptor_.backend(), handle);
  }

private:
  static bool turn_away(int fd) {
    ::close(fd);
    return false;
  }

  const std::shared_ptr<guest_list> guests_;
  const caf::actor porter_;
  const bool of_nodes_;
};

/// Told of each handshake when its time is over.
caf::behavior keep_time(caf::event_based_actor*, std::shared_ptr<guest_list> guests) {
  return {[guests](std::uint64_t number) { guests->time_is_up(number); }};
}

class listener : public caf::io::middleman_actor_impl {
public:
  listener(caf::actor_config& config, caf::actor broker, std::shared_ptr<guest_list> guests, caf::actor porter,
           bool of_nodes)
    : middleman_actor_impl(config, std::move(broker)), guests_(std::move(guests)), porter_(std::move(porter)),
      of_nodes_(of_nodes) {}

protected:
  caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* host, bool reuse) override {
    auto fd = net::new_tcp_acceptor_impl(port, host, reuse);
    if (!fd) return std::move(fd.error());
    auto& loop = static_cast<net::default_multiplexer&>(system().middleman().backend());
    return caf::io::doorman_ptr{caf::make_counted<doorman>(loop, *fd, guests_, porter_, of_nodes_)};
  }

private:
  const std::shared_ptr<guest_list> guests_;
  const caf::actor porter_;
  const bool of_nodes_;
};

} // namespace

struct actor_door::staff {
  std::shared_ptr<guest_list> guests;
  caf::actor porter;
  caf::io::middleman_actor listening;

  ~staff() {
    guests->close(); // CAF waits for streams that have something to say
    caf::anon_send_exit(listening, caf::exit_reason::kill);
    caf::anon_send_exit(porter, caf::exit_reason::kill);
  }
};

actor_door::actor_door(caf::actor_system& sys, caf::strong_actor_ptr actor, std::set<std::string> interface, terms t)
  : system_(sys), staff_(std::make_unique<staff>()) {
  const basp_gate gate(actor->id(), largest_message, t.of_nodes ? basp_gate::of::nodes : basp_gate::of::consoles);
  staff_->guests = std::make_shared<guest_list>(std::move(t.tls), t.most_connections, gate);
  staff_->porter = sys.spawn<caf::hidden>(keep_time, staff_->guests);
  staff_->listening = caf::actor_cast<caf::io::middleman_actor>(
      sys.spawn<listener, caf::hidden>(sys.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP")),
                                       staff_->guests, staff_->porter, t.of_nodes));
  caf::scoped_actor self{sys};
  std::string why;
  self->request(staff_->listening, caf::infinite, caf::publish_atom::value, t.port, std::move(actor),
                std::move(interface), t.host, true)
      .receive([this](std::uint16_t got) { port_ = got; }, [&](const caf::error& e) { why = to_string(e); });
  if (!why.empty()) throw std::runtime_error(why);
}

actor_door::~actor_door() = default;

void actor_door::use_tls(std::shared_ptr<const tls_context> tls) {
  std::promise<void> done;
  system_.middleman().backend().post([&] {
    staff_->guests->use(std::move(tls));
    done.set_value();
  });
  done.get_future().get();
}

void give_up_when_stuck(int fd) {
  const int limit = static_cast<int>(std::chrono::milliseconds(stuck_limit).count());
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
}

} // namespace mainstay
