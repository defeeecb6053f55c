#include "core/recent_requests.hpp"

#include <algorithm>

namespace mainstay {

bool recent_requests::notable(const run_report& r, duration slow) noexcept {
  return !r.ok() || !r.reason.empty() || r.attempts.size() > 1 || r.took > slow;
}

void recent_requests::add(report_ptr r, duration slow) {
  const auto put = [&r](std::deque<report_ptr>& ring) {
    if (ring.size() == kept) ring.pop_front();
    ring.push_back(r);
  };
  if (notable(*r, slow)) put(notable_);
  if (r->trial) put(trials_);
  put(all_);
}

template <class Test>
report_ptr recent_requests::latest_that(const Test& fits) const {
  for (const auto* ring : {&all_, &notable_, &trials_}) // the first reaches further to the present
    for (auto r = ring->rbegin(); r != ring->rend(); ++r)
      if (fits(**r)) return *r;
  return nullptr;
}

recent_requests::found recent_requests::find(std::string_view id) const {
  found out;
  if (id.empty()) return out;
  out.request = latest_that([&](auto& r) { return !r.flight && (r.id == id || r.durable_id == id); });
  if (!out.request) out.request = latest_that([&](auto& r) { return r.id == id; });
  return with_call(std::move(out.request));
}

recent_requests::found recent_requests::with_call(report_ptr r) const {
  found out{std::move(r), nullptr};
  if (out.request && out.request->shared != 0)
    out.call = latest_that([&](auto& c) { return c.number == out.request->shared; });
  return out;
}

std::vector<recent_requests::found> recent_requests::latest(std::size_t most, bool notable_only) const {
  std::vector<found> out;
  const auto& ring = notable_only ? notable_ : all_;
  for (auto r = ring.rbegin(); r != ring.rend() && out.size() < most; ++r)
    if (!(*r)->flight) out.push_back(with_call(*r));
  return out;
}

} // namespace mainstay
