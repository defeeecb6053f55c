#include "actors/request_log.hpp"

#include "actors/log.hpp"
#include "net/json_writer.hpp"

#include <spdlog/spdlog.h>

namespace mainstay {

namespace {

double milliseconds(duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

std::string as_words(const run_report& r) {
  auto out = fmt::format("request {} of {} for {}: {}", r.id, r.client, r.model.empty() ? "nothing" : r.model,
                         r.ok() ? r.source : r.outcome);
  if (!r.provider.empty()) out += fmt::format(" by {}/{}", r.provider, r.target_model);
  if (!r.reason.empty()) out += fmt::format(", degraded for {}", r.reason);
  if (!r.redacted.empty()) out += fmt::format(", replaced {}", r.redacted_text());
  out += fmt::format("; status {}, {} calls, {:.1f} ms", r.status, r.attempts.size(), milliseconds(r.took));
  return out;
}

std::string as_json(const run_report& r) {
  json_writer w;
  w.open()
      .member("message", "request")
      .member("request_id", r.id)
      .member("client", r.client)
      .member("model", r.model)
      .member("outcome", r.outcome)
      .member("status", r.status)
      .member("source", r.source)
      .member("provider", r.provider)
      .member("degraded", r.reason)
      .member("attempts", std::uint64_t{r.attempts.size()})
      .member("milliseconds", milliseconds(r.took))
      .member("input_tokens", r.input_tokens)
      .member("output_tokens", r.output_tokens);
  if (const auto usd = r.usd()) w.member("usd", *usd);
  if (!r.redacted.empty()) w.member("redacted", r.redacted_text());
  if (r.trace) w.member("trace_id", r.trace->trace_id());
  return w.close().text();
}

} // namespace

void request_log::write(const run_report& r, config::log_settings wanted, instant now) {
  using which = config::log_settings::which;
  if (r.flight || wanted.requests == which::none) return;
  const bool bad = r.lost();
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
  if (too_many_ > 0) log::warn("{} more requests failed within that second: they have no lines", too_many_);
  second_ = second;
  lines_ = too_many_ = 0;
}

} // namespace mainstay
