#include "actors/metrics.hpp"

#include "actors/metrics_registry.hpp"
#include "actors/supervised.hpp"

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

  caf::result<std::string> gather() {
    auto round = std::make_shared<scrape_round>();
    round->promise = self->make_response_promise<caf::typed_response_promise<std::string>>();
    auto& r = store->registry;
    ++round->missing; // ours, until all were asked
    ask<governor::view>(round, names->governor, [&r](auto& v) { r.set_limits(v); });
    ask<std::vector<key_book::view>>(round, names->key_manager, [&r](auto& v) { r.set_keys(v); });
    ask<cache_view>(round, names->cache, [&r](auto& v) { r.set_cache(v); });
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
  return {
      [&st](const letter<run_report>& mail) {
        st.store->registry.count(mail.content());
        mail.opened();
      },
      [&st](const scrape&) { return st.gather(); },
      [&st](const look&) { return st.store->registry.view(); },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.names = s.names; },
  };
}

} // namespace

std::shared_ptr<metrics_store> make_metrics_store() { return std::make_shared<metrics_store>(); }

caf::strong_actor_ptr spawn_metrics(caf::actor_system& sys, std::shared_ptr<metrics_store> store, directory_ptr names) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(behave, std::move(store), std::move(names)));
}

} // namespace mainstay
