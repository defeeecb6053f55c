// Sliding windows: at most N in any window, exactly, so that a gateway that keeps its limits is never refused.
#include "tools/mock/limits.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

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

key_limiter::key_limiter(const limits& l) : limits_(l), window_(duration_cast<span>(duration<double>(l.window_s))) {}

void key_limiter::forget(instant now) {
  while (!in_window_.empty() && now - in_window_.front().at >= window_) {
    tokens_ -= in_window_.front().tokens;
    in_window_.pop_front();
  }
  while (!in_second_.empty() && now - in_second_.front() >= 1s) in_second_.pop_front();
}

span key_limiter::until_tokens_fit(instant now, std::uint64_t tokens) const {
  auto left = tokens_;
  for (auto& entry : in_window_) {
    left -= entry.tokens;
    if (left + tokens <= *limits_.tpm) return entry.at + window_ - now;
  }
  return {};
}

std::optional<refusal> key_limiter::check(instant now, std::uint64_t tokens) {
  forget(now);
  if (limits_.concurrency && open_ >= *limits_.concurrency)
    return refusal{"concurrency", *limits_.concurrency, open_, 1, 100ms};
  if (limits_.rps && in_second_.size() >= *limits_.rps) {
    auto wait = *limits_.rps ? in_second_[in_second_.size() - *limits_.rps] + 1s - now : 1s;
    return refusal{"seconds", *limits_.rps, in_second_.size(), 1, wait};
  }
  if (limits_.rpm && in_window_.size() >= *limits_.rpm) {
    auto wait = *limits_.rpm ? in_window_[in_window_.size() - *limits_.rpm].at + window_ - now : window_;
    return refusal{"requests", *limits_.rpm, in_window_.size(), 1, wait};
  }
  if (limits_.tpm && tokens_ + tokens > *limits_.tpm)
    return refusal{"tokens", *limits_.tpm, tokens_, tokens, until_tokens_fit(now, tokens)};
  return {};
}

void key_limiter::take(instant now, std::uint64_t tokens) {
  ++open_;
  if (limits_.rps) in_second_.push_back(now);
  if (!limits_.rpm && !limits_.tpm) return;
  bool merge = !limits_.rpm && !in_window_.empty() && now - in_window_.back().at < 1ms;
  if (merge)
    in_window_.back().tokens += tokens;
  else
    in_window_.push_back({now, tokens});
  tokens_ += tokens;
}

void key_limiter::release() { --open_; }

void key_limiter::append_headers(instant now, std::string& out) {
  forget(now);
  auto lines = [&](const char* unit, std::uint64_t limit, std::uint64_t used, span reset) {
    auto line = [&](const char* field, const std::string& value) {
      ((((out += "x-ratelimit-") += field) += unit) += ": ") += value;
      out += "\r\n";
    };
    line("limit-", std::to_string(limit));
    line("remaining-", std::to_string(limit > used ? limit - used : 0));
    line("reset-", duration_text(std::max(reset, span::zero())));
  };
  auto window_reset = in_window_.empty() ? span::zero() : in_window_.back().at + window_ - now;
  if (limits_.rpm)
    lines("requests", *limits_.rpm, in_window_.size(), window_reset);
  else if (limits_.rps)
    lines("requests", *limits_.rps, in_second_.size(),
          in_second_.empty() ? span::zero() : in_second_.back() + 1s - now);
  if (limits_.tpm) lines("tokens", *limits_.tpm, tokens_, window_reset);
}

} // namespace mainstay::mock
