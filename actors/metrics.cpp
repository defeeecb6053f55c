#include "actors/metrics.hpp"

#include "actors/metrics_registry.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <utility>

namespace mainstay {

namespace {

constexpr auto gauge_patience = 500ms; // an actor that does not answer a scrape in time leaves its gauges as they were

/// The views one scrape gathers.
struct scrape_round {
  caf::typed_response_promise<std::string> promise;
  std::size_t missing = 0;
};

struct metrics_state {
  static inline const char* name = "metrics_aggregator";
  metrics_actor::pointer self = nullptr;
  std::shared_ptr<metrics_store> store;
  directory_ptr names;
  bool looking = false; // a rate_due is on its way

  /// Asks `who` for its view and hands it to `use`; whatever happens, the round hears of it once.
  template <class View, class Handle, class Use>
  void ask(const std::shared_ptr<scrape_round>& round, const Handle& who, Use use) {
    ++round->missing;
    self->request(who, gauge_patience, look{})
        .then(
            [this, round, use](const View& v) {
              use(v);
              arrived(*round);
            },
            [this, round](const caf::error&) { arrived(*round); });
  }

  void arrived(scrape_round& round) {
    if (--round.missing == 0) round.promise.deliver(store->registry.text());
  }

  /// Only what providers, keys and the ways to them are to blame for.
  void count_failures(const run_report& r) {
    if (r.attempts.empty()) return;
    const auto now = clock::now();
    for (auto& a : r.attempts) {
      const auto whose = a.failed ? rules_of(*a.failed).whose : blame::nobody;
      // A missing model may be a name that a caller made up, through a pattern.
      const bool counts = whose != blame::nobody && whose != blame::caller && a.failed != failure_class::model_missing;
      if (!a.failed || counts) store->failures.count(a.failed.has_value(), now);
    }
    judge();
  }

  void judge() {
    const bool trouble = store->failures.high(clock::now());
    if (std::exchange(store->trouble, trouble) == trouble) return;
    self->send(names->cache, provider_trouble{trouble});
    if (trouble) look_again();
  }

  /// It ends with time too, when nobody calls any more.
  void look_again() {
    if (!std::exchange(looking, true)) send_at(self, clock::now() + 1s, rate_due{});
  }

  caf::result<std::string> gather() {
    auto round = std::make_shared<scrape_round>();
    round->promise = self->make_response_promise<caf::typed_response_promise<std::string>>();
    auto& r = store->registry;
    ++round->missing; // ours, until all were asked
    ask<governor::view>(round, names->governor, [&r](auto& v) { r.set_limits(v); });
    ask<std::vector<key_book::view>>(round, names->key_manager, [&r](auto& v) { r.set_keys(v); });
    ask<cache_view>(round, names->cache, [&r](auto& v) { r.set_cache(v); });
    ask<recovery_view>(round, names->recovery, [&r](auto& v) { r.set_outages(v); });
    ask<std::vector<actor_row>>(round, names->supervisor, [&r](auto& v) { r.set_actors(v); });
    for (auto& [name, breaker] : names->breakers)
      ask<breaker_view>(round, breaker, [&r](auto& v) { r.set_breaker(v); });
    auto promise = round->promise;
    arrived(*round);
    return promise;
  }
};

metrics_actor::behavior_type behave(metrics_actor::stateful_pointer<metrics_state> self,
                                    std::shared_ptr<metrics_store> store, directory_ptr names) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.names = std::move(names);
  if (st.store->trouble) st.look_again(); // its predecessor's looks are lost
  return {
      [&st](const letter<run_report>& mail) {
        st.store->registry.count(mail.content());
        st.count_failures(mail.content());
        mail.opened();
      },
      [&st](const batch_report& b) { st.store->registry.count(b); },
      [&st](const rate_due&) {
        st.looking = false;
        st.judge();
        if (st.store->trouble) st.look_again();
      },
      [&st](const scrape&) { return st.gather(); },
      [&st](const ask_served&) { return served_view{st.store->registry.served()}; },
      [&st](const look&) { return st.store->registry.view(); },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.names = s.names;
        st.self->send(st.names->cache, provider_trouble{st.store->trouble}); // who died may not have heard of it
      },
  };
}

} // namespace

std::shared_ptr<metrics_store> make_metrics_store() { return std::make_shared<metrics_store>(); }

caf::strong_actor_ptr spawn_metrics(caf::actor_system& sys, std::shared_ptr<metrics_store> store, directory_ptr names) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(behave, std::move(store), std::move(names)));
}

} // namespace mainstay
