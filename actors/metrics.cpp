#include "actors/metrics.hpp"

#include "actors/metrics_registry.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace mainstay {

namespace {

constexpr auto moment = 1s;            // so often failures and load are judged
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
  }

  /// What keys were charged: an answer from the cache is no load to them.
  void count_load(const run_report& r) {
    if (r.charged_tokens > 0) store->load.count(r.charged_tokens, std::chrono::system_clock::now());
  }

  void judge_load() {
    auto& load = store->load;
    const auto now = std::chrono::system_clock::now();
    if (load.judge(clock::now(), now)) tell_level(load.look(now));
    if (std::exchange(store->told, load.told()) != load.told()) give_orders();
    const auto learned = load.load().hours_learned();
    if (std::exchange(store->hours_kept, learned) != learned && names->state_keeper)
      tell(names->state_keeper, keep_load{load.load().pattern().all()});
  }

  static void tell_level(const load_watch::view& v) {
    const auto level = v.level == load_level::high ? spdlog::level::warn : spdlog::level::info;
    spdlog::log(level,
                "load is {}: {:.0f} tokens in the last minute, {:.0f} a minute expected in 15 minutes; {} keys "
                "are suggested, there are {}",
                to_string(v.level), v.now, v.in_15m, v.suggested_keys, v.keys);
  }

  void give_orders() {
    self->send(names->cache, store->told);
    self->send(names->governor, store->told);
  }

  void take(const config::settings& s) {
    store->registry.reconfigure(s);
    std::size_t keys = 0;
    for (auto& p : s.providers) keys += p.keys.size();
    store->load.reconfigure({s.forecast.value_or(load_thresholds{}), total_tpm(s), keys, s.forecast.has_value()});
  }

  /// Both end with time too, when nobody calls any more.
  void look_again() { send_at(self, clock::now() + moment, rate_due{}); }

  caf::result<std::string> gather() {
    auto round = std::make_shared<scrape_round>();
    round->promise = self->make_response_promise<caf::typed_response_promise<std::string>>();
    auto& r = store->registry;
    r.set_forecast(store->load.look(std::chrono::system_clock::now()));
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
                                    std::shared_ptr<metrics_store> store, directory_ptr names,
                                    const config::settings_ptr& settings) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.names = std::move(names);
  st.take(*settings);
  st.look_again();
  return {
      [&st](const letter<run_report>& mail) {
        st.store->registry.count(mail.content());
        st.count_failures(mail.content());
        st.count_load(mail.content());
        mail.opened();
      },
      [&st](const batch_report& b) { st.store->registry.count(b); },
      [&st](const rate_due&) {
        st.look_again();
        st.judge();
        st.judge_load();
      },
      [&st](const scrape&) { return st.gather(); },
      [&st](const ask_served&) { return served_view{st.store->registry.served()}; },
      [&st](const look&) { return st.store->registry.view(); },
      [&st](const ask_forecast&) { return st.store->load.look(std::chrono::system_clock::now()); },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.names = s.names;
        st.take(*s.value);
        st.judge_load();
        st.self->send(st.names->cache, provider_trouble{st.store->trouble}); // who died may not have heard of it
        st.give_orders();
      },
  };
}

} // namespace

std::shared_ptr<metrics_store> make_metrics_store(const load_pattern::cells& earlier) {
  auto store = std::make_shared<metrics_store>();
  store->load.restore(earlier);
  return store;
}

const load_pattern& load_of(const metrics_store& store) { return store.load.load().pattern(); }

caf::strong_actor_ptr spawn_metrics(caf::actor_system& sys, std::shared_ptr<metrics_store> store, directory_ptr names,
                                    config::settings_ptr settings) {
  return caf::actor_cast<caf::strong_actor_ptr>(
      sys.spawn(behave, std::move(store), std::move(names), std::move(settings)));
}

} // namespace mainstay
