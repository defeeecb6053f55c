#include "actors/guests.hpp"

#include "actors/intake.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/peer_window.hpp"

#include <algorithm>
#include <limits>
#include <random>

namespace mainstay {

namespace {

constexpr auto look_round = 200ms; // at the room here
constexpr int repeat_after = 3;    // rounds without a change: a peer's word counts for a second
constexpr std::size_t most_wishes = 10'000, most_looked = 1000; // at once

struct guests_state {
  static inline const char* name = "guests";
  guests_actor::pointer self = nullptr;
  std::shared_ptr<guests_store> store;
  std::uint64_t generation = 0;
  int unchanged = 0;

  void take_over() {
    if (std::exchange(store->served, true)) begin_anew();
    listen();
    look_around();
  }

  /// Words to whoever was here before are lost.
  void begin_anew() {
    while (!store->aways.empty()) bring_home(store->aways.begin()->first, "its node's guests were lost", true);
    while (!store->guests.empty()) {
      const auto& [id, g] = *store->guests.begin();
      say(g.peer, "run.lost", words::number(g.run));
      end_guest(id);
    }
    store->told_room.reset();
  }

  void listen() {
    self->send(store->names->cluster, peer_listen{"run.", caf::actor_cast<peer_listener>(store->names->guests)});
  }

  void say(const std::string& peer, std::string kind, std::string head, std::string body = {}) {
    tell(store->names->cluster, send_to{peer, std::move(kind), std::move(head), std::move(body), {}});
  }

  // -- peers

  void changed(const peer_changed& c) {
    auto& p = store->peers[c.peer];
    if (!c.up || p.incarnation != c.incarnation) lose(c.peer, c.up ? "its node was started again" : "its node is lost");
    if (!c.up) return;
    p.incarnation = c.incarnation;
    // What either has of the other's may have been lost with what was between them.
    check(c.peer);
    say(c.peer, "run.recheck", "{}");
    say(c.peer, "run.room", room_for(c.peer));
  }

  void check(const std::string& peer) {
    store->peers[peer].checked = store->next_number;
    say(peer, "run.check", "{}");
  }

  void lose(const std::string& peer, const std::string& why) {
    store->peers[peer] = {};
    store->room.lost(peer);
    std::vector<std::uint64_t> theirs;
    for (const auto& [number, a] : store->aways)
      if (a.peer == peer) theirs.push_back(number);
    for (const auto number : theirs) bring_home(number, why, false);
    std::vector<request_id> ours;
    for (const auto& [id, g] : store->guests)
      if (g.peer == peer) ours.push_back(id);
    for (const auto id : ours) end_guest(id);
    tell_dispatcher();
  }

  void say_what_is_here(const std::string& peer) {
    words::runs_said all;
    for (const auto& [id, g] : store->guests)
      if (g.peer == peer) all.emplace_back(g.run, g.said);
    say(peer, "run.have", words::have(all));
  }

  // -- at home

  away_seat find_room(const away_ask& ask) {
    const auto now = clock::now();
    if (ask.why == move_reason::waiting && waits_for_limits(ask.providers)) {
      remember(ask);
      return {};
    }
    const auto peer = ask.peer.empty()                  ? store->room.choose(ask.providers, ask.why, now)
                      : store->room.take(ask.peer, now) ? std::optional(ask.peer)
                                                        : std::nullopt;
    if (!peer) {
      if (ask.why == move_reason::waiting || ask.why == move_reason::draining) remember(ask);
      return {};
    }
    const auto number = store->next_number++;
    store->aways[number] = {*peer, ask.owner, ask.serial, ask.run, ask.why};
    const auto& node = store->peers[*peer].node;
    return {number, node.empty() ? *peer : node};
  }

  /// Calls are free here: what it waits for is a key's limit, which is the same elsewhere.
  bool waits_for_limits(const std::vector<std::string>& providers) const {
    const auto is_free = [this](auto& p) {
      const auto found = store->own.slots.find(p);
      return found != store->own.slots.end() && found->second > 0;
    };
    return std::any_of(providers.begin(), providers.end(), is_free);
  }

  /// It is told of room to come, unless very many wait for that: then the longest, who may have gone, is forgotten.
  void remember(const away_ask& ask) {
    if (store->wishes.size() >= most_wishes) store->wishes.pop_front();
    store->wishes.push_back({ask.providers, ask.run});
  }

  /// A call may be free at that peer: as many as that look again; of a node that drains, as many as it would accept.
  void grant_wishes(const std::string& peer, std::uint64_t most) {
    const auto* room = store->room.of(peer, clock::now());
    if (!room || room->draining) return;
    auto slots = room->slots;
    auto places = store->draining ? room->places : 0;
    std::size_t looked = 0;
    for (auto it = store->wishes.begin(); it != store->wishes.end() && most > 0 && looked < most_looked; ++looked) {
      const auto run = caf::actor_cast<run_actor>(it->run);
      const auto is_free = [&](auto& p) {
        const auto found = slots.find(p);
        return found != slots.end() && found->second > 0;
      };
      const auto free = std::find_if(it->providers.begin(), it->providers.end(), is_free);
      if (run && free == it->providers.end() && places == 0) {
        ++it;
        continue;
      }
      if (run) {
        if (free != it->providers.end())
          --slots[*free];
        else
          --places;
        --most;
        tell(run, patience_over{0, store->draining ? move_reason::draining : move_reason::waiting});
      }
      it = store->wishes.erase(it);
    }
  }

  void begin(const away_begin& b) {
    const auto found = store->aways.find(b.number);
    if (found == store->aways.end()) return;
    auto& a = found->second;
    a.begun = true;
    ++store->moved[{"out", std::string(to_string(a.why))}];
    say(a.peer, "run.begin", words::numbered(b.head, b.number, a.why), *b.body);
  }

  void credit(const away_credit& c) {
    const auto found = store->aways.find(c.number);
    if (found != store->aways.end()) say(found->second.peer, "run.credit", words::credit(c.number, c.bytes));
  }

  void leave(std::uint64_t number) {
    const auto found = store->aways.find(number);
    if (found == store->aways.end()) return;
    const auto a = std::move(found->second);
    store->aways.erase(found);
    if (!a.begun) return store->room.give_back(a.peer);
    say(a.peer, "run.leave", words::number(number));
    store->room.over(a.peer);
  }

  void owner_lost(const owner_gone& gone) {
    for (auto it = store->aways.begin(); it != store->aways.end();)
      if (const auto [number, a] = *it++; a.owner == gone.owner && gone.which.holds(a.serial)) leave(number);
  }

  run_actor run_of(const guests_store::away& a) const { return caf::actor_cast<run_actor>(a.run); }

  void bring_home(std::uint64_t number, const std::string& why, bool tell_host) {
    const auto a = store->aways.at(number);
    if (tell_host)
      leave(number);
    else
      store->aways.erase(number);
    if (a.begun) ++store->lost;
    tell(run_of(a), call_end{a.serial, http::call_error{failure_class::reset, why}, {}});
  }

  /// A word of a run that is away; what follows a gap is no use.
  void answered(const peer_said& said) {
    auto w = words::heard(said.head);
    if (!w) return void(++store->not_understood);
    const auto found = store->aways.find(w->run);
    if (found == store->aways.end() || found->second.peer != said.from)
      return said.kind == "run.lost" ? void() : say(said.from, "run.leave", words::number(w->run));
    if (said.kind == "run.lost") return bring_home(w->run, "its node lost it", false);
    if (w->n != found->second.heard + 1) return bring_home(w->run, "a part of what its node said is lost", true);
    ++found->second.heard;
    found->second.head = found->second.head || said.kind == "run.head";
    const auto a = found->second;
    if (!a.head && (said.kind == "run.events" || said.kind == "run.error"))
      return bring_home(w->run, "what its node says is not understood", true);
    const auto run = run_of(a);
    if (said.kind == "run.events") return tell(run, call_data{a.serial, make_bytes(said.body)});
    const auto labels = [&](const char* type) {
      w->labels.emplace_back("content-type", type);
      return std::make_shared<const header_list>(std::move(w->labels));
    };
    if (said.kind == "run.head") return tell(run, call_head{a.serial, 200, labels("text/event-stream")});
    store->aways.erase(found);
    store->room.over(said.from);
    if (said.kind == "run.reply") {
      tell(run, call_head{a.serial, w->status, labels("application/json")});
      tell(run, call_data{a.serial, make_bytes(said.body)});
    } else if (said.kind == "run.end") {
      tell(run, call_head{a.serial, 200, labels("text/event-stream")});
      auto end = w->usage.empty() || w->usage == "null" ? "" : R"(data: {"choices":[],"usage":)" + w->usage + "}\n\n";
      tell(run, call_data{a.serial, make_bytes(end + "data: [DONE]\n\n")});
    } else {
      tell(run, call_data{a.serial, make_bytes("data: " + said.body + "\n\n")});
    }
    tell(run, call_end{a.serial, std::nullopt, {}});
    grant_wishes(said.from, 1);
  }

  /// What it has of ours: the others are lost, and so are those of which not every word came.
  void compare(const peer_said& said) {
    const auto all = words::have_in(said.head);
    if (!all) return void(++store->not_understood);
    std::map<std::uint64_t, std::uint64_t> there(all->begin(), all->end());
    std::vector<std::uint64_t> gone;
    for (const auto& [number, a] : store->aways) {
      if (a.peer != said.from || !a.begun || number >= store->peers[said.from].checked) continue;
      const auto found = there.find(number);
      if (found == there.end() || found->second != a.heard) gone.push_back(number);
    }
    for (const auto number : gone) bring_home(number, "its node does not have it", true);
  }

  // -- as a host

  void receive(peer_said& said) {
    auto b = words::begun_in(said.head, std::move(said.body), store->settings, clock::now());
    auto& p = store->peers[said.from];
    ++p.taken;
    if (!b) {
      ++store->not_understood;
      if (const auto run = words::number_in(said.head)) lose_there(said.from, run);
      return;
    }
    const std::pair place{said.from, b->run};
    if (store->guest_numbers.count(place)) return void(++store->not_understood);
    ++store->moved[{"in", std::string(to_string(b->why))}];
    auto way = std::make_shared<peer_channel>(store->names->guests, b->record->number);
    b->record->in.reply = way;
    store->guest_numbers[place] = b->record->number;
    store->guests[b->record->number] = {said.from, b->run, b->record, std::move(way)};
    letter<submission>::post(caf::actor_cast<caf::strong_actor_ptr>(store->names->dispatcher),
                             submission{std::move(b->record)});
  }

  void pass_on(request_id id) {
    const auto found = store->guests.find(id);
    if (found == store->guests.end()) return;
    auto& g = found->second;
    bool over = false;
    for (auto& w : g.way->take()) {
      if (w.body.size() > peer_window::bounds{}.largest) {
        lose_there(g.peer, g.run);
        return end_guest(id);
      }
      over = over || w.kind == "run.reply" || w.kind == "run.end" || w.kind == "run.error";
      say(g.peer, w.kind, words::say(w, g.run, ++g.said), std::move(w.body));
    }
    if (over) forget(id);
  }

  /// Until it was said: the other node waits for it.
  void lose_there(const std::string& peer, std::uint64_t run) {
    store->peers[peer].lost.erase(run);
    say(peer, "run.lost", words::number(run));
  }
  void say_again_who_is_lost() {
    for (auto& [address, p] : store->peers)
      for (const auto run : std::exchange(p.lost, {})) say(address, "run.lost", words::number(run));
  }

  guests_store::guest* guest_at(const std::string& peer, std::uint64_t run) {
    const auto found = store->guest_numbers.find({peer, run});
    return found == store->guest_numbers.end() ? nullptr : &store->guests.at(found->second);
  }

  void end_guest(request_id id) {
    const auto g = store->guests.at(id);
    g.way->close();
    forget(id);
    g.record->caller_gone = true;
    letter<caller_left>::post(caf::actor_cast<caf::strong_actor_ptr>(store->names->dispatcher), caller_left{id});
  }

  void forget(request_id id) {
    const auto found = store->guests.find(id);
    store->guest_numbers.erase({found->second.peer, found->second.run});
    store->guests.erase(found);
  }

  // -- room

  std::string room_for(const std::string& peer) const {
    return words::room({store->settings->node, store->own, store->peers.at(peer).taken});
  }

  void hear_room(const peer_said& said) {
    auto told = words::room_in(said.head);
    if (!told) return void(++store->not_understood);
    store->peers[said.from].node = told->node;
    store->room.heard(said.from, std::move(told->room), told->taken, clock::now());
    tell_dispatcher();
    grant_wishes(said.from, std::numeric_limits<std::uint64_t>::max());
  }

  void tell_dispatcher() {
    const bool any = store->room.any(clock::now());
    if (std::exchange(store->told_room, any) != std::optional(any)) tell(store->names->dispatcher, peers_room{any});
  }

  void look_around() {
    self->request(store->names->governor, caf::infinite, ask_slots{})
        .then(
            [this](const governor::free_slots& free) {
              self->request(store->names->dispatcher, caf::infinite, look{})
                  .then([this, free](const dispatcher_view& v) { see(free, v); }, [](const caf::error&) {});
            },
            [](const caf::error&) {});
    tell_dispatcher();
    say_again_who_is_lost();
    send_at(self, clock::now() + look_round, run_wake{++generation});
  }

  void see(const governor::free_slots& free, const dispatcher_view& v) {
    node_room now;
    now.draining = store->draining = store->draining || v.draining;
    now.places = v.draining ? 0 : v.places;
    now.slots = free.by_provider;
    unchanged = now == store->own ? unchanged + 1 : 0;
    store->own = std::move(now);
    tell_room(unchanged % repeat_after == 0);
  }

  /// To everybody, or to those only whose requests came since.
  void tell_room(bool everybody = true) {
    for (auto& [address, p] : store->peers) {
      if (p.incarnation == 0 || (!everybody && p.taken == p.taken_told)) continue;
      p.taken_told = p.taken;
      say(address, "run.room", room_for(address));
    }
  }

  void drain() {
    store->draining = store->own.draining = true;
    tell_room();
  }

  // -- messages

  void hear(peer_said& said) {
    if (said.kind == "run.begin") return receive(said);
    if (said.kind == "run.room") return hear_room(said);
    if (said.kind == "run.check") return say_what_is_here(said.from);
    if (said.kind == "run.recheck") return check(said.from);
    if (said.kind == "run.have") return compare(said);
    if (said.kind == "run.leave" || said.kind == "run.credit") {
      const auto w = words::heard(said.head);
      if (!w) return void(++store->not_understood);
      auto* g = guest_at(said.from, w->run);
      if (!g) return; // it ended meanwhile
      if (said.kind == "run.leave") return end_guest(g->record->number);
      return g->way->acknowledged(static_cast<std::size_t>(w->bytes));
    }
    if (said.kind == "run.reply" || said.kind == "run.head" || said.kind == "run.events" || said.kind == "run.end" ||
        said.kind == "run.error" || said.kind == "run.lost")
      return answered(said);
    ++store->not_understood;
  }

  /// Nothing is kept for a peer that takes no more: whoever it was for goes on without.
  void refused(const peer_refused& no) {
    const auto run = words::number_in(no.head);
    if (run == 0 || no.kind == "run.leave") return;
    if (no.kind == "run.begin" || no.kind == "run.credit") {
      const auto found = store->aways.find(run);
      if (found == store->aways.end() || found->second.peer != no.to) return;
      if (no.kind == "run.begin") store->room.give_back(no.to);
      return bring_home(run, "its node takes no more", no.kind == "run.credit");
    }
    if (no.why != peer_refused::reason::unreachable) store->peers[no.to].lost.insert(run); // said when there is room
    if (auto* g = guest_at(no.to, run)) end_guest(g->record->number);
  }

  guests_view picture() const {
    guests_view v;
    const auto now = clock::now();
    v.own = store->own;
    for (const auto& [address, p] : store->peers) {
      auto& row = v.peers[address];
      if (const auto* room = store->room.of(address, now)) row.room = *room, row.known = true;
    }
    for (const auto& [number, a] : store->aways) ++v.peers[a.peer].away;
    for (const auto& [id, g] : store->guests) ++v.peers[g.peer].guests;
    v.moved = store->moved;
    v.lost = store->lost;
    v.not_understood = store->not_understood;
    return v;
  }
};

guests_actor::behavior_type guests_behavior(guests_actor::stateful_pointer<guests_state> self,
                                            std::shared_ptr<guests_store> store) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.take_over();
  return {
      [&st](peer_said& said) { st.hear(said); },
      [&st](const guest_speaks& s) { st.pass_on(s.guest); },
      [&st](const peer_changed& c) { st.changed(c); },
      [&st](const peer_refused& no) { st.refused(no); },
      [&st](const away_ask& ask) { return st.find_room(ask); },
      [&st](const away_begin& b) { st.begin(b); },
      [&st](const away_credit& c) { st.credit(c); },
      [&st](const away_leave& l) { st.leave(l.number); },
      [&st](const letter<owner_gone>& mail) {
        st.owner_lost(mail.content());
        mail.opened();
      },
      [&st](const node_drains&) { st.drain(); },
      [&st](const run_wake& w) {
        if (w.generation == st.generation) st.look_around();
      },
      [&st](const look&) { return st.picture(); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& t) {
        st.store->settings = t.value;
        st.store->names = t.names;
        st.listen(); // the cluster's actor may be another
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

guests_store::guests_store(config::settings_ptr s, directory_ptr n) : settings(std::move(s)), names(std::move(n)) {
  // A run's number is not one of the process before this one.
  std::random_device random;
  next_number = (std::uint64_t{random()} << 8) + 1;
}

caf::strong_actor_ptr spawn_guests(caf::actor_system& sys, std::shared_ptr<guests_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(guests_behavior, std::move(store)));
}

} // namespace mainstay
