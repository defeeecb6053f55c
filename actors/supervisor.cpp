#include "actors/supervisor.hpp"

#include "actors/alert_bell.hpp"
#include "actors/answer_keeper.hpp"
#include "actors/breaker.hpp"
#include "actors/cache.hpp"
#include "actors/cache_clears.hpp"
#include "actors/cluster.hpp"
#include "actors/dashboard.hpp"
#include "actors/dispatcher.hpp"
#include "actors/drills.hpp"
#include "actors/flights.hpp"
#include "actors/guests.hpp"
#include "actors/key_manager.hpp"
#include "actors/log.hpp"
#include "actors/metrics.hpp"
#include "actors/peer_console.hpp"
#include "actors/peer_flights.hpp"
#include "actors/peer_journal.hpp"
#include "actors/peer_news.hpp"
#include "actors/rate_governor.hpp"
#include "actors/recovery.hpp"
#include "actors/repeats.hpp"
#include "actors/similar.hpp"
#include "actors/state_keeper.hpp"
#include "actors/supervised.hpp"
#include "actors/tracer.hpp"
#include "actors/turn.hpp"
#include "actors/upstream.hpp"
#include "actors/warmer.hpp"

#include <deque>
#include <future>

namespace mainstay {

namespace {

using factory = std::function<caf::strong_actor_ptr(caf::actor_system&)>;

struct child {
  std::string name;
  caf::strong_actor_ptr front;
  factory spawn;
  caf::actor_addr address;
  std::uint64_t id = 0, restarts = 0;
  bool up = false;
  std::string last_fault;
  instant since{};
  std::deque<instant> recent;
};

struct supervisor_state {
  static inline const char* name = "supervisor";
  supervisor_actor::pointer self = nullptr;
  turn* home = nullptr;
  supervision_settings settings;
  std::shared_ptr<http::client> client;
  kept_files kept;
  std::shared_ptr<answer_keeper_store> answers = std::make_shared<answer_keeper_store>();
  std::shared_ptr<similar_store> similar = std::make_shared<similar_store>();
  std::vector<child> children;
  directory_ptr names;
  config::settings_ptr current;
  std::shared_ptr<dispatcher_store> dispatch;
  bool closing = false;

  void raise(child& c) {
    auto actor = c.spawn(self->system());
    c.address = caf::actor_cast<caf::actor_addr>(actor);
    c.id = actor->id();
    c.up = true;
    c.since = clock::now();
    self->monitor(c.address);
    stable_front::point_to(c.front, std::move(actor));
  }

  void down(const caf::down_msg& msg) {
    auto it = std::find_if(children.begin(), children.end(), [&](auto& c) { return c.address == msg.source; });
    if (it == children.end()) return;
    auto& c = *it;
    c.up = false;
    stable_front::point_to(c.front, nullptr);
    if (closing) return leave_when_alone();
    c.last_fault = to_string(msg.reason);
    auto now = clock::now();
    c.recent.push_back(now);
    while (!c.recent.empty() && c.recent.front() < now - settings.restart_window) c.recent.pop_front();
    if (static_cast<int>(c.recent.size()) > settings.restart_limit) {
      log::critical("actor {} died {} times within {} s, last of: {}; giving up", c.name, c.recent.size(),
                    std::chrono::duration_cast<std::chrono::seconds>(settings.restart_window).count(), c.last_fault);
      if (c.name == "dispatcher") end_runs(*dispatch); // nobody else touches its store any more
      if (settings.on_give_up) settings.on_give_up(c.name, c.last_fault);
      return;
    }
    ++c.restarts;
    log::warn("actor {} died: {}; restarted", c.name, c.last_fault);
    raise(c);
    tell_everybody(); // news in the dead mailbox are lost: those who have news tell them again when they are told the
                      // settings
  }

  bool crash(const std::string& who) {
    for (auto& c : children)
      if (c.name == who && c.up) {
        caf::anon_send(caf::actor_cast<caf::actor>(c.front), inject_fault{});
        return true;
      }
    return false;
  }

  std::vector<actor_row> rows() const {
    std::vector<actor_row> out;
    auto now = clock::now();
    for (auto& c : children)
      out.push_back({c.name, c.id, c.restarts, c.up, c.last_fault, std::chrono::duration<double>(now - c.since).count(),
                     stable_front::passed(c.front)});
    return out;
  }

  caf::strong_actor_ptr adopt(std::string called, factory spawn, caf::strong_actor_ptr front) {
    child c;
    c.name = std::move(called);
    c.front = front;
    c.spawn = std::move(spawn);
    children.push_back(std::move(c));
    return front;
  }

  /// The breaker and upstream of a provider that has none yet.
  void add_provider(directory& d, const config::provider_settings& p, const config::settings& s) {
    if (d.breakers.count(p.name)) return;
    auto& sys = self->system();
    auto breaker = std::make_shared<breaker_store>(p, s.degradation.model);
    auto governor = d.governor;
    auto recovery = d.recovery;
    auto news = d.peer_news;
    auto breaker_front = stable_front::make(sys, *home);
    adopt(
        "breaker/" + p.name, [=](caf::actor_system& s) { return spawn_breaker(s, breaker, governor, recovery, news); },
        breaker_front);
    d.breakers.emplace(p.name, caf::actor_cast<breaker_actor>(breaker_front));

    auto upstream = std::make_shared<upstream_store>();
    upstream->provider = p.name;
    upstream->client = client;
    auto upstream_front = stable_front::make(sys, *home);
    auto own = caf::actor_cast<upstream_actor>(upstream_front);
    adopt(
        "upstream/" + p.name, [=](caf::actor_system& s) { return spawn_upstream(s, upstream, own); }, upstream_front);
    d.upstreams.emplace(p.name, own);
  }

  void add_state_keeper(directory& d) {
    if (!kept.state) return;
    auto front = stable_front::make(self->system(), *home);
    adopt(
        "state_keeper",
        [state = kept.state, g = d.governor](caf::actor_system& y) { return spawn_state_keeper(y, state, g); }, front);
    d.state_keeper = caf::actor_cast<state_keeper_actor>(front);
  }

  /// Where the cache has a file now; once there it stays, and lets go of the file when it is told to.
  void add_answer_keeper(directory& d, const config::settings& s) {
    if (d.answer_keeper || !s.cache || !s.cache->sqlite) return;
    auto front = stable_front::make(self->system(), *home);
    adopt(
        "answer_keeper", [this](caf::actor_system& y) { return spawn_answer_keeper(y, answers, current); }, front);
    d.answer_keeper = caf::actor_cast<answer_keeper_actor>(front);
  }

  /// Likewise.
  void add_similar(directory& d, const config::settings& s) {
    if (d.similar || !s.cache || !s.cache->similar) return;
    auto front = stable_front::make(self->system(), *home);
    adopt(
        "similar", [this](caf::actor_system& y) { return spawn_similar(y, similar, current, names); }, front);
    d.similar = caf::actor_cast<similar_actor>(front);
  }

  void add_audit_keeper(directory& d) {
    if (!kept.audit) return;
    auto front = stable_front::make(self->system(), *home);
    adopt(
        "audit_keeper", [audit = kept.audit](caf::actor_system& y) { return spawn_audit_keeper(y, audit); }, front);
    d.audit_keeper = caf::actor_cast<audit_keeper_actor>(front);
  }

  void add_journal(directory& d, const config::settings& s) {
    auto repeats = std::make_shared<repeats_store>(s);
    auto front = stable_front::make(self->system(), *home);
    d.repeats = caf::actor_cast<repeats_actor>(front);
    if (auto store = kept.journal) {
      auto journal = stable_front::make(self->system(), *home);
      adopt(
          "journal", [store](caf::actor_system& y) { return spawn_journal(y, store); }, journal);
      d.journal = caf::actor_cast<journal_actor>(journal);
    }
    adopt(
        "repeats", [=, j = d.journal](caf::actor_system& y) { return spawn_repeats(y, repeats, j); }, front);
  }

  void add_flights(const std::shared_ptr<directory>& d) {
    auto store = std::make_shared<flights_store>();
    store->names = d;
    auto front = stable_front::make(self->system(), *home);
    adopt(
        "flights", [store](caf::actor_system& y) { return spawn_flights(y, store); }, front);
    d->flights = caf::actor_cast<flights_actor>(front);
  }

  /// Before those whose news it hears.
  void add_recovery(directory& d, const config::settings_ptr& s, const directory_ptr& names_to_be) {
    auto store = std::make_shared<recovery_store>(s, client);
    store->names = names_to_be;
    auto front = stable_front::make(self->system(), *home);
    d.recovery = caf::actor_cast<recovery_actor>(front);
    adopt(
        "recovery", [store, own = d.recovery](caf::actor_system& y) { return spawn_recovery(y, store, own); }, front);
  }

  void add_alert_bell(directory& d, const config::settings_ptr& s) {
    auto store = std::make_shared<alert_bell_store>(s, client);
    auto front = stable_front::make(self->system(), *home);
    d.alert_bell = caf::actor_cast<alert_bell_actor>(front);
    adopt(
        "alert_bell", [store, own = d.alert_bell](caf::actor_system& y) { return spawn_alert_bell(y, store, own); },
        front);
  }

  void add_tracer(directory& d, const config::settings_ptr& s, const std::string& version) {
    auto store = std::make_shared<tracer_store>(s, version, client);
    auto front = stable_front::make(self->system(), *home);
    d.tracer = caf::actor_cast<tracer_actor>(front);
    adopt(
        "tracer", [store, own = d.tracer](caf::actor_system& y) { return spawn_tracer(y, store, own); }, front);
  }

  void add_dashboard(directory& d, const config::settings& s) {
    auto store = std::make_shared<dashboard_store>();
    if (s.doors.metrics_token) store->token = s.doors.metrics_token->reveal();
    auto front = stable_front::make(self->system(), *home);
    adopt(
        "dashboard", [store, m = d.metrics](caf::actor_system& y) { return spawn_dashboard(y, store, m); }, front);
    d.dashboard = caf::actor_cast<dashboard_actor>(front);
  }

  void add_drills(const std::shared_ptr<directory>& d, const config::settings_ptr& s) {
    auto store = std::make_shared<drills_store>();
    store->settings = s;
    store->names = d;
    auto front = stable_front::make(self->system(), *home);
    d->drills = caf::actor_cast<drills_actor>(front);
    adopt(
        "drills", [store](caf::actor_system& y) { return spawn_drills(y, store); }, front);
  }

  /// What the file says of the process before this one. Who reads the log learns why its limits are closed.
  std::optional<quota_past> past_of_limits(const config::settings& s) {
    if (!kept.state) {
      if (!s.cluster->peers.empty())
        log::warn("cluster: there is no state.path, so nobody will know what was sent if all nodes are restarted "
                  "within a minute: limits would begin anew");
      return {};
    }
    if (!kept.state->earlier_quotas) return {};
    const auto now = clock::now();
    auto past = past_of(*kept.state->earlier_quotas, std::chrono::system_clock::now(), now);
    const quota_times t;
    const auto closed = past.last + 60s + t.long_loan + t.margin - now;
    const auto seconds = std::chrono::duration<double>(closed).count();
    if (closed <= 0s || s.cluster->peers.empty()) return past;
    if (!past.ended)
      log::warn("cluster: the process before did not end in order, and what it sent is not known: for {:.0f} s this "
                "node has only what others lend of limits by the minute",
                seconds);
    else if (!past.counted.empty())
      log::info("cluster: what the process before sent and lent of {} limits still counts, for {:.0f} s of limits by "
                "the minute",
                past.counted.size(), seconds);
    return past;
  }

  /// Before the governor is asked anything: from now on its limits are the cluster's.
  void add_cluster(directory& d, const config::settings& s, const daemon_hooks& hooks, governor& limits) {
    if (!s.cluster || !hooks.links) return;
    auto store = std::make_shared<cluster_store>(s, hooks.version, hooks.links);
    auto nodes = s.cluster->peers;
    nodes.push_back(store->who.own().address);
    std::sort(nodes.begin(), nodes.end());
    const auto self_at = std::lower_bound(nodes.begin(), nodes.end(), store->who.own().address) - nodes.begin();
    limits.join({std::move(nodes), static_cast<node_index>(self_at), store->who.own().incarnation}, past_of_limits(s),
                clock::now());
    auto front = stable_front::make(self->system(), *home);
    d.cluster = caf::actor_cast<cluster_actor>(front);
    adopt(
        "cluster", [store, own = d.cluster](caf::actor_system& y) { return spawn_cluster(y, store, own); }, front);
  }

  /// Those who speak with their like on other nodes.
  void add_peers(const std::shared_ptr<directory>& d, const config::settings_ptr& s) {
    if (!d->cluster) return;
    const auto console = std::make_shared<peer_console_store>(peer_console_store{d, s});
    auto console_front = stable_front::make(self->system(), *home);
    d->peer_console = caf::actor_cast<peer_console_actor>(console_front);
    adopt(
        "peer_console",
        [=, own = d->peer_console](caf::actor_system& y) { return spawn_peer_console(y, console, own); },
        console_front);
    const auto journal = std::make_shared<peer_journal_store>(peer_journal_store{d, s});
    auto journal_front = stable_front::make(self->system(), *home);
    d->peer_journal = caf::actor_cast<peer_journal_actor>(journal_front);
    adopt(
        "peer_journal",
        [=, own = d->peer_journal](caf::actor_system& y) { return spawn_peer_journal(y, journal, own); },
        journal_front);
    auto news = std::make_shared<peer_news_store>();
    auto news_front = stable_front::make(self->system(), *home);
    d->peer_news = caf::actor_cast<peer_news_actor>(news_front);
    adopt(
        "peer_news",
        [=, this, own = d->peer_news](caf::actor_system& y) { return spawn_peer_news(y, news, current, names, own); },
        news_front);
    auto clears = std::make_shared<cache_clears_store>(*s);
    auto clears_front = stable_front::make(self->system(), *home);
    d->cache_clears = caf::actor_cast<cache_clears_actor>(clears_front);
    adopt(
        "cache_clears",
        [=, this, own = d->cache_clears](caf::actor_system& y) { return spawn_cache_clears(y, clears, names, own); },
        clears_front);
  }

  void add_guests(const std::shared_ptr<directory>& d, const config::settings_ptr& s) {
    if (!d->cluster || !s->cluster->move) return;
    auto store = std::make_shared<guests_store>(s, d);
    auto front = stable_front::make(self->system(), *home);
    d->guests = caf::actor_cast<guests_actor>(front);
    adopt(
        "guests", [store](caf::actor_system& y) { return spawn_guests(y, store); }, front);
    const auto flights = std::make_shared<peer_flights_store>(*s, d);
    auto flights_front = stable_front::make(self->system(), *home);
    d->peer_flights = caf::actor_cast<peer_flights_actor>(flights_front);
    adopt(
        "peer_flights", [flights](caf::actor_system& y) { return spawn_peer_flights(y, flights); }, flights_front);
  }

  void found(const config::settings_ptr& s, const std::shared_ptr<governor_store>& governor,
             const std::shared_ptr<metrics_store>& metrics, daemon_hooks hooks) {
    auto& sys = self->system();
    auto d = std::make_shared<directory>();
    auto governor_front = stable_front::make(sys, *home), keys_front = stable_front::make(sys, *home),
         cache_front = stable_front::make(sys, *home), metrics_front = stable_front::make(sys, *home),
         dispatcher_front = stable_front::make(sys, *home), admin_front = stable_front::make(sys, *home),
         warmer_front = stable_front::make(sys, *home);
    d->governor = caf::actor_cast<governor_actor>(governor_front);
    d->key_manager = caf::actor_cast<key_manager_actor>(keys_front);
    d->cache = caf::actor_cast<cache_actor>(cache_front);
    d->metrics = caf::actor_cast<metrics_actor>(metrics_front);
    d->dispatcher = caf::actor_cast<dispatcher_actor>(dispatcher_front);
    d->admin = caf::actor_cast<admin_actor>(admin_front);
    d->warmer = caf::actor_cast<warmer_actor>(warmer_front);
    d->supervisor = self;

    add_state_keeper(*d);
    add_audit_keeper(*d);
    add_journal(*d, *s);
    add_flights(d);
    add_alert_bell(*d, s);
    add_tracer(*d, s, hooks.version);
    add_dashboard(*d, *s);
    add_drills(d, s);
    add_cluster(*d, *s, hooks, governor->policy);
    add_peers(d, s);
    add_guests(d, s);
    if (kept.journal) { // before it runs what it has
      kept.journal->settings = s;
      kept.journal->names = d;
    }
    adopt(
        "rate_governor",
        [=, links = governor_links{d->state_keeper, d->cluster, d->governor}](caf::actor_system& y) {
          return spawn_rate_governor(y, governor, links);
        },
        governor_front);
    add_recovery(*d, s, d);
    auto keys = std::make_shared<key_store>(*s);
    adopt(
        "key_manager",
        [=, g = d->governor, r = d->recovery, n = d->peer_news](caf::actor_system& y) {
          return spawn_key_manager(y, keys, g, r, n);
        },
        keys_front);
    for (auto& p : s->providers) add_provider(*d, p, *s);
    add_answer_keeper(*d, *s);
    add_similar(*d, *s);
    auto cache = std::make_shared<cache_store>(*s, answers, similar);
    adopt(
        "cache_actor", [=, this](caf::actor_system& y) { return spawn_cache(y, cache, names); }, cache_front);
    names = d;
    current = s;
    adopt(
        "metrics_aggregator", [=, this](caf::actor_system& y) { return spawn_metrics(y, metrics, names, current); },
        metrics_front);
    dispatch = std::make_shared<dispatcher_store>();
    dispatch->names = d;
    dispatch->capacity = in_flight_capacity(*s);
    dispatch->revoked = revoked_clients(*s);
    adopt(
        "dispatcher", [store = dispatch](caf::actor_system& y) { return spawn_dispatcher(y, store); },
        dispatcher_front);
    auto warm = std::make_shared<warmer_store>(s, d);
    adopt(
        "warmer", [=](caf::actor_system& y) { return spawn_warmer(y, warm); }, warmer_front);
    auto admin = std::make_shared<admin_store>(admin_store{d, s, std::move(hooks), kept.audit});
    adopt(
        "admin", [=](caf::actor_system& y) { return spawn_admin(y, admin); }, admin_front);
    configure_client(*s);
    for (auto& c : children) raise(c);
  }

  void configure_client(const config::settings& s) {
    std::vector<http::pool_settings> pools;
    for (auto& p : s.providers) pools.push_back({p.name, p.pool_connections, p.pool_per_host});
    client->configure(pools);
  }

  void take(const config::settings_ptr& s) {
    auto d = std::make_shared<directory>(*names);
    auto before = children.size();
    for (auto& p : s->providers) add_provider(*d, p, *s);
    add_answer_keeper(*d, *s);
    add_similar(*d, *s);
    names = d;
    current = s;
    configure_client(*s);
    for (auto i = before; i < children.size(); ++i) raise(children[i]);
    tell_everybody();
  }

  void tell_everybody() {
    for (auto& c : children) caf::anon_send(caf::actor_cast<caf::actor>(c.front), take_settings{current, names});
  }

  void close() {
    closing = true;
    for (auto& c : children) {
      stable_front::close(c.front);
      if (c.up) self->send_exit(c.address, caf::exit_reason::user_shutdown);
    }
    leave_when_alone();
  }

  void leave_when_alone() {
    if (std::none_of(children.begin(), children.end(), [](auto& c) { return c.up; }))
      self->quit(caf::exit_reason::user_shutdown);
  }
};

supervisor_actor::behavior_type
supervisor_behavior(supervisor_actor::stateful_pointer<supervisor_state> self, turn* home, config::settings_ptr s,
                    std::shared_ptr<http::client> client, std::shared_ptr<governor_store> governor,
                    std::shared_ptr<metrics_store> metrics, kept_files kept, daemon_hooks hooks,
                    supervision_settings settings, std::shared_ptr<std::promise<directory_ptr>> names) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.home = home;
  st.settings = std::move(settings);
  st.client = std::move(client);
  st.kept = std::move(kept);
  self->set_down_handler([&st](caf::down_msg& msg) { st.down(msg); });
  self->set_exit_handler([&st](caf::exit_msg&) { st.close(); });
  st.found(s, governor, metrics, std::move(hooks));
  names->set_value(st.names);
  return {
      [&st, self](const crash_order& order) -> caf::result<bool> {
        if (order.name == "request_run") return self->delegate(st.names->dispatcher, order);
        return st.crash(order.name);
      },
      [&st](const look&) { return st.rows(); },
      [&st](const take_settings& t) {
        st.take(t.value);
        return true;
      },
  };
}

} // namespace

household start_household(caf::actor_system& sys, turn& home, config::settings_ptr s,
                          std::shared_ptr<http::client> client, kept_files kept, daemon_hooks hooks,
                          supervision_settings settings) {
  auto governor = std::make_shared<governor_store>(*s);
  if (kept.state) { // before anybody is asked
    governor->policy.restore(kept.state->earlier);
    kept.state->of_cluster = s->cluster && hooks.links;
    if (kept.state->of_cluster)
      kept.state->keep(still_runs());
    else if (kept.state->earlier_quotas)
      kept.state->keep(std::nullopt); // who runs alone does not say what it sends
  }
  auto metrics = make_metrics_store(kept.state ? kept.state->earlier_load : load_pattern::cells{},
                                    kept.state ? kept.state->earlier_costs : std::vector<cost_ledger::row>{},
                                    hooks.version, hooks.started, hooks.json_logs, kept.audit);
  governor->policy.on_budgets(spent_budgets(*metrics, *s));
  auto last_word = [governor, metrics, state = kept.state, journal = kept.journal, audit = kept.audit] {
    if (audit) audit->last_word();
    if (journal) { // the file outlives the actors' system, what points into it must not
      journal->callers.clear();
      journal->names = nullptr;
    }
    if (!state) return;
    auto counts = governor->policy.month_counts(clock::now());
    if (!counts.empty()) state->keep(counts);
    if (state->of_cluster) state->keep(governor->policy.quota_legacy(std::chrono::system_clock::now(), clock::now()));
    if (const auto& week = load_of(*metrics); week.known() > 0) state->keep(week.all());
    if (const auto costs = unwritten_costs(*metrics); !costs.empty()) state->keep(costs);
  };
  auto names = std::make_shared<std::promise<directory_ptr>>();
  auto ready = names->get_future();
  auto supervisor = sys.spawn(supervisor_behavior, &home, std::move(s), std::move(client), std::move(governor),
                              std::move(metrics), std::move(kept), std::move(hooks), std::move(settings), names);
  return {supervisor, ready.get(), std::move(last_word)};
}

void stop_household(caf::actor_system&, const household& h) {
  caf::scoped_actor self{h.supervisor->home_system()};
  self->send_exit(h.supervisor, caf::exit_reason::user_shutdown);
  self->wait_for(h.supervisor);
}

} // namespace mainstay
