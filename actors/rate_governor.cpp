#include "actors/rate_governor.hpp"

#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <limits>
#include <map>
#include <utility>

namespace mainstay {

namespace {

constexpr auto moment = 1s; // so often what months have used is written down anew

using reply_promise = caf::typed_response_promise<capacity_reply>;
using admission_promise = caf::typed_response_promise<client_admission>;

struct governor_state {
  static inline const char* name = "rate_governor";

  governor_actor::pointer self = nullptr;
  std::shared_ptr<governor_store> store;
  struct by_owner {
    bool operator()(const lease_id& a, const lease_id& b) const noexcept {
      return a.request != b.request ? a.request < b.request : a.serial < b.serial;
    }
  };
  std::map<lease_id, reply_promise, by_owner> waiting;
  std::map<lease_id, admission_promise, by_owner> at_door;
  std::uint64_t generation = 0;
  instant armed = instant::max();
  governor_links links;
  bool note_timer = false; // is running
  bool notes_fail = false; // then only the next moment tries again

  ~governor_state() {
    // Those who wait ask again, under the same lease, whoever follows us.
    for (auto& [id, promise] : waiting) promise.deliver(caf::make_error(caf::sec::request_receiver_down));
    for (auto& [id, promise] : at_door) promise.deliver(caf::make_error(caf::sec::request_receiver_down));
  }

  void set_date() { store->policy.set_date({clock::now(), std::chrono::system_clock::now()}); }

  capacity_reply reply_to(const capacity_answer& answer) const {
    capacity_reply out;
    out.max_retries = store->policy.max_retries(std::numeric_limits<int>::max());
    if (auto* g = std::get_if<grant>(&answer)) {
      out.granted = true;
      out.got = *g;
    } else if (auto* r = std::get_if<refusal>(&answer)) {
      out.no = *r;
    }
    return out;
  }

  /// Answers whoever can be answered now, and sets the one timer for what comes next.
  void turn() {
    auto now = clock::now();
    for (auto& answer : store->policy.tick(now)) {
      auto id = std::visit([](auto& a) { return a.id; }, answer);
      auto it = waiting.find(id);
      if (it == waiting.end()) { // asked of a predecessor by somebody who has not come back
        store->policy.settle(id, {false, {}, {}}, now);
        continue;
      }
      auto promise = std::move(it->second);
      waiting.erase(it);
      promise.deliver(reply_to(answer));
    }
    note_if_due();
    if (links.cluster) talk(now);
    auto next = store->policy.next_wake(now);
    if (next == instant::max() || (armed > now && armed <= next)) return;
    armed = next;
    send_at(self, std::max(next, now + 1ms), run_wake{++generation});
  }

  /// What others are to be asked, and who at the door knows more by now.
  void talk(instant now) {
    const auto asks = store->policy.quota_asks(now);
    if (!asks.empty()) store->peers.ask(asks, store->policy.quotas()->cluster(), to_peer());
    for (auto& [id, answer] : store->policy.take_admissions()) {
      const auto found = at_door.find(id);
      if (found == at_door.end()) {
        store->policy.settle(id, {false, {}, {}}, now);
        continue;
      }
      auto promise = std::move(found->second);
      at_door.erase(found);
      promise.deliver(std::move(answer));
    }
  }
  quota_peers::send to_peer() {
    return [this](send_to m) { self->send(links.cluster, std::move(m)); };
  }
  void listen() {
    if (links.cluster) self->send(links.cluster, peer_listen{"quota.", caf::actor_cast<peer_listener>(links.own)});
  }
  /// A grant that used up what was here leaves something to ask for.
  void turn_if_due() {
    if (links.cluster && store->policy.quotas()->next_wake() <= clock::now()) turn();
  }

  /// One note at a time is under way: a disk that is slow or gone costs memory for one.
  void note_months(governor::note_time when) {
    if (!links.keeper || store->noting) return;
    auto counts = store->policy.month_notes(when, clock::now());
    if (!counts.empty()) {
      store->noting = true;
      tell(links.keeper, keep_months{std::move(counts)});
    } else if (when == governor::note_time::at_once || store->policy.notes_are_ahead()) {
      note_later();
    }
  }
  void note_later() {
    if (!std::exchange(note_timer, true)) send_at(self, clock::now() + moment, note_due{});
  }
  void note_if_due() {
    if (store->policy.notes_due() && !notes_fail) note_months(governor::note_time::at_once);
  }
  void noted(bool kept) {
    store->noting = false;
    notes_fail = !kept;
    if (!kept) store->policy.note_again();
    note_later();
    note_if_due();
  }
  /// The keeper or its answer may have been lost.
  void note_anew() {
    if (std::exchange(store->noting, false)) store->policy.note_again();
    note_months(governor::note_time::after_a_moment);
  }
};

governor_actor::behavior_type rate_governor_behavior(governor_actor::stateful_pointer<governor_state> self,
                                                     std::shared_ptr<governor_store> store, governor_links links) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  self->send(self, run_wake{0}); // a predecessor's timer is not ours
  st.links = std::move(links);
  st.set_date();
  st.note_anew();
  st.listen();
  return {
      [&st, self](const admit_client& ask) -> caf::result<client_admission> {
        auto answer = st.store->policy.admit(ask.id, ask.client, ask.tokens, ask.expires, clock::now(), ask.address);
        if (!answer.undecided) {
          st.turn_if_due();
          return answer;
        }
        auto promise = self->make_response_promise<admission_promise>();
        st.at_door[ask.id] = promise;
        st.turn();
        return promise;
      },
      [&st, self](const capacity_request& ask) -> caf::result<capacity_reply> {
        auto answer = st.store->policy.acquire(ask, clock::now());
        if (!std::holds_alternative<queued>(answer)) {
          st.waiting.erase(ask.id); // of a question that this one replaced
          st.note_if_due();
          st.turn_if_due();
          return st.reply_to(answer);
        }
        auto promise = self->make_response_promise<reply_promise>();
        st.waiting[ask.id] = promise;
        st.turn();
        return promise;
      },
      [&st](const lease_sent& sent) {
        st.store->policy.sent(sent.id, sent.at);
        st.turn();
      },
      [&st](const keep_lease& k) { st.store->policy.keep(k.id, k.expires); },
      [&st](const letter<settle_lease>& mail) {
        auto id = mail.content().id;
        st.at_door.erase(id);
        if (st.waiting.erase(id) > 0) // handed back before it was granted
          st.store->policy.withdraw(id);
        else
          st.store->policy.settle(id, mail.content().how, clock::now());
        mail.opened();
        st.turn();
      },
      [&st](const withdraw_lease& w) {
        st.store->policy.withdraw(w.id);
        st.waiting.erase(w.id);
        st.turn();
      },
      [&st](const letter<owner_gone>& mail) {
        auto& gone = mail.content();
        st.store->policy.release_owner(gone.owner, clock::now(), gone.which);
        auto first = st.waiting.lower_bound({gone.owner, gone.which.from}),
             last = st.waiting.lower_bound({gone.owner, gone.which.below});
        st.waiting.erase(first, last);
        st.at_door.erase(st.at_door.lower_bound({gone.owner, gone.which.from}),
                         st.at_door.lower_bound({gone.owner, gone.which.below}));
        mail.opened();
        st.turn();
      },
      [&st](const key_standing& standing) {
        st.store->policy.on_standing(standing);
        st.turn();
      },
      [&st](const governor::circuit_news& news) {
        st.store->policy.on_circuit(news);
        st.turn();
      },
      [&st](const governor::model_news& news) {
        st.store->policy.on_model(news, clock::now());
        st.turn();
      },
      [&st](const governor::outage_news& news) {
        st.store->policy.on_outage(news, clock::now());
        st.turn();
      },
      [&st](const governor::budget_news& news) { st.store->policy.on_budgets(news); },
      [&st](const governor::provider_limits& limits) { st.store->policy.on_provider_limits(limits, clock::now()); },
      [&st](const run_wake& wake) {
        if (wake.generation != st.generation) return; // a timer that was replaced by an earlier one
        st.armed = instant::max();
        st.turn();
      },
      [&st](const note_due&) {
        st.note_timer = false;
        st.note_months(governor::note_time::after_a_moment);
      },
      [&st](const months_kept& k) { st.noted(k.kept); },
      [&st](const load_orders& o) {
        st.store->policy.set_pressure(o.pressure);
        st.turn();
      },
      [&st](const peer_said& m) {
        if (st.store->peers.said(st.store->policy, m, clock::now(), st.to_peer())) st.turn();
      },
      [&st](const peer_changed& news) {
        st.store->peers.changed(st.store->policy, news, clock::now(), st.to_peer());
        st.turn();
      },
      [&st](const peer_refused& m) { st.store->peers.refused(st.store->policy, m, clock::now()); },
      [&st](const look&) {
        st.set_date(); // asked often enough to notice that somebody set the clock
        return st.store->policy.look(clock::now());
      },
      [&st](const ask_slots&) { return st.store->policy.slots(); },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.store->policy.reconfigure(config::governor_view(*s.value));
        st.note_anew();
        st.listen();
        st.turn();
      },
  };
}

} // namespace

caf::strong_actor_ptr spawn_rate_governor(caf::actor_system& sys, std::shared_ptr<governor_store> store,
                                          governor_links links) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(rate_governor_behavior, std::move(store), std::move(links)));
}

} // namespace mainstay
