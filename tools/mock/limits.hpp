// A provider's rate limits, enforced per key: exact sliding windows over the requests that were let in. Not
// thread-safe: the provider's lock guards it.
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
};

struct refusal {
  std::string_view what; // requests, seconds, tokens, concurrency
  std::uint64_t limit = 0, used = 0, requested = 0;
  span wait{}; // until it would fit; zero: it never will
};

class key_limiter {
public:
  explicit key_limiter(const limits& l);

  // Would a request worth `tokens` be let in now? Takes nothing.
  std::optional<refusal> check(instant now, std::uint64_t tokens);
  // Lets it in; release() ends it.
  void take(instant now, std::uint64_t tokens);
  void release();
  // The x-ratelimit-* header lines, each ending in CRLF.
  void append_headers(instant now, std::string& out);

private:
  struct let_in {
    instant at;
    std::uint64_t tokens;
  };

  void forget(instant now);
  span until_tokens_fit(instant now, std::uint64_t tokens) const;

  limits limits_;
  span window_;
  std::deque<let_in> in_window_; // no longer than rpm, or, with tpm alone, one per millisecond
  std::deque<instant> in_second_;
  std::uint64_t tokens_ = 0;
  std::uint32_t open_ = 0;
};

using limiter_table = std::map<std::string, std::shared_ptr<key_limiter>, std::less<>>;

// As OpenAI writes it: 20ms, 1.5s, 6m0s.
std::string duration_text(span d);

} // namespace mainstay::mock
