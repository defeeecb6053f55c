#include "actors/recovery.hpp"

#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr duration poll_every = 1s;        // while a model is not up: what was served, and how many are parked
constexpr auto patience = 2s;              // with those who are asked for it
constexpr duration most_listing = 10s;     // a question for models may take
constexpr auto listing_pool = " recovery"; // no provider's: no completion waits behind it

std::vector<outage_book::model_setup> setup_of(const config::settings& s) {
  std::vector<outage_book::model_setup> out;
  for (auto& m : s.models) {
    auto& model = out.emplace_back(outage_book::model_setup{m.name, {}});
    for (auto& rung : m.ladder)
      for (auto& t : rung) {
        auto* provider = s.provider(t.provider);
        outage_book::target_setup target{t.provider, t.model.empty() ? m.name : t.model, {}, 1};
        if (provider) target.trial_permits = static_cast<std::uint32_t>(provider->breaker.success_threshold);
        for (auto& key : provider ? provider->keys : std::vector<config::key_settings>{})
          if (t.model.empty() || key.serves(t.model)) target.keys.push_back(key.name);
        model.targets.push_back(std::move(target));
      }
  }
  return out;
}

/// All that a model's providers would be asked at once.
std::uint32_t calls_at_once(const config::settings& s, const std::string& model) {
  std::set<std::string> providers;
  for (auto& m : s.models)
    if (m.name == model)
      for (auto& rung : m.ladder)
        for (auto& t : rung) providers.insert(t.provider);
  std::uint32_t sum = 0;
  for (auto& name : providers)
    if (auto* p = s.provider(name)) sum += p->slots();
  return std::max(sum, 1u);
}

/// Lives on the client's loop. The head is all it wants to know; whoever reads it ends the call.
class listing_reporter : public http::call_observer {
public:
  listing_reporter(std::string provider, recovery_actor to) : provider_(std::move(provider)), to_(std::move(to)) {}
  void on_head(int status, header_list) override { say({provider_, status, {}}); }
  void on_data(bytes_ptr) override {}
  void on_end(std::optional<http::call_error> error, const http::call_summary&) override {
    say({provider_, 0, error ? error->what : failure_class::truncated});
  }

private:
  void say(listing_over what) {
    if (!std::exchange(said_, true)) tell(to_, std::move(what));
  }
  const std::string provider_;
  const recovery_actor to_;
  bool said_ = false;
};

struct recovery_state {
  static inline const char* name = "recovery";
  recovery_actor::pointer self = nullptr;
  std::shared_ptr<recovery_store> store;
  recovery_actor own_name;
  std::uint64_t generation = 0;
  instant armed = instant::max(), poll_at{};

  // -- what happened

  /// After everything that may have changed something, and when a time has come.
  void turn() {
    const auto now = clock::now();
    store->policy.tick(now);
    bool other_models = false;
    for (auto all = store->policy.take_happenings(); !all.empty(); all = store->policy.take_happenings())
      for (auto& h : all) other_models = take(h, now) || other_models;
    if (other_models || (watching() && poll_at <= now)) poll(now);
    arm(now);
  }

  /// True: other models are down than before, or none.
  bool take(const outage_book::happening& h, instant now) {
    switch (h.what) {
    case outage_book::event::trial: try_parked(h); return false;
    case outage_book::event::look: look_at(h.model); return false;
    case outage_book::event::began:
      log::warn("model {}: every target is down ({}); durable requests are parked, the others get what there is",
                h.model, store->policy.why(h.model));
      break;
    case outage_book::event::ended: store->to_report.insert(h.model); break;
    case outage_book::event::came_back:
    case outage_book::event::relapsed: break;
    }
    tell_governor(h.model, now);
    return true;
  }

  void tell_governor(const std::string& model, instant now) {
    governor::outage_news news{model, outage_phase::up, {}, store->policy.ramp(), 1};
    for (auto& v : store->policy.views(now))
      if (v.model == model) {
        news.phase = v.phase;
        news.since = v.since;
      }
    news.full = calls_at_once(*store->settings, model);
    self->send(store->names->governor, std::move(news));
  }

  void try_parked(const outage_book::happening& h) {
    if (store->names->journal) self->send(store->names->journal, journal_try{h.model, h.permits});
  }

  // -- counts

  bool watching() const { return store->policy.any() || !store->to_report.empty(); }

  /// Says which models are down, and hears what became of their requests.
  void poll(instant now) {
    poll_at = now + poll_every;
    hold([] {});
    self->request(store->names->metrics, patience, ask_served{})
        .then(
            [this](const served_view& v) {
              store->policy.on_served(v.by_model);
              report();
            },
            [](const caf::error&) {}); // the next time
  }

  /// `then` is done with the newest counts, or with the last ones where the journal does not answer.
  void hold(const std::function<void()>& then) {
    if (!store->names->journal) return then();
    self->request(store->names->journal, patience, journal_hold{store->policy.down()})
        .then(
            [this, then](const journal_held& held) {
              store->parked.clear();
              const auto down = store->policy.down();
              for (auto& m : held.models) {
                store->policy.on_parked(m.model, m.in_all);
                if (std::find(down.begin(), down.end(), m.model) != down.end()) store->parked[m.model] = m.now;
              }
              then();
            },
            [then](const caf::error&) { then(); });
  }

  void report() {
    const auto now = clock::now();
    for (auto& model : std::exchange(store->to_report, {})) {
      const auto r = store->policy.latest(model, now);
      if (!r || !r->ended) {
        if (!r) log::info("model {} left the configuration while its targets were down", model);
        continue;
      }
      std::string served;
      for (auto& [source, n] : r->served) served += (served.empty() ? "" : ", ") + std::to_string(n) + " " + source;
      log::info(
          "model {} is up again: every target was down for {:.1f} s of {:.1f} s; served meanwhile: {}; {} durable "
          "requests were parked",
          model, seconds(r->down), seconds(*r->ended - r->began), served.empty() ? "nobody" : served, r->parked);
    }
  }

  static double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

  // -- looking

  /// Who waits is the cheapest probe; only if nobody does, the provider is asked for what costs nothing.
  void look_at(const std::string& model) {
    hold([this, model] { look_for_waiters(model); });
  }

  void look_for_waiters(const std::string& model) {
    self->request(store->names->governor, patience, look{})
        .then(
            [this, model](const governor::view& v) {
              std::size_t waiting = store->parked.count(model) ? store->parked.at(model) : 0;
              for (auto& m : v.held)
                if (m.model == model) waiting += m.waiting;
              waiting > 0 ? let_try(model) : ask_for_models(model);
            },
            [this, model](const caf::error&) { ask_for_models(model); });
  }

  void let_try(const std::string& model) {
    store->policy.want_trial(model);
    for (auto& s : store->policy.suspects(model)) sign(s.provider, heard::awaited, s.circuits, {});
    turn();
  }

  using heard = provider_breaker::sign;
  void sign(const std::string& provider, heard what, std::vector<std::string> circuits, const std::string& way) {
    if (auto breaker = store->names->breakers.find(provider); breaker != store->names->breakers.end())
      self->send(breaker->second, provider_sign{what, std::move(circuits), way});
  }

  void ask_for_models(const std::string& model) {
    const auto now = clock::now();
    for (auto& s : store->policy.suspects(model)) {
      const auto& drill = store->drill;
      if (drill.order.whom == s.provider && drill.breaks(drill_kind::provider_down, now)) {
        sign(s.provider, heard::unreachable, {}, {});
        continue;
      }
      auto& l = store->listings[s.provider];
      for (auto& c : s.circuits)
        if (std::find(l.circuits.begin(), l.circuits.end(), c) == l.circuits.end()) l.circuits.push_back(c);
      if (l.call != 0 && now - l.began < 2 * most_listing) continue; // under way, for another model's sake
      l.began = now;
      l.call = start_listing(s, l);
      if (l.call == 0) store->listings.erase(s.provider);
    }
  }

  /// 0: it is not in the configuration any more.
  http::call_handle start_listing(const outage_book::suspect& s, recovery_store::listing& l) {
    auto* provider = store->settings->provider(s.provider);
    if (!provider) return 0;
    const auto key =
        std::find_if(provider->keys.begin(), provider->keys.end(), [&](auto& k) { return k.name == s.key; });
    if (key == provider->keys.end()) return 0;
    const auto& way = provider->ways[store->looks++ % provider->ways.size()];
    l.way = way.name;
    http::call call;
    call.url = way.base_url + "/models";
    call.get = true;
    call.header_lines = {"accept: application/json"};
    call.authorization = secret("authorization: Bearer " + key->secret_value.reveal());
    call.timeouts = {std::min(provider->timeouts.connect, most_listing), most_listing, most_listing, most_listing};
    call.proxy = way.proxy;
    call.pool = listing_pool;
    return store->client->start(std::move(call), std::make_shared<listing_reporter>(s.provider, own_name));
  }

  /// A refusal says nothing of completions, and no key is judged by it: only an answer, and none at all, do.
  void listed(const listing_over& l) {
    auto found = store->listings.extract(l.provider);
    if (!found) return;
    store->client->cancel(found.mapped().call);
    auto& asked = found.mapped();
    if (l.status >= 200 && l.status < 300) sign(l.provider, heard::answers, std::move(asked.circuits), asked.way);
    if (l.error && rules_of(*l.error).endpoint_circuit) sign(l.provider, heard::unreachable, {}, asked.way);
  }

  // -- time and settings

  void arm(instant now) {
    auto next = store->policy.next_wake();
    if (watching()) next = std::min(next, poll_at);
    if (next == instant::max() || (armed > now && armed <= next)) return;
    armed = next;
    send_at(self, std::max(next, now + 1ms), run_wake{++generation});
  }

  void take(const take_settings& s) {
    const auto now = clock::now();
    store->names = s.names;
    store->settings = s.value;
    store->policy.reconfigure(s.value->recovery, setup_of(*s.value), now);
    for (auto& v : store->policy.views(now))
      if (v.phase != outage_phase::up) tell_governor(v.model, now);
    poll_at = now; // who was restarted has to hear which models are down, also that none is
    poll(now);
    turn();
  }
};

recovery_actor::behavior_type recovery_behavior(recovery_actor::stateful_pointer<recovery_state> self,
                                                std::shared_ptr<recovery_store> store, recovery_actor own_name) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.own_name = std::move(own_name);
  self->send(self, run_wake{0});
  return {
      [&st](const governor::circuit_news& c) {
        st.store->policy.on_circuit(c.provider, c.model, c.state, c.retry_at, clock::now());
        st.turn();
      },
      [&st](const key_standing& k) {
        st.store->policy.on_key(k.key, k.disabled, clock::now());
        st.turn();
      },
      [&st](const listing_over& l) { st.listed(l); },
      [&st](const drill_effect& d) { st.store->drill = d; },
      [&st](const run_wake& w) {
        if (w.generation != st.generation) return; // a timer that was replaced by an earlier one
        st.armed = instant::max();
        st.turn();
      },
      [&st](const look&) {
        return recovery_view{st.store->policy.views(clock::now()), st.store->parked};
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.take(s); },
  };
}

} // namespace

recovery_store::recovery_store(config::settings_ptr s, std::shared_ptr<http::client> c)
  : settings(std::move(s)), client(std::move(c)) {
  policy.reconfigure(settings->recovery, setup_of(*settings), clock::now());
}

caf::strong_actor_ptr spawn_recovery(caf::actor_system& sys, std::shared_ptr<recovery_store> store,
                                     recovery_actor own_name) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(recovery_behavior, std::move(store), std::move(own_name)));
}

} // namespace mainstay
