// Connecting, deadlines, circuit and probe, driven by tick().
#include "net/redis_session.hpp"

#include <algorithm>
#include <hiredis/hiredis.h>

namespace mainstay {
namespace {

constexpr duration shortest_pause = 10ms; // between connections, whatever the jitter drew

constexpr std::size_t large_value = 1u << 20; // takes time to send: being late then says nothing about Redis

/// Errors by which a server says that it cannot serve now. Others are about the one command.
bool says_unavailable(const redisReply& r) {
  if (r.type != REDIS_REPLY_ERROR) return false;
  const std::string_view text(r.str, std::size_t(r.len));
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"LOADING", "BUSY", "MASTERDOWN", "NOAUTH", "CLUSTERDOWN"},
      [text](auto word) { return text.starts_with(word); });
}

} // namespace

struct redis_session::call {
  instant deadline;
  result done;          // null once it ran
  std::uint32_t permit; // the circuit's generation
  bool counts;
  bool probe;
  std::size_t value_bytes;
  bool kept_back = false; // by a drill: no reply will come

  void finish(const redisReply* r) {
    if (!done) return;
    const auto run = std::exchange(done, nullptr);
    try {
      run(r);
    } catch (...) {} // the callback's affair
  }
};

redis_session::redis_session(const redis_settings& settings, int epoll_fd, std::uint64_t tag, std::shared_ptr<wakeup> w)
  : settings_(settings), lookup_(settings.host, std::move(w)),
    connection_(epoll_fd, tag, settings, {[this] { greeted(); }, [this](const std::string& why) { ended(why); }}),
    circuit_(settings.breaker) {}

redis_session::~redis_session() { shut_down(); }

void redis_session::reserve(std::size_t value_bytes) noexcept {
  ++unanswered_;
  unanswered_bytes_ += value_bytes;
}

void redis_session::release(std::size_t value_bytes) noexcept {
  --unanswered_;
  unanswered_bytes_ -= value_bytes;
}

void redis_session::start(std::span<const std::string_view> arguments, instant deadline, std::size_t value_bytes,
                          result done) {
  const auto permit = circuit_.ask(clock::now());
  const bool allowed = up_ || probing_; // while Redis is not up nobody's command is the probe
  auto c = std::make_shared<call>(
      call{deadline, std::move(done), permit.generation, value_bytes <= large_value, probing_, value_bytes});
  const bool may = permit.granted && allowed && connection_.ready();
  c->kept_back = may && frozen(clock::now());
  const bool sent =
      may && (c->kept_back || connection_.send(arguments, [this, c](const redisReply* r) { replied(*c, r); }));
  if (!sent) {
    if (permit.granted) circuit_.settle(permit.generation, verdict::neutral, clock::now(), 0);
    release(value_bytes);
    return c->finish(nullptr);
  }
  ++commands_;
  auto at = deadlines_.end(); // nearly always right: all commands have the same time
  while (at != deadlines_.begin() && (*std::prev(at))->deadline > deadline) --at;
  deadlines_.insert(at, std::move(c));
}

void redis_session::replied(call& c, const redisReply* r) {
  release(c.value_bytes);
  if (!c.done) return; // its time was over before
  // A connection's end is counted once, for itself, and not for each command it took along; only a probe has just this
  // one sign.
  if (r)
    settle(c, says_unavailable(*r) ? verdict::failure : verdict::success, "Redis says it is not available");
  else
    settle(c, c.probe ? verdict::failure : verdict::neutral, "connection lost");
  c.finish(r);
}

void redis_session::settle(const call& c, verdict outcome, const std::string& why) {
  circuit_.settle(c.permit, outcome, clock::now(), draw());
  publish(why);
}

void redis_session::expire(instant now) {
  while (!deadlines_.empty() && deadlines_.front()->deadline <= now) {
    const auto c = std::move(deadlines_.front());
    deadlines_.pop_front();
    if (!c->done) continue;
    if (c->kept_back) release(c->value_bytes);
    ++timeouts_;
    settle(*c, c->counts ? verdict::failure : verdict::neutral, "commands were not answered in time");
    c->finish(nullptr);
  }
}

void redis_session::probe(instant now) {
  probing_ = true;
  const std::vector<std::string_view> ping{"PING"};
  reserve();
  start(ping, now + settings_.command_deadline, 0, [this](const redisReply* r) {
    probing_ = false;
    if (!r) connection_.close("no answer to PING"); // frozen, or a connection whose other end is gone
  });
}

void redis_session::connect(instant now) {
  if (!looking_up_) {
    looking_up_ = true;
    connect_deadline_ = now + settings_.connect_deadline;
    lookup_.begin();
  }
  std::vector<std::string> addresses;
  std::string error;
  if (!lookup_.done(addresses, error)) return; // wakes us
  looking_up_ = false;
  connect_at_ = instant::max();
  if (addresses.empty()) return ended("cannot resolve " + settings_.host + ": " + error);
  connection_.open(addresses[address_ % addresses.size()]);
}

void redis_session::greeted() {
  failed_connects_ = 0;
  connect_deadline_ = instant::max();
  connected_ = true;
  publish("connected");
}

void redis_session::ended(const std::string& why) {
  connected_ = false;
  if (shut_) return;
  const auto now = clock::now();
  if (const auto p = circuit_.ask(now); p.granted) circuit_.settle(p.generation, verdict::failure, now, draw());
  looking_up_ = false;
  connect_deadline_ = instant::max();
  ++address_; // a name may have more than one
  const auto longest =
      std::min(settings_.reconnect_max, settings_.reconnect_min * (1 << std::min(failed_connects_++, 16)));
  connect_at_ = now + std::max(shortest_pause, std::chrono::duration_cast<duration>(longest * draw()));
  publish(why);
}

void redis_session::publish(const std::string& why) {
  breaker_ = circuit_.state(clock::now());
  const bool now_up = connection_.ready() && breaker_ == circuit_state::closed;
  up_ = now_up;
  // Connected again but not yet trusted is no news, and neither is the time before the first connection.
  if (reported_ ? *reported_ == now_up : !now_up && connection_.exists()) return;
  reported_ = now_up;
  if (!settings_.on_state) return;
  try {
    settings_.on_state(now_up, why);
  } catch (...) {}
}

void redis_session::tick(instant now) {
  if (shut_) return;
  expire(now);
  if (now >= connect_deadline_) {
    connect_deadline_ = instant::max();
    const char* why = "no connection in time";
    connection_.exists() ? connection_.close(why) : ended(why);
  }
  if (now >= connect_at_) connect(now);
  breaker_ = circuit_.state(now);
  if (connection_.ready() && !probing_ && breaker_ == circuit_state::half_open) probe(now);
}

instant redis_session::next_tick() const {
  instant next = connect_deadline_;
  if (!deadlines_.empty()) next = std::min(next, deadlines_.front()->deadline);
  if (!looking_up_) next = std::min(next, connect_at_);
  if (breaker_ == circuit_state::open) next = std::min(next, circuit_.open_until());
  return next;
}

void redis_session::shut_down() {
  if (std::exchange(shut_, true)) return;
  up_ = false;
  connection_.close("closed");
  for (auto& c : deadlines_) c->finish(nullptr); // of those that were kept back
  deadlines_.clear();
}

} // namespace mainstay
