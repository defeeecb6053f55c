#include "actors/request_log.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <spdlog/spdlog.h>

namespace mainstay {

namespace {

double milliseconds(duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

bool failed(const run_report& r) {
  if (r.ok() || r.own_limit) return false;
  const auto why = failure_named(r.outcome);
  return !why || (rules_of(*why).whose != blame::caller && *why != failure_class::cancelled);
}

std::string as_words(const run_report& r) {
  auto out = fmt::format("request {} of {} for {}: {}", r.id, r.client, r.model.empty() ? "nothing" : r.model,
                         r.ok() ? r.source : r.outcome);
  if (!r.provider.empty()) out += fmt::format(" by {}/{}", r.provider, r.target_model);
  if (!r.reason.empty()) out += fmt::format(", degraded for {}", r.reason);
  out += fmt::format("; status {}, {} calls, {:.1f} ms", r.status, r.attempts.size(), milliseconds(r.took));
  return out;
}

std::string as_json(const run_report& r) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> w(out);
  const auto text = [&](const char* key, std::string_view value) {
    w.Key(key);
    w.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  const auto count = [&](const char* key, std::uint64_t value) {
    w.Key(key);
    w.Uint64(value);
  };
  w.StartObject();
  text("message", "request");
  text("request_id", r.id);
  text("client", r.client);
  text("model", r.model);
  text("outcome", r.outcome);
  count("status", static_cast<std::uint64_t>(r.status));
  text("source", r.source);
  text("provider", r.provider);
  text("degraded", r.reason);
  count("attempts", r.attempts.size());
  w.Key("milliseconds");
  w.Double(milliseconds(r.took));
  count("input_tokens", r.input_tokens);
  count("output_tokens", r.output_tokens);
  if (const auto usd = r.usd()) {
    w.Key("usd");
    w.Double(*usd);
  }
  if (r.trace) text("trace_id", r.trace->trace_id());
  w.EndObject();
  return out.GetString();
}

} // namespace

void request_log::write(const run_report& r, config::log_settings wanted, instant now) {
  using which = config::log_settings::which;
  if (r.flight || wanted.requests == which::none) return;
  const bool bad = failed(r);
  if (wanted.requests == which::failed) {
    if (!bad) return;
    tick(now);
    if (++lines_ > most_failed) {
      ++too_many_;
      return;
    }
  }
  const auto level = bad ? spdlog::level::warn : spdlog::level::info;
  if (auto log = spdlog::get(logger); log && log->should_log(level)) log->log(level, json_ ? as_json(r) : as_words(r));
}

void request_log::tick(instant now) {
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (second == second_) return;
  if (too_many_ > 0) spdlog::warn("{} more requests failed within that second: they have no lines", too_many_);
  second_ = second;
  lines_ = too_many_ = 0;
}

} // namespace mainstay
