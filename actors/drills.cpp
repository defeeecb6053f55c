#include "actors/drills.hpp"

#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr auto look_every = 200ms; // how fine the report's times are
constexpr auto patience = 500ms;   // with those who are asked for it

using phase = drill_book::phase;

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

struct drills_state {
  static inline const char* name = "drills";
  drills_actor::pointer self = nullptr;
  std::shared_ptr<drills_store> store;
  std::uint64_t generation = 0;

  drill_book& book() { return store->book; }

  // -- orders

  using reply_promise = caf::typed_response_promise<drill_reply>;

  caf::result<drill_reply> take(const drill_ask& q) {
    const auto now = clock::now();
    if (q.what == drill_ask::way::begin) return begin(q.order, now);
    if (!q.order.id.empty() && q.order.id != book().order().id) return no("that drill is not known any more");
    if (q.what == drill_ask::way::stop) {
      if (!book().end(drill_book::ending::stopped, now)) return no("no drill is under way");
      settle();
    }
    return yes();
  }

  static drill_reply no(std::string why) { return {std::move(why), {}}; }
  drill_reply yes() { return {"", book().look(clock::now())}; }

  caf::result<drill_reply> begin(const drill_order& order, instant now) {
    if (auto why = cannot(order); !why.empty()) return no(std::move(why));
    const bool again = book().at() != phase::none && book().order().id == order.id;
    if (auto why = book().begin(order, now); !why.empty()) return no(std::move(why));
    if (again) return yes();
    store->told = phase::none;
    store->last = {};
    auto promise = self->make_response_promise<reply_promise>();
    sample([this, promise, order] { // how it was before
      if (order.what == drill_kind::crash) return crash(order, promise);
      settle();
      deliver(promise, yes());
    });
    return promise;
  }

  std::string cannot(const drill_order& order) const {
    const bool redis = store->settings->cache && store->settings->cache->redis_url;
    if (order.what == drill_kind::redis_frozen) return redis ? "" : "no Redis is configured";
    if (order.what == drill_kind::crash || store->settings->provider(order.whom)) return "";
    return "no provider named " + order.whom;
  }

  void crash(const drill_order& order, reply_promise promise) {
    self->request(store->names->supervisor, patience, crash_order{order.whom})
        .then(
            [this, promise, order](bool is_up) {
              if (!is_up) return refuse(order.id, promise, "nobody named " + order.whom + " is up");
              settle();
              deliver(promise, yes());
            },
            [this, promise, order](const caf::error& e) { refuse(order.id, promise, "no answer: " + to_string(e)); });
  }

  void refuse(const std::string& id, const reply_promise& promise, std::string why) {
    book().withdraw(id);
    deliver(promise, no(std::move(why)));
  }

  static void deliver(reply_promise promise, drill_reply what) { promise.deliver(std::move(what)); }

  // -- time

  /// Tells what has changed, and looks again soon if there is anything to look at.
  void settle() {
    const auto now = clock::now();
    book().tick(now);
    if (const auto before = std::exchange(store->told, book().at()); before != book().at()) tell(before);
    if (!book().watching()) return;
    auto next = now + look_every;
    if (book().at() == phase::under_way) next = std::min(next, std::max(now, book().effect().until));
    send_at(self, next, run_wake{++generation});
  }

  void tell(phase before) {
    const auto& order = book().order();
    const auto v = book().look(clock::now());
    if (book().at() == phase::under_way)
      log::warn("drill: {} begins, for {} s", order.name(), seconds(order.length));
    else if (before == phase::under_way || before == phase::none)
      log::warn("drill: {} ends after {:.1f} s: {}", order.name(), seconds(v.lasted), to_string(v.how));
    else
      log::info("drill: {} is over: {} requests, {} answered{}", order.name(), v.requests, v.answered,
                v.well ? "" : "; what it broke is not well yet");
    break_or_mend();
  }

  void break_or_mend() {
    const auto effect = book().effect();
    const auto& whom = effect.order.whom;
    self->send(store->names->cache, effect);
    self->send(store->names->recovery, effect);
    for (const auto& [name, upstream] : store->names->upstreams)
      if (name == whom) self->send(upstream, effect);
  }

  // -- what callers notice

  struct round {
    std::function<void()> done;
    std::size_t missing = 1; // the asker's own
    std::optional<drill_book::counts> counts;
    drill_book::condition condition;
  };

  template <class View, class Question = look, class Handle, class Use>
  void ask(const std::shared_ptr<round>& all, const Handle& who, Use use) {
    ++all->missing;
    self->request(who, patience, Question{})
        .then(
            [this, all, use](const View& v) {
              use(v);
              arrived(*all);
            },
            [this, all](const caf::error&) {
              all->condition.well = all->condition.well && store->last.well;
              arrived(*all);
            });
  }

  void arrived(round& all) {
    if (--all.missing > 0) return;
    store->last = all.condition;
    if (all.counts) book().see(std::move(*all.counts), all.condition, clock::now());
    all.done();
  }

  void sample(std::function<void()> then) {
    auto all = std::make_shared<round>();
    all->done = std::move(then);
    ask<drill_book::counts, ask_counts>(all, store->names->metrics, [all](auto& v) { all->counts = v; });
    auto& is = all->condition;
    const auto& whom = book().order().whom;
    switch (book().order().what) {
    case drill_kind::rate_limit: ask_keys(all); [[fallthrough]];
    case drill_kind::provider_down:
    case drill_kind::slow:
      if (const auto b = store->names->breakers.find(whom); b != store->names->breakers.end())
        ask<breaker_view>(all, b->second, [all, &is](auto& v) {
          for (const auto& c : v.circuits) {
            is.shut_out = is.shut_out || c.state == circuit_state::open;
            is.well = is.well && c.state == circuit_state::closed;
          }
        });
      break;
    case drill_kind::redis_frozen:
      ask<cache_view>(all, store->names->cache, [all, &is](auto& v) {
        is.shut_out = !v.redis_up;
        is.well = v.redis_up && v.redis_breaker == to_string(circuit_state::closed);
      });
      break;
    case drill_kind::crash:
      ask<std::vector<actor_row>>(all, store->names->supervisor, [all, &is, whom](auto& rows) {
        for (const auto& a : rows)
          if (a.name == whom) is.well = a.up;
      });
      break;
    }
    arrived(*all);
  }

  /// Of the provider that is asked for too much.
  void ask_keys(const std::shared_ptr<round>& all) {
    const auto* provider = store->settings->provider(book().order().whom);
    if (!provider) return;
    ask<std::vector<key_book::view>>(
        all, store->names->key_manager, [all, settings = store->settings, provider](auto& keys) {
          const auto now = clock::now();
          std::size_t rest = 0, usable = 0;
          for (const auto& k : keys) {
            const auto same = [&k](auto& of) { return of.name == k.standing.key; };
            if (k.standing.disabled || std::none_of(provider->keys.begin(), provider->keys.end(), same)) continue;
            ++(std::max(k.standing.not_before, k.standing.rest_until) > now ? rest : usable);
          }
          all->condition.shut_out = all->condition.shut_out || (rest > 0 && usable == 0);
          all->condition.well = all->condition.well && rest == 0;
        });
  }
};

drills_actor::behavior_type drills_behavior(drills_actor::stateful_pointer<drills_state> self,
                                            std::shared_ptr<drills_store> store) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  self->send(self, run_wake{0}); // what a predecessor left
  return {
      [&st](const drill_ask& q) { return st.take(q); },
      [&st](const drills_over&) {
        st.book().close(clock::now());
        st.settle();
      },
      [&st](const run_wake& w) {
        if (w.generation != st.generation || !st.book().watching()) return;
        st.sample([&st] { st.settle(); });
      },
      [&st](const look&) { return st.book().look(clock::now()); },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        const bool other = st.store->settings != s.value;
        st.store->settings = s.value;
        st.store->names = s.names;
        if (!other || st.book().at() != phase::under_way) return;
        st.book().end(drill_book::ending::reload, clock::now());
        st.settle();
      },
  };
}

} // namespace

caf::strong_actor_ptr spawn_drills(caf::actor_system& sys, std::shared_ptr<drills_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(drills_behavior, std::move(store)));
}

} // namespace mainstay
