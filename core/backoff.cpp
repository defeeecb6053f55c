// Delays before asking the same target again. Computed in doubles, so that no exponent can overflow, and bounded last.
#include "core/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {
namespace {

duration base_delay(const retry_policy& policy, failure_class what) noexcept {
  switch (what) {
  case failure_class::rate_limited: return policy.rate_limit_delay;
  case failure_class::overloaded:
  case failure_class::server_error: return policy.server_error_delay;
  default: return rules_of(what).whose == blame::network ? policy.network_error_delay : policy.base_delay;
  }
}

double jittered(const retry_policy& policy, double delay, double base, double previous, double draw) noexcept {
  switch (policy.jitter) {
  case jitter_kind::full: return delay * draw;
  case jitter_kind::equal: return delay / 2 + delay / 2 * draw;
  case jitter_kind::decorrelated: return base + draw * (3 * std::max(previous, base) - base);
  case jitter_kind::none: break;
  }
  return delay;
}

} // namespace

duration retry_delay(const retry_policy& policy, failure_class what, int retry, duration previous,
                     double draw) noexcept {
  const duration cap = std::max(policy.max_delay, duration::zero());
  const auto limit = static_cast<double>(cap.count());
  const double base = std::clamp(static_cast<double>(base_delay(policy, what).count()), 0.0, limit);
  const double growth = policy.backoff == backoff_kind::exponential ? std::ldexp(1.0, std::clamp(retry, 0, 128)) : 1.0;
  const double before = std::clamp(static_cast<double>(previous.count()), 0.0, limit);
  const double chance = draw > 0 ? std::min(draw, 1.0) : 0.0; // NaN too is no draw at all
  const double delay = jittered(policy, std::min(base * growth, limit), base, before, chance);
  return delay >= limit ? cap : duration(static_cast<duration::rep>(delay));
}

} // namespace mainstay
