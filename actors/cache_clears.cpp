#include "actors/cache_clears.hpp"

#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "net/json_tree.hpp"

#include <random>

namespace mainstay {

namespace {

constexpr auto cache_deadline = 10s;      // of the local cache; it answers long before
constexpr std::size_t most_at_once = 10;  // of clearings here: peers may ask for more, later
constexpr int most_tries = 12;            // of a tier that does not answer: a minute
constexpr std::size_t longest_id = 200;   // an address, an incarnation, a number
constexpr std::size_t most_values = 32;   // in a head, of this version or a later one
constexpr std::size_t most_tiers = 8;     // in what a peer says was not cleared
constexpr std::size_t longest_tier = 100; // likewise

using promise = caf::typed_response_promise<nodes_cleared>;
using state_of = nodes_cleared::peer::state;

struct cache_clears_state {
  static inline const char* name = "cache_clears";
  cache_clears_actor::pointer self = nullptr;
  std::shared_ptr<cache_clears_store> store;
  directory_ptr names;
  cache_clears_actor own;
  struct order {
    promise asked;
    nodes_cleared result;
    bool here = false; // it is done, or failed
    instant until;
  };
  std::map<std::string, order> open; // by id: somebody waits for the answer
  std::uint64_t generation = 0;

  ~cache_clears_state() {
    for (auto& [id, o] : open) {
      if (!o.here) o.result.here.not_here = {"this node"};
      o.asked.deliver(o.result);
    }
  }

  void introduce() {
    store->up.clear();
    self->send(names->cluster, peer_listen{"cache.", caf::actor_cast<peer_listener>(own)});
    for (auto& id : store->at_work) clear_here(id);
    for (auto& [id, left] : store->unfinished) wake_at(left.next);
  }

  // -- asked here

  caf::result<nodes_cleared> on_clear() {
    const auto id = store->own + "/" + store->incarnation + "/" + std::to_string(++store->orders);
    auto asked = self->make_response_promise<promise>();
    auto& o = open[id];
    o.asked = asked;
    o.until = clock::now() + store->patience;
    for (auto& p : store->peers)
      o.result.peers.push_back({p, store->up.contains(p) ? state_of::silent : state_of::later, {}});
    store->log.ordered(id, store->own);
    clear_here(id);
    for (auto& p : store->up) say(p, "cache.clear", id);
    wake_at(o.until);
    return asked;
  }

  void look_at(std::map<std::string, order>::iterator it, instant now) {
    auto& o = it->second;
    const bool waits = std::any_of(o.result.peers.begin(), o.result.peers.end(), [this](auto& p) {
      return p.what == state_of::silent && store->up.contains(p.address);
    });
    if ((waits || !o.here) && now < o.until) return;
    if (!o.here) o.result.here.not_here = {"this node"};
    o.asked.deliver(o.result);
    open.erase(it);
  }

  void clear_here(const std::string& id) {
    store->at_work.insert(id);
    self->request(names->cache, cache_deadline, cache_clear{})
        .then([this, id](const cache_cleared& c) { cleared_here(id, c.not_here); },
              [this, id](const caf::error&) { cleared_here(id, {"cache"}); });
  }

  void cleared_here(const std::string& id, const std::vector<std::string>& not_here) {
    store->at_work.erase(id);
    if (!store->unfinished.contains(id))
      for (auto& p : store->up) say(p, "cache.done", id, not_here);
    const auto it = open.find(id);
    if (it == open.end()) return look_again(id, not_here);
    it->second.result.here.not_here = not_here;
    it->second.here = true;
    look_at(it, clock::now());
  }

  /// Whoever asked at the console here was told what was not done. Nobody looks at what peers' orders came to.
  void look_again(const std::string& id, const std::vector<std::string>& not_here) {
    if (not_here.empty()) {
      store->unfinished.erase(id);
      return;
    }
    if (store->unfinished.size() >= most_at_once && !store->unfinished.contains(id)) return;
    auto& left = store->unfinished[id];
    if (++left.tries == most_tries) {
      store->unfinished.erase(id);
      return log::error("the cache was to be cleared, says a peer, but {} cannot be: `cache clear` it", not_here[0]);
    }
    left.next = clock::now() + store->again;
    wake_at(left.next);
  }

  // -- between nodes

  void say(const std::string& peer, const char* kind, const std::string& id,
           const std::vector<std::string>& not_here = {}) {
    auto head = json::value::make_object();
    head.set("id", json::value::make_string(id));
    if (!not_here.empty()) {
      auto tiers = json::value::make_array();
      for (auto& t : not_here) tiers.items.push_back(json::value::make_string(t));
      head.set("not_here", std::move(tiers));
    }
    self->send(names->cluster, send_to{peer, kind, json::to_text(head), {}, {}});
  }

  void heard(const peer_said& said) {
    const auto head = json::parse(said.head, most_values);
    const auto* member = head ? head->find("id") : nullptr;
    const std::string id(member ? member->string_or_empty() : "");
    if (id.empty() || id.size() > longest_id || !store->up.contains(said.from)) return;
    if (said.kind == "cache.clear") return told(id, said.from);
    if (said.kind == "cache.ask") return remind(said.from);
    if (said.kind != "cache.done") return;
    std::vector<std::string> not_here;
    if (const auto* tiers = head->find("not_here"))
      for (auto& t : tiers->items)
        if (not_here.size() < most_tiers && t.text.size() <= longest_tier) not_here.push_back(t.text);
    peer_did(id, said.from, state_of::done, not_here);
  }

  void told(const std::string& id, const std::string& from) {
    store->log.done(id, from);                         // or does it: it need not be told
    if (store->at_work.contains(id)) return;           // it hears when that is done
    if (store->at_work.size() >= most_at_once) return; // it says so again
    if (!store->log.ordered(id, store->own)) return say(from, "cache.done", id);
    store->log.done(id, from);
    log::info("the cache is cleared, as told by peer {}", from);
    clear_here(id);
  }

  void peer_did(const std::string& id, const std::string& peer, state_of what, std::vector<std::string> not_here) {
    if (what == state_of::done) store->log.done(id, peer);
    const auto it = open.find(id);
    if (it == open.end()) return;
    for (auto& p : it->second.result.peers)
      if (p.address == peer) {
        p.what = what;
        p.not_here = std::move(not_here);
      }
    look_at(it, clock::now());
  }

  void changed(const peer_changed& c) {
    if (c.up) {
      store->up.insert(c.peer);
      remind(c.peer);
      return say(c.peer, "cache.ask", "all"); // it may have said so before anybody here listened
    }
    store->up.erase(c.peer);
    for (auto it = open.begin(); it != open.end();) {
      const auto next = std::next(it);
      for (auto& p : it->second.result.peers)
        if (p.address == c.peer && p.what == state_of::silent) p.what = state_of::later;
      look_at(it, clock::now());
      it = next;
    }
  }

  void remind(const std::string& peer) {
    const auto missing = store->log.missing_at(peer);
    for (auto& id : missing) say(peer, "cache.clear", id);
    if (!missing.empty()) wake_at(clock::now() + store->again);
  }

  void wake_at(instant when) { send_at(self, when, run_wake{++generation}); }

  void on_wake(std::uint64_t of) {
    const auto now = clock::now();
    for (auto it = open.begin(); it != open.end();) look_at(it++, now);
    for (auto& [id, left] : store->unfinished)
      if (left.next <= now && !store->at_work.contains(id)) clear_here(id);
    if (of != generation) return;
    for (auto& p : store->up) remind(p);
  }
};

cache_clears_actor::behavior_type cache_clears_behavior(cache_clears_actor::stateful_pointer<cache_clears_state> self,
                                                        std::shared_ptr<cache_clears_store> store, directory_ptr names,
                                                        cache_clears_actor own) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.names = std::move(names);
  st.own = std::move(own);
  st.introduce();
  return {
      [&st](const peer_said& said) { st.heard(said); },
      [&st](const peer_changed& c) { st.changed(c); },
      [](const peer_refused&) {}, // it is told again
      [&st](const cache_clear&) { return st.on_clear(); },
      [&st](const run_wake& w) { st.on_wake(w.generation); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.names = s.names; },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

std::string one_incarnation() {
  std::random_device random;
  return std::to_string(std::uint64_t{random()} << 32 | random());
}

} // namespace

cache_clears_store::cache_clears_store(const config::settings& s)
  : own(s.cluster->address), peers(s.cluster->peers), incarnation(one_incarnation()) {}

caf::strong_actor_ptr spawn_cache_clears(caf::actor_system& sys, std::shared_ptr<cache_clears_store> store,
                                         directory_ptr names, cache_clears_actor own) {
  return caf::actor_cast<caf::strong_actor_ptr>(
      sys.spawn(cache_clears_behavior, std::move(store), std::move(names), std::move(own)));
}

} // namespace mainstay
