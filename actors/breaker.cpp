#include "actors/breaker.hpp"

#include "actors/jitter.hpp"
#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

namespace mainstay {

namespace {

struct breaker_state {
  static inline const char* name = "breaker";
  breaker_actor::pointer self = nullptr;
  std::shared_ptr<breaker_store> store;
  governor_actor governor;
  recovery_actor recovery;
  peer_news_actor news;
  std::map<std::string, bool> told_degraded; // in the log
  std::uint64_t generation = 0;
  instant armed = instant::max();

  /// `why`: the failure after which something may have opened.
  void announce(instant now, std::optional<failure_class> why = {}) {
    for (auto& c : store->policy.take_changes(now)) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(c.open_until - now).count();
      const auto by = c.told_by.empty() ? "" : ", says peer " + c.told_by;
      if (c.state == circuit_state::open)
        log::warn("breaker {}{}{} opened for {} ms{}", store->provider, c.model.empty() ? "" : "/", c.model, left, by);
      else
        log::info("breaker {}{}{} is {}", store->provider, c.model.empty() ? "" : "/", c.model, to_string(c.state));
      tell(c);
      tell_peers(c, now, why);
    }
    for (auto& w : store->policy.take_way_changes(now)) {
      log::at(w.state == way_state::healthy ? log::level::info : log::level::warn, "endpoint {} of {} is {}", w.name,
              store->provider, to_string(w.state));
      tell_peers(w, now, why);
    }
  }

  /// Of itself alone: an operator's order holds for one node, and what peers said they know. Of an endpoint with
  /// several ways they hear of each.
  void tell_peers(const provider_breaker::view& c, instant now, std::optional<failure_class> why) {
    if (!news || !c.told_by.empty() || (c.model.empty() && store->policy.ways(now).size() > 1)) return;
    const auto state = c.forced ? circuit_state::closed : c.state;
    self->send(
        news,
        circuit_word{store->provider, c.model, {}, state, c.open_until, std::string(why ? to_string(*why) : ""), {}});
  }

  void tell_peers(const endpoint_choice::view& w, instant now, std::optional<failure_class> why) {
    if (!news || !w.told_by.empty() || store->policy.views(now).front().forced) return;
    const auto state = w.state == way_state::open      ? circuit_state::open
                       : w.state == way_state::resting ? circuit_state::half_open
                                                       : circuit_state::closed;
    self->send(
        news,
        circuit_word{store->provider, {}, w.name, state, w.rests_until, std::string(why ? to_string(*why) : ""), {}});
  }

  /// Advice ends by time also where nobody asks. A timer that comes too early arms the next one.
  void await_end_of_advice(instant now) {
    const auto next = store->policy.advice_ends(now);
    if (next == instant::max() || armed <= next) return;
    armed = next;
    send_at(self, next, run_wake{++generation});
  }

  void rank(const settle_permit& end, instant now) {
    auto whose = end.how ? rules_of(*end.how).whose : blame::nobody;
    bool failed = (whose == blame::target || whose == blame::network) && end.how != failure_class::model_missing;
    if (end.how && !failed) return;
    store->ranking.record(end.model, !failed, end.first_word.value_or(duration{}), now);
    announce_ranks();
  }

  void announce_ranks() {
    for (auto& m : store->ranking.take_changes()) {
      bool known = std::exchange(told_degraded[m.model], m.degraded) == m.degraded;
      if (!m.degraded) told_degraded.erase(m.model);
      if (!known) log::warn("model {}/{} is {}", store->provider, m.model, m.degraded ? "degraded" : "itself again");
      tell(m);
    }
  }

  void tell(const model_ranking::view& m) {
    self->send(governor, governor::model_news{store->provider, m.model, m.score, m.degraded, m.check_interval});
  }

  void tell(const provider_breaker::view& c) {
    governor::circuit_news news{store->provider, c.model, c.state, c.open_until};
    self->send(governor, news);
    self->send(recovery, std::move(news));
  }
};

breaker_actor::behavior_type breaker_behavior(breaker_actor::stateful_pointer<breaker_state> self,
                                              std::shared_ptr<breaker_store> store, governor_actor governor,
                                              recovery_actor recovery, peer_news_actor news) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.governor = std::move(governor);
  st.recovery = std::move(recovery);
  st.news = std::move(news);
  return {
      [&st](const ask_permit& ask) {
        auto now = clock::now();
        auto answer = st.store->policy.ask(ask.id, ask.model, now, draw(), ask.how);
        st.announce(now);
        return permit_reply{answer, st.store->lessons.of(ask.model, ask.answer_cap)};
      },
      [&st](const letter<settle_permit>& mail) {
        auto now = clock::now();
        auto& end = mail.content();
        const auto how = end.how;
        st.store->policy.settle(end.id, end.how, now, draw(), end.first_word, end.first_byte);
        if (end.learned) st.store->lessons.learn(end.model, *end.learned);
        st.rank(end, now);
        mail.opened();
        st.announce(now, how);
      },
      [&st](const letter<owner_gone>& mail) {
        auto now = clock::now();
        st.store->policy.release_owner(mail.content().owner, now, mail.content().which);
        mail.opened();
        st.announce(now);
      },
      [&st](const breaker_order& order) {
        auto now = clock::now();
        st.store->policy.force(order.what, now);
        st.announce(now);
      },
      [&st](const provider_sign& s) {
        auto now = clock::now();
        st.store->policy.looked_at(s.what, s.circuits, now, draw(), s.way);
        st.announce(now);
        st.await_end_of_advice(now); // which may be sooner now
      },
      [&st](const circuit_word& word) {
        auto now = clock::now();
        st.store->policy.advise(word, now);
        st.announce(now);
        st.await_end_of_advice(now);
      },
      [&st](const run_wake& w) {
        if (w.generation != st.generation) return; // a timer that was replaced by an earlier one
        st.armed = instant::max();
        auto now = clock::now();
        st.announce(now);
        st.await_end_of_advice(now);
      },
      [&st](const look&) {
        auto now = clock::now();
        st.announce(now);
        return breaker_view{st.store->provider, st.store->policy.views(now), st.store->ranking.views(),
                            st.store->policy.ways(now), st.store->policy.permits_out()};
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        if (auto* p = s.value->provider(st.store->provider)) st.store->take(*p);
        st.store->ranking.reconfigure(s.value->degradation.model);
        st.announce_ranks();
        for (auto& m : st.store->ranking.views()) st.tell(m);
        auto now = clock::now();
        for (auto& c : st.store->policy.views(now)) { // whoever missed a change hears it now
          st.tell(c);
          st.tell_peers(c, now, {});
        }
        st.await_end_of_advice(now); // a predecessor's timer went with it
      },
  };
}

} // namespace

caf::strong_actor_ptr spawn_breaker(caf::actor_system& sys, std::shared_ptr<breaker_store> store, governor_actor g,
                                    recovery_actor r, peer_news_actor news) {
  return caf::actor_cast<caf::strong_actor_ptr>(
      sys.spawn(breaker_behavior, std::move(store), std::move(g), std::move(r), std::move(news)));
}

} // namespace mainstay
