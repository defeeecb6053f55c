#include "actors/overview.hpp"

#include "net/json_writer.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }
double unix_seconds(utc_time t) { return std::chrono::duration<double>(t.time_since_epoch()).count(); }
double left(instant until, instant now) { return until > now ? seconds(until - now) : 0; }

void write_cell(json_writer& w, const second_history::cell& c) {
  w.member("at", c.at)
      .member("requests", c.requests)
      .member("failed", c.failed)
      .member("calls", c.calls)
      .member("failed_calls", c.failed_calls)
      .member("tokens", c.tokens)
      .member("usd", c.usd)
      .member("p50", c.p50)
      .member("p99", c.p99)
      .open("sources");
  for (std::size_t i = 0; i < c.from.size(); ++i)
    if (c.from[i] > 0) w.member(to_string(static_cast<answer_source>(i)), c.from[i]);
  w.close();
}

void write_used(json_writer& w, const governor::key_view& k) {
  struct use {
    const char* kind;
    bool limited;
    double used;
  };
  std::vector<use> uses{{"rpm", k.limits.rpm.has_value(), k.rpm_used},
                        {"tpm", k.limits.tpm.has_value(), k.tpm_used},
                        {"rps", k.limits.rps.has_value(), k.rps_used},
                        {"concurrency", k.limits.concurrency.has_value(), k.concurrency_used}};
  std::erase_if(uses, [](auto& u) { return !u.limited; });
  w.list("limits", uses, [&](auto& u) { w.open().member("kind", u.kind).member("used", u.used).close(); });
}

const governor::key_view* row_of(const std::vector<governor::key_view>& all, const std::string& name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](auto& k) { return k.key == name; });
  return found == all.end() ? nullptr : &*found;
}

request_totals totals_of(const totals_by_name& all, const std::string& name) {
  const auto found = all.find(name);
  return found == all.end() ? request_totals{} : found->second;
}

void write_lately(json_writer& w, const recent_traffic::view& t) {
  w.open("five_minutes")
      .member("requests", t.requests)
      .member("success", t.success)
      .member("retried", t.retried)
      .member("rate_limited", t.rate_limited)
      .member("server_error", t.server_error);
  for (const auto l : latencies) {
    const auto& p = t.of(l);
    w.open(to_string(l)).member("p50", p.p50).member("p90", p.p90).member("p99", p.p99).member("p999", p.p999).close();
  }
  w.close();
}

/// The endpoint's own circuit, or the worst of its models'.
circuit_state standing(const std::vector<provider_breaker::view>& circuits) {
  auto worst = circuit_state::closed;
  for (auto& c : circuits) {
    if (c.model.empty() && c.state != circuit_state::closed) return c.state;
    if (c.state == circuit_state::open || worst == circuit_state::closed) worst = c.state;
  }
  return worst;
}

void write_providers(json_writer& w, const overview& o) {
  w.list("providers", o.settings->providers, [&](const config::provider_settings& p) {
    std::vector<provider_breaker::view> circuits;
    for (auto& b : o.breakers)
      if (b.provider == p.name) circuits = b.circuits;
    const auto state = standing(circuits);
    std::erase_if(circuits, [](auto& c) { return c.state == circuit_state::closed && !c.forced; });
    std::uint32_t slots = 0, used = 0;
    if (o.limits)
      for (auto& pool : o.limits->pools)
        if (pool.provider == p.name) slots = pool.slots, used = pool.in_use;
    const auto calls = totals_of(o.providers, p.name);
    const auto open = o.open_calls.find(p.name);
    w.open()
        .member("name", p.name)
        .member("state", to_string(state))
        .member("open_calls", open == o.open_calls.end() ? std::uint64_t{0} : std::uint64_t{open->second})
        .member("slots", slots)
        .member("slots_used", used)
        .member("calls", calls.requests)
        .member("failed_calls", calls.failed)
        .list("circuits", circuits,
              [&](auto& c) {
                w.open()
                    .member("model", c.model)
                    .member("state", to_string(c.state))
                    .member("seconds_left", left(c.open_until, o.now))
                    .member("forced", c.forced)
                    .member("failures", c.consecutive_failures)
                    .close();
              })
        .close();
  });
}

void write_keys(json_writer& w, const overview& o) {
  struct named {
    const std::string *provider, *key;
  };
  std::vector<named> all;
  for (auto& p : o.settings->providers)
    for (auto& k : p.keys) all.push_back({&p.name, &k.name});
  w.list("keys", all, [&](const named& k) {
    const auto found = std::find_if(o.keys.begin(), o.keys.end(), [&](auto& v) { return v.standing.key == *k.key; });
    const key_standing s = found == o.keys.end() ? key_standing{} : found->standing;
    const auto rests = std::max(s.not_before, s.rest_until);
    w.open()
        .member("name", *k.key)
        .member("provider", *k.provider)
        .member("health", s.disabled ? 0.0 : s.health)
        .member("state", s.disabled      ? "disabled"
                         : rests > o.now ? "resting"
                                         : "usable")
        .member("why", found == o.keys.end() ? "" : found->why)
        .member("seconds_left", left(rests, o.now));
    const auto* row = o.limits ? row_of(o.limits->keys, *k.key) : nullptr;
    write_used(w, row ? *row : governor::key_view{});
    w.close();
  });
}

void write_clients(json_writer& w, const overview& o) {
  std::vector<std::string> all;
  for (auto& c : o.settings->clients) all.push_back(c.name);
  if (all.empty()) all.emplace_back("local");
  w.list("clients", all, [&](const std::string& name) {
    const auto t = totals_of(o.clients, name);
    double spent = 0;
    for (auto& [client, a] : o.costs.groups)
      if (client == name) spent = a.usd;
    std::optional<double> daily;
    for (auto& b : o.costs.budgets)
      if (b.client == name) daily = b.daily_usd;
    w.open()
        .member("name", name)
        .member("requests", t.requests)
        .member("failed", t.failed)
        .member("input_tokens", t.tokens.input)
        .member("output_tokens", t.tokens.output)
        .member("usd_today", spent)
        .member("daily_usd", daily);
    const auto* row = o.limits ? row_of(o.limits->clients, name) : nullptr;
    write_used(w, row ? *row : governor::key_view{});
    w.close();
  });
}

void write_models(json_writer& w, const overview& o) {
  w.list("models", o.settings->models, [&](const config::model_settings& m) {
    const auto t = totals_of(o.models, m.name);
    auto phase = outage_phase::up;
    if (o.recovery)
      for (auto& r : o.recovery->models)
        if (r.model == m.name) phase = r.phase;
    w.open()
        .member("name", m.name)
        .member("state", to_string(phase))
        .member("requests", t.requests)
        .member("failed", t.failed)
        .member("input_tokens", t.tokens.input)
        .member("output_tokens", t.tokens.output)
        .member("cached_tokens", t.tokens.cached)
        .close();
  });
}

void write_cache(json_writer& w, const overview& o) {
  if (!o.cache) {
    w.key("cache").null();
    return;
  }
  auto& c = *o.cache;
  std::uint64_t hits = 0;
  for (auto& t : c.tiers) hits += t.hits;
  w.open("cache")
      .member("enabled", c.enabled)
      .member("hits", hits)
      .member("misses", c.misses)
      .list("tiers", c.tiers,
            [&](auto& t) {
              w.open().member("name", t.name).member("state", t.state).member("hits", t.hits).key("entries");
              t.entries ? w.value(std::uint64_t{*t.entries}) : w.null();
              w.key("bytes");
              t.bytes ? w.value(std::uint64_t{*t.bytes}) : w.null();
              w.close();
            })
      .close();
}

void write_journal(json_writer& w, const overview& o) {
  if (!o.journal) {
    w.key("journal").null();
    return;
  }
  auto& j = *o.journal;
  const auto share = [](double part, double most) { return most > 0 ? part / most : 0; };
  w.open("journal")
      .member("requests", j.requests)
      .member("answered", j.answered)
      .member("waiting", j.requests - j.answered)
      .member("used", std::max(share(static_cast<double>(j.bytes), static_cast<double>(j.most_bytes)),
                               share(static_cast<double>(j.requests), static_cast<double>(j.most_requests))))
      .member("failing", j.failing)
      .close();
}

void write_costs(json_writer& w, const overview& o) {
  w.open("cost")
      .member("usd_today", o.costs.total.usd)
      .member("saved_usd_today", o.costs.total.saved_usd)
      .member("priced", o.costs.priced)
      .list("by_client", o.costs.groups,
            [&](auto& g) { w.open().member("name", g.first).member("usd", g.second.usd).close(); })
      .close();
}

void write_requests(json_writer& w, const overview& o) {
  w.list("requests", o.latest, [&](const recent_requests::found& f) {
    const auto& r = f.request;
    const auto& asked = f.asked();
    w.open()
        .member("id", r->id)
        .member("at", unix_seconds(r->arrived))
        .member("client", r->client)
        .member("model", r->model)
        .member("outcome", r->outcome)
        .member("status", r->status)
        .member("source", r->source)
        .member("provider", r->provider)
        .member("seconds", seconds(r->took))
        .member("attempts", std::uint64_t{asked.attempts.size()})
        .member("tokens", asked.input_tokens + asked.output_tokens)
        .member("usd", asked.usd())
        .member("degraded", !r->reason.empty())
        .close();
  });
}

} // namespace

void write_overview(json_writer& w, const overview& o, bool with_history) {
  const bool draining = o.dispatcher && o.dispatcher->draining;
  w.member("node", o.settings->node)
      .member("version", o.version)
      .member("config", o.settings->hash)
      .member("state", !o.dispatcher ? "not answering"
                       : draining    ? "draining"
                                     : "ready")
      .member("time", static_cast<std::int64_t>(unix_seconds(o.at)))
      .member("up_seconds", seconds(o.up))
      .member("in_flight", o.dispatcher ? std::uint64_t{o.dispatcher->in_flight} : std::uint64_t{0});
  w.open("waiting");
  for (int i = 0; i < 3; ++i)
    w.member(to_string(static_cast<priority>(i)), o.limits ? std::uint64_t{o.limits->waiting[i]} : std::uint64_t{0});
  w.close();
  std::uint64_t down = 0;
  if (o.recovery)
    for (auto& m : o.recovery->models) down += m.phase == outage_phase::down;
  w.member("models_down", down);
  std::uint64_t lately = 0; // in the last ten seconds
  const auto tail = o.history.size() > 10 ? o.history.end() - 10 : o.history.begin();
  for (auto c = tail; c != o.history.end(); ++c) lately += c->requests;
  w.member("requests_per_second",
           o.history.empty() ? 0.0 : static_cast<double>(lately) / static_cast<double>(o.history.end() - tail));
  write_lately(w, o.lately);
  w.key("second");
  if (o.history.empty()) {
    w.null();
  } else {
    w.open();
    write_cell(w, o.history.back());
    w.close();
  }
  if (with_history)
    w.list("history", o.history, [&](auto& c) {
      w.open();
      write_cell(w, c);
      w.close();
    });
  w.key("drill");
  if (o.drill && o.drill->at == drill_book::phase::under_way)
    w.open()
        .member("name", to_string(o.drill->order.what))
        .member("whom", o.drill->order.whom)
        .member("seconds_left", std::max(0.0, seconds(o.drill->order.length - o.drill->lasted)))
        .close();
  else
    w.null();
  write_providers(w, o);
  write_keys(w, o);
  write_clients(w, o);
  write_models(w, o);
  write_cache(w, o);
  write_journal(w, o);
  w.open("forecast")
      .member("now", o.load.now)
      .member("in_5m", o.load.in_5m)
      .member("in_15m", o.load.in_15m)
      .member("in_60m", o.load.in_60m)
      .member("level", to_string(o.load.level))
      .close();
  write_costs(w, o);
  w.list("alerts", o.alerts, [&](auto& a) {
    w.open()
        .member("signal", a.signal)
        .member("severity", to_string(a.severity))
        .member("value", a.value)
        .member("threshold", a.threshold)
        .member("seconds", seconds(o.now - a.since))
        .close();
  });
  std::uint64_t up = 0, restarts = 0;
  for (auto& a : o.actors) up += a.up, restarts += a.restarts;
  w.open("actors").member("up", up).member("of", std::uint64_t{o.actors.size()}).member("restarts", restarts).close();
  write_requests(w, o);
}

std::string overview_json(const overview& o, bool with_history) {
  json_writer w;
  write_overview(w.open(), o, with_history);
  return w.close().text();
}

} // namespace mainstay
