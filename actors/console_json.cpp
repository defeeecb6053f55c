#include "actors/console_json.hpp"

#include "actors/console_values.hpp"
#include "config/client_keys.hpp"
#include "config/url.hpp"
#include "core/dates.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {

double seconds_until(instant t, instant now) { return t > now ? std::chrono::duration<double>(t - now).count() : 0; }

std::string limit_text(const limit_set& l) {
  std::string out;
  auto add = [&](const char* kind, auto& v) {
    if (v) out += (out.empty() ? "" : ", ") + std::to_string(*v) + " " + kind;
  };
  add("rpm", l.rpm);
  add("rps", l.rps);
  add("tpm", l.tpm);
  add("at once", l.concurrency);
  add("a month", l.monthly);
  return out.empty() ? "none" : out;
}

std::string address_limit_text(const address_limits& l) {
  limit_set of_each;
  of_each.rpm = l.rpm;
  of_each.concurrency = l.concurrency;
  return limit_text(of_each);
}

void write_usage(console_json& j, const std::vector<governor::key_view>& rows, const char* name) {
  j.table(name);
  for (auto& k : rows) {
    j.row().text("name", k.key);
    if (!k.provider.empty()) j.text("provider", k.provider);
    j.text("limits", limit_text(k.limits))
        .count("in_flight", k.in_flight)
        .number("rpm_used_percent", percent(k.rpm_used))
        .number("tpm_used_percent", percent(k.tpm_used))
        .number("concurrency_used_percent", percent(k.concurrency_used));
    if (!k.provider.empty()) j.count("month_used", k.month_used).number("paced_per_second", k.paced);
    j.end_row();
  }
  j.end_table();
}

std::string told(const std::string& by, const node_names& nodes) {
  if (by.empty()) return {};
  const auto name = nodes.find(by);
  return " (told by " + (name == nodes.end() ? by : name->second) + ")";
}

} // namespace

void write_actors(console_json& j, const std::vector<actor_row>& rows,
                  const std::map<std::string, std::uint64_t>& backlog) {
  j.table("actors");
  for (auto& a : rows) {
    auto waiting = backlog.find(a.name);
    j.row()
        .text("name", a.name)
        .text("state", a.up ? "up" : "down")
        .count("id", a.id)
        .count("restarts", a.restarts)
        .count("mailbox", waiting == backlog.end() ? 0 : waiting->second)
        .count("messages", a.messages)
        .number("up_seconds", a.up_seconds)
        .text("last_fault", a.last_fault)
        .end_row();
  }
  j.end_table();
}

void write_breakers(console_json& j, const std::vector<breaker_view>& views, const node_names& nodes, instant now) {
  j.table("breakers");
  for (auto& b : views)
    for (auto& c : b.circuits)
      j.row()
          .text("provider", b.provider)
          .text("circuit", c.model.empty() ? "endpoint" : c.model)
          .text("state", std::string(to_string(c.state)) + (c.forced ? " (forced)" : "") + told(c.told_by, nodes))
          .count("failures_in_a_row", static_cast<std::uint64_t>(c.consecutive_failures))
          .count("times_opened", c.times_opened)
          .number("retry_in_seconds",
                  c.state == circuit_state::open && !c.forced ? seconds_until(c.open_until, now) : 0)
          .end_row();
  j.end_table();
}

void write_ways(console_json& j, const config::settings& s, const std::vector<breaker_view>& views,
                const node_names& nodes, instant now) {
  const auto milliseconds = [](const std::optional<duration>& d) {
    return d ? std::round(std::chrono::duration<double, std::milli>(*d).count() * 10) / 10 : 0;
  };
  j.table("ways");
  for (auto& b : views)
    for (auto& w : b.ways) {
      const auto* p = s.provider(b.provider);
      const auto* way = p ? p->way(w.name) : nullptr;
      const auto proxy = way ? config::split_url(way->proxy) : std::nullopt;
      j.row()
          .text("provider", b.provider)
          .text("endpoint", w.name)
          .text("host", way ? way->host : "")
          .text("proxy", proxy ? std::string(proxy->scheme) + "://" + std::string(proxy->authority) : "none")
          .text("region", w.region)
          .number("weight", w.weight)
          .text("state", std::string(to_string(w.state)) + told(w.told_by, nodes))
          .number("first_byte_ms", milliseconds(w.streamed))
          .number("plain_first_byte_ms", milliseconds(w.plain))
          .count("under_way", w.under_way)
          .count("calls", w.calls)
          .count("unreachable", w.failures)
          .number("rests_seconds", w.state == way_state::healthy ? 0 : seconds_until(w.rests_until, now))
          .end_row();
    }
  j.end_table();
}

void write_keys(console_json& j, const std::vector<key_book::view>& keys, const node_names& nodes, instant now) {
  j.table("keys");
  for (auto& k : keys) {
    auto& s = k.standing;
    auto rests = seconds_until(std::max(s.not_before, s.rest_until), now);
    j.row()
        .text("name", s.key)
        .text("state", (s.disabled  ? "disabled"
                        : rests > 0 ? "resting"
                                    : "healthy") +
                           told(k.told_by, nodes))
        .number("health", s.health)
        .number("rests_seconds", rests)
        .count("successes", k.successes)
        .count("failures", k.failures)
        .text("why", s.disabled || rests > 0 ? k.why : "")
        .end_row();
  }
  j.end_table();
}

namespace {

/// Of the limits that hold over all nodes, what this one has.
void write_quotas(console_json& j, const governor::view& v) {
  if (v.quotas.empty()) return;
  j.table("quotas");
  for (const auto& q : v.quotas)
    j.row()
        .text("limit", q.name)
        .count("of", q.terms.limit)
        .count("home", q.share.home)
        .count("borrowed", q.share.borrowed)
        .count("lent", q.share.home_lent + q.share.borrowed_lent)
        .count("used", q.share.home_used + q.share.borrowed_used)
        .count("wanted", q.share.wanted)
        .text("owner", q.owner)
        .end_row();
  j.end_table();
}

} // namespace

void write_limits(console_json& j, const governor::view& v) {
  write_usage(j, v.keys, "keys");
  write_usage(j, v.clients, "clients");
  write_quotas(j, v);
  j.number("retry_budget", v.retry_budget).number("success_share", v.success_share);
}

void write_pools(console_json& j, const governor::view& v) {
  j.table("pools");
  for (auto& p : v.pools)
    j.row()
        .text("provider", p.provider)
        .count("slots", p.slots)
        .count("in_use", p.in_use)
        .text("hourly_limit", p.hourly ? std::to_string(*p.hourly) : "none")
        .count("hour_used", p.hour_used)
        .end_row();
  j.end_table();
}

void write_queue(console_json& j, const governor::view& v) {
  const char* levels[] = {"high", "normal", "low"};
  j.table("queue");
  for (int i = 0; i < 3; ++i) j.row().text("level", levels[i]).count("waiting", v.waiting[i]).end_row();
  j.end_table();
  j.count("reservations", v.leases);
}

void write_cache(console_json& j, const cache_view& v, const std::optional<similar_view>& similar,
                 const flights_view& flights) {
  j.flag("enabled", v.enabled)
      .number("fresh_for_seconds", std::chrono::duration<double>(v.fresh_for).count())
      .flag("doubled", v.stretched)
      .count("misses", v.misses)
      .count("stored", v.puts)
      .text("redis", !v.redis_configured ? "not configured"
                     : v.redis_up        ? "up"
                                         : "down");
  if (v.redis_configured) j.text("redis_breaker", v.redis_breaker);
  j.count("flights", flights.under_way)
      .count("callers_on_flights", flights.callers)
      .count("calls_saved", flights.saved);
  j.text("similar", !similar ? "not configured" : similar->method + (similar->always ? ", always" : ", degraded"));
  if (similar)
    j.number("similar_threshold", similar->threshold_now)
        .count("similar_misses", similar->misses)
        .count("similar_unfit", similar->unfit)
        .count("similar_cut_short", similar->cut_short)
        .count("embedded", similar->embedded)
        .count("not_embedded", similar->not_embedded);
  j.table("tiers");
  for (auto& t : v.tiers) {
    j.row().text("tier", t.name).text("state", t.state);
    if (t.entries) j.count("entries", *t.entries);
    if (t.bytes) j.count("bytes", *t.bytes);
    j.count("hits", t.hits)
        .count("stale_hits", t.stale_hits)
        .count("evictions", t.evictions)
        .count("timeouts", t.timeouts)
        .count("failures", t.failures)
        .count("dropped_writes", t.dropped)
        .end_row();
  }
  if (similar)
    j.row()
        .text("tier", "similar")
        .text("state", "up")
        .count("entries", similar->entries)
        .count("bytes", similar->bytes)
        .count("hits", similar->hits)
        .count("stale_hits", 0)
        .count("evictions", similar->evictions)
        .count("timeouts", 0)
        .count("failures", 0)
        .count("dropped_writes", similar->dropped)
        .end_row();
  j.end_table();
}

void write_warming(console_json& j, const warm_reply& r) {
  j.text("warming", r.id)
      .text("pause", r.pause)
      .flag("taken", r.taken)
      .count("longest_line", r.longest_line)
      .count("waiting", r.waiting)
      .count("running", r.running)
      .count("at_once", r.at_once)
      .count("warmed", r.kept)
      .count("skipped", r.skipped)
      .count("failed", r.failed)
      .count("problems_before", r.problems_before)
      .table("problems");
  for (auto& p : r.problems) j.row().count("line", p.line).text("problem", p.what).end_row();
  j.end_table();
}

namespace {

double seconds_since(utc_time then, utc_time now) {
  return std::chrono::duration<double>(std::max(now - then, utc_time::duration::zero())).count();
}

} // namespace

void write_journal(console_json& json, const std::optional<journal_view>& j, const repeats_view& repeats,
                   utc_time now) {
  json.text("journal", j ? j->path : "none is configured");
  if (j) {
    json.text("disk", j->failing ? "fails: durable requests are refused" : "written")
        .count("requests", static_cast<std::uint64_t>(j->requests))
        .count("requests_most", j->most_requests)
        .count("bytes", j->bytes)
        .count("bytes_most", j->most_bytes)
        .count("unanswered", static_cast<std::uint64_t>(j->requests - j->answered))
        .number("oldest_seconds", j->oldest ? seconds_since(*j->oldest, now) : 0)
        .count("running", j->running)
        .count("parked", j->parked)
        .count("at_once", j->at_once)
        .count("callers_waiting", j->callers)
        .count("accepted", j->accepted)
        .count("stored", j->stored)
        .count("replayed", j->replayed)
        .count("parks", j->parks)
        .count("refused", j->refused)
        .count("expired", j->expired)
        .count("commits", j->commits)
        .count("repeats_on_disk", static_cast<std::uint64_t>(j->repeats));
  }
  json.count("repeats", repeats.answers)
      .count("repeats_bytes", repeats.bytes)
      .count("repeats_under_way", repeats.under_way)
      .count("repeats_waiting", repeats.waiting);
  if (!j) return;
  json.table("latest");
  for (auto& r : j->latest)
    json.row()
        .text("client", r.client)
        .text("id", printable(r.id))
        .text("request", r.name)
        .text("priority", to_string(r.level))
        .text("state", r.state)
        .number("age_seconds", seconds_since(r.accepted, now))
        .end_row();
  json.end_table();
  json.count("gathering", j->gathering).table("batches");
  for (auto& b : j->batches)
    json.row()
        .text("model", b.model)
        .count("size", b.size)
        .number("mean_seconds", std::chrono::duration<double>(b.mean).count())
        .count("calls", b.calls)
        .count("failed", b.failed)
        .count("parts", b.parts)
        .count("answered", b.answered)
        .count("alone", b.alone)
        .number("calls_saved", static_cast<double>(b.calls_saved))
        .number("tokens_saved", static_cast<double>(b.tokens_saved))
        .end_row();
  json.end_table();
}

namespace {

/// Those that were made here by their public parts.
std::string keys_text(const config::client_settings& c) {
  std::string out;
  for (const auto& k : c.keys) {
    const auto hash = config::parse_key_hash(k.hash);
    if (!hash || (k.until && *k.until <= std::chrono::system_clock::now())) continue;
    out += (out.empty() ? "" : ", ") + (hash->id.empty() ? "its own" : "msk_" + hash->id);
    if (k.until) out += " until " + date_text(*k.until);
  }
  return out;
}

} // namespace

void write_clients(console_json& j, const config::settings& s, const governor::view& limits, const metrics_view& m,
                   const costs_view& costs) {
  std::vector<config::client_settings> all = s.clients;
  if (all.empty()) {
    all.emplace_back();
    all.back().name = "local"; // whoever is on this machine
  }
  j.table("clients");
  for (const auto& c : all) {
    std::string models;
    for (const auto& name : c.models) models += (models.empty() ? "" : " ") + name;
    const auto used =
        std::find_if(limits.clients.begin(), limits.clients.end(), [&](auto& k) { return k.key == c.name; });
    const auto asked = m.clients.find(c.name);
    const auto cost =
        std::find_if(costs.groups.begin(), costs.groups.end(), [&](auto& g) { return g.first == c.name; });
    j.row()
        .text("client", c.name)
        .text("state", c.revoked            ? "revoked"
                       : c.made_at_run_time ? "made here"
                                            : "configured")
        .text("keys", keys_text(c))
        .text("models", models.empty() ? "all" : models)
        .text("priority", to_string(c.level))
        .text("max_priority", to_string(c.highest))
        .text("limits", limit_text(c.limits))
        .text("per_address", address_limit_text(c.per_address))
        .text("partial", c.partial.none() ? "none" : to_string(c.partial))
        .text("canned", c.canned ? "yes" : "no")
        .text("region", c.region.empty() ? "any" : c.region)
        .count("in_flight", used == limits.clients.end() ? 0 : used->in_flight)
        .count("requests", asked == m.clients.end() ? 0 : asked->second.requests)
        .count("failed", asked == m.clients.end() ? 0 : asked->second.failed)
        .number("today_usd", cost == costs.groups.end() ? 0 : cost->second.usd);
    if (c.daily_usd)
      j.number("daily_usd", *c.daily_usd);
    else
      j.text("daily_usd", "no bound");
    j.end_row();
  }
  j.end_table();
}

namespace {

void write_ranks(console_json& j, const std::vector<breaker_view>& views) {
  j.table("ranked");
  for (auto& v : views)
    for (auto& m : v.models)
      j.row()
          .text("target", v.provider + "/" + m.model)
          .text("state", m.degraded ? "degraded" : "good")
          .number("score", m.score)
          .number("success_share", m.success_share)
          .number("latency_seconds", std::chrono::duration<double>(m.latency).count())
          .count("calls", m.calls)
          .end_row();
  j.end_table();
}

} // namespace

namespace {

std::string state_of(const outage_book::view& v, instant now) {
  if (v.phase == outage_phase::up) return "up";
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - v.since).count();
  if (v.phase == outage_phase::down) return "down since " + std::to_string(seconds) + " s";
  return "returning at " + std::to_string(std::lround(v.share * 100)) + "%";
}

/// The outage under way of each model, or its last one.
void write_outages(console_json& j, const recovery_view& v, instant now) {
  j.table("outages");
  for (auto& m : v.models) {
    if (!m.latest) continue;
    auto& r = *m.latest;
    const auto parked = v.parked.find(m.model);
    j.row()
        .text("model", m.model)
        .text("state", r.ended ? "over" : to_string(m.phase))
        .number("began_seconds_ago", std::chrono::duration<double>(now - r.began).count())
        .number("down_seconds", std::chrono::duration<double>(r.down).count())
        .number("seconds", std::chrono::duration<double>(r.ended.value_or(now) - r.began).count())
        .count("relapses", static_cast<std::uint64_t>(r.relapses));
    for (auto* source : {"primary", "backup", "fallback", "cache", "stale", "similar", "canned", "error"}) {
      const auto found = r.served.find(source);
      j.count(source, found == r.served.end() ? 0 : found->second);
    }
    j.count("parked", r.parked).count("parked_now", parked == v.parked.end() ? 0 : parked->second).end_row();
  }
  j.end_table();
}

} // namespace

void write_models(console_json& j, const config::settings& s, const std::vector<breaker_view>& views,
                  const recovery_view& outages, instant now) {
  auto group_text = [](const config::target_group& g) {
    std::string out;
    for (auto& t : g) out += (out.empty() ? "" : ", ") + t.provider + "/" + (t.model.empty() ? "*" : t.model);
    return out;
  };
  j.table("models");
  for (auto& m : s.models) {
    std::string fallbacks;
    for (std::size_t i = 1; i < m.ladder.size(); ++i) fallbacks += (i > 1 ? " > " : "") + group_text(m.ladder[i]);
    const auto state =
        std::find_if(outages.models.begin(), outages.models.end(), [&](auto& v) { return v.model == m.name; });
    j.row()
        .text("name", m.name)
        .text("state", state == outages.models.end() ? "up" : state_of(*state, now))
        .text("targets", m.ladder.empty() ? "" : group_text(m.ladder[0]))
        .text("fallbacks", fallbacks)
        .end_row();
  }
  j.end_table();
  if (s.degradation.model) write_ranks(j, views);
  write_outages(j, outages, now);
}

} // namespace mainstay
