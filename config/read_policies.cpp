// The sections that are policies without names of their own: limits, timeouts, breaker, retry, queue, recovery, cache,
// state, journal, forecast. The ranges are wide on purpose: they stop slips of unit and sign, not experiments.
#include "config/price_list.hpp"
#include "config/sections.hpp"
#include "config/units.hpp"

#include <algorithm>

namespace mainstay::config {
namespace {

constexpr std::uint64_t most_requests = 1'000'000'000, most_tokens = 1'000'000'000'000, most_calls = 1'000'000;
constexpr std::size_t longest_path = 4096;

void read_statuses(const cursor& at, std::vector<int>& out) {
  std::vector<int> statuses;
  for (const auto& item : at.items()) {
    const auto status = item.whole(400, 599);
    if (!status) continue;
    if (std::find(statuses.begin(), statuses.end(), static_cast<int>(*status)) != statuses.end())
      item.error("is listed twice");
    statuses.push_back(static_cast<int>(*status));
  }
  if (!statuses.empty()) out = std::move(statuses);
}

void read_error_delays(const cursor& at, retry_policy& out) {
  const section s(at, {"rate_limit", "server_error", "network_error"});
  s.time("rate_limit", out.rate_limit_delay, 0ms, 1h);
  s.time("server_error", out.server_error_delay, 0ms, 1h);
  s.time("network_error", out.network_error_delay, 0ms, 1h);
}

void read_policy(const section& s, retry_policy& out) {
  s.whole("max_retries", out.max_retries, 0, 100);
  s.whole("attempts", out.attempts, 1, 1000);
  s.choice<backoff_kind>("backoff", out.backoff,
                         {{"exponential", backoff_kind::exponential}, {"linear", backoff_kind::linear}});
  s.choice<jitter_kind>("jitter", out.jitter,
                        {{"full", jitter_kind::full},
                         {"equal", jitter_kind::equal},
                         {"decorrelated", jitter_kind::decorrelated},
                         {"none", jitter_kind::none}});
  s.time("base_delay", out.base_delay, 1ms, 1h);
  s.time("max_delay", out.max_delay, 1ms, 24h);
  if (const auto* c = s.find("statuses")) read_statuses(*c, out.statuses);
  if (const auto* c = s.find("error_delays")) read_error_delays(*c, out);
  s.time("failover_wait", out.failover_wait, 0ms, 1h);
  if (out.base_delay > out.max_delay) {
    const auto* at = s.find("max_delay") ? s.find("max_delay") : s.find("base_delay");
    if (at)
      at->error("max_delay (" + format_duration(out.max_delay) + ") is shorter than base_delay (" +
                format_duration(out.base_delay) + ")");
  }
}

void read_budget(const cursor& at, retry_budget_settings& out) {
  const section s(at, {"ratio", "min_per_second"});
  s.number("ratio", out.ratio, 0, 10);
  s.number("min_per_second", out.min_per_second, 0, 1e6);
}

void read_adaptive(const cursor& at, adaptive_settings& out) {
  const section s(at, {"window", "healthy", "unhealthy", "unhealthy_max_retries"});
  s.whole("window", out.window, 1, 100'000);
  s.number("healthy", out.healthy, 0, 1);
  s.number("unhealthy", out.unhealthy, 0, 1);
  s.whole("unhealthy_max_retries", out.unhealthy_max_retries, 0, 100);
  if (out.unhealthy > out.healthy) at.error("unhealthy must not be above healthy");
}

} // namespace

void read_limits(const section& s, limit_set& out) {
  s.whole("rpm", out.rpm, 1, most_requests);
  s.whole("rps", out.rps, 1, most_requests);
  s.whole("tpm", out.tpm, 1, most_tokens);
  s.whole("concurrency", out.concurrency, 1, most_calls);
}

void read_key_limits(const section& s, limit_set& out) {
  read_limits(s, out);
  s.number("burst", out.burst, 0, 1);
}

void read_timeouts(const cursor& at, timeout_settings& out) {
  const section s(at, {"connect", "first_byte", "idle", "total"});
  s.time("connect", out.connect, 1ms, 1h);
  s.time("first_byte", out.first_byte, 1ms, 24h);
  s.time("idle", out.idle, 1ms, 24h);
  s.time("total", out.total, 1ms, 24h);
}

void read_breaker(const cursor& at, circuit_settings& out) {
  const section s(at, {"failure_threshold", "failure_rate", "min_calls", "window", "slow_call", "slow_rate",
                       "recovery_timeout", "success_threshold", "ramp"});
  s.whole("failure_threshold", out.failure_threshold, 1, 10'000);
  s.time("recovery_timeout", out.recovery_timeout, 1ms, 24h);
  s.whole("success_threshold", out.success_threshold, 1, 1000);
  s.number("failure_rate", out.failure_rate, 0.01, 1);
  s.whole("min_calls", out.min_calls, 1, 1'000'000);
  s.time("window", out.window, 100ms, 1h);
  s.time("slow_call", out.slow_call, 0ms, 24h);
  s.number("slow_rate", out.slow_rate, 0.01, 1);
  s.time("ramp", out.ramp, 0ms, 1h);
}

void read_retry(const cursor& at, settings& all, retry_policy& out) {
  const section s(at, {"max_retries", "attempts", "backoff", "jitter", "base_delay", "max_delay", "statuses",
                       "error_delays", "failover_wait", "budget", "adaptive"});
  read_policy(s, out);
  if (const auto* c = s.find("budget")) read_budget(*c, all.retry_budget);
  if (const auto* c = s.find("adaptive")) read_adaptive(*c, all.adaptive);
}

void read_retry_override(const cursor& at, retry_policy& out) {
  const section s(at, {"max_retries", "attempts", "backoff", "jitter", "base_delay", "max_delay", "statuses",
                       "error_delays", "failover_wait"});
  read_policy(s, out);
}

void read_queue(const cursor& at, settings& out) {
  const section s(at, {"capacity", "levels"});
  s.whole("capacity", out.queue_capacity, 1, 1'000'000);
  const auto* levels = s.find("levels");
  if (!levels) return;
  const section l(*levels, {"high", "normal", "low"});
  l.whole("high", out.level_weights[0], 1, 1000);
  l.whole("normal", out.level_weights[1], 1, 1000);
  l.whole("low", out.level_weights[2], 1, 1000);
}

void read_recovery(const cursor& at, recovery_settings& out) {
  const section s(at, {"probe", "ramp"});
  s.time("probe", out.probe, 100ms, 24h);
  s.time("ramp", out.ramp, 0ms, 24h);
}

namespace {

constexpr double least_threshold = 0.1; // below it any question would do
constexpr double embedding_threshold = 0.95;

/// None, without an error, where a variable that names no file is left out.
std::optional<std::string> read_path_at(const cursor* at_path) {
  const auto path = at_path ? at_path->text() : std::nullopt;
  if (!path || (path->text.empty() && !path->defaulted.empty())) return std::nullopt;
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (path->text.empty())
    at_path->error("is empty");
  else if (path->text.size() > longest_path)
    at_path->error("is longer than 4096 characters");
  else if (std::any_of(path->text.begin(), path->text.end(), is_control))
    at_path->error("holds a control character");
  else if (path->text.back() == '/')
    at_path->error("must be a file, not a folder");
  else
    return path->text;
  return std::nullopt;
}

std::optional<secret> read_redis_url(const cursor& at) {
  const section r(at, {"url"});
  const auto* at_url = r.need("url");
  const auto url = at_url ? at_url->text() : std::nullopt;
  if (!url || (url->text.empty() && !url->defaulted.empty())) return std::nullopt; // no variable, no Redis
  at.shared().found.keep_out(url->text);
  if (auto fault = fault_of_redis_url(url->text); !fault.empty())
    at_url->error(std::move(fault));
  else
    return secret(url->text);
  return std::nullopt;
}

std::optional<cache_settings::file> read_cache_file(const cursor& at) {
  const section s(at, {"path", "entries", "size"});
  cache_settings::file out;
  s.whole("entries", out.entries, 1, 1'000'000'000);
  s.size("size", out.bytes, 1u << 20, std::uint64_t{1} << 44);
  auto path = read_path(s);
  if (!path) return std::nullopt;
  out.path = std::move(*path);
  return out;
}

cache_settings::similar_answers read_similar(const cursor& at) {
  using how = cache_settings::similar_answers;
  how out;
  const section s(at, {"method", "threshold", "use", "entries", "size", "provider", "model", "timeout"});
  const auto* method = s.need("method");
  if (method && method->choice<bool>({{"lexical", false}, {"embedding", true}}).value_or(false)) {
    out.threshold = embedding_threshold;
    out.embedding = how::embedding_model{};
    auto& e = *out.embedding;
    if (const auto* c = s.need("provider")) e.provider = c->name().value_or("");
    if (const auto* c = s.need("model")) e.model = c->name().value_or("");
    s.time("timeout", e.timeout, 1ms, 1min);
  } else {
    for (auto key : {"provider", "model", "timeout"})
      if (const auto* c = s.find(key)) c->error("belongs to the method embedding");
  }
  s.number("threshold", out.threshold, least_threshold, 1);
  s.choice<how::use_for>("use", out.use, {{"degraded", how::use_for::degraded}, {"always", how::use_for::always}});
  s.whole("entries", out.entries, 1, 10'000'000);
  s.size("size", out.bytes, 1u << 20, std::uint64_t{1} << 40);
  return out;
}

} // namespace

std::optional<cache_settings> read_cache(const cursor& at) {
  cache_settings out;
  const section s(at, {"ttl", "stale", "shared", "memory", "redis", "sqlite", "similar"});
  s.time("ttl", out.lives.ttl, 1ms, 365 * 24h);
  s.time("stale", out.lives.stale, 0ms, 365 * 24h);
  s.flag("shared", out.shared);
  if (const auto* c = s.find("memory")) {
    const section memory(*c, {"entries", "size"});
    memory.whole("entries", out.memory_entries, 1, 10'000'000);
    memory.size("size", out.memory_bytes, 1u << 20, std::uint64_t{1} << 40);
  }
  if (const auto* c = s.find("redis")) out.redis_url = read_redis_url(*c);
  if (const auto* c = s.find("sqlite")) out.sqlite = read_cache_file(*c);
  if (const auto* c = s.find("similar")) out.similar = read_similar(*c);
  return out;
}

std::optional<std::string> read_path(const section& s) { return read_path_at(s.need("path")); }

std::optional<state_settings> read_state(const cursor& at) {
  auto path = read_path(section(at, {"path"}));
  if (!path) return std::nullopt; // no variable, no file
  return state_settings{std::move(*path)};
}

std::optional<journal_settings> read_journal(const cursor& at) {
  journal_settings out;
  const section s(at, {"path", "retention", "size", "entries"});
  s.time("retention", out.retention, 1s, 365 * 24h);
  s.size("size", out.size, 1u << 20, 1ull << 40);
  s.whole("entries", out.entries, 1, 100'000'000);
  const auto path = read_path(s);
  if (!path) return std::nullopt;
  out.path = *path;
  return out;
}

std::shared_ptr<const price_table> read_prices(const cursor& at) {
  const auto path = read_path_at(&at);
  if (!path) return nullptr;
  auto read = read_price_list(*path);
  if (auto* problem = std::get_if<std::string>(&read)) {
    at.error(std::move(*problem));
    return nullptr;
  }
  return std::make_shared<const price_table>(std::move(std::get<price_table>(read)));
}

load_thresholds read_forecast(const cursor& at) {
  load_thresholds out;
  const section s(at, {"medium", "high", "medium_tokens", "high_tokens"});
  s.number("medium", out.medium, 0.01, 100);
  s.number("high", out.high, 0.01, 100);
  s.whole("medium_tokens", out.medium_tokens, 1, most_tokens);
  s.whole("high_tokens", out.high_tokens, 1, most_tokens);
  for (const auto& [share, tokens] : {std::pair("medium", "medium_tokens"), std::pair("high", "high_tokens")})
    if (s.find(share) && s.find(tokens)) s.find(tokens)->error(std::string("says again what ") + share + " says");
  if (out.medium_tokens && out.high_tokens ? *out.medium_tokens > *out.high_tokens : out.medium > out.high)
    at.error("medium must not begin above high");
  return out;
}

void read_level(const section& s, std::string_view key, priority& out) {
  s.choice<priority>(key, out, {{"high", priority::high}, {"normal", priority::normal}, {"low", priority::low}});
}

} // namespace mainstay::config
