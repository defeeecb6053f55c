#include "actors/cluster.hpp"

#include "actors/cluster_words.hpp"
#include "actors/entrance.hpp"
#include "actors/jitter.hpp"
#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <random>

namespace mainstay {

namespace {

constexpr auto strangers_pause = 10s; // between lines of the log about nodes that are no peers
constexpr auto answers_pause = 20ms;  // between answers to beats of strangers

std::size_t size_of(const std::string& kind, const std::string& head, const std::string& body) {
  return kind.size() + head.size() + body.size();
}

struct cluster_state {
  static inline const char* name = "cluster";
  cluster_actor::pointer self = nullptr;
  std::shared_ptr<cluster_store> store;
  cluster_actor own;
  caf::strong_actor_ptr entrance; // by which peers know it
  std::uint64_t generation = 0;

  void take_over() {
    for (auto& [address, link] : store->peers)
      if (link.handle) self->monitor(link.handle);
    tick();
  }

  void say(cluster_store::link& to, std::string kind, std::string head, std::string body = {}) {
    ++to.traffic.messages_out;
    to.traffic.bytes_out += size_of(kind, head, body);
    self->send(to.handle, peer_message{peer_protocol, std::move(kind), std::move(head), std::move(body)}, entrance);
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
      log::info("peer {} is up", news.peer);
    else
      log::warn("peer {} is not reached: {}", news.peer, news.why);
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
    if (found == store->peers.end()) return;
    auto& link = found->second;
    const auto handle = caf::actor_cast<peer_actor>(made.peer);
    if (link.known) { // it came to us meanwhile
      if (link.handle != handle) store->links->drop(made.address);
      return;
    }
    if (made.peer == entrance) return refused(made.address, "this node itself answers there");
    if (const auto* other = speaker(handle.address()); other && other != &*found)
      return refused(made.address, "the node of " + other->first + " answers there");
    attach(*found, handle);
    store->who.on_linked(made.address, clock::now());
    say(link, "hello", words::identity(store->who.own(), ++store->links_made));
    tick();
  }

  void failed(const link_failed& f) {
    const auto found = store->peers.find(f.address);
    if (found == store->peers.end() || found->second.known) return; // it came to us meanwhile
    if (f.refused) return refused(f.address, f.why);
    store->who.on_lost(f.address, f.why, clock::now());
    tick();
  }

  cluster_store::peer_map::value_type* speaker(const caf::actor_addr& who) const {
    const auto found = store->speakers.find(who);
    return found == store->speakers.end() ? nullptr : found->second;
  }

  void attach(cluster_store::peer_map::value_type& peer, const peer_actor& handle) {
    auto& link = peer.second;
    if (link.handle == handle) return;
    if (const auto* other = speaker(handle.address())) {
      const auto earlier = other->first; // one node has one address
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
    const bool ours = m.kind == "hello" || m.kind == "welcome" || m.kind == "refused" || m.kind.starts_with("beat") ||
                      m.kind == "stranger";
    if (ours && m.head.size() > words::longest_head) return count_stranger();
    if (m.kind == "hello" || m.kind == "welcome") return introduced(m, from);
    auto* found = speaker(caf::actor_cast<caf::actor_addr>(from));
    if (!found) return m.kind == "beat" ? heard_of_stranger(from) : count_stranger();
    auto& [address, link] = *found;
    ++link.traffic.messages_in;
    link.traffic.bytes_in += size_of(m.kind, m.head, m.body);
    if (m.kind == "refused") return refused(address, "it says: " + words::reason_in(m.head));
    if (!link.known) return count_stranger();
    if (m.kind == "stranger") return lose(address, "it gave this link up");
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

  /// Given up by us, and not knowing it: told, it comes anew.
  void heard_of_stranger(const caf::strong_actor_ptr& from) {
    count_stranger();
    if (const auto now = clock::now(); now >= store->answer_again) {
      store->answer_again = now + answers_pause;
      answer(from, "stranger", "{}");
    }
  }

  void answer(const caf::strong_actor_ptr& stranger, std::string kind, std::string head) {
    cluster_store::link to;
    to.handle = caf::actor_cast<peer_actor>(stranger);
    say(to, std::move(kind), std::move(head));
  }

  void introduced(const peer_message& m, const caf::strong_actor_ptr& from) {
    auto told = words::identity_in(m.head);
    if (!told) return count_stranger();
    auto& who = *told;
    if (m.version != peer_protocol) who.protocol = m.version;
    const auto known = store->peers.find(who.address);
    if (const auto why = store->who.refuse(who)) {
      answer(from, "refused", words::reason(*why));
      if (known != store->peers.end() && !known->second.known) return refused(who.address, *why);
      count_stranger();
      if (const auto now = clock::now(); now >= store->tell_again) {
        store->tell_again = now + strangers_pause;
        log::warn("a node was refused: {}", *why);
      }
      return;
    }
    auto& link = known->second;
    const bool hello = m.kind == "hello";
    const auto number = hello ? words::link_in(m.head) : link.number;
    const bool anew = link.known && number != link.number; // and nobody told us that the one before is gone
    if (anew) link.window.lost();
    attach(*known, caf::actor_cast<peer_actor>(from));
    link.number = number;
    link.known = true;
    link.told = false;
    ++link.traffic.messages_in;
    link.traffic.bytes_in += size_of(m.kind, m.head, m.body);
    store->who.on_hello(who, anew, clock::now());
    if (hello) say(link, "welcome", words::identity(store->who.own(), 0));
    tick();
  }

  /// Other peers need a restart; what is shown of this node does not.
  void reconfigure(const config::settings& s) {
    if (store->who.own().config == s.common_hash) return;
    store->who.set_config(s.common_hash);
    for (auto& [address, link] : store->peers)
      if (link.known && store->who.is_up(address)) say(link, "welcome", words::identity(store->who.own(), 0));
  }

  /// By it or by us: logged once, for it is tried again, and either may be the first to say so.
  void refused(const std::string& address, const std::string& why) {
    if (!std::exchange(store->peers[address].told, true)) log::warn("peer {} is none of ours: {}", address, why);
    store->who.on_refused(address, why, clock::now());
    forget(address);
    tick();
  }

  void lost(const caf::actor_addr& who) {
    if (const auto* found = speaker(who)) lose(found->first, "its link broke");
  }

  void lose(const std::string& address, const std::string& why) {
    store->who.on_lost(address, why, clock::now());
    forget(address);
    tick();
  }
};

cluster_actor::behavior_type cluster_behavior(cluster_actor::stateful_pointer<cluster_state> self,
                                              std::shared_ptr<cluster_store> store, cluster_actor own) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.own = std::move(own);
  st.entrance = caf::actor_cast<caf::strong_actor_ptr>(st.store->links->entrance(st.own));
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

peer_actor peer_links::entrance(const cluster_actor& own) {
  std::lock_guard lock(mutex_);
  if (!entrance_) entrance_ = entrance_of(own);
  return entrance_;
}

cluster_store::cluster_store(const config::settings& s, std::string version, std::shared_ptr<peer_links> l)
  : who({}, identity_of(s, std::move(version)), s.cluster->peers), links(std::move(l)) {
  for (auto& address : s.cluster->peers) peers[address];
}

caf::strong_actor_ptr spawn_cluster(caf::actor_system& sys, std::shared_ptr<cluster_store> store, cluster_actor own) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(cluster_behavior, std::move(store), std::move(own)));
}

} // namespace mainstay
