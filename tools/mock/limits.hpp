// A provider's rate limits, enforced per key or over all keys: exact sliding windows over the requests that were let
// in. Not thread-safe: the provider's lock guards it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mainstay::mock {

using instant = std::chrono::steady_clock::time_point;
using span = std::chrono::steady_clock::duration;

struct limits {
  std::optional<std::uint32_t> rpm, rps, concurrency;
  std::optional<std::uint64_t> tpm;
  double window_s = 60; // of rpm and tpm: shorter makes tests shorter
  double burst = 0;     // a window may hold so much more, as long as two in a row hold no more than twice the limit
  bool over_address = false; // one count for all keys
  bool silent = false;       // no x-ratelimit-* headers, and no word on when to come back
};

struct refusal {
  std::string_view what; // requests, seconds, tokens, concurrency
  std::uint64_t limit = 0, used = 0, requested = 0;
  span wait{}; // until it would fit; zero: it never will
  bool silent = false;
};

// How a vendor says in its headers what is left: x-ratelimit-*, anthropic-ratelimit-*, or not at all.
enum class limit_headers : std::uint8_t { none, openai, anthropic };

class key_limiter {
public:
  explicit key_limiter(const limits& l);

  // Would a request worth `tokens` be let in now? Takes nothing.
  std::optional<refusal> check(instant now, std::uint64_t tokens);
  // Lets it in; release() ends it.
  void take(instant now, std::uint64_t tokens);
  void release();
  // Header lines, each ending in CRLF.
  void append_headers(instant now, limit_headers how, std::string& out);

private:
  struct let_in {
    instant at;
    std::uint64_t tokens;
  };
  struct window {
    span length;
    std::optional<std::uint64_t> requests, most_tokens;
    std::deque<let_in> entries{}; // no more than requests, or, with tokens alone, one per millisecond
    std::uint64_t tokens = 0;

    void forget(instant now);
    void add(instant now, std::uint64_t tokens);
    std::optional<refusal> check(instant now, std::uint64_t tokens) const;
  };

  limits limits_;
  window one_, two_; // two windows in a row, where there is a burst
  std::deque<instant> in_second_;
  std::uint32_t open_ = 0;

  void forget(instant now);
  std::optional<refusal> over(instant now, std::uint64_t tokens) const;
};

using limiter_table = std::map<std::string, std::shared_ptr<key_limiter>, std::less<>>;

// As OpenAI writes it: 20ms, 1.5s, 6m0s.
std::string duration_text(span d);

} // namespace mainstay::mock
