#include "core/recent_traffic.hpp"

namespace mainstay {

recent_traffic::slice& recent_traffic::now_slice(instant now) {
  const auto number = static_cast<std::int64_t>(now.time_since_epoch() / step);
  auto& s = ring_[static_cast<std::size_t>(number) % slices];
  if (s.number != number) {
    s = {};
    s.number = number;
  }
  return s;
}

void recent_traffic::count_request(bool ok, bool retried, duration took, instant now) {
  auto& s = now_slice(now);
  ++s.requests;
  s.ok += ok;
  s.retried += retried;
  s.took.add(std::chrono::duration<double>(took).count());
}

void recent_traffic::count_call(bool rate_limited, bool server_error, instant now) {
  auto& s = now_slice(now);
  ++s.calls;
  s.rate_limited += rate_limited;
  s.server_error += server_error;
}

recent_traffic::view recent_traffic::look(instant now) const {
  const auto newest = static_cast<std::int64_t>(now.time_since_epoch() / step);
  view v;
  std::uint64_t ok = 0, retried = 0, limited = 0, failed = 0;
  quantile_sketch took;
  for (const auto& s : ring_) {
    if (s.number < 0 || s.number > newest || s.number + static_cast<std::int64_t>(slices) <= newest) continue;
    v.requests += s.requests;
    v.calls += s.calls;
    ok += s.ok, retried += s.retried, limited += s.rate_limited, failed += s.server_error;
    took += s.took;
  }
  const auto share = [](std::uint64_t part, std::uint64_t all, double otherwise) {
    return all ? static_cast<double>(part) / static_cast<double>(all) : otherwise;
  };
  v.success = share(ok, v.requests, 1);
  v.retried = share(retried, v.requests, 0);
  v.rate_limited = share(limited, v.calls, 0);
  v.server_error = share(failed, v.calls, 0);
  v.p50 = took.at(0.5);
  v.p90 = took.at(0.9);
  v.p99 = took.at(0.99);
  v.p999 = took.at(0.999);
  return v;
}

} // namespace mainstay
