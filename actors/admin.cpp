#include "actors/admin.hpp"

#include "actors/audit_keeper.hpp"
#include "actors/client_orders.hpp"
#include "actors/console_changes.hpp"
#include "actors/console_json.hpp"
#include "actors/console_orders.hpp"
#include "actors/console_others.hpp"
#include "actors/console_values.hpp"
#include "actors/everybody.hpp"
#include "actors/log.hpp"
#include "actors/overview.hpp"
#include "actors/supervised.hpp"
#include "actors/trial.hpp"
#include "config/client_keys.hpp"
#include "core/comparison.hpp"

#include <map>
#include <thread>

namespace mainstay {

namespace {

constexpr auto patience = 1s;
constexpr auto patience_with_nodes = 3s; // more than they have themselves
constexpr auto ask_again_after = 5ms;    // whom we asked died: the successor is there by then

class console {
public:
  console(caf::scoped_actor& self, admin_store& store, std::uint64_t own_backlog)
    : self_(self), store_(store), own_backlog_(own_backlog) {}

  std::string run(const std::vector<std::string>& words) {
    if (words.empty()) throw console_error("no command; try help");
    for (auto& c : commands())
      if (words[0] == c.name) {
        words_ = words;
        (this->*c.run)();
        return whole_.empty() ? json_.done() : std::move(whole_);
      }
    throw console_error("unknown command " + words[0] + "; try help");
  }

  /// What of the order was not done, though it has an answer.
  const std::string& undone() const noexcept { return undone_; }

private:
  struct command {
    const char* name;
    void (console::*run)();
    const char* help;
  };
  static const std::vector<command>& commands() {
    static const std::vector<command> all = {
        {"status", &console::status, "[--all]  what this node does, at a glance; all nodes, and the sums"},
        {"actors", &console::actors, "every supervised actor, its restarts and its last fault"},
        {"breakers", &console::breakers, "[PROVIDER open|close|auto]  circuits of providers and models"},
        {"keys", &console::keys, "[NAME disable|enable]  health and rests of provider keys"},
        {"limits", &console::limits, "what keys and clients use of their limits"},
        {"queue", &console::queue, "who waits for capacity"},
        {"pools", &console::pools, "connection slots per provider, and its endpoints"},
        {"cache", &console::cache, "[stats|clear|warm FILE]  the answer cache"},
        {"journal", &console::journal, "durable requests: how many, the oldest, what waits to be tried again"},
        {"models", &console::models, "what callers may ask for, and who answers"},
        {"metrics", &console::metrics, "requests by source and outcome, latency, tokens"},
        {"forecast", &console::forecast,
         "the load now, in the next hour and the day ahead; its level and what it asks for"},
        {"alerts", &console::alerts, "which are on, since when, and how requests went in the last five minutes"},
        {"cost", &console::cost,
         "[--by model|client|provider|hour] [--days N]  what calls cost since midnight UTC, or that many days"},
        {"clients", &console::clients,
         "[create NAME [OPTIONS]|rotate NAME [--keep TIME]|revoke NAME|restore NAME]  who may ask, and what they use "
         "of "
         "what they may"},
        {"nodes", &console::nodes, "the nodes that form this gateway"},
        {"on", &console::on, "NODE COMMAND...  the same at another node, by its name or address"},
        {"report", &console::report, "FILE [--days N] [--value-per-call USD]  writes a page about costs, with plots"},
        {"trace", &console::trace, "ID  the story of one request, by its x-request-id or a durable one's own name"},
        {"requests", &console::requests,
         "[--notable]  the latest that are over; of those that failed, were degraded, retried or slow"},
        {"overview", &console::overview_now, "all that the dashboard and top show"},
        {"top", &console::overview_now, "the same, live on a terminal"}, // which is mainstayctl's affair
        {"compare", &console::compare,
         "MODEL... [--times N] [--max-tokens N] [--prompt TEXT]  asks each of their targets the same: times, errors, "
         "cost"},
        {"audit", &console::audit, "verify FILE...  is every line of an audit as it was written, and in its place?"},
        {"drill", &console::drill,
         "[NAME [WHOM] [--for TIME]|stop]  break something on purpose, and see what callers notice"},
        {"reload", &console::reload, "read the configuration again; a wrong one changes nothing"},
        {"drain", &console::drain, "finish what runs, then exit"},
        {"help", &console::help, "this list"},
    };
    return all;
  }

  template <class View, class Handle, class Message = look>
  View ask(const Handle& who, Message m = {}, duration at_most = patience) {
    std::optional<View> got;
    caf::error why;
    for (auto until = clock::now() + at_most;;) {
      self_->request(who, at_most, m).receive([&](const View& v) { got = v; }, [&](const caf::error& e) { why = e; });
      if (got) return std::move(*got);
      bool restarts = why == caf::sec::request_receiver_down && !closed() && clock::now() < until;
      if (!restarts) throw console_error("no answer: " + to_string(why));
      std::this_thread::sleep_for(ask_again_after); // the thread is admin's own
    }
  }

  bool closed() const { return stable_front::closed(caf::actor_cast<caf::strong_actor_ptr>(store_.names->admin)); }

  const std::string& word(std::size_t i) const { return word_at(words_, i); }

  void status() {
    if (word(1) == "--all") return all_of_one();
    write_status();
  }

  /// This node is all there are.
  void all_of_one() {
    write_status();
    whole_ = all_nodes({{store_.settings->node, "", "", json_.done()}});
  }

  void on() { throw console_error("this node asks no other: it is alone, or was itself asked by another one"); }

  void write_status() {
    auto d = ask<dispatcher_view>(store_.names->dispatcher);
    auto g = ask<governor::view>(store_.names->governor);
    auto m = ask<metrics_view>(store_.names->metrics);
    auto rows = ask<std::vector<actor_row>>(store_.names->supervisor);
    std::uint64_t restarts = 0, open = 0, unusable = 0, down = 0;
    for (auto& v : ask<recovery_view>(store_.names->recovery).models) down += v.phase == outage_phase::down;
    for (auto& a : rows) restarts += a.restarts;
    for (auto& [name, b] : store_.names->breakers)
      for (auto& c : ask<breaker_view>(b).circuits) open += c.state == circuit_state::open;
    const auto today = ask<costs_view>(store_.names->metrics, ask_costs{midnight(), cost_ledger::by::model}).total;
    auto now = clock::now();
    for (auto& k : ask<std::vector<key_book::view>>(store_.names->key_manager))
      unusable += k.standing.disabled || std::max(k.standing.not_before, k.standing.rest_until) > now;
    json_.text("node", store_.settings->node)
        .text("version", store_.hooks.version)
        .text("state", state_of(d))
        .text("config", store_.settings->hash)
        .number("up_seconds", std::chrono::duration<double>(now - store_.hooks.started).count())
        .count("in_flight", d.in_flight)
        .count("reservations", g.leases)
        .count("waiting", g.waiting[0] + g.waiting[1] + g.waiting[2])
        .count("accepted", d.accepted)
        .count("finished", d.finished)
        .count("refused", d.refused)
        .count("ok", m.ok)
        .count("failed", m.failed)
        .number("requests_per_second", lately_per_second(m.lately, now - store_.hooks.started))
        .count("tokens_today", today.tokens.input + today.tokens.output)
        .number("cost_usd_today", today.usd)
        .number("p50_seconds", m.lately.of(latency::request).p50)
        .number("p99_seconds", m.lately.of(latency::request).p99)
        .count("open_circuits", open)
        .count("keys_not_usable", unusable)
        .count("models_down", down)
        .count("actor_restarts", restarts)
        .count("recovered_runs", d.recovered);
    if (store_.names->cluster) {
      const auto peers = ask<cluster_view>(store_.names->cluster).peers;
      const auto up =
          std::count_if(peers.begin(), peers.end(), [](auto& p) { return p.state == membership::standing::up; });
      json_.text("peers", std::to_string(up) + " of " + std::to_string(peers.size()) + " up");
    }
    const auto drill = ask<drill_book::view>(store_.names->drills);
    if (drill.at == drill_book::phase::under_way) json_.text("drill", drill.order.name());
  }

  const char* state_of(const dispatcher_view& d) const {
    if (d.draining) return "draining";
    return store_.hooks.ready() ? "ready" : "starting";
  }

  static utc_time midnight() { return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()); }

  static double lately_per_second(const recent_traffic::view& v, duration up) {
    const auto over = std::clamp<duration>(up, 1s, recent_traffic::window);
    return static_cast<double>(v.requests) / std::chrono::duration<double>(over).count();
  }

  void actors() {
    std::map<std::string, std::uint64_t> backlog{{"admin", own_backlog_}};
    for_everybody(*store_.names, [&](const std::string& name, const auto& who, bool on_disk) {
      try {
        backlog.emplace(name, ask<std::uint64_t>(who, ask_backlog{}));
      } catch (const console_error&) {
        if (!on_disk) throw; // a disk may hang: the others are shown all the same
      }
    });
    write_actors(json_, ask<std::vector<actor_row>>(store_.names->supervisor), backlog);
  }

  void breakers() {
    if (words_.size() > 1) {
      auto it = store_.names->breakers.find(word(1));
      if (it == store_.names->breakers.end()) throw console_error("no provider named " + word(1));
      const auto order = breaker_order_of(words_);
      log::info("breaker {}: {} by an operator", word(1), word(2));
      caf::anon_send(it->second, order);
    }
    const auto views = all_breakers();
    const auto nodes = nodes_by_address();
    write_breakers(json_, views, nodes, clock::now());
    write_ways(json_, *store_.settings, views, nodes, clock::now());
  }

  node_names nodes_by_address() {
    return store_.names->cluster ? names_of(ask<cluster_view>(store_.names->cluster)) : node_names();
  }

  std::vector<breaker_view> all_breakers() {
    std::vector<breaker_view> views;
    for (auto& [name, b] : store_.names->breakers) views.push_back(ask<breaker_view>(b));
    return views;
  }

  void keys() {
    if (words_.size() > 1) {
      if (word(2) != "disable" && word(2) != "enable") throw console_error("say: keys NAME disable|enable");
      if (!ask<bool>(store_.names->key_manager, key_order{word(1), word(2) == "enable"}))
        throw console_error("no key named " + word(1));
    }
    write_keys(json_, ask<std::vector<key_book::view>>(store_.names->key_manager), nodes_by_address(), clock::now());
  }

  void limits() { write_limits(json_, ask<governor::view>(store_.names->governor)); }
  void queue() { write_queue(json_, ask<governor::view>(store_.names->governor)); }
  void pools() {
    write_pools(json_, ask<governor::view>(store_.names->governor));
    write_ways(json_, *store_.settings, all_breakers(), nodes_by_address(), clock::now());
  }
  void models() {
    write_models(json_, *store_.settings, all_breakers(), ask<recovery_view>(store_.names->recovery), clock::now());
  }
  void metrics() { write_metrics(json_, ask<metrics_view>(store_.names->metrics)); }

  void forecast() {
    const auto v = ask<load_watch::view>(store_.names->metrics, ask_forecast{});
    write_forecast(json_, v, ask<cache_view>(store_.names->cache));
  }

  void alerts() {
    write_alerts(json_, ask<alerts_view>(store_.names->metrics, ask_alerts{}),
                 ask<alert_bell_view>(store_.names->alert_bell), clock::now());
  }

  void clients() {
    if (words_.size() > 1) return change_client();
    ask_costs q;
    q.group = cost_ledger::by::client;
    q.from = midnight();
    write_clients(json_, *store_.settings, ask<governor::view>(store_.names->governor),
                  ask<metrics_view>(store_.names->metrics), ask<costs_view>(store_.names->metrics, q));
  }

  void change_client() {
    auto o = client_order_of(words_, *store_.settings);
    secret key;
    if (o.what == client_order::way::create || o.what == client_order::way::rotate) {
      key = config::make_client_key();
      o.hash = config::hash_client_key(key);
    }
    const auto result = store_.hooks.change_client(o);
    if (!result.ok) throw console_error(result.text);
    json_.text("client", o.name).text("done", result.text);
    if (!key.empty()) json_.text("key", key.reveal()).text("note", "the key is shown this once; only its hash is kept");
  }

  void nodes() {
    const auto d = ask<dispatcher_view>(store_.names->dispatcher);
    json_.table("nodes")
        .row()
        .text("node", store_.settings->node)
        .text("state", state_of(d))
        .text("version", store_.hooks.version)
        .text("config", store_.settings->hash)
        .count("in_flight", d.in_flight)
        .number("up_seconds", std::chrono::duration<double>(clock::now() - store_.hooks.started).count());
    if (!store_.names->cluster) return void(json_.end_row().end_table());
    const auto c = ask<cluster_view>(store_.names->cluster);
    json_.text("address", c.own.address).end_row().end_table();
    write_peers(json_, c, clock::now());
    if (store_.names->guests) write_room(json_, ask<guests_view>(store_.names->guests), c.own.address);
  }

  void report() { throw console_error("mainstayctl writes the file: say `report FILE` to one that knows how"); }

  void trace() {
    if (word(1).empty()) throw console_error("say: trace ID");
    const auto found = ask<recent_requests::found>(store_.names->metrics, ask_trace{word(1)});
    if (!found.request)
      throw console_error("no such request is remembered: of those that are over, the last " +
                          std::to_string(recent_requests::kept) + " are, and as many notable ones");
    write_trace(json_, found);
  }

  void requests() {
    if (words_.size() > 1 && word(1) != "--notable") throw console_error("say: requests [--notable]");
    constexpr std::size_t shown = 50;
    write_requests(json_, ask<recent_view>(store_.names->metrics, ask_recent{shown, words_.size() > 1}));
  }

  /// What mainstayctl says, which counts the rounds: `targets MODEL`, `ask MODEL TARGET MAX_TOKENS PROMPT`, `look
  /// ID...`.
  void compare() {
    const auto& s = *store_.settings;
    if (word(1) == "targets") {
      json_.table("targets");
      for (auto& t : trial_targets(s, word(2)))
        json_.row().text("provider", t.provider).text("model", t.model.empty() ? word(2) : t.model).end_row();
      json_.end_table();
    } else if (word(1) == "ask" && words_.size() == 6) {
      const auto rec = make_trial({word(2), number_at(words_, 3), word(5), number_at(words_, 4)}, s);
      if (!rec) throw console_error("no model named " + word(2) + ", or it has fewer targets");
      json_.text("request", rec->in.id);
      letter<submission>::post(caf::actor_cast<caf::strong_actor_ptr>(store_.names->dispatcher), submission{rec});
    } else if (word(1) == "look") {
      comparison all;
      std::uint64_t pending = 0;
      for (std::size_t i = 2; i < words_.size(); ++i)
        if (const auto f = ask<recent_requests::found>(store_.names->metrics, ask_trace{words_[i]}); f.request)
          all.add(*f.request);
        else
          ++pending;
      write_comparison(json_, all.look(), pending);
    } else {
      throw console_error("mainstayctl does the counting: say `compare MODEL` to one that knows how");
    }
  }

  void overview_now() {
    write_overview(json_.members(), *ask<overview_ptr>(store_.names->metrics, ask_overview{}), true);
  }

  void cost() {
    const auto q = cost_question_of(words_, midnight());
    write_costs(json_, ask<costs_view>(store_.names->metrics, q.what), q.by);
  }

  void cache() {
    if (word(1) == "warming") return warming();
    if (word(1) == "warm")
      throw console_error("mainstayctl reads the file: say `cache warm FILE` to one that knows how");
    if (word(1) == "clear") {
      const auto all = clear_everywhere();
      const auto tiers = cleared_tiers(all.here);
      if (!all.here.not_here.empty()) undone_ = tiers;
      json_.text("cleared", tiers);
      if (store_.names->cluster) write_cleared(json_, all, nodes_by_address());
    } else if (!word(1).empty() && word(1) != "stats") {
      throw console_error("say: cache [stats|clear|warm FILE]");
    }
    std::optional<similar_view> similar;
    if (store_.settings->cache && store_.settings->cache->similar && store_.names->similar)
      similar = ask<similar_view>(store_.names->similar);
    write_cache(json_, ask<cache_view>(store_.names->cache), similar, ask<flights_view>(store_.names->flights));
  }

  nodes_cleared clear_everywhere() {
    if (store_.names->cache_clears)
      return ask<nodes_cleared>(store_.names->cache_clears, cache_clear{}, patience_with_nodes);
    return {ask<cache_cleared>(store_.names->cache, cache_clear{}), {}};
  }

  void warming() {
    const auto r = ask<warm_reply>(store_.names->warmer, warm_ask_of(words_));
    if (!r.error.empty()) throw console_error(r.error);
    write_warming(json_, r);
  }

  void journal() {
    auto& n = *store_.names;
    std::optional<journal_view> journal;
    if (n.journal) journal = ask<journal_view>(n.journal);
    write_journal(json_, journal, ask<repeats_view>(n.repeats), std::chrono::system_clock::now());
  }

  void audit() { throw console_error("mainstayctl reads the files: say `audit verify FILE` to one that knows how"); }

  /// mainstayctl looks again and again until it is over.
  void drill() {
    auto wish = drill_wish_of(words_, clock::now());
    if (wish.crash_once) return crash(wish.what.order.whom);
    const auto r = ask<drill_reply>(store_.names->drills, std::move(wish.what));
    if (!r.error.empty()) throw console_error(r.error);
    write_drill(json_, r.now);
  }

  void crash(const std::string& whom) {
    if (!ask<bool>(store_.names->supervisor, crash_order{whom})) throw console_error("nobody named " + whom + " is up");
    log::warn("drill: {} is made to crash", whom);
    json_.text("drill", "crash " + whom);
  }

  void reload() {
    auto result = store_.hooks.reload();
    if (!result.ok) throw console_error(result.text);
    json_.text("reload", result.text);
  }

  void drain() {
    store_.hooks.drain();
    json_.text("drain", "begun");
  }

  void help() {
    json_.table("commands");
    for (auto& c : commands()) json_.row().text("command", c.name).text("what", c.help).end_row();
    json_.end_table();
  }

  caf::scoped_actor& self_;
  admin_store& store_;
  std::uint64_t own_backlog_;
  std::vector<std::string> words_;
  std::string undone_;
  std::string whole_; // in place of json_
  console_json json_;
};

void note_change(const admin_store& store, const console_order& order, std::string why) {
  auto change = change_asked(order.words);
  if (!change) return;
  change->who = order.who;
  change->why = std::move(why);
  write_change(store.audit.get(), *store.names, std::move(*change));
}

struct admin_state {
  static inline const char* name = "admin";
};

admin_actor::behavior_type admin_behavior(admin_actor::stateful_pointer<admin_state> self,
                                          std::shared_ptr<admin_store> store) {
  live_supervised(self);
  const auto here = [self, store](const console_order& order) {
    caf::scoped_actor asker{self->system()};
    console_reply reply;
    std::string why;
    try {
      console one(asker, *store, waiting_messages(self));
      reply = {true, one.run(order.words)};
      why = one.undone();
    } catch (const console_error& e) {
      why = e.what();
      reply = {false, console_json().text("error", why).done()};
    } catch (const std::exception& e) { // what of it was done, nobody knows
      note_change(*store, order, e.what());
      throw;
    }
    note_change(*store, order, std::move(why));
    return reply;
  };
  return {
      [self, store, here](const console_ask& ask) -> caf::result<console_reply> {
        const auto& others = store->names->peer_console;
        if (others && for_others(ask.words)) return self->delegate(others, ask); // never waited for here
        return here({ask.words, "console"});
      },
      here,
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [store](const take_settings& s) {
        store->names = s.names;
        store->settings = s.value;
      },
  };
}

} // namespace

caf::strong_actor_ptr spawn_admin(caf::actor_system& sys, std::shared_ptr<admin_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn<caf::detached>(admin_behavior, std::move(store)));
}

} // namespace mainstay
