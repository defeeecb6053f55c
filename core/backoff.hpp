// How long to wait before asking the same target again.
#pragma once

#include "core/clock.hpp"
#include "core/failure.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace mainstay {

enum class backoff_kind : std::uint8_t { exponential, linear };
enum class jitter_kind : std::uint8_t { full, equal, decorrelated, none };

struct retry_policy {
  int max_retries = 3; // asking the same target again
  int attempts = 8;    // everything together, over all targets
  backoff_kind backoff = backoff_kind::exponential;
  jitter_kind jitter = jitter_kind::full;
  duration base_delay = 1s;
  duration max_delay = 60s;
  std::vector<int> statuses = {408, 429, 500, 502, 503, 504}; // answers with these may be retried at the same target
  duration rate_limit_delay = 2s; // error_delays: the base delay per kind of error (see retry_delay)
  duration server_error_delay = 5s;
  duration network_error_delay = 1s;
  duration failover_wait = 3s; // wait this long at most on the same model before changing model
};

/// The delay before retry number `retry` (0 for the first one) after a failure of class `what`.
/// base: rate_limit_delay after rate_limited; server_error_delay after server_error and overloaded; network_error_delay
/// after failures of the network (dns_failed, connect_failed, connect_timeout, reset, truncated); else base_delay.
/// Exponential: base * 2^retry; linear: base (a constant delay). Capped at max_delay, then jittered with `draw` in
/// [0,1): full: [0, d); equal: d/2 + [0, d/2); decorrelated: min(max_delay, base + draw*(3*previous - base)); none: d.
/// (M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.) `previous` is the delay before this
/// one; less than base, as in a first retry, counts as base. Never negative, never over max_delay, whatever `retry` is.
/// Whether to ask again at all (max_retries, attempts, statuses, failover_wait, Retry-After) is the plan's decision.
duration retry_delay(const retry_policy&, failure_class what, int retry, duration previous, double draw) noexcept;

} // namespace mainstay
