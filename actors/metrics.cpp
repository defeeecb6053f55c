#include "actors/metrics.hpp"

#include "actors/audit_keeper.hpp"
#include "actors/everybody.hpp"
#include "actors/log.hpp"
#include "actors/metrics_registry.hpp"
#include "actors/overview.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/report_costs.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

namespace {

constexpr auto moment = 1s; // so often failures and load are judged
constexpr auto overview_lasts = 900ms;
constexpr std::size_t latest_shown = 20; // requests
constexpr auto gauge_patience = 500ms; // an actor that does not answer a scrape in time leaves its gauges as they were

/// US dollars a day, by client.
using daily_budgets = std::map<std::string, double>;

daily_budgets budgets_of(const config::settings& s) {
  daily_budgets out;
  for (auto& c : s.clients)
    if (c.daily_usd) out.emplace(c.name, *c.daily_usd);
  return out;
}

/// Until when, by client.
std::map<std::string, instant> spent_of(const cost_ledger& costs, const daily_budgets& budgets) {
  const auto now = std::chrono::system_clock::now();
  const auto midnight = clock::now() + (cost_ledger::end_of_day(now) - now);
  std::map<std::string, instant> out;
  for (const auto& [client, daily] : budgets)
    if (costs.spent_today(client, now) >= daily) out.emplace(client, midnight);
  return out;
}

/// Makes the text of a scrape on a thread of its own: thousands of series take milliseconds, in which the loop would do
/// nothing else. The counters go on meanwhile; prometheus-cpp's registry is made for that.
using exposition_actor = caf::typed_actor<caf::replies_to<make_text>::with<std::string>>;

exposition_actor spawn_exposition(caf::actor_system& sys, const std::shared_ptr<metrics_store>& store) {
  return sys.spawn<caf::detached>([store]() -> exposition_actor::behavior_type {
    return {[store](const make_text&) { return store->registry.text(); }};
  });
}

/// The views that are gathered in one go.
struct round {
  std::function<void()> done;
  std::size_t missing = 1; // the asker's own, until all were asked
};

struct metrics_state {
  static inline const char* name = "metrics_aggregator";
  metrics_actor::pointer self = nullptr;
  std::shared_ptr<metrics_store> store;
  directory_ptr names;
  config::settings_ptr settings;
  daily_budgets budgets;
  bool priced = false;
  bool watched = false; // there is a door to look through: else nothing is counted for it
  bool watching = false;
  exposition_actor exposition;
  overview_ptr seen; // the latest
  std::vector<caf::typed_response_promise<overview_ptr>> onlookers;

  ~metrics_state() { caf::anon_send_exit(exposition, caf::exit_reason::user_shutdown); }

  /// Asks `who` for its view and hands it to `use`; whatever happens, the round hears of it once.
  template <class View, class Handle, class Use, class Question = look>
  void ask(const std::shared_ptr<round>& all, const Handle& who, Use use, Question what = {}) {
    ++all->missing;
    self->request(who, gauge_patience, what)
        .then(
            [all, use](const View& v) {
              use(v);
              arrived(*all);
            },
            [all](const caf::error&) { arrived(*all); });
  }

  static void arrived(round& all) {
    if (--all.missing == 0) all.done();
  }

  /// Only what providers, keys and the ways to them are to blame for.
  void count_failures(const run_report& r, instant now) {
    if (r.attempts.empty()) return;
    for (auto& a : r.attempts) {
      const auto whose = a.failed ? rules_of(*a.failed).whose : blame::nobody;
      // A missing model may be a name that a caller made up, through a pattern.
      const bool counts = whose != blame::nobody && whose != blame::caller && a.failed != failure_class::model_missing;
      if (!a.failed || counts) store->failures.count(a.failed.has_value(), now);
    }
    judge(now);
  }

  void judge(instant now) {
    const bool trouble = store->failures.high(now);
    if (std::exchange(store->trouble, trouble) == trouble) return;
    self->send(names->cache, provider_trouble{trouble});
  }

  void count(const report_ptr& r) {
    const auto now = std::chrono::system_clock::now();
    const auto here = clock::now();
    if (watched) {
      store->registry.count(*r);
      store->history.count(*r, now);
      if (!r->flight) store->took.add(std::chrono::duration<double>(r->took).count());
      store->recent.add(r, store->slow);
    }
    if (!r->trial) { // how a target does that an operator tries says nothing of callers
      if (watched || settings->alerts) store->alerts.count(*r, here);
      count_served(*r);
      count_failures(*r, here);
    }
    if (r->trace) tell(names->tracer, trace_told{r});
    store->log.write(*r, settings->logs, here);
    if (r->charged_tokens > 0) store->load.count(r->charged_tokens, now); // an answer from the cache is no load to keys
    count_costs(*r, now);
  }

  /// Durable requests that will be run again are served by nobody yet.
  void count_served(const run_report& r) {
    if (r.flight) return;
    if (r.ok()) {
      if (!r.source.empty()) ++store->served[r.model][r.source];
    } else if (r.outcome != to_string(failure_class::cancelled) && !r.durable) {
      ++store->served[r.model]["error"];
    }
  }

  void count_costs(const run_report& r, utc_time now) {
    add_costs(store->costs, r, now);
    const auto budget = budgets.find(r.client);
    if (budget == budgets.end() || store->spent.count(r.client)) return;
    if (store->costs.spent_today(r.client, now) >= budget->second) judge_budgets();
  }

  /// What merging saved, at the price of whom these requests would have gone to.
  void count_batch(const batch_report& b) {
    store->registry.count(b);
    double saved_usd = 0;
    const auto* model = settings->model(b.model);
    if (model && settings->prices && b.tokens_saved > 0) {
      const auto& first = model->ladder.front().front();
      token_usage saved;
      saved.input = static_cast<std::uint64_t>(b.tokens_saved);
      saved_usd = settings->prices->cost(first.provider, first.model, saved).value_or(0);
    }
    store->registry.count_saved("batch", saved_usd);
    add_costs(store->costs, b, saved_usd, std::chrono::system_clock::now());
  }

  void add_to_audit(const run_over& r) {
    if (store->audit && store->audit->add(*r.report, r.asked)) self->send(names->audit_keeper, writes_wait{});
  }

  void judge_budgets() {
    auto spent = spent_of(store->costs, budgets);
    const auto same = [](auto& a, auto& b) { return a.first == b.first; };
    if (std::equal(spent.begin(), spent.end(), store->spent.begin(), store->spent.end(), same)) return;
    for (const auto& [client, until] : spent)
      if (!store->spent.count(client))
        log::warn("client {}: its budget of {:.2f} US dollars a day is spent", client, budgets.at(client));
    store->spent = std::move(spent);
    tell_budgets();
  }

  double most_spent() const {
    const auto now = std::chrono::system_clock::now();
    double share = 0;
    for (const auto& [client, daily] : budgets)
      share = std::max(share, daily > 0 ? store->costs.spent_today(client, now) / daily : 1); // none: spent at once
    return share;
  }

  void tell_budgets() { self->send(names->governor, governor::budget_news{store->spent}); }

  void keep_changed_costs() {
    if (!names->state_keeper || !store->being_kept.empty()) return; // one after the other, however slow the disk is
    store->being_kept = store->costs.changes();
    if (store->being_kept.empty()) return;
    self->request(names->state_keeper, caf::infinite, keep_costs{store->being_kept})
        .then([this](bool kept) { costs_kept(kept); }, [this](const caf::error&) { costs_kept(false); });
  }

  void costs_kept(bool kept) {
    const auto rows = std::exchange(store->being_kept, {});
    if (!kept) store->costs.changed_still(rows);
  }

  drill_book::counts count_all() const {
    drill_book::counts c;
    const auto v = store->registry.view();
    c.requests = v.requests;
    c.answered = v.ok;
    for (const auto& [model, served] : store->served)
      for (const auto& [source, n] : served)
        if (source != "error") c.sources[source] += n;
    c.errors = v.by_outcome;
    c.errors.erase("ok");
    c.took = store->took;
    const auto lately = store->alerts.traffic(clock::now());
    c.lately = lately.requests;
    c.p50_lately = lately.of(latency::request).p50;
    c.p99_lately = lately.of(latency::request).p99;
    return c;
  }

  costs_view look_at_costs(const ask_costs& q) const {
    costs_view v;
    v.groups = store->costs.sums(q.group, q.from);
    for (const auto& [name, a] : v.groups) v.total += a;
    v.priced = priced;
    const auto now = std::chrono::system_clock::now();
    for (const auto& [client, daily] : budgets)
      v.budgets.push_back({client, daily, store->costs.spent_today(client, now)});
    return v;
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
    const auto level = v.level == load_level::high ? log::level::warn : log::level::info;
    log::at(level,
            "load is {}: {:.0f} tokens in the last minute, {:.0f} a minute expected in 15 minutes; {} keys "
            "are suggested, there are {}",
            to_string(v.level), v.now, v.in_15m, v.suggested_keys, v.keys);
  }

  void give_orders() {
    self->send(names->cache, store->told);
    self->send(names->governor, store->told);
  }

  void take(const config::settings_ptr& now_valid) {
    settings = now_valid;
    const auto& s = *settings;
    store->registry.reconfigure(s, store->version);
    store->alerts.reconfigure(s);
    std::size_t keys = 0;
    for (auto& p : s.providers) keys += p.keys.size();
    budgets = budgets_of(s);
    priced = s.prices != nullptr;
    watched = s.doors.metrics || s.doors.admin;
    store->load.reconfigure({s.forecast.value_or(load_thresholds{}), total_tpm(s), keys, s.forecast.has_value()});
  }

  /// Both end with time too, when nobody calls any more.
  void look_again() { send_at(self, clock::now() + moment, rate_due{}); }

  /// What alerts go by, beside the traffic.
  void look_around(const std::shared_ptr<round>& all) {
    auto& r = store->registry;
    auto& a = store->alerts;
    const auto load = store->load.look(std::chrono::system_clock::now());
    r.set_forecast(load);
    a.see(load);
    a.see_budgets(most_spent());
    if (store->audit) {
      r.set_audit(store->audit->seq(), store->audit->lost());
      a.see_audit(store->audit->failing());
    }
    ask<cache_view>(all, names->cache, [&](auto& v) {
      r.set_cache(v);
      a.see(v);
    });
    ask<recovery_view>(all, names->recovery, [&](auto& v) { a.see(v); });
    if (names->journal)
      ask<double>(
          all, names->journal, [&a](double v) { a.see_journal(v); }, ask_fullness{});
    for (auto& [name, breaker] : names->breakers)
      ask<breaker_view>(all, breaker, [&](auto& v) {
        r.set_breaker(v);
        a.see(v);
      });
  }

  void judge_alerts() {
    auto changed = store->alerts.judge(clock::now());
    for (const auto& a : changed)
      if (alert_watch::is_news(a.signal))
        log::at(!a.on                                    ? log::level::info
                : a.severity == alert_severity::critical ? log::level::error
                                                         : log::level::warn,
                "alert {} ({}) {}: {:.4g}, threshold {:.4g}", a.signal, to_string(a.severity), a.on ? "began" : "ended",
                a.value, a.threshold);
    if (!changed.empty())
      letter<alerts_told>::post(caf::actor_cast<caf::strong_actor_ptr>(names->alert_bell), {std::move(changed)});
  }

  void watch() {
    if (std::exchange(watching, true)) return; // somebody takes his time
    auto all = std::make_shared<round>();
    all->done = [this] {
      watching = false;
      judge_alerts();
      judge_slow();
    };
    look_around(all);
    arrived(*all);
  }

  caf::result<std::string> gather() {
    auto promise = self->make_response_promise<caf::typed_response_promise<std::string>>();
    auto all = std::make_shared<round>();
    all->done = [this, promise]() mutable {
      store->registry.set_alerts(store->alerts.all());
      store->registry.flush();
      promise.delegate(exposition, make_text{});
    };
    auto& r = store->registry;
    r.set_lately(store->alerts.traffic(clock::now()));
    look_around(all);
    ask<dispatcher_view>(all, names->dispatcher, [&r](auto& v) { r.set_dispatcher(v); });
    ask<tracer_view>(all, names->tracer, [&r](auto& v) { r.set_tracer(v); });
    for_everybody(*names, [&](const std::string& who, const auto& handle, bool) {
      ask<std::uint64_t>(
          all, handle, [&r, who](std::uint64_t waiting) { r.set_backlog(who, waiting); }, ask_backlog{});
    });
    ask<governor::view>(all, names->governor, [&r](auto& v) { r.set_limits(v); });
    ask<std::vector<key_book::view>>(all, names->key_manager, [&r](auto& v) { r.set_keys(v); });
    ask<std::vector<actor_row>>(all, names->supervisor, [&r](auto& v) { r.set_actors(v); });
    ask<drill_book::view>(all, names->drills, [&r](auto& v) { r.set_drill(v); });
    if (names->cluster) ask<cluster_view>(all, names->cluster, [&r](auto& v) { r.set_peers(v); });
    if (names->peer_news) ask<peer_news_view>(all, names->peer_news, [&r](auto& v) { r.set_peer_news(v); });
    if (names->guests) ask<guests_view>(all, names->guests, [&r](auto& v) { r.set_guests(v); });
    arrived(*all);
    return promise;
  }

  /// However many look on, it is gathered once a second.
  caf::result<overview_ptr> give_overview() {
    auto promise = self->make_response_promise<caf::typed_response_promise<overview_ptr>>();
    if (seen && clock::now() - seen->now < overview_lasts) {
      promise.deliver(seen);
      return promise;
    }
    onlookers.push_back(promise);
    if (onlookers.size() == 1) gather_overview();
    return promise;
  }

  void gather_overview() {
    auto o = std::make_shared<overview>();
    auto all = std::make_shared<round>();
    all->done = [this, o] {
      o->alerts = store->alerts.all();
      std::erase_if(o->alerts, [](auto& a) { return !a.on; });
      seen = o;
      for (auto& p : std::exchange(onlookers, {})) p.deliver(seen);
    };
    o->settings = settings;
    o->version = store->version;
    o->now = clock::now();
    o->at = std::chrono::system_clock::now();
    o->up = o->now - store->started;
    o->lately = store->alerts.traffic(o->now);
    o->history = store->history.since(0, o->at);
    const auto counted = store->registry.view();
    o->clients = counted.clients;
    o->models = counted.models;
    o->providers = store->registry.calls();
    o->load = store->load.look(o->at);
    o->costs = look_at_costs({std::chrono::floor<std::chrono::days>(o->at), cost_ledger::by::client});
    o->latest = store->recent.latest(latest_shown);
    ask<dispatcher_view>(all, names->dispatcher, [o](auto& v) { o->dispatcher = v; });
    ask<governor::view>(all, names->governor, [o](auto& v) { o->limits = v; });
    ask<std::vector<key_book::view>>(all, names->key_manager, [o](auto& v) { o->keys = v; });
    ask<std::vector<actor_row>>(all, names->supervisor, [o](auto& v) { o->actors = v; });
    ask<cache_view>(all, names->cache, [o](auto& v) { o->cache = v; });
    ask<recovery_view>(all, names->recovery, [o](auto& v) { o->recovery = v; });
    ask<drill_book::view>(all, names->drills, [o](auto& v) { o->drill = v; });
    if (names->journal) ask<journal_view>(all, names->journal, [o](auto& v) { o->journal = v; });
    for (auto& [name, breaker] : names->breakers)
      ask<breaker_view>(all, breaker, [o](auto& v) { o->breakers.push_back(v); });
    for (auto& [name, upstream] : names->upstreams)
      ask<upstream_view>(all, upstream, [o](auto& v) { o->open_calls[v.provider] = v.open_calls; });
    arrived(*all);
  }

  /// Of what is remembered for longer: slower than all but one in a hundred, once there are enough to tell.
  void judge_slow() {
    constexpr std::uint64_t enough = 200;
    const auto& t = store->alerts.judged();
    store->slow = t.requests < enough
                      ? duration::max()
                      : std::chrono::duration_cast<duration>(std::chrono::duration<double>(t.of(latency::request).p99));
  }
};

metrics_actor::behavior_type metrics_behavior(metrics_actor::stateful_pointer<metrics_state> self,
                                              std::shared_ptr<metrics_store> store, directory_ptr names,
                                              const config::settings_ptr& settings) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.names = std::move(names);
  st.exposition = spawn_exposition(self->system(), st.store);
  st.take(settings);
  st.costs_kept(false); // what a predecessor did not hear of any more
  st.look_again();
  return {
      [&st](const letter<run_over>& mail) {
        st.count(mail.content().report);
        st.add_to_audit(mail.content()); // last: a letter that comes again has no line yet
        mail.opened();
      },
      [&st](const batch_report& b) { st.count_batch(b); },
      [&st](const content_denied& d) { st.store->registry.count_denied(d.rule, d.on_the_way_out); },
      [&st](const rate_due&) {
        st.look_again();
        st.judge(clock::now());
        st.judge_load();
        st.judge_budgets(); // a new day
        st.keep_changed_costs();
        st.store->log.tick(clock::now());
        st.watch();
      },
      [&st](const scrape&) { return st.gather(); },
      [&st](const ask_served&) { return served_view{st.store->served}; },
      [&st](const look&) {
        auto v = st.store->registry.view();
        v.lately = st.store->alerts.traffic(clock::now());
        return v;
      },
      [&st](const ask_trace& q) { return st.store->recent.find(q.id); },
      [&st](const ask_recent& q) { return recent_view{st.store->recent.latest(q.most, q.notable_only)}; },
      [&st](const ask_overview&) { return st.give_overview(); },
      [&st](const ask_forecast&) { return st.store->load.look(std::chrono::system_clock::now()); },
      [&st](const ask_alerts&) {
        return alerts_view{st.store->alerts.all(), st.store->alerts.traffic(clock::now())};
      },
      [&st](const ask_costs& q) { return st.look_at_costs(q); },
      [&st](const ask_counts&) { return st.count_all(); },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.names = s.names;
        st.take(s.value);
        st.judge_budgets();
        st.tell_budgets();
        st.judge_load();
        st.self->send(st.names->cache, provider_trouble{st.store->trouble}); // who died may not have heard of it
        st.give_orders();
      },
  };
}

} // namespace

std::shared_ptr<metrics_store> make_metrics_store(const load_pattern::cells& load,
                                                  const std::vector<cost_ledger::row>& costs, std::string version,
                                                  instant started, bool json_logs, std::shared_ptr<audit_store> audit) {
  auto store = std::make_shared<metrics_store>(json_logs);
  store->audit = std::move(audit);
  store->version = std::move(version);
  store->started = started;
  store->load.restore(load);
  store->costs.restore(costs);
  return store;
}

governor::budget_news spent_budgets(const metrics_store& store, const config::settings& s) {
  return {spent_of(store.costs, budgets_of(s))};
}

std::vector<cost_ledger::row> unwritten_costs(metrics_store& store) {
  store.costs.changed_still(store.being_kept);
  return store.costs.changes();
}

const load_pattern& load_of(const metrics_store& store) { return store.load.load().pattern(); }

caf::strong_actor_ptr spawn_metrics(caf::actor_system& sys, std::shared_ptr<metrics_store> store, directory_ptr names,
                                    config::settings_ptr settings) {
  return caf::actor_cast<caf::strong_actor_ptr>(
      sys.spawn(metrics_behavior, std::move(store), std::move(names), std::move(settings)));
}

} // namespace mainstay
