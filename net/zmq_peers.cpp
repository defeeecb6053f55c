// Outboxes and departures. Observers only ever push into the inbox, so nothing here is re-entered while they run.
#include "net/zmq_peers.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>

namespace mainstay::mq {
namespace {

constexpr std::size_t ceiling_factor = 16; // of outbox_limit: a burst of answers may pass the limit, a flood may not

/// Identities that ZeroMQ gives out are a zero and a 32-bit counter; clients' own ones say nothing about their age.
bool younger(const std::string& a, const std::string& b) {
  if (a.size() != 5 || b.size() != 5 || a[0] != 0 || b[0] != 0) return false;
  std::uint32_t of_a = 0, of_b = 0;
  std::memcpy(&of_a, a.data() + 1, sizeof of_a);
  std::memcpy(&of_b, b.data() + 1, sizeof of_b);
  return std::int32_t(ntohl(of_a) - ntohl(of_b)) > 0; // it may wrap around
}

} // namespace

peers::peers(zmq::socket_t& socket, connections& open, const server_settings& settings, std::shared_ptr<wakeup> w)
  : socket_(socket), connections_(open), settings_(settings), wakeup_(std::move(w)) {}

peer* peers::find(const std::string& identity) {
  const auto it = by_identity_.find(identity);
  return it == by_identity_.end() ? nullptr : &it->second;
}

peer& peers::arrived(const std::string& identity, int fd, steady::time_point now) {
  if (peer* known = find(identity); known && fd >= 0 && known->fd != fd) drop(*known);
  auto [it, fresh] = by_identity_.try_emplace(identity);
  peer& p = it->second;
  if (!fresh) return p;
  p.identity = identity;
  p.fd = fd;
  p.way = std::make_shared<flow>(wakeup_, settings_.outbox_limit * ceiling_factor);
  p.progress_at = p.below_limit_at = now;
  count_ = by_identity_.size();
  if (fd < 0) return p;
  std::vector<std::string> older;
  for (auto [at, end] = by_fd_.equal_range(fd); at != end; ++at)
    if (younger(identity, at->second)) older.push_back(at->second);
  for (auto& gone : older) left(gone);
  by_fd_.emplace(fd, identity);
  return p;
}

bool peers::superseded(const std::string& identity) {
  const peer* p = find(identity);
  if (!p || p->fd < 0) return false;
  const auto [begin, end] = by_fd_.equal_range(p->fd);
  return std::any_of(begin, end, [&](auto& other) { return younger(other.second, identity); });
}

std::shared_ptr<exchange> peers::open_exchange(peer& p, std::string_view id, bool req_client) {
  auto made = std::make_shared<exchange>(p.identity, std::string(id), req_client, p.way);
  p.requests.emplace(made->id, made);
  ++in_flight_;
  return made;
}

void peers::close_request(peer& p, const std::shared_ptr<exchange>& e) {
  const auto it = p.requests.find(e->id);
  if (it == p.requests.end() || it->second != e) return;
  p.requests.erase(it);
  --in_flight_;
}

void peers::perform(command c) {
  if (c.kind == command::what::tell_left) return c.of->tell_left();
  peer* p = find(c.of->identity);
  if (!p || p->way != c.of->way) return; // left, even if somebody came back under its name
  if (c.kind == command::what::overflow) {
    connections_.cut(p->fd);
    return drop(*p);
  }
  if (c.kind == command::what::last)
    close_request(*p, c.of);
  else if (c.of->left()) { // cancelled: the 499 was the last word
    p->way->waiting.fetch_sub(c.message.cost());
    return;
  }
  p->outbox.push_back(std::move(c));
  unsent_.insert(p->identity);
}

void peers::send(peer& p, outgoing message) {
  if (!p.way->admit(message.cost())) { // somebody who asks nonsense and does not read the answers
    connections_.cut(p.fd);
    return drop(p);
  }
  p.outbox.push_back({command::what::part, nullptr, std::move(message), 0});
  unsent_.insert(p.identity);
}

void peers::handed_over(command& c) {
  if (!c.of) return;
  if (c.event_bytes) c.of->handed_over(c.event_bytes);
  if (c.kind == command::what::last) c.of->forget_observers();
}

bool peers::flush_one(peer& p) {
  if (std::exchange(p.pipe_full, false)) --full_pipes_;
  while (!p.outbox.empty()) {
    if (p.way->in_zmq >= flow::window) {
      p.way->wants_room = true;
      if (p.way->in_zmq >= flow::window / 2) return true; // else it fell before we asked to be told
      p.way->wants_room = false;
    }
    command& next = p.outbox.front();
    const auto result = send_message(socket_, p.identity, next.message, p.way);
    if (result == sent::gone) return false;
    if (result == sent::full) {
      p.pipe_full = true;
      ++full_pipes_;
      return true;
    }
    p.way->waiting.fetch_sub(next.message.cost());
    handed_over(next);
    p.outbox.pop_front();
  }
  return true;
}

void peers::flush(bool retry_full_pipes) {
  for (auto it = unsent_.begin(); it != unsent_.end();) {
    peer* p = find(*it);
    const std::string identity = *it;
    if (p && p->pipe_full && !retry_full_pipes) {
      ++it;
      continue;
    }
    const bool there = p && flush_one(*p);
    it = there && !p->outbox.empty() ? std::next(it) : unsent_.erase(it);
    if (p && !there) drop(*p);
    // Without a descriptor nobody would tell that the peer has left: keep it only while it has something to get.
    else if (p && p->fd < 0 && p->outbox.empty() && p->requests.empty())
      drop(*p);
  }
}

void peers::sweep(steady::time_point now) {
  std::vector<std::string> stuck;
  for (auto& [identity, p] : by_identity_) {
    const auto released = p.way->released.load();
    if (released != p.released_seen || p.way->idle()) p.progress_at = now;
    p.released_seen = released;
    if (p.way->waiting <= settings_.outbox_limit) p.below_limit_at = now;
    if (now - std::min(p.progress_at, p.below_limit_at) > settings_.write_timeout) stuck.push_back(identity);
  }
  for (auto& identity : stuck) {
    peer& p = *find(identity);
    connections_.cut(p.fd);
    drop(p);
  }
}

void peers::left(const std::string& identity) {
  if (peer* p = find(identity)) drop(*p);
}

void peers::connection_closed(int fd) {
  for (auto it = by_fd_.find(fd); it != by_fd_.end(); it = by_fd_.find(fd)) left(std::string(it->second));
}

void peers::drop(peer& p) {
  auto node = by_identity_.extract(p.identity);
  peer& gone = node.mapped();
  for (auto [at, end] = by_fd_.equal_range(gone.fd); at != end; ++at)
    if (at->second == gone.identity) {
      by_fd_.erase(at);
      break;
    }
  if (gone.pipe_full) --full_pipes_;
  count_ = by_identity_.size();
  in_flight_ -= gone.requests.size();
  for (auto& [id, e] : gone.requests)
    if (e->leave()) e->tell_left();
}

void peers::end_all(int status, std::string_view code, std::string_view text) {
  std::vector<std::shared_ptr<exchange>> ended;
  for (auto& [identity, p] : by_identity_)
    for (auto& [id, e] : p.requests)
      if (e->leave()) ended.push_back(e);
  for (auto& e : ended) {
    if (peer* p = find(e->identity)) {
      close_request(*p, e);
      send(*p, error_message(e->id, e->req_client, status, code, text));
    }
    e->tell_left();
  }
}

void peers::leave_all() {
  while (!by_identity_.empty()) drop(by_identity_.begin()->second);
}

} // namespace mainstay::mq
