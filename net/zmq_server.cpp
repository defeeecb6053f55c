// The loop of the socket's thread: wait, perform answers, take messages, send. Everything that can be slow is somewhere
// else.
#include "net/zmq_server.hpp"

#include "net/zmq_frames.hpp"
#include "net/zmq_peers.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace mainstay::mq {
namespace {

constexpr std::size_t max_in_flight = 10000; // requests of one peer
constexpr int messages_a_turn = 256;         // taken before answers get their turn again
constexpr std::chrono::milliseconds full_pipe_retry{5};
constexpr std::chrono::milliseconds linger{1000}; // how long stop() lets answers go out
constexpr int send_high_water = 1000;             // messages in a peer's pipe; bytes are bounded by flow::window

int as_ms(std::chrono::milliseconds d) { return int(std::min<std::chrono::milliseconds::rep>(d.count(), INT32_MAX)); }

std::string bindable(std::string endpoint) { // ZeroMQ writes "any port" with a star
  if (endpoint.starts_with("tcp://") && endpoint.ends_with(":0")) endpoint.back() = '*';
  return endpoint;
}

/// One multipart message as it came: the views are of `parts`. Surplus frames are read and forgotten.
struct received {
  std::string identity;
  std::vector<zmq::message_t> parts;
  int fd = -1;
  bool loopback = false;

  bool take(zmq::socket_t& socket) {
    zmq::message_t frame;
    if (!socket.recv(frame, zmq::recv_flags::dontwait)) return false;
    identity = frame.to_string();
    parts.clear();
    fd = -1;
    for (bool more = frame.more(); more;) {
      zmq::message_t part;
      if (!socket.recv(part, zmq::recv_flags::dontwait)) break;
      more = part.more();
      if (parts.empty()) {
        fd = descriptor_of(part);
        loopback = from_loopback(part);
      }
      if (parts.size() <= max_frames) parts.push_back(std::move(part));
    }
    return true;
  }
};

} // namespace

struct server::impl {
  impl(server_settings s, std::shared_ptr<handler> h)
    : settings(std::move(s)), door(std::move(h)), answers(std::make_shared<inbox>(wake)),
      router(context, zmq::socket_type::router), open(context, router), callers(router, open, settings, wake) {}

  void configure();
  void bind();
  void run();
  void turn(std::chrono::milliseconds longest);
  void perform_answers();
  void take_messages();
  void handle(const received&);
  void begin(peer&, const message&, bool loopback);
  void cancel(peer&, const message&);
  void refuse(peer&, const message&, int status, std::string_view code, std::string_view text, const header_list& = {});
  void finish();

  const server_settings settings;
  const std::shared_ptr<handler> door;
  std::shared_ptr<wakeup> wake = std::make_shared<wakeup>();
  std::shared_ptr<inbox> answers;
  zmq::context_t context;
  zmq::socket_t router;
  connections open;
  mq::peers callers;
  std::vector<std::string> bound;
  std::vector<command> batch;
  steady::time_point swept_at{}, retried_at{};
  std::atomic<bool> draining{false}, stopping{false};
  std::thread thread;
};

void server::impl::configure() {
  using namespace zmq;
  const auto gone_after = std::max(settings.heartbeat * 3, settings.write_timeout);
  router.set(sockopt::router_mandatory, true);
  router.set(sockopt::linger, as_ms(linger));
  // Per frame. A quarter above the limit, so that what is a little too large is answered (413) and only what is far too
  // large is cut off.
  router.set(sockopt::maxmsgsize, std::int64_t(settings.body_limit + settings.body_limit / 4 + 2 * max_headers_bytes));
  router.set(sockopt::sndhwm, send_high_water);
  router.set(sockopt::rcvhwm, messages_a_turn);
  router.set(sockopt::heartbeat_ivl, as_ms(settings.heartbeat));
  router.set(sockopt::heartbeat_timeout, as_ms(gone_after));
  router.set(sockopt::heartbeat_ttl, as_ms(std::min<std::chrono::milliseconds>(gone_after, std::chrono::hours(1))));
  router.set(sockopt::handshake_ivl, 10000);
  for (auto& endpoint : settings.listen)
    if (endpoint.find('[') != std::string::npos) router.set(sockopt::ipv6, true);
}

void server::impl::bind() {
  for (auto& endpoint : settings.listen) {
    try {
      router.bind(bindable(endpoint));
    } catch (const zmq::error_t& e) { throw std::runtime_error("cannot listen on " + endpoint + ": " + e.what()); }
    bound.push_back(router.get(zmq::sockopt::last_endpoint));
    open.bound_to(bound.back());
  }
}

void server::impl::run() {
  block_signals_in_this_thread();
  const auto sweep_every = std::clamp<std::chrono::milliseconds>(
      settings.write_timeout / 8, std::chrono::milliseconds(5), std::chrono::milliseconds(1000));
  while (!stopping) turn(callers.count() ? sweep_every : std::chrono::milliseconds(-1));
  finish();
}

void server::impl::turn(std::chrono::milliseconds longest) {
  zmq::pollitem_t items[] = {{router.handle(), 0, ZMQ_POLLIN, 0},
                             {open.events().handle(), 0, ZMQ_POLLIN, 0},
                             {nullptr, wake->fd(), ZMQ_POLLIN, 0}};
  const auto wait = callers.any_pipe_full() ? full_pipe_retry : longest;
  zmq_poll(items, 3, wait.count()); // interrupted or not, everything below looks for itself
  wake->clear();
  open.update([this](int fd) { callers.connection_closed(fd); });
  perform_answers();
  take_messages();
  perform_answers(); // what the handler answered at once
  const auto now = steady::now();
  const bool retry = now - retried_at >= full_pipe_retry;
  if (retry) retried_at = now;
  callers.flush(retry);
  if (now - swept_at < longest) return;
  swept_at = now;
  callers.sweep(now);
}

void server::impl::perform_answers() {
  answers->take(batch);
  for (auto& c : batch) callers.perform(std::move(c));
  batch.clear();
}

void server::impl::take_messages() {
  received m;
  for (int i = 0; i < messages_a_turn && m.take(router); ++i) {
    // After the message and before acting on it: whoever had its descriptor before is known to be gone then.
    open.update([this](int fd) { callers.connection_closed(fd); });
    handle(m);
  }
}

void server::impl::handle(const received& in) {
  std::vector<std::string_view> frames;
  for (auto& part : in.parts) frames.push_back(part.to_string_view());
  const message m = parse_frames(frames, settings.body_limit);
  peer& from = callers.arrived(in.identity, in.fd, steady::now());
  if (m.status != 0)
    refuse(from, m, m.status, m.code, m.fault);
  else if (m.verb == "cancel")
    cancel(from, m);
  else if (from.requests.contains(std::string(m.id)))
    refuse(from, m, 409, "id_in_use", "a request with this id is in flight");
  else if (from.requests.size() >= max_in_flight)
    refuse(from, m, 429, "too_many_in_flight", "10000 requests of this client are in flight", {{"retry-after", "1"}});
  else if (draining)
    refuse(from, m, 503, "draining", "the server is shutting down", {{"retry-after", "1"}});
  else
    begin(from, m, in.loopback);
  // Its connection closed behind it. The request counts all the same, but nobody waits for the answer.
  if ((in.fd >= 0 && !open.is_open(in.fd)) || callers.superseded(in.identity)) callers.left(in.identity);
}

void server::impl::begin(peer& from, const message& m, bool loopback) {
  auto made = callers.open_exchange(from, m.id, m.req_client);
  auto way_back = make_response(answers, made);
  try {
    door->handle(
        {std::string(m.id), std::string(m.verb), m.headers, make_bytes(std::string(m.body)), m.req_client, loopback},
        std::move(way_back));
  } catch (...) {} // the response was dropped, or lives on with whoever has it
}

void server::impl::cancel(peer& from, const message& m) {
  const auto it = from.requests.find(std::string(m.id));
  if (it == from.requests.end() || !it->second->leave())
    return refuse(from, m, 404, "unknown_id", "no request with this id is in flight");
  const auto ended = it->second;
  callers.close_request(from, ended);
  callers.send(from, error_message(ended->id, ended->req_client, 499, "cancelled", "the request was cancelled"));
  ended->tell_left();
}

void server::impl::refuse(peer& to, const message& m, int status, std::string_view code, std::string_view text,
                          const header_list& headers) {
  callers.send(to, error_message(std::string(m.id), m.req_client, status, code, text, headers));
}

void server::impl::finish() {
  perform_answers();
  callers.end_all(503, "shutting_down", "the server is shutting down");
  const auto until = steady::now() + linger;
  for (callers.flush(true); !callers.all_sent() && steady::now() < until; callers.flush(true)) {
    zmq::pollitem_t item{nullptr, wake->fd(), ZMQ_POLLIN, 0};
    zmq_poll(&item, 1, full_pipe_retry.count());
    wake->clear();
  }
  answers->close();
  callers.leave_all();
}

server::server(server_settings settings, std::shared_ptr<handler> h) try
  : impl_(std::make_unique<impl>(std::move(settings), std::move(h))) {
  impl_->configure();
  impl_->bind();
} catch (const zmq::error_t& e) {
  throw std::runtime_error(std::string("cannot make the message-queue socket: ") + e.what());
}

server::~server() { stop(); }

void server::start() {
  impl_->thread = std::thread([this] { impl_->run(); });
}

std::vector<std::string> server::endpoints() const { return impl_->bound; }
void server::drain() { impl_->draining = true; }

void server::stop() {
  impl_->stopping = true;
  impl_->wake->signal();
  if (impl_->thread.joinable()) impl_->thread.join();
}

std::size_t server::in_flight() const noexcept { return impl_->callers.in_flight(); }
std::size_t server::peers() const noexcept { return impl_->callers.count(); }

} // namespace mainstay::mq
