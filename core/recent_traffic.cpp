#include "core/recent_traffic.hpp"

namespace mainstay {

std::string_view to_string(latency l) noexcept {
  switch (l) {
  case latency::request: return "request";
  case latency::first_token: return "first_token";
  case latency::between_tokens: return "between_tokens";
  case latency::overhead: return "overhead";
  }
  return "";
}

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
  count(latency::request, took, now);
}

void recent_traffic::count(latency what, duration took, instant now) {
  now_slice(now).took[static_cast<std::size_t>(what)].add(std::chrono::duration<double>(took).count());
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
  std::array<quantile_sketch, latencies.size()> took;
  for (const auto& s : ring_) {
    if (s.number < 0 || s.number > newest || s.number + static_cast<std::int64_t>(slices) <= newest) continue;
    v.requests += s.requests;
    v.calls += s.calls;
    ok += s.ok, retried += s.retried, limited += s.rate_limited, failed += s.server_error;
    for (std::size_t i = 0; i < took.size(); ++i) took[i] += s.took[i];
  }
  const auto share = [](std::uint64_t part, std::uint64_t all, double otherwise) {
    return all ? static_cast<double>(part) / static_cast<double>(all) : otherwise;
  };
  v.success = share(ok, v.requests, 1);
  v.retried = share(retried, v.requests, 0);
  v.rate_limited = share(limited, v.calls, 0);
  v.server_error = share(failed, v.calls, 0);
  for (std::size_t i = 0; i < took.size(); ++i)
    v.latency[i] = {took[i].at(0.5), took[i].at(0.9), took[i].at(0.99), took[i].at(0.999)};
  return v;
}

} // namespace mainstay
