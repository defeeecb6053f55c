// What is done with a client's messages: each is a request, a cancel, or refused; and what becomes of requests in
// flight.
#include "net/zmq_connection.hpp"

namespace mainstay::mq {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_in_flight = 10000; // requests of one client
constexpr auto linger_time = 2s;

} // namespace

void connection::take_message() {
  message_began_at_ = {};
  auto frames = reader_.take_frames();
  const std::vector<std::string_view> views(frames.begin(), frames.end());
  const message m = parse_frames(views, loop_.settings.body_limit);
  if (m.status != 0)
    refuse(m, m.status, m.code, m.fault);
  else if (m.verb == "cancel" && (requests_.contains(std::string(m.id)) || requests_.size() < max_in_flight))
    cancel(m);
  else if (requests_.contains(std::string(m.id)))
    refuse(m, 409, "id_in_use", "a request with this id is in flight");
  else if (requests_.size() >= max_in_flight)
    refuse(m, 429, "too_many_in_flight", "10000 requests of this client are in flight", {{"retry-after", "1"}});
  else if (loop_.draining)
    refuse(m, 503, "draining", "the server is shutting down", {{"retry-after", "1"}});
  else
    begin(m, std::move(frames.back()), false);
}

void connection::begin(const message& m, std::string body, bool cancels) {
  auto made = std::make_shared<exchange>(number_, std::string(m.id), m.req_client, way_);
  requests_.emplace(made->id, made);
  ++loop_.in_flight;
  auto way_back = make_response(loop_.answers, made);
  request asked{std::string(m.id), std::string(m.verb), m.headers, make_bytes(std::move(body)),
                m.req_client,      who_.loopback,       who_.text};
  try {
    if (cancels)
      loop_.door->cancel(std::move(asked), std::move(way_back));
    else
      loop_.door->handle(std::move(asked), std::move(way_back));
  } catch (...) {} // the response was dropped, or lives on with whoever has it
}

void connection::cancel(const message& m) {
  const auto it = requests_.find(std::string(m.id));
  if (it == requests_.end()) return begin(m, {}, true);
  const auto ended = it->second;
  if (const auto ask = ended->whom_to_ask()) return ask();
  if (!ended->leave()) return refuse(m, 404, "unknown_id", "no request with this id is in flight");
  close_request(ended);
  send(error_message(ended->id, ended->req_client, 499, "cancelled", "the request was cancelled"));
  ended->tell_left();
}

void connection::refuse(const message& m, int status, std::string_view code, std::string_view text,
                        const header_list& headers) {
  send(error_message(m.id, m.req_client, status, code, text, headers));
}

/// The framing cannot be trusted from here on, or too much is on its way: say so where possible, and go.
void connection::give_up(const wire_fault& fault) {
  if (phase_ == phase::handshake && !reader_.reply().empty()) { // a stranger's ERROR
    send_handshake(reader_.reply());
    phase_ = phase::lingering;
    linger_until_ = clock::now() + linger_time;
    return rearm(clock::now());
  }
  if (phase_ != phase::traffic) return close();
  phase_ = phase::lingering;
  --loop_.peers;
  leave_all();
  linger_until_ = clock::now() + linger_time;
  const auto frames = reader_.give_up();
  const std::vector<std::string_view> views(frames.begin(), frames.end());
  const message m = parse_frames(views, loop_.settings.body_limit); // for its id
  account_for_message(0);
  const auto code = fault.status == 413 ? "body_too_large" : fault.status == 503 ? "overloaded" : "malformed";
  refuse(m, fault.status, code, fault.text);
  rearm(clock::now());
}

void connection::end_all(int status, std::string_view code, std::string_view text) noexcept {
  guarded([&] {
    for (auto& [id, e] : std::exchange(requests_, {})) {
      --loop_.in_flight;
      if (!e->leave()) continue;
      if (phase_ != phase::closed)
        send(error_message(e->id, e->req_client, status, code, text, {{"retry-after", "1"}}));
      e->tell_left();
    }
  });
}

void connection::leave_all() noexcept {
  auto gone = std::exchange(requests_, {});
  loop_.in_flight -= gone.size();
  for (auto& [id, e] : gone)
    if (e->leave()) e->tell_left();
}

void connection::close_request(const std::shared_ptr<exchange>& e) {
  const auto it = requests_.find(e->id);
  if (it == requests_.end() || it->second != e) return;
  requests_.erase(it);
  --loop_.in_flight;
}

} // namespace mainstay::mq
