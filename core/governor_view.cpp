// What the governor shows of itself to metrics and console. A key that has limits of its own for some models is shown
// by the fullest of its meters.
#include "core/governor_body.hpp"

#include <algorithm>

namespace mainstay {

namespace {

void show(governor::key_view& v, key_meter& meter, instant now) {
  v.has_limits = v.has_limits || !meter.limits().none();
  v.rpm_used = std::max(v.rpm_used, meter.rpm().used_share(now));
  v.rps_used = std::max(v.rps_used, meter.rps().used_share(now));
  v.tpm_used = std::max(v.tpm_used, meter.tpm().used_share(now));
  v.concurrency_used = std::max(v.concurrency_used, meter.concurrency_share());
  v.in_flight += meter.in_flight();
}

/// What providers taught, the fullest and the slowest of its models.
void show(governor::key_view& v, learned_limits& taught, instant now) {
  v.rpm_used = std::max(v.rpm_used, taught.requests().used_share(now));
  v.tpm_used = std::max(v.tpm_used, taught.tokens().used_share(now));
  if (const auto rate = taught.pace().rate(); rate > 0 && (v.paced == 0 || rate < v.paced)) v.paced = rate;
}

} // namespace

governor::view governor::look(instant now) {
  auto& b = *body_;
  view out;
  for (auto& [name, key] : b.all.keys) {
    if (key->absent) continue;
    auto& v = out.keys.emplace_back(key_view{name, key->provider->name});
    v.limits = key->own->meter.limits();
    show(v, key->own->meter, now);
    for (auto& m : key->models) show(v, m.meter->meter, now);
    v.concurrency_used = key->account->share();
    v.month_used = key->account->month.used(b.all.today, now);
    for (auto& [model, taught] : key->learned) show(v, taught->limits, now);
  }
  for (const auto& c : b.settings.clients) {
    auto& client = *b.all.clients.at(c.name);
    auto& v = out.clients.emplace_back(key_view{c.name, ""});
    v.limits = c.limits;
    show(v, client.meter, now);
  }
  for (const auto& p : b.settings.providers) {
    auto& gate = *b.all.providers.at(p.name);
    out.pools.push_back({p.name, gate.slots, gate.in_use, gate.hour.limit(), gate.hour.used(now)});
  }
  for (const auto& [name, gate] : b.all.held_models)
    if (gate->holds()) out.held.push_back({name, 0, gate->in_flight, gate->room(now)});
  if (!out.held.empty())
    for (const auto* w : b.book.waiters())
      for (auto& m : out.held) m.waiting += m.model == w->model;
  for (std::size_t i = 0; i < priority_count; ++i) out.waiting[i] = b.room.waiting()[i];
  if (b.quotas)
    for (const auto& [name, share] : b.quotas->shares()) {
      const auto look = share->look(now);
      out.quotas.push_back({name, b.quotas->cluster().address(look.owner), share->terms(), look});
    }
  out.leases = b.book.leases();
  out.retry_budget = b.budget.balance(now);
  out.success_share = b.adaptive.success_share();
  out.pressure = b.reserve.pressure;
  return out;
}

governor::free_slots governor::slots() const {
  auto& b = *body_;
  free_slots out;
  for (const auto& p : b.settings.providers) {
    const auto& gate = *b.all.providers.at(p.name);
    std::size_t busy = gate.in_use;
    for (const auto* waiting : gate.line) busy += waiting->queue.size();
    out.by_provider[p.name] = gate.slots - static_cast<std::uint32_t>(std::min<std::size_t>(gate.slots, busy));
  }
  return out;
}

} // namespace mainstay
