// How requests went lately: a sliding window of five minutes in steps of ten seconds, whose sums, shares and
// percentiles (core/quantile_sketch) tell what is wrong now rather than since the process began. Bounded: what it keeps
// does not grow with the traffic. No clock of its own.
#pragma once

#include "core/clock.hpp"
#include "core/quantile_sketch.hpp"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mainstay {

/// What is measured of requests and calls, in seconds.
enum class latency : std::uint8_t {
  request,        // from its arrival to the end of its answer
  first_token,    // from a call's beginning to the first piece of its answer
  between_tokens, // mean of a streamed answer
  overhead        // of a request, in the node itself
};
inline constexpr std::array latencies{latency::request, latency::first_token, latency::between_tokens,
                                      latency::overhead};
std::string_view to_string(latency) noexcept;

class recent_traffic {
public:
  static constexpr duration window = 5min, step = 10s;

  /// Of a request that its caller is not to blame for, nor left. `retried`: another call was made for it.
  void count_request(bool ok, bool retried, duration took, instant now);
  void count(latency, duration, instant now);
  /// Of a call to a provider.
  void count_call(bool rate_limited, bool server_error, instant now);

  struct percentiles {
    double p50 = 0, p90 = 0, p99 = 0, p999 = 0; // seconds
  };
  struct view {
    std::uint64_t requests = 0, calls = 0;
    double success = 1, retried = 0;           // shares of the requests
    double rate_limited = 0, server_error = 0; // shares of the calls
    std::array<percentiles, latencies.size()> latency;
    const percentiles& of(mainstay::latency l) const { return latency[static_cast<std::size_t>(l)]; }
  };
  view look(instant now) const;

private:
  struct slice {
    std::int64_t number = -1;
    std::uint64_t requests = 0, ok = 0, retried = 0, calls = 0, rate_limited = 0, server_error = 0;
    std::array<quantile_sketch, latencies.size()> took;
  };
  slice& now_slice(instant now);

  static constexpr std::size_t slices = window / step;
  std::vector<slice> ring_ = std::vector<slice>(slices);
};

} // namespace mainstay
