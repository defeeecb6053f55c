#include "actors/peer_flights.hpp"

#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/rendezvous.hpp"
#include "net/json_tree.hpp"
#include "net/json_writer.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t most_values = 32; // in a head, of this version or a later one
constexpr std::size_t longest_question = 64;
constexpr std::uint64_t longest_left_ms = 24 * 60 * 60 * 1000;

using promise = caf::typed_response_promise<flight_place>;

std::uint64_t number_in(const json::value& head, std::string_view member) {
  const auto* found = head.find(member);
  return found ? found->whole().value_or(0) : 0;
}

std::string text_in(const json::value& head, std::string_view member) {
  const auto* found = head.find(member);
  return found ? std::string(found->string_or_empty()) : std::string();
}

struct peer_flights_state {
  static inline const char* name = "peer_flights";
  peer_flights_actor::pointer self = nullptr;
  std::shared_ptr<peer_flights_store> store;
  struct pending {
    promise asked;
    flight_question what;
    std::string owner;
  };
  std::map<std::uint64_t, pending> open; // by flight

  ~peer_flights_state() {
    for (auto& [number, p] : open) p.asked.deliver(flight_place{}); // it flies
  }

  void listen() {
    const auto own = caf::actor_cast<peer_listener>(store->names->peer_flights);
    self->send(store->names->cluster, peer_listen{"flight.", own});
  }

  void say(const std::string& peer, const char* kind, std::string head) {
    self->send(store->names->cluster, send_to{peer, kind, std::move(head), {}, {}});
  }

  // -- a flight of ours

  const std::string& owner_of(const std::string& question) const {
    const auto name = stable_hash(question);
    const auto* best = &store->own;
    auto weight = rendezvous_weight(name, stable_hash(store->own));
    for (const auto& [address, p] : store->peers) {
      const auto its = rendezvous_weight(name, stable_hash(address));
      if (p.up && its > weight) best = &address, weight = its;
    }
    return *best;
  }

  caf::result<flight_place> ask(const flight_question& q) {
    const auto now = clock::now();
    const auto& owner = owner_of(q.question);
    if (owner == store->own) {
      auto node = store->registry.ask(q.question, owner, q.flight, q.until, now);
      return placed(q, owner, std::move(node));
    }
    if (now < store->peers.at(owner).silent_until) return flight_place{};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(q.until - now).count();
    json_writer j;
    j.open().member("n", q.flight).member("q", q.question).member("left_ms", std::max<std::int64_t>(left, 0));
    say(owner, "flight.ask", j.close().text());
    auto asked = self->make_response_promise<promise>();
    open[q.flight] = {asked, q, owner};
    send_at(self, now + peer_flights_store::patience, run_wake{q.flight});
    return asked;
  }

  flight_place placed(const flight_question& q, const std::string& owner, std::string node) {
    if (node == store->own) {
      if (store->mine.size() < flight_registry::most) store->mine[q.flight] = {q.question, owner};
      return {};
    }
    const auto found = store->peers.find(node);
    return {found != store->peers.end() && found->second.up ? std::move(node) : std::string()};
  }

  void answered(const peer_said& said, const json::value& head) {
    const auto it = open.find(number_in(head, "n"));
    if (it == open.end() || it->second.owner != said.from) return; // too late
    auto p = std::move(it->second);
    open.erase(it);
    p.asked.deliver(placed(p.what, p.owner, text_in(head, "node")));
  }

  /// It flies, and does not say so to anybody.
  void give_up(std::uint64_t flight) {
    const auto it = open.find(flight);
    if (it == open.end()) return;
    store->peers.at(it->second.owner).silent_until = clock::now() + peer_flights_store::left_alone;
    it->second.asked.deliver(flight_place{});
    open.erase(it);
  }

  void landed(const flight_landing& l) {
    if (const auto asked = open.find(l.flight); asked != open.end()) { // it ended before the owner's word
      store->mine[l.flight] = {asked->second.what.question, asked->second.owner};
      asked->second.asked.deliver(flight_place{});
      open.erase(asked);
    }
    const auto found = store->mine.find(l.flight);
    if (found == store->mine.end()) return;
    const auto f = std::move(found->second);
    store->mine.erase(found);
    if (f.owner == store->own) return store->registry.over(f.question, f.owner, l.flight, l.cached, clock::now());
    json_writer j;
    j.open().member("n", l.flight).member("q", f.question).member("cached", l.cached);
    say(f.owner, "flight.over", j.close().text());
  }

  // -- as owner

  void asked_by(const peer_said& said, const json::value& head) {
    const auto number = number_in(head, "n");
    const auto question = text_in(head, "q");
    if (number == 0 || question.empty() || question.size() > longest_question) return void(++store->not_understood);
    const auto now = clock::now();
    const auto left = std::chrono::milliseconds(std::min(number_in(head, "left_ms"), longest_left_ms));
    json_writer j;
    j.open().member("n", number).member("node", store->registry.ask(question, said.from, number, now + left, now));
    say(said.from, "flight.place", j.close().text());
  }

  void over_at(const peer_said& said, const json::value& head) {
    const auto* cached = head.find("cached");
    const bool is_cached = cached && cached->is(json::kind::boolean) && cached->text == "true";
    store->registry.over(text_in(head, "q"), said.from, number_in(head, "n"), is_cached, clock::now());
  }

  void heard(const peer_said& said) {
    const auto head = json::parse(said.head, most_values);
    if (!head) return void(++store->not_understood);
    if (said.kind == "flight.place") return answered(said, *head);
    if (said.kind == "flight.ask") return asked_by(said, *head);
    if (said.kind == "flight.over") return over_at(said, *head);
    ++store->not_understood;
  }

  void changed(const peer_changed& c) {
    const auto found = store->peers.find(c.peer);
    if (found == store->peers.end()) return;
    found->second = {c.up, {}};
    store->registry.lost(c.peer); // another process may be there
    if (!c.up) stop_waiting_for(c.peer);
  }

  void stop_waiting_for(const std::string& peer) {
    for (auto it = open.begin(); it != open.end();)
      if (const auto here = it++; here->second.owner == peer) {
        here->second.asked.deliver(flight_place{});
        open.erase(here);
      }
  }
};

peer_flights_actor::behavior_type peer_flights_behavior(peer_flights_actor::stateful_pointer<peer_flights_state> self,
                                                        std::shared_ptr<peer_flights_store> store) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.listen();
  return {
      [&st](const flight_question& q) { return st.ask(q); },
      [&st](const flight_landing& l) { st.landed(l); },
      [&st](const peer_said& said) { st.heard(said); },
      [&st](const peer_changed& c) { st.changed(c); },
      [&st](const peer_refused& no) {
        if (no.kind == "flight.ask") st.stop_waiting_for(no.to);
      },
      [&st](const run_wake& w) { st.give_up(w.generation); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& t) {
        st.store->names = t.names;
        st.listen(); // the cluster's actor may be another
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

peer_flights_store::peer_flights_store(const config::settings& s, directory_ptr n)
  : names(std::move(n)), own(s.cluster->address) {
  for (const auto& address : s.cluster->peers) peers[address];
}

caf::strong_actor_ptr spawn_peer_flights(caf::actor_system& sys, std::shared_ptr<peer_flights_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(peer_flights_behavior, std::move(store)));
}

} // namespace mainstay
