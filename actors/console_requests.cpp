// Single requests as the console tells of them: their stories, the latest of them, and how targets did that were tried.
#include "actors/console_json.hpp"
#include "actors/console_values.hpp"
#include "core/dates.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {

double milliseconds(duration d) { return std::round(std::chrono::duration<double, std::milli>(d).count() * 1e3) / 1e3; }

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
  case story_mark::sent: return "key " + a.key + (a.way.empty() ? "" : ", to " + a.way);
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
    const auto where = a ? a->provider + "/" + a->model : e.what == story_mark::moved && r.host ? *r.host : "";
    row(e.at, to_string(e.what), where, a ? detail_of(*a, e.what) : "");
  }
  row(r.took, r.ok() ? "answered" : r.outcome, r.ok() ? who_answered(r) : "", r.code);
  j.end_table();
}

} // namespace

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

} // namespace mainstay
