#include "actors/cluster.hpp"

#include "actors/cluster_words.hpp"
#include "actors/jitter.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <spdlog/spdlog.h>

#include <random>

namespace mainstay {

namespace {

constexpr auto strangers_pause = 10s; // between lines of the log about nodes that are no peers

std::size_t size_of(const std::string& kind, const std::string& head, const std::string& body) {
  return kind.size() + head.size() + body.size();
}

struct cluster_state {
  static inline const char* name = "cluster";
  cluster_actor::pointer self = nullptr;
  std::shared_ptr<cluster_store> store;
  cluster_actor own;
  std::uint64_t generation = 0;

  void take_over() {
    for (auto& [address, link] : store->peers)
      if (link.handle) self->monitor(link.handle);
    tick();
  }

  void say(cluster_store::link& to, std::string kind, std::string head, std::string body = {}) {
    ++to.traffic.messages_out;
    to.traffic.bytes_out += size_of(kind, head, body);
    self->send(to.handle, peer_message{peer_protocol, std::move(kind), std::move(head), std::move(body)},
               caf::actor_cast<caf::strong_actor_ptr>(own));
  }

  void beat(cluster_store::link& link) {
    link.beat_at = clock::now();
    link.window.beat(++link.beats);
    say(link, "beat", words::beat(link.beats));
  }

  void tick() {
    auto todo = store->who.tick(clock::now(), [] { return draw(); });
    for (auto& address : todo.drop) forget(address);
    for (auto& address : todo.dial) store->links->dial(address, own);
    for (auto& address : todo.beat)
      if (auto& link = store->peers[address]; link.handle) beat(link);
    for (auto& news : todo.told) tell(news);
    send_at(self, store->who.next_wake(clock::now()), run_wake{++generation});
  }

  void tell(const membership::news& news) {
    if (news.up)
      spdlog::info("peer {} is up", news.peer);
    else
      spdlog::warn("peer {} is not reached: {}", news.peer, news.why);
    std::vector<peer_listener> all;
    for (auto& [prefix, who] : store->listeners)
      if (std::find(all.begin(), all.end(), who) == all.end()) all.push_back(who);
    for (auto& who : all) self->send(who, peer_changed{news.peer, news.up, news.incarnation});
  }

  void listen(const peer_listen& l) {
    store->listeners[l.prefix] = l.who;
    for (auto& p : store->who.look())
      if (p.state == membership::standing::up) self->send(l.who, peer_changed{p.address, true, p.who->incarnation});
  }

  peer_listener listener_of(const std::string& kind) const {
    const std::string* longest = nullptr;
    peer_listener found;
    for (auto& [prefix, who] : store->listeners)
      if (kind.starts_with(prefix) && (!longest || prefix.size() >= longest->size())) longest = &prefix, found = who;
    return found;
  }

  void send(send_to& m) {
    using verdict = peer_window::verdict;
    using reason = peer_refused::reason;
    const auto found = store->peers.find(m.peer);
    if (found == store->peers.end() || !found->second.known || !store->who.is_up(m.peer))
      return refuse(m, found, reason::unreachable);
    auto& link = found->second;
    const auto size = size_of(m.kind, m.head, m.body);
    const auto room = link.window.judge(size);
    if (room != verdict::fits) return refuse(m, found, room == verdict::full ? reason::full : reason::too_large);
    say(link, std::move(m.kind), std::move(m.head), std::move(m.body));
    if (link.window.sent(size)) beat(link);
  }

  void refuse(send_to& m, cluster_store::peer_map::iterator peer, peer_refused::reason why) {
    if (peer != store->peers.end()) ++peer->second.traffic.refused;
    const auto who = m.refused ? m.refused : listener_of(m.kind);
    if (who) self->send(who, peer_refused{std::move(m.peer), std::move(m.kind), std::move(m.head), why});
  }

  void forget(const std::string& address) {
    auto& link = store->peers[address];
    detach(link);
    link.known = false;
    link.window.lost();
    store->links->drop(address);
  }

  void detach(cluster_store::link& link) {
    if (!link.handle) return;
    self->demonitor(link.handle.address());
    store->speakers.erase(link.handle.address());
    link.handle = nullptr;
  }

  void linked(const link_made& made) {
    const auto found = store->peers.find(made.address);
    if (found == store->peers.end()) return store->links->drop(made.address);
    auto& link = found->second;
    if (link.known) return store->links->drop(made.address); // it came to us meanwhile
    attach(*found, made.peer);
    say(link, "hello", words::identity(store->who.own()));
  }

  void failed(const link_failed& f) {
    if (f.refused) return refused(f.address, f.why);
    store->who.on_lost(f.address, f.why, clock::now());
    tick();
  }

  void attach(cluster_store::peer_map::value_type& peer, const caf::strong_actor_ptr& whom) {
    auto& [address, link] = peer;
    const auto handle = caf::actor_cast<peer_actor>(whom);
    if (link.handle == handle) return;
    if (const auto other = store->speakers.find(handle.address()); other != store->speakers.end()) {
      const auto earlier = other->second->first; // one node has one address
      store->who.on_lost(earlier, "it goes by another address", clock::now());
      forget(earlier);
    }
    detach(link);
    link.handle = handle;
    link.window.lost(); // with the link before
    store->speakers[handle.address()] = &peer;
    self->monitor(handle);
  }

  void hear(peer_message& m, const caf::strong_actor_ptr& from) {
    if (!from) return;
    if (m.kind == "hello" || m.kind == "welcome") return introduced(m, from);
    const auto found = store->speakers.find(caf::actor_cast<caf::actor_addr>(from));
    if (found == store->speakers.end()) return count_stranger();
    auto& [address, link] = *found->second;
    ++link.traffic.messages_in;
    link.traffic.bytes_in += size_of(m.kind, m.head, m.body);
    if (m.kind == "refused") { return refused(address, "it says: " + words::reason_in(m.head)); }
    if (!link.known) return count_stranger();
    const bool back = !store->who.is_up(address);
    const auto now = clock::now();
    store->who.on_heard(address, now);
    if (back) tick();
    if (m.kind == "beat") return say(link, "beat.heard", std::move(m.head));
    if (m.kind == "beat.heard") return beat_answered(address, link, m, now);
    if (const auto who = listener_of(m.kind))
      self->send(who, peer_said{address, std::move(m.kind), std::move(m.head), std::move(m.body)});
    else
      count_stranger();
  }

  void beat_answered(const std::string& address, cluster_store::link& link, const peer_message& m, instant now) {
    const auto n = words::beat_in(m.head);
    if (n == 0 || n > link.beats) return count_stranger();
    link.window.answered(n);
    if (n == link.beats) store->who.on_round_trip(address, now - link.beat_at);
  }

  void count_stranger() { ++store->strangers; }

  void introduced(const peer_message& m, const caf::strong_actor_ptr& from) {
    auto told = words::identity_in(m.head);
    if (!told) return count_stranger();
    auto& who = *told;
    if (m.version != peer_protocol) who.protocol = m.version;
    const auto known = store->peers.find(who.address);
    if (const auto why = store->who.refuse(who)) {
      cluster_store::link stranger;
      stranger.handle = caf::actor_cast<peer_actor>(from);
      say(stranger, "refused", words::reason(*why));
      if (known != store->peers.end() && !known->second.known) return refused(who.address, *why);
      count_stranger();
      if (const auto now = clock::now(); now >= store->tell_again) {
        store->tell_again = now + strangers_pause;
        spdlog::warn("a node was refused: {}", *why);
      }
      return;
    }
    auto& link = known->second;
    attach(*known, from);
    link.known = true;
    link.told = false;
    ++link.traffic.messages_in;
    link.traffic.bytes_in += size_of(m.kind, m.head, m.body);
    store->who.on_hello(who, clock::now());
    if (m.kind == "hello") say(link, "welcome", words::identity(store->who.own()));
    tick();
  }

  /// Other peers need a restart; what is shown of this node does not.
  void reconfigure(const config::settings& s) {
    if (store->who.own().config == s.common_hash) return;
    store->who.set_config(s.common_hash);
    for (auto& [address, link] : store->peers)
      if (link.known && store->who.is_up(address)) say(link, "welcome", words::identity(store->who.own()));
  }

  /// By it or by us: logged once, for it is tried again, and either may be the first to say so.
  void refused(const std::string& address, const std::string& why) {
    if (!std::exchange(store->peers[address].told, true)) spdlog::warn("peer {} is none of ours: {}", address, why);
    store->who.on_refused(address, why, clock::now());
    forget(address);
    tick();
  }

  void lost(const caf::actor_addr& who) {
    const auto found = store->speakers.find(who);
    if (found == store->speakers.end()) return;
    const auto address = found->second->first;
    store->who.on_lost(address, "its link broke", clock::now());
    forget(address);
    tick();
  }
};

cluster_actor::behavior_type behave(cluster_actor::stateful_pointer<cluster_state> self,
                                    std::shared_ptr<cluster_store> store, cluster_actor own) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.own = std::move(own);
  self->set_down_handler([&st](caf::down_msg& down) { st.lost(down.source); });
  st.take_over();
  return {
      [&st](peer_message& m, const caf::strong_actor_ptr& from) { st.hear(m, from); },
      [&st](const link_made& made) { st.linked(made); },
      [&st](const link_failed& f) { st.failed(f); },
      [&st](send_to& m) { st.send(m); },
      [&st](const peer_listen& l) { st.listen(l); },
      [&st](const run_wake& w) {
        if (w.generation == st.generation) st.tick();
      },
      [&st](const look&) {
        cluster_view v;
        v.own = st.store->who.own();
        v.peers = st.store->who.look();
        for (auto& [address, link] : st.store->peers) v.traffic[address] = link.traffic;
        v.strangers = st.store->strangers;
        return v;
      },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& t) { st.reconfigure(*t.value); },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

node_identity identity_of(const config::settings& s, std::string version) {
  std::random_device random;
  node_identity own;
  own.address = s.cluster->address;
  own.name = s.node;
  auto all = s.cluster->peers;
  all.push_back(own.address);
  own.cluster = cluster_name(std::move(all));
  own.version = std::move(version);
  own.config = s.common_hash;
  own.protocol = peer_protocol;
  own.incarnation = std::uint64_t{random()} << 32 | random();
  return own;
}

} // namespace

cluster_store::cluster_store(const config::settings& s, std::string version, std::shared_ptr<peer_links> l)
  : who({}, identity_of(s, std::move(version)), s.cluster->peers), links(std::move(l)) {
  for (auto& address : s.cluster->peers) peers[address];
}

caf::strong_actor_ptr spawn_cluster(caf::actor_system& sys, std::shared_ptr<cluster_store> store, cluster_actor own) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(behave, std::move(store), std::move(own)));
}

} // namespace mainstay
