// Many requests as the console tells of them: load, alerts, costs, counts, and what callers noticed of a drill.
#include "actors/console_json.hpp"
#include "actors/console_values.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {

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
        .count("cache_write_tokens", a.tokens.cache_writes)
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
          .count("cache_write_tokens", t.tokens.cache_writes)
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

} // namespace mainstay
