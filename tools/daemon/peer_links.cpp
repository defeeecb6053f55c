// CAF's parts are its public ones: a middleman actor of each address, whose way to connect is ours.
#include "tools/daemon/peer_links.hpp"

#include "config/address.hpp"
#include "tools/daemon/actor_door.hpp"
#include "tools/daemon/gated_scribe.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman_actor_impl.hpp>

#include <cerrno>
#include <future>
#include <limits>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mainstay {

namespace {

constexpr auto dial_limit = 1s;
constexpr auto answer_limit = 10s;                // of the dialler: whoever is connected, and is no node, says nothing
constexpr auto refused = caf::sec::runtime_error; // in a dial's answer, and nobody else's

struct found_addresses {
  addrinfo* all = nullptr;
  ~found_addresses() {
    if (all) ::freeaddrinfo(all);
  }
};

struct descriptor {
  descriptor(int f = -1) : fd(f) {}
  descriptor(const descriptor&) = delete;
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
  int release() noexcept { return std::exchange(fd, -1); }
  int fd;
};

std::string reason(int error) { return std::error_code(error, std::generic_category()).message(); }

/// How long a dial may wait, and what ends all dials at once.
struct patience {
  instant until;
  int ending; // readable from then on

  bool ready(int fd, short what) const {
    pollfd both[] = {{fd, what, 0}, {ending, POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    return left > 0 && ::poll(both, 2, static_cast<int>(left)) > 0 && both[1].revents == 0;
  }
};

/// Why not; empty: it is. Asks no name server, which may take minutes.
std::string connect_to(const std::string& host, std::uint16_t port, const patience& wait, descriptor& out) {
  found_addresses found;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  if (const int no = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found.all); no != 0)
    return ::gai_strerror(no);
  out.fd = ::socket(found.all->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (out.fd < 0) return reason(errno);
  const int on = 1;
  ::setsockopt(out.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  give_up_when_stuck(out.fd);
  if (::connect(out.fd, found.all->ai_addr, found.all->ai_addrlen) == 0) return {};
  int error = errno;
  socklen_t size = sizeof error;
  if (error == EINPROGRESS && wait.ready(out.fd, POLLOUT))
    ::getsockopt(out.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  else if (error == EINPROGRESS)
    error = ETIMEDOUT;
  return error == 0 ? std::string() : reason(error);
}

/// Waits for the peer's first word, for only that says that it took our certificate.
std::string shake_hands(tls_stream& stream, int fd, const patience& wait, bool& refused_by_one) {
  for (;;) {
    const auto n = stream.await();
    if (n > 0) return {};
    if (n == 0 || errno != EAGAIN) {
      refused_by_one = *stream.why() != '\0';
      return refused_by_one ? std::string("TLS: ") + stream.why() : "it closed the connection during the TLS handshake";
    }
    if (!wait.ready(fd, stream.reading_wants_room() ? POLLOUT : POLLIN)) return "no answer to the TLS handshake";
  }
}

} // namespace

class dialled_links::book {
public:
  book(std::shared_ptr<const tls_context> tls, std::uint64_t receiver)
    : guests(std::make_shared<guest_list>(std::move(tls), std::numeric_limits<std::size_t>::max(),
                                          basp_gate(receiver, actor_door::largest_message, basp_gate::of::nodes))),
      ending_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (ending_.fd < 0) throw std::bad_alloc();
  }

  const std::shared_ptr<guest_list> guests;

  patience wait() const { return {clock::now() + dial_limit, ending_.fd}; }
  /// Every dial, and every link that was dialled.
  void end() {
    ::eventfd_write(ending_.fd, 1);
    guests->close();
  }

  void keep(const std::string& address, std::uint64_t number) {
    std::lock_guard lock(mutex_);
    auto& place = all_[address];
    guests->show_out(std::exchange(place, number));
  }
  void drop(const std::string& address) {
    std::lock_guard lock(mutex_);
    const auto found = all_.find(address);
    if (found != all_.end()) guests->show_out(found->second);
  }

private:
  const descriptor ending_;
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> all_; // numbers of guests
};

namespace {

class dialler final : public caf::io::middleman_actor_impl {
public:
  dialler(caf::actor_config& config, caf::actor broker, std::string address, std::shared_ptr<dialled_links::book> book)
    : middleman_actor_impl(config, std::move(broker)), address_(std::move(address)), book_(std::move(book)) {}

protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host, std::uint16_t port) override {
    const auto wait = book_->wait();
    descriptor socket;
    bool refused_by_one = false;
    auto why = connect_to(host, port, wait, socket);
    try {
      std::optional<tls_stream> stream;
      if (const auto tls = why.empty() ? book_->guests->context() : nullptr) {
        stream.emplace(*tls, socket.fd, tls_stream::side::dialling);
        why = shake_hands(*stream, socket.fd, wait, refused_by_one);
      }
      if (!why.empty()) return caf::make_error(refused_by_one ? refused : caf::sec::cannot_connect_to_node, why);
      auto guest = book_->guests->add(socket.fd, std::move(stream));
      book_->keep(address_, guest->number);
      auto& loop = static_cast<caf::io::network::default_multiplexer&>(system().middleman().backend());
      auto scribe = make_gated_scribe(loop, std::move(guest));
      socket.release();
      return scribe;
    } catch (const std::bad_alloc&) { return caf::make_error(caf::sec::cannot_connect_to_node, "no memory"); }
  }

private:
  const std::string address_;
  const std::shared_ptr<dialled_links::book> book_;
};

std::string text_of(const caf::error& e) {
  if (e == caf::sec::incompatible_application_ids) return "whoever answers there is no node";
  if (e.context().match_elements<std::string>()) return e.context().get_as<std::string>(0);
  return to_string(e);
}

/// Waits for the answer of one dial.
void await_link(caf::event_based_actor* self, const caf::io::middleman_actor& by, const std::string& address,
                const config::listen_address& at, const cluster_actor& whom) {
  self->request(by, answer_limit, caf::connect_atom::value, at.host, at.port)
      .then(
          [=](const caf::node_id&, const caf::strong_actor_ptr& peer, const std::set<std::string>& interface) {
            if (peer && interface == self->system().message_types(peer_actor()))
              self->send(whom, link_made{address, peer});
            else
              self->send(whom, link_failed{address, "whoever answers there is no node", true});
          },
          [=](const caf::error& e) {
            self->send(whom, link_failed{address, text_of(e), e == refused});
          });
}

} // namespace

dialled_links::dialled_links(caf::actor_system& sys, std::shared_ptr<const tls_context> tls)
  : system_(sys), tls_(std::move(tls)) {}

dialled_links::~dialled_links() { close(); }

void dialled_links::dial(const std::string& address, const cluster_actor& whom) {
  const auto at = config::parse_listen(address);
  const auto receiver = entrance(whom).id();
  std::lock_guard lock(mutex_);
  if (closed_) return;
  try {
    if (!book_) book_ = std::make_shared<book>(tls_, receiver);
    auto& by = diallers_[address];
    if (!by)
      by = caf::actor_cast<caf::io::middleman_actor>(system_.spawn<dialler, caf::detached + caf::hidden>(
          system_.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP")), address, book_));
    system_.spawn<caf::hidden>(await_link, by, address, at.value(), whom);
  } catch (const std::exception& e) { // no thread, no memory, no descriptor
    caf::anon_send(whom, link_failed{address, std::string("it cannot be dialled: ") + e.what()});
  }
}

void dialled_links::drop(const std::string& address) {
  std::lock_guard lock(mutex_);
  if (book_) book_->drop(address);
}

void dialled_links::use_tls(std::shared_ptr<const tls_context> tls) {
  std::shared_ptr<book> all;
  {
    std::lock_guard lock(mutex_);
    tls_ = tls;
    all = book_;
  }
  if (!all) return;
  std::promise<void> done;
  system_.middleman().backend().post([&] {
    all->guests->use(std::move(tls));
    done.set_value();
  });
  done.get_future().get();
}

/// Waits for the diallers: what one of them said when CAF's workers are gone would be read by nobody, and keep it.
void dialled_links::close() {
  std::map<std::string, caf::io::middleman_actor> diallers;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    if (book_) book_->end();
    diallers.swap(diallers_);
  }
  if (diallers.empty()) return;
  caf::scoped_actor self{system_};
  for (auto& [address, by] : diallers) {
    self->monitor(by);
    caf::anon_send_exit(by, caf::exit_reason::kill);
  }
  std::size_t left = diallers.size();
  self->receive_while([&] { return left > 0; })([&](const caf::down_msg&) { --left; });
}

} // namespace mainstay
