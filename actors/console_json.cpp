#include "actors/console_json.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {

double seconds_until(instant t, instant now) { return t > now ? std::chrono::duration<double>(t - now).count() : 0; }

double ratio(std::uint64_t part, std::uint64_t of) {
  return of > 0 ? static_cast<double>(part) / static_cast<double>(of) : 0;
}

double percent(double ratio) { return std::round(ratio * 1000) / 10; }

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

} // namespace

void console_json::key(std::string_view name) { w_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }
console_json& console_json::text(std::string_view name, std::string_view value) {
  key(name);
  w_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  return *this;
}
console_json& console_json::number(std::string_view name, double value) {
  key(name);
  w_.Double(std::isfinite(value) ? std::round(value * 1e6) / 1e6 : 0);
  return *this;
}
console_json& console_json::count(std::string_view name, std::uint64_t value) {
  key(name);
  w_.Uint64(value);
  return *this;
}
console_json& console_json::flag(std::string_view name, bool value) {
  key(name);
  w_.Bool(value);
  return *this;
}
console_json& console_json::table(std::string_view name) {
  key(name);
  w_.StartArray();
  return *this;
}
console_json& console_json::row() {
  w_.StartObject();
  return *this;
}
console_json& console_json::end_row() {
  w_.EndObject();
  return *this;
}
console_json& console_json::end_table() {
  w_.EndArray();
  return *this;
}
std::string console_json::done() {
  if (!raw_.empty()) return std::move(raw_);
  w_.EndObject();
  return out_.GetString();
}

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

void write_breakers(console_json& j, const std::vector<breaker_view>& views, instant now) {
  j.table("breakers");
  for (auto& b : views)
    for (auto& c : b.circuits)
      j.row()
          .text("provider", b.provider)
          .text("circuit", c.model.empty() ? "endpoint" : c.model)
          .text("state", std::string(to_string(c.state)) + (c.forced ? " (forced)" : ""))
          .count("failures_in_a_row", static_cast<std::uint64_t>(c.consecutive_failures))
          .count("times_opened", c.times_opened)
          .number("retry_in_seconds",
                  c.state == circuit_state::open && !c.forced ? seconds_until(c.open_until, now) : 0)
          .end_row();
  j.end_table();
}

void write_keys(console_json& j, const std::vector<key_book::view>& keys, instant now) {
  j.table("keys");
  for (auto& k : keys) {
    auto& s = k.standing;
    auto rests = seconds_until(std::max(s.not_before, s.rest_until), now);
    j.row()
        .text("name", s.key)
        .text("state", s.disabled  ? "disabled"
                       : rests > 0 ? "resting"
                                   : "healthy")
        .number("health", s.health)
        .number("rests_seconds", rests)
        .count("successes", k.successes)
        .count("failures", k.failures)
        .text("why", s.disabled || rests > 0 ? k.why : "")
        .end_row();
  }
  j.end_table();
}

void write_limits(console_json& j, const governor::view& v) {
  write_usage(j, v.keys, "keys");
  write_usage(j, v.clients, "clients");
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

/// A caller's id may be any bytes.
std::string printable(const std::string& id) {
  std::string out;
  for (unsigned char c : id) out += c > 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  return out;
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

double milliseconds(duration d) { return std::round(std::chrono::duration<double, std::milli>(d).count() * 1e3) / 1e3; }

std::string date_text(utc_time t) {
  const auto whole = std::chrono::floor<std::chrono::milliseconds>(t);
  const auto time = std::chrono::system_clock::to_time_t(whole);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[40];
  const auto end = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + end, sizeof text - end, ".%03dZ", static_cast<int>(whole.time_since_epoch().count() % 1000));
  return text;
}

std::string who_answered(const run_report& r) {
  if (r.source.empty()) return r.shared ? "a shared call" : "nobody";
  return r.provider.empty() ? r.source : r.source + ", " + r.provider + "/" + r.target_model;
}

const attempt_report* attempt_of(const run_report& r, std::uint8_t number) {
  const auto found = std::find_if(r.attempts.begin(), r.attempts.end(), [&](auto& a) { return a.number == number; });
  return number == 0 || found == r.attempts.end() ? nullptr : &*found;
}

std::string detail_of(const attempt_report& a, story_mark what) {
  switch (what) {
  case story_mark::sent: return "key " + a.key;
  case story_mark::head: return "HTTP " + std::to_string(a.status);
  case story_mark::attempt_over: {
    auto out = a.failed ? std::string(to_string(*a.failed)) : "complete";
    if (a.longest_gap != duration{})
      out += ", longest gap " + std::to_string(std::llround(milliseconds(a.longest_gap))) + " ms";
    if (a.usd.value_or(0) > 0) {
      char cost[32];
      std::snprintf(cost, sizeof cost, ", %.6f US dollars", *a.usd);
      out += cost;
    }
    return out;
  }
  default: return "";
  }
}

void write_story(console_json& j, std::string_view name, const run_report& r) {
  j.table(name);
  duration before{};
  const auto row = [&](duration at, std::string_view what, const std::string& where, const std::string& detail) {
    j.row()
        .number("at_ms", milliseconds(at))
        .number("after_ms", milliseconds(at - before))
        .text("what", what)
        .text("where", where)
        .text("detail", detail)
        .end_row();
    before = at;
  };
  row({}, "came", r.client, r.model);
  std::size_t shown = 0;
  for (const auto& e : r.story.all()) {
    const auto* a = attempt_of(r, e.attempt);
    if (shown++ == request_story::first_kept && r.story.left_out() > 0)
      row(e.at, "...", "", std::to_string(r.story.left_out()) + " are left out");
    row(e.at, to_string(e.what), a ? a->provider + "/" + a->model : "", a ? detail_of(*a, e.what) : "");
  }
  row(r.took, r.ok() ? "answered" : r.outcome, r.ok() ? who_answered(r) : "", r.code);
  j.end_table();
}

constexpr std::size_t longest_bar = 40;

std::string hour_text(utc_time t) {
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const auto hour = std::chrono::floor<std::chrono::hours>(t - day).count();
  return std::string(days[std::chrono::weekday(day).c_encoding()]) + (hour < 10 ? " 0" : " ") + std::to_string(hour) +
         ":00";
}

} // namespace

void write_forecast(console_json& j, const load_watch::view& v, const cache_view& cache) {
  const auto tokens = [](const std::optional<double>& t) { return t ? std::to_string(std::llround(*t)) : "unknown"; };
  j.text("level", to_string(v.level))
      .text("acts", v.acts ? "yes" : "no: there is no forecast section")
      .text("held_back", to_string(v.pressure))
      .text("total_tpm", v.total_tpm ? std::to_string(*v.total_tpm) : "unknown")
      .text("medium_from", tokens(v.begins.medium))
      .text("high_from", tokens(v.begins.high))
      .count("keys", v.keys)
      .count("suggested_keys", v.suggested_keys)
      .number("cache_fresh_for_seconds", std::chrono::duration<double>(cache.fresh_for).count())
      .count("hours_known", v.hours_known)
      .table("tokens_per_minute");
  for (const auto& [when, load] : {std::pair("now", v.now), {"5m", v.in_5m}, {"15m", v.in_15m}, {"60m", v.in_60m}})
    j.row().text("when", when).number("tokens", std::round(load)).end_row();
  j.end_table().table("day_ahead");
  double most = 1;
  for (const auto& hour : v.day_ahead) most = std::max(most, hour.second);
  for (const auto& [from, load] : v.day_ahead)
    j.row()
        .text("hour_utc", hour_text(from))
        .number("tokens", std::round(load))
        .text("bar", std::string(static_cast<std::size_t>(std::round(load / most * longest_bar)), '#'))
        .end_row();
  j.end_table();
}

void write_alerts(console_json& j, const alerts_view& v, const alert_bell_view& bell, instant now) {
  const auto& t = v.traffic;
  j.count("requests", t.requests)
      .number("success_percent", percent(t.success))
      .number("retried_percent", percent(t.retried))
      .count("calls", t.calls)
      .number("rate_limited_percent", percent(t.rate_limited))
      .number("server_error_percent", percent(t.server_error))
      .number("p50_seconds", t.of(latency::request).p50)
      .number("p90_seconds", t.of(latency::request).p90)
      .number("p99_seconds", t.of(latency::request).p99)
      .number("p999_seconds", t.of(latency::request).p999);
  if (bell.configured)
    j.count("webhook_delivered", bell.delivered)
        .count("webhook_failed", bell.failed)
        .count("webhook_given_up", bell.given_up)
        .count("webhook_waiting", bell.waiting);
  j.table("alerts");
  for (const auto& a : v.all)
    j.row()
        .text("signal", a.signal)
        .text("severity", to_string(a.severity))
        .text("state", a.on ? "firing" : "off")
        .number("threshold", a.threshold)
        .number("value", a.value)
        .number("for_seconds", a.on ? std::chrono::duration<double>(now - a.since).count() : 0)
        .end_row();
  j.end_table();
}

void write_costs(console_json& j, const costs_view& v, std::string_view by) {
  if (!v.priced) j.text("prices", "none: the configuration names no price list");
  const auto amounts = [&j](const cost_ledger::amounts& a) {
    j.number("usd", a.usd)
        .number("saved_usd", a.saved_usd)
        .count("calls", a.calls)
        .count("unpriced_calls", a.unpriced)
        .count("saved_calls", a.saved)
        .count("input_tokens", a.tokens.input)
        .count("output_tokens", a.tokens.output)
        .count("cached_tokens", a.tokens.cached)
        .count("reasoning_tokens", a.tokens.reasoning)
        .number("batch_usd", a.batch_usd)
        .count("batched_calls", a.batched)
        .count("answered", a.answered)
        .count("rescued", a.rescued)
        .count("lost", a.lost);
  };
  amounts(v.total);
  j.table("costs");
  for (const auto& [name, a] : v.groups) {
    j.row().text(by, name.empty() ? "(requests)" : name);
    amounts(a);
    j.end_row();
  }
  j.end_table();
  if (v.budgets.empty()) return;
  j.table("budgets");
  for (const auto& b : v.budgets)
    j.row()
        .text("client", b.client)
        .number("spent_today_usd", b.spent_usd)
        .number("daily_usd", b.daily_usd)
        .text("state", b.spent_usd >= b.daily_usd ? "spent" : "open")
        .end_row();
  j.end_table();
}

void write_trace(console_json& j, const recent_requests::found& f) {
  const auto& r = *f.request;
  j.text("request", r.id);
  if (!r.durable_id.empty()) j.text("durable_id", printable(r.durable_id));
  j.text("arrived", date_text(r.arrived))
      .text("client", r.client)
      .text("model", r.model)
      .text("kind", r.stream ? "stream" : "plain")
      .text("priority", to_string(r.level))
      .count("status", static_cast<std::uint64_t>(r.status))
      .text("outcome", r.outcome)
      .text("answered_by", who_answered(r));
  if (!r.reason.empty()) j.text("degraded", r.reason);
  if (!r.cache_result.empty()) j.text("cache", r.cache_tier + " " + r.cache_result);
  j.number("took_ms", milliseconds(r.took))
      .number("overhead_ms", milliseconds(r.overhead))
      .count("calls", f.asked().attempts.size())
      .count("input_tokens", f.asked().input_tokens)
      .count("output_tokens", f.asked().output_tokens);
  if (const auto usd = f.asked().usd()) j.number("usd", *usd);
  write_story(j, "story", r);
  if (f.call) write_story(j, "shared_call", *f.call);
}

void write_comparison(console_json& j, const comparison::view& v, std::uint64_t pending) {
  j.count("pending", pending)
      .count("calls", v.calls)
      .count("answered", v.answered)
      .number("mean_seconds", v.mean)
      .number("p50_seconds", v.p50)
      .number("p95_seconds", v.p95)
      .number("first_token_seconds", v.first_token)
      .number("tokens_per_second", v.tokens_per_second)
      .number("output_tokens", v.output_tokens)
      .number("usd", v.usd)
      .flag("priced", v.priced);
  std::string errors;
  for (const auto& [what, n] : v.errors) errors += (errors.empty() ? "" : ", ") + std::to_string(n) + " " + what;
  j.text("errors", errors);
}

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
        .text("models", models.empty() ? "all" : models)
        .text("priority", to_string(c.level))
        .text("limits", limit_text(c.limits))
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

void write_requests(console_json& j, const recent_view& v) {
  j.table("requests");
  for (const auto& [r, call] : v.all)
    j.row()
        .text("request", r->id)
        .text("arrived", date_text(r->arrived))
        .text("client", r->client)
        .text("model", r->model)
        .text("outcome", r->outcome)
        .text("answered_by", who_answered(*r))
        .text("degraded", r->reason)
        .count("calls", call ? call->attempts.size() : r->attempts.size())
        .number("took_ms", milliseconds(r->took))
        .end_row();
  j.end_table();
}

void write_metrics(console_json& j, const metrics_view& v) {
  j.count("requests", v.requests)
      .count("ok", v.ok)
      .count("failed", v.failed)
      .count("attempts", v.attempts)
      .count("retries", v.retries)
      .count("input_tokens", v.input_tokens)
      .count("output_tokens", v.output_tokens)
      .count("retried", v.retried)
      .count("rescued", v.rescued)
      .number("output_per_input", ratio(v.output_tokens, v.input_tokens));
  j.table("latency_5m_seconds");
  for (const auto l : latencies) {
    const auto& p = v.lately.of(l);
    j.row()
        .text("of", to_string(l))
        .number("p50", p.p50)
        .number("p90", p.p90)
        .number("p99", p.p99)
        .number("p999", p.p999)
        .end_row();
  }
  j.end_table();
  const auto totals = [&j](std::string_view of, const totals_by_name& all) {
    j.table(std::string(of) + "s");
    for (const auto& [name, t] : all)
      j.row()
          .text(of, name)
          .count("requests", t.requests)
          .count("failed", t.failed)
          .count("input_tokens", t.tokens.input)
          .count("output_tokens", t.tokens.output)
          .number("output_per_input", ratio(t.tokens.output, t.tokens.input))
          .count("cached_tokens", t.tokens.cached)
          .number("cached_percent", percent(ratio(t.tokens.cached, t.tokens.input)))
          .count("reasoning_tokens", t.tokens.reasoning)
          .end_row();
    j.end_table();
  };
  totals("model", v.models);
  totals("client", v.clients);
  j.table("retries");
  for (std::size_t n = 0; n < v.retries_of.size(); ++n)
    if (v.retries_of[n] > 0)
      j.row()
          .text("more_calls", n + 1 == v.retries_of.size() ? std::to_string(n) + " or more" : std::to_string(n))
          .count("requests", v.retries_of[n])
          .end_row();
  j.end_table();
  j.table("sources");
  for (auto& [source, n] : v.by_source) j.row().text("source", source).count("requests", n).end_row();
  j.end_table();
  j.table("outcomes");
  for (auto& [outcome, n] : v.by_outcome) j.row().text("outcome", outcome).count("requests", n).end_row();
  j.end_table();
}

namespace {

/// What the place where a drill breaks something does about it.
std::string_view answer_to(drill_kind k) {
  switch (k) {
  case drill_kind::rate_limit: return "keys_rest_seconds";
  case drill_kind::redis_frozen: return "redis_given_up_seconds";
  default: return "breaker_open_seconds";
  }
}

std::string callers_of(const drill_book::view& v) {
  if (v.requests == 0) return "nobody asked meanwhile";
  if (v.answered == v.requests) return "every request was answered";
  return std::to_string(v.requests - v.answered) + " of " + std::to_string(v.requests) + " requests were not answered";
}

} // namespace

void write_drill(console_json& j, const drill_book::view& v) {
  if (v.at == drill_book::phase::none) {
    j.text("drill", "none since the node was started");
    return;
  }
  const auto in_seconds = [](duration d) { return std::chrono::duration<double>(d).count(); };
  const auto when = [&](std::string_view name, const std::optional<duration>& at) {
    if (at) j.number(name, in_seconds(*at));
  };
  j.text("drill", v.order.name()).text("id", v.order.id).text("state", to_string(v.at));
  if (v.how != drill_book::ending::none) j.text("ended", to_string(v.how));
  j.number("seconds", in_seconds(v.order.length)).number("lasted_seconds", in_seconds(v.lasted));
  j.text("callers", callers_of(v)).count("requests", v.requests).count("answered", v.answered);
  when("first_fallback_seconds", v.elsewhere);
  when(answer_to(v.order.what), v.shut_out);
  when("healthy_again_seconds", v.healed);
  j.flag("healthy", v.well);
  j.table("sources");
  for (const auto& s : v.sources) {
    j.row().text("source", s.name).count("answers", s.answers);
    when("first_seconds", s.first);
    j.end_row();
  }
  j.end_table().table("errors");
  for (const auto& [what, n] : v.errors) j.row().text("error", what).count("requests", n).end_row();
  j.end_table().table("latency");
  const auto span = [&](const char* name, const std::optional<drill_book::span>& s) {
    if (s)
      j.row()
          .text("when", name)
          .count("requests", s->requests)
          .number("p50_seconds", s->p50)
          .number("p99_seconds", s->p99)
          .end_row();
  };
  span("before", v.before);
  span("during", v.during);
  span("after", v.after);
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
