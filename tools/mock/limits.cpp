// Sliding windows: at most N in any window, exactly, so that a gateway that keeps its limits is never refused.
#include "tools/mock/limits.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace mainstay::mock {

using namespace std::chrono;

std::string duration_text(span d) {
  auto ms = ceil<milliseconds>(d).count();
  if (ms < 1000) return std::to_string(ms) + "ms";
  char text[48];
  double rest = static_cast<double>(ms % 60000) / 1000;
  if (ms < 60000)
    std::snprintf(text, sizeof text, "%.5gs", rest);
  else
    std::snprintf(text, sizeof text, "%lldm%.5gs", static_cast<long long>(ms / 60000), rest);
  return text;
}

namespace {

template <class T>
std::optional<std::uint64_t> times(const std::optional<T>& limit, double factor) {
  if (!limit) return {};
  return static_cast<std::uint64_t>(static_cast<double>(*limit) * factor);
}

// The time then, as RFC 3339 has it, never too early.
std::string time_text(span from_now) {
  auto then = system_clock::to_time_t(ceil<seconds>(system_clock::now() + from_now));
  std::tm utc{};
  gmtime_r(&then, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

} // namespace

key_limiter::key_limiter(const limits& l)
  : limits_(l), one_{duration_cast<span>(duration<double>(l.window_s)), times(l.rpm, 1 + l.burst),
                     times(l.tpm, 1 + l.burst)},
    two_{2 * one_.length, l.burst > 0 ? times(l.rpm, 2) : std::nullopt, l.burst > 0 ? times(l.tpm, 2) : std::nullopt} {}

void key_limiter::window::forget(instant now) {
  while (!entries.empty() && now - entries.front().at >= length) {
    tokens -= entries.front().tokens;
    entries.pop_front();
  }
}

void key_limiter::window::add(instant now, std::uint64_t amount) {
  if (!requests && !most_tokens) return;
  bool merge = !requests && !entries.empty() && now - entries.back().at < 1ms;
  if (merge)
    entries.back().tokens += amount;
  else
    entries.push_back({now, amount});
  tokens += amount;
}

std::optional<refusal> key_limiter::window::check(instant now, std::uint64_t amount) const {
  if (requests && entries.size() >= *requests) {
    auto wait = *requests ? entries[entries.size() - *requests].at + length - now : length;
    return refusal{"requests", *requests, entries.size(), 1, wait};
  }
  if (!most_tokens || tokens + amount <= *most_tokens) return {};
  refusal no{"tokens", *most_tokens, tokens, amount};
  auto left = tokens;
  for (auto& entry : entries) {
    left -= entry.tokens;
    if (left + amount > *most_tokens) continue;
    no.wait = entry.at + length - now;
    break;
  }
  return no;
}

void key_limiter::forget(instant now) {
  one_.forget(now);
  two_.forget(now);
  while (!in_second_.empty() && now - in_second_.front() >= 1s) in_second_.pop_front();
}

std::optional<refusal> key_limiter::over(instant now, std::uint64_t tokens) const {
  if (limits_.concurrency && open_ >= *limits_.concurrency)
    return refusal{"concurrency", *limits_.concurrency, open_, 1, 100ms};
  if (limits_.rps && in_second_.size() >= *limits_.rps) {
    auto wait = *limits_.rps ? in_second_[in_second_.size() - *limits_.rps] + 1s - now : 1s;
    return refusal{"seconds", *limits_.rps, in_second_.size(), 1, wait};
  }
  if (auto no = one_.check(now, tokens)) return no;
  return two_.check(now, tokens);
}

std::optional<refusal> key_limiter::check(instant now, std::uint64_t tokens) {
  forget(now);
  auto no = over(now, tokens);
  if (no) no->silent = limits_.silent;
  return no;
}

void key_limiter::take(instant now, std::uint64_t tokens) {
  ++open_;
  if (limits_.rps) in_second_.push_back(now);
  one_.add(now, tokens);
  two_.add(now, tokens);
}

void key_limiter::release() { --open_; }

void key_limiter::append_headers(instant now, limit_headers how, std::string& out) {
  if (limits_.silent || how == limit_headers::none) return;
  forget(now);
  auto lines = [&](const std::string& unit, std::uint64_t limit, std::uint64_t used, span reset) {
    bool openai = how == limit_headers::openai;
    auto line = [&](const std::string& field, const std::string& value) {
      out += openai ? "x-ratelimit-" + field + "-" + unit : "anthropic-ratelimit-" + unit + "-" + field;
      ((out += ": ") += value) += "\r\n";
    };
    reset = std::max(reset, span::zero());
    line("limit", std::to_string(limit));
    line("remaining", std::to_string(limit > used ? limit - used : 0));
    line("reset", openai ? duration_text(reset) : time_text(reset));
  };
  auto window_reset = one_.entries.empty() ? span::zero() : one_.entries.back().at + one_.length - now;
  if (limits_.rpm)
    lines("requests", *limits_.rpm, one_.entries.size(), window_reset);
  else if (limits_.rps)
    lines("requests", *limits_.rps, in_second_.size(),
          in_second_.empty() ? span::zero() : in_second_.back() + 1s - now);
  if (limits_.tpm) lines("tokens", *limits_.tpm, one_.tokens, window_reset);
}

} // namespace mainstay::mock
