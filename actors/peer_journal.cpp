#include "actors/peer_journal.hpp"

#include "actors/live_caller.hpp"
#include "actors/peer_caller.hpp"
#include "actors/peer_heads.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/peer_polls.hpp"
#include "core/peer_roster.hpp"

#include <algorithm>
#include <map>

namespace mainstay {

namespace {

using words::journal_news;

constexpr std::size_t most_asked = 10'000, most_of_a_peer = 10'000; // questions under way
constexpr auto patience = 3s;                                       // with a node that is up: its disk may be slow
constexpr auto sweep_every = 200ms, try_again_after = 100ms;
constexpr std::chrono::milliseconds longest_wait = 24h, beyond = 1s; // of a peer's caller, whose own node ends its wait
constexpr std::size_t longest_id = 128;

/// A caller of this node, whose request is not in its journal.
struct wanted {
  std::shared_ptr<live_caller> caller;
  bool to_end = false;                        // by cancel
  std::set<std::string> holders;              // peers that have it, without an answer yet
  std::map<std::string, std::string> strayed; // that had it and cannot be asked any more
};

/// A caller of another node.
struct served {
  std::string peer;
  std::uint64_t n = 0; // its node's number
  std::string client, id;
  std::shared_ptr<live_caller> caller;
  instant until{};
  bool again = false; // its answer could not be sent
};

struct peer_journal_state {
  static inline const char* name = "peer_journal";
  peer_journal_actor::pointer self = nullptr;
  std::shared_ptr<peer_journal_store> store;
  peer_journal_actor own;
  peer_polls polls{most_asked};
  std::map<peer_polls::number, wanted> open;
  std::map<std::uint64_t, served> guests; // by a number of ours
  std::uint64_t generation = 0;
  instant armed = instant::max(); // when it wakes
  peer_roster peers;

  ~peer_journal_state() {
    for (auto& [n, w] : open) {
      w.caller->refuse(503, "journal_unavailable", "other nodes could not be asked", {{"retry-after", "1"}});
      auto told = polls.find(n)->awaited;
      told.insert(w.holders.begin(), w.holders.end());
      for (auto& peer : told)
        tell(store->names->cluster, send_to{peer, "journal.leave", words::head(words::journal_head{n, "", 0}), {}, {}});
    }
    for (auto& [n, g] : guests) // their node need not wait for them until its caller's deadline
      g.caller->refuse(503, "journal_unavailable", "the node that has it could not look", {{"retry-after", "1"}});
  }

  // -- callers of this node

  template <class Question>
  void look_elsewhere(const letter<Question>& mail) {
    constexpr bool to_end = std::is_same_v<Question, journal_cancel>;
    mail.opened();
    const auto& q = mail.content();
    if (q.of_peer) return not_here(q.of_peer);
    peer_polls::poll p;
    for (auto& peer : store->settings->cluster->peers)
      if (peers.up(peer))
        p.awaited.insert(peer);
      else
        p.silent[peer] = "is not reached";
    p.until = clock::now() + patience;
    const auto asked = p.awaited;
    const auto n = q.caller ? polls.begin(std::move(p)) : 0; // 0: nobody waits to hear
    if (q.caller && n == 0)
      return q.caller->refuse(503, "overloaded", "too many requests are looked for at other nodes",
                              {{"retry-after", "1"}});
    const auto left = q.caller ? std::clamp<duration>(q.caller->until - clock::now(), 0s, longest_wait) : 0s;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
    const auto head = words::head(words::journal_head{n, q.client, static_cast<std::uint64_t>(ms)});
    for (auto& peer : asked) say(peer, to_end ? "journal.cancel" : "journal.collect", head, q.id);
    if (n == 0) return;
    store->last_question = n;
    open.emplace(n, wanted{q.caller, to_end, {}, {}});
    end_if_over(n);
    arm();
  }

  void answered(const std::string& peer, const journal_news& a, const std::string& body) {
    const auto found = open.find(a.n);
    if (found == open.end()) return;
    auto& w = found->second;
    const bool holds = w.holders.contains(peer);
    if (!holds && !polls.find(a.n)->awaited.contains(peer)) return;
    if (a.what == journal_news::way::pending) {
      polls.answered(a.n, peer);
      w.holders.insert(peer);
      const auto name =
          std::find_if(a.headers.begin(), a.headers.end(), [](auto& h) { return h.first == "x-request-id"; });
      return w.caller->accepted(name == a.headers.end() ? "" : name->second);
    }
    if (a.what == journal_news::way::answered && (holds || a.status != 503)) {
      w.holders.erase(peer);
      w.caller->settle({a.status, a.headers, make_bytes(body)});
      return end(a.n);
    }
    w.holders.erase(peer);
    if (a.what == journal_news::way::unknown)
      polls.answered(a.n, peer);
    else
      polls.fell_silent(a.n, peer, "cannot read its journal");
    end_if_over(a.n);
  }

  void end_if_over(peer_polls::number n) {
    const auto& p = *polls.find(n);
    auto& w = open.at(n);
    if (!p.over() || !w.holders.empty()) return;
    auto silent = w.strayed;
    silent.insert(p.silent.begin(), p.silent.end());
    if (silent.empty())
      w.caller->refuse(404, "unknown_id",
                       w.to_end ? "no request with this id is in flight"
                                : "no durable request of this client has this id");
    else
      w.caller->refuse(503, "node_unreachable", unsure(silent), {{"retry-after", "1"}});
    end(n);
  }

  static std::string unsure(const std::map<std::string, std::string>& silent) {
    constexpr std::size_t most_named = 5;
    std::string who;
    std::size_t i = 0;
    for (auto& [peer, why] : silent) {
      if (i++ == most_named) {
        who += ", ...";
        break;
      }
      (who += who.empty() ? "" : ", ") += peer + " " + why;
    }
    return "no node that answers has this id, but others may: " + who + "; a request stays where it was accepted";
  }

  void end(peer_polls::number n) {
    for (auto& peer : open.at(n).holders) say(peer, "journal.leave", words::head(words::journal_head{n, "", 0}));
    open.erase(n);
    polls.end(n);
  }

  // -- callers of other nodes

  void serve(const peer_said& m, bool to_end) {
    const auto q = words::journal_head_in(m.head);
    if (!q || m.body.empty() || m.body.size() > longest_id) return;
    if (!store->names->journal) return tell_unknown(m.from, q->n);
    const auto of_peer = std::count_if(guests.begin(), guests.end(), [&](auto& g) { return g.second.peer == m.from; });
    served g{m.from, q->n, q->client, m.body, caller_of(m.from, q->n, wait_of(*q)), wait_of(*q), false};
    if (static_cast<std::size_t>(of_peer) >= most_of_a_peer)
      return g.caller->refuse(503, "overloaded", "it looks for too many requests of that node");
    if (q->n && std::any_of(guests.begin(), guests.end(),
                            [&](auto& o) { return o.second.peer == m.from && o.second.n == q->n; }))
      return g.caller->refuse(503, "overloaded", "a request with this number is looked for already");
    const auto number = ++store->last_guest;
    if (to_end)
      post(journal_cancel{{g.client, g.id, g.caller, number}});
    else
      post(journal_collect{{g.client, g.id, g.caller, number}});
    guests.emplace(number, std::move(g));
    arm();
  }

  static instant wait_of(const words::journal_head& q) {
    const auto wait = std::chrono::milliseconds(std::min<std::uint64_t>(q.wait_ms, longest_wait.count()));
    return clock::now() + wait + beyond;
  }

  std::shared_ptr<live_caller> caller_of(const std::string& peer, std::uint64_t n, instant until) {
    return std::make_shared<live_caller>(std::make_shared<peer_caller>(store->names->cluster, peer, n, own), until);
  }

  template <class Question>
  void post(Question q) {
    letter<Question>::post(caf::actor_cast<caf::strong_actor_ptr>(store->names->journal), std::move(q));
  }

  void not_here(std::uint64_t number) {
    const auto found = guests.find(number);
    if (found == guests.end()) return;
    found->second.caller->left();
    tell_unknown(found->second.peer, found->second.n);
    guests.erase(found);
  }

  void tell_unknown(const std::string& peer, std::uint64_t n) {
    if (n) say(peer, "journal.answer", words::head(journal_news{n, journal_news::way::unknown, 404, {}}));
  }

  void let_go(const std::string& peer, std::uint64_t n) {
    for (auto it = guests.begin(); it != guests.end();)
      if (it->second.peer == peer && (n == 0 || it->second.n == n)) {
        it->second.caller->left();
        it = guests.erase(it);
      } else {
        ++it;
      }
  }

  /// Its answer is on disk: it is read again when there is room.
  void refused(const peer_refused& r) {
    if (r.kind != "journal.answer") return question_refused(r);
    const auto a = words::journal_news_in(r.head);
    if (!a || r.why == peer_refused::reason::unreachable) return;
    for (auto& [number, g] : guests)
      if (g.peer == r.to && g.n == a->n) {
        if (r.why == peer_refused::reason::too_large)
          caller_of(g.peer, g.n, g.until)
              ->refuse(502, "answer_too_large",
                       "the answer is larger than what nodes tell each other: collect it at " +
                           store->settings->cluster->address);
        else
          g.again = true;
      }
    arm();
  }

  void question_refused(const peer_refused& r) {
    const auto q = words::journal_head_in(r.head);
    if (!q || !open.contains(q->n)) return;
    polls.fell_silent(q->n, r.to, r.why == peer_refused::reason::full ? "is overloaded" : "is not reached");
    end_if_over(q->n);
  }

  // -- time and peers

  void say(const std::string& peer, const char* kind, std::string head, std::string body = {}) {
    self->send(store->names->cluster, send_to{peer, kind, std::move(head), std::move(body), own});
  }

  void arm() {
    if (open.empty() && guests.empty()) return;
    const bool again = std::any_of(guests.begin(), guests.end(), [](auto& g) { return g.second.again; });
    const auto soon = clock::now() + (again ? duration(try_again_after) : duration(sweep_every));
    const auto next = std::min(soon, polls.due());
    if (next >= armed) return; // or questions that keep coming would put it off for ever
    armed = next;
    send_at(self, next, run_wake{++generation});
  }

  void on_time() {
    armed = instant::max();
    const auto now = clock::now();
    for (auto n : polls.late(now, "does not answer")) end_if_over(n);
    std::vector<peer_polls::number> over;
    for (auto& [n, w] : open) {
      if (w.caller->until <= now)
        w.caller->refuse(504, "deadline", "the deadline passed before an answer came; the request goes on: collect it");
      if (w.caller->gone()) over.push_back(n);
    }
    for (auto n : over) end(n);
    for (auto& [number, g] : guests)
      if (std::exchange(g.again, false)) {
        g.caller->left();
        g.caller = caller_of(g.peer, g.n, g.until);
        post(journal_collect{{g.client, g.id, g.caller, number}});
      }
    std::erase_if(guests, [](auto& g) { return g.second.caller->gone(); });
    arm();
  }

  void hear(const peer_said& m) {
    if (m.kind == "journal.answer") {
      if (const auto a = words::journal_news_in(m.head)) answered(m.from, *a, m.body);
    } else if (m.kind == "journal.collect" || m.kind == "journal.cancel") {
      serve(m, m.kind == "journal.cancel");
    } else if (m.kind == "journal.leave") {
      if (const auto q = words::journal_head_in(m.head); q && q->n) let_go(m.from, q->n);
    }
  }

  void changed(const peer_changed& c) {
    if (peers.change(c.peer, c.up, c.incarnation)) lose(c.peer);
  }

  void lose(const std::string& peer) {
    let_go(peer, 0);
    polls.lost(peer, "is not reached");
    std::vector<peer_polls::number> all;
    for (auto& [n, w] : open) {
      if (w.holders.erase(peer) > 0) w.strayed[peer] = "is not reached";
      all.push_back(n);
    }
    for (auto n : all) end_if_over(n);
  }
};

peer_journal_actor::behavior_type peer_journal_behavior(peer_journal_actor::stateful_pointer<peer_journal_state> self,
                                                        std::shared_ptr<peer_journal_store> store,
                                                        peer_journal_actor own) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.polls = peer_polls(most_asked, st.store->last_question);
  st.own = std::move(own);
  self->send(st.store->names->cluster, peer_listen{"journal.", st.own});
  return {
      [&st](const letter<journal_collect>& mail) { st.look_elsewhere(mail); },
      [&st](const letter<journal_cancel>& mail) { st.look_elsewhere(mail); },
      [&st](const peer_said& m) { st.hear(m); },
      [&st](const peer_changed& c) { st.changed(c); },
      [&st](const peer_refused& r) { st.refused(r); },
      [&st](const run_wake& w) {
        if (w.generation == st.generation) st.on_time();
      },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.store->names = s.names;
        if (s.value->cluster) st.store->settings = s.value;
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

caf::strong_actor_ptr spawn_peer_journal(caf::actor_system& sys, std::shared_ptr<peer_journal_store> store,
                                         peer_journal_actor own) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(peer_journal_behavior, std::move(store), std::move(own)));
}

} // namespace mainstay
