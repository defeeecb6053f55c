#include "actors/peer_console.hpp"

#include "actors/console_changes.hpp"
#include "actors/console_json.hpp"
#include "actors/console_others.hpp"
#include "actors/peer_heads.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/peer_polls.hpp"
#include "core/peer_roster.hpp"
#include "net/json_reader.hpp"

#include <cerrno>
#include <map>
#include <system_error>

namespace mainstay {

namespace {

constexpr std::size_t most_asked = 256, most_of_a_peer = 16; // questions under way
constexpr std::size_t longest_answer = 8u << 20;
constexpr auto admin_patience = 10s; // its own commands are slower where disks are

using promise = caf::typed_response_promise<console_reply>;

console_reply refusal(const std::string& why) { return {false, console_json().text("error", why).done()}; }

/// For programs that watch a node go. `closed`: its machine says that nobody listens there.
console_reply not_reached(const std::string& error, const std::string& why) {
  const bool closed = why.find(std::generic_category().message(ECONNREFUSED)) != std::string::npos;
  return {false, console_json().text("error", error).flag("unreachable", true).flag("closed", closed).done()};
}

void give(promise& to, console_reply r) { to.deliver(std::move(r)); }

std::string named(const std::string& address, const std::string& name) {
  return name.empty() ? address : name + " (" + address + ")";
}

/// One question of an operator's, here.
struct open_question {
  others_order order;
  promise to;
  std::vector<node_status> nodes; // everywhere: all of them, the own one first
  console_reply own;              // wherever: what this node says of it
};

struct peer_console_state {
  static inline const char* name = "peer_console";
  peer_console_actor::pointer self = nullptr;
  std::shared_ptr<peer_console_store> store;
  peer_console_actor own;
  peer_polls polls{most_asked};
  std::map<peer_polls::number, open_question> open;
  std::map<std::string, std::size_t> serving; // peers' questions under way, by peer
  peer_roster peers;
  std::uint64_t generation = 0;

  ~peer_console_state() {
    for (auto& [n, q] : open) q.to.deliver(caf::make_error(caf::sec::request_receiver_down));
  }

  // -- an operator of this node asks

  void ask(const console_ask& a, promise to) {
    auto order = for_others(a.words);
    if (!order) return give(to, refusal("that is for this node alone"));
    if (order->what == others_order::way::there && (order->node.empty() || order->words.empty()))
      return give(to, refusal("say: on NODE COMMAND..."));
    self->request(store->names->cluster, peer_patience, look{})
        .then([this, order = *order, to](const cluster_view& v) mutable { ask(std::move(order), to, v); },
              [to](const caf::error& e) mutable { to.deliver(refusal("no answer: " + to_string(e))); });
  }

  void ask(others_order order, promise to, const cluster_view& v) {
    switch (order.what) {
    case others_order::way::there: return ask_one(std::move(order), to, v);
    case others_order::way::everywhere: return ask_all(std::move(order), to, v);
    case others_order::way::wherever: return ask_here_first(std::move(order), to, v);
    }
  }

  template <class Then>
  void ask_here(const std::vector<std::string>& words, Then then) {
    self->request(store->names->admin, admin_patience, console_order{words, "console"})
        .then([then](const console_reply& r) mutable { then(r); },
              [then](const caf::error& e) mutable { then(refusal("no answer: " + to_string(e))); });
  }

  void ask_one(others_order order, promise to, const cluster_view& v) {
    if (order.node == v.own.name || order.node == v.own.address)
      return ask_here(order.words, [to](const console_reply& r) mutable { to.deliver(r); });
    const auto is_meant = [&](const membership::view& p) {
      return p.address == order.node || (p.who && p.who->name == order.node);
    };
    const auto found = std::find_if(v.peers.begin(), v.peers.end(), is_meant);
    if (found == v.peers.end()) return give(to, refusal("there is no node " + order.node + "; nodes lists them"));
    const auto called = named(found->address, found->who ? found->who->name : "");
    if (found->state != membership::standing::up) {
      const auto error = called + " is " + std::string(membership::to_string(found->state)) + ": " +
                         (found->why.empty() ? "nothing was heard of it yet" : found->why);
      return give(to, found->state == membership::standing::refused ? refusal(error) : not_reached(error, found->why));
    }
    order.node = called;
    begin({std::move(order), to, {}, {}}, {found->address}, {});
  }

  void ask_all(others_order order, promise to, const cluster_view& v) {
    open_question q{std::move(order), to, {{v.own.name, v.own.address, "", ""}}, {}};
    std::set<std::string> asked{v.own.address}; // by the same count, though not over a link
    std::map<std::string, std::string> silent;
    for (auto& p : v.peers) {
      q.nodes.push_back({p.who ? p.who->name : "", p.address, "", ""});
      if (p.state == membership::standing::up)
        asked.insert(p.address);
      else
        silent[p.address] = std::string(membership::to_string(p.state)) + ": " + p.why;
    }
    const auto words = q.order.words;
    const auto n = begin(std::move(q), std::move(asked), std::move(silent), v.own.address);
    if (n == 0) return;
    ask_here(words, [this, n, here = v.own.address](const console_reply& r) { answered(n, here, r); });
  }

  void ask_here_first(others_order order, promise to, const cluster_view& v) {
    std::set<std::string> asked;
    std::map<std::string, std::string> silent;
    std::vector<node_status> nodes;
    for (auto& p : v.peers) {
      nodes.push_back({p.who ? p.who->name : "", p.address, "", ""});
      if (p.state == membership::standing::up)
        asked.insert(p.address);
      else
        silent[p.address] = membership::to_string(p.state);
    }
    const auto words = order.words;
    ask_here(words, [this, q = open_question{std::move(order), to, std::move(nodes), {}}, asked,
                     silent](const console_reply& r) mutable {
      if (r.ok) return give(q.to, r);
      q.own = r;
      begin(std::move(q), asked, silent);
    });
  }

  /// `here`: awaited, but not asked over a link. 0: it has its answer already.
  peer_polls::number begin(open_question q, std::set<std::string> asked, std::map<std::string, std::string> silent,
                           const std::string& here = {}) {
    const words::console_question told{0, q.order.words, "console"};
    const auto n = polls.begin({asked, std::move(silent), clock::now() + peer_patience});
    if (n == 0) {
      q.to.deliver(refusal("too many questions to other nodes are under way"));
      return 0;
    }
    store->last_question = n;
    open.emplace(n, std::move(q));
    for (auto& peer : asked)
      if (peer != here) say(peer, "console.ask", words::head(words::console_question{n, told.words, told.who}));
    if (asked.empty()) {
      end(n);
      return 0;
    }
    arm();
    return n;
  }

  void answered(peer_polls::number n, const std::string& peer, const console_reply& r) {
    const auto found = open.find(n);
    if (found == open.end() || !polls.answered(n, peer)) return;
    auto& q = found->second;
    switch (q.order.what) {
    case others_order::way::there: return deliver(n, r);
    case others_order::way::wherever:
      if (r.ok) return deliver(n, {true, with_member(r.json, "at_node", name_of(q, peer))});
      break;
    case others_order::way::everywhere:
      for (auto& row : q.nodes)
        if (row.address == peer) (r.ok ? row.json : row.why) = r.ok ? r.json : "it refused";
      break;
    }
    if (polls.find(n)->over()) end(n);
  }

  static std::string name_of(const open_question& q, const std::string& peer) {
    for (auto& row : q.nodes)
      if (row.address == peer) return named(row.address, row.node);
    return peer;
  }

  /// Nobody is awaited any more.
  void end(peer_polls::number n) {
    auto& q = open.at(n);
    const auto& silent = polls.find(n)->silent;
    switch (q.order.what) {
    case others_order::way::there: {
      auto why = q.order.node + ": " + (silent.empty() ? "no answer" : silent.begin()->second);
      if (change_asked(q.order.words)) why += "; what it was told may be done all the same";
      return deliver(n, refusal(why));
    }
    case others_order::way::everywhere:
      for (auto& row : q.nodes)
        if (const auto s = silent.find(row.address); s != silent.end()) row.why = s->second;
      return deliver(n, {true, all_nodes(q.nodes)});
    case others_order::way::wherever: {
      if (silent.empty()) return deliver(n, q.own);
      std::string who;
      for (auto& [peer, why] : silent) (who += who.empty() ? "" : ", ") += name_of(q, peer) + " " + why;
      return deliver(n, refusal("not at any node that answers; " + who));
    }
    }
  }

  void deliver(peer_polls::number n, console_reply r) {
    open.at(n).to.deliver(std::move(r));
    open.erase(n);
    polls.end(n);
  }

  void arm() {
    if (const auto due = polls.due(); due != instant::max()) send_at(self, due, run_wake{++generation});
  }

  void on_time() {
    const auto seconds = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(peer_patience).count());
    for (auto n : polls.late(clock::now(), "no answer within " + seconds + " s")) end(n);
    arm();
  }

  // -- what comes over links

  void say(const std::string& peer, const char* kind, std::string head, std::string body = {}) {
    self->send(store->names->cluster, send_to{peer, kind, std::move(head), std::move(body), own});
  }

  void hear(const peer_said& m) {
    if (m.kind == "console.answer") {
      json::handler any;
      const bool good = m.body.size() <= longest_answer && m.body.starts_with('{') && json::read(m.body, any);
      if (const auto a = words::console_answer_in(m.head))
        answered(a->n, m.from, good ? console_reply{a->ok, m.body} : refusal("its answer cannot be read"));
    } else if (m.kind == "console.ask") {
      if (auto q = words::console_question_in(m.head)) serve(m.from, *q);
    }
  }

  void serve(const std::string& peer, const words::console_question& q) {
    const auto answer = [this, peer, n = q.n](const console_reply& r) {
      const bool fits = r.json.size() <= longest_answer;
      const auto& told = fits ? r : refusal("the answer is longer than nodes tell each other");
      say(peer, "console.answer", words::head(words::console_answer{n, told.ok}), told.json);
    };
    if (hands_out_a_key(q.words))
      return answer(refusal("keys do not travel between nodes: say it to that node's own console"));
    if (!store->settings->doors.admin) return answer(refusal("its console is closed: it has no doors.admin"));
    if (serving[peer] >= most_of_a_peer) return answer(refusal("it is asked too much at once"));
    ++serving[peer];
    const auto done = [this, peer, answer](const console_reply& r) {
      --serving[peer];
      answer(r);
    };
    self->request(store->names->admin, admin_patience, console_order{q.words, q.who + " through " + peer})
        .then(done, [done](const caf::error& e) { done(refusal("no answer: " + to_string(e))); });
  }

  void changed(const peer_changed& c) {
    if (peers.change(c.peer, c.up, c.incarnation)) give_up(c.peer, "its link broke");
  }

  void give_up(const std::string& peer, const std::string& why) {
    for (auto n : polls.lost(peer, why))
      if (polls.find(n)->over()) end(n);
  }

  void refused(const peer_refused& r) {
    if (r.kind != "console.ask") return; // who asked hears nothing, and gives us up in time
    const auto q = words::console_question_in(r.head);
    const auto* why = r.why == peer_refused::reason::unreachable ? "it is not reached"
                      : r.why == peer_refused::reason::full      ? "too much is under way to it"
                                                                 : "that is too much for one message";
    if (q && polls.fell_silent(q->n, r.to, why) && polls.find(q->n)->over()) end(q->n);
  }
};

peer_console_actor::behavior_type peer_console_behavior(peer_console_actor::stateful_pointer<peer_console_state> self,
                                                        std::shared_ptr<peer_console_store> store,
                                                        peer_console_actor own) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.polls = peer_polls(most_asked, st.store->last_question);
  st.own = std::move(own);
  self->send(st.store->names->cluster, peer_listen{"console.", st.own});
  return {
      [&st, self](const console_ask& a) -> caf::result<console_reply> {
        auto to = self->make_response_promise<promise>();
        st.ask(a, to);
        return to;
      },
      [&st](const peer_said& m) { st.hear(m); },
      [&st](const peer_changed& c) { st.changed(c); },
      [&st](const peer_refused& r) { st.refused(r); },
      [&st](const run_wake& w) {
        if (w.generation == st.generation) st.on_time();
      },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.store->names = s.names;
        st.store->settings = s.value;
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

caf::strong_actor_ptr spawn_peer_console(caf::actor_system& sys, std::shared_ptr<peer_console_store> store,
                                         peer_console_actor own) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(peer_console_behavior, std::move(store), std::move(own)));
}

} // namespace mainstay
