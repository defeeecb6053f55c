// How requests went lately: a sliding window of five minutes in steps of ten seconds, whose sums, shares and
// percentiles (core/quantile_sketch) tell what is wrong now rather than since the process began. Bounded: what it keeps
// does not grow with the traffic. No clock of its own.
#pragma once

#include "core/clock.hpp"
#include "core/quantile_sketch.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace mainstay {

class recent_traffic {
public:
  static constexpr duration window = 5min, step = 10s;

  /// Of a request that its caller is not to blame for, nor left. `retried`: another call was made for it.
  void count_request(bool ok, bool retried, duration took, instant now);
  /// Of a call to a provider.
  void count_call(bool rate_limited, bool server_error, instant now);

  struct view {
    std::uint64_t requests = 0, calls = 0;
    double success = 1, retried = 0;            // shares of the requests
    double rate_limited = 0, server_error = 0;  // shares of the calls
    double p50 = 0, p90 = 0, p99 = 0, p999 = 0; // seconds
  };
  view look(instant now) const;

private:
  struct slice {
    std::int64_t number = -1;
    std::uint64_t requests = 0, ok = 0, retried = 0, calls = 0, rate_limited = 0, server_error = 0;
    quantile_sketch took;
  };
  slice& now_slice(instant now);

  static constexpr std::size_t slices = window / step;
  std::vector<slice> ring_ = std::vector<slice>(slices);
};

} // namespace mainstay
