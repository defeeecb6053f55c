// Looking at the order changes nothing; only serving moves the turns.
#include "core/waiting_queue.hpp"

#include <algorithm>
#include <numeric>

namespace mainstay {

std::string_view to_string(priority level) noexcept {
  switch (level) {
  case priority::high: return "high";
  case priority::normal: return "normal";
  case priority::low: return "low";
  }
  return "unknown";
}

void waiting_queue::push(queue_place& p) {
  auto& l = level_of(p);
  auto [found, is_new] = l.by_client.try_emplace(p.client);
  if (is_new) found->second = l.turns.insert(l.turns.end(), turn{p.client, {}});
  found->second->waiters.insert(entry_of(p));
  l.by_age.emplace(p.order, &p);
  by_deadline_.insert(entry_of(p));
}

void waiting_queue::remove(queue_place& p) {
  auto& l = level_of(p);
  const auto found = l.by_client.find(p.client);
  if (found == l.by_client.end() || found->second->waiters.erase(entry_of(p)) == 0) return;
  if (found->second->waiters.empty()) {
    l.turns.erase(found->second);
    l.by_client.erase(found);
  }
  l.by_age.erase({p.order, &p});
  by_deadline_.erase(entry_of(p));
  if (l.by_age.empty()) l.credit = 0; // an empty level saves nothing up
}

void waiting_queue::serve(queue_place& p, const level_weights& weights, instant now) {
  auto& served = level_of(p);
  double total = 0;
  for (std::size_t i = 0; i < priority_count; ++i) {
    const auto weight = weight_of(i, weights, now);
    levels_[i].credit += weight;
    total += weight;
  }
  served.credit -= total;
  if (const auto found = served.by_client.find(p.client); found != served.by_client.end())
    served.turns.splice(served.turns.end(), served.turns, found->second);
  remove(p);
}

void waiting_queue::in_turn(std::vector<queue_place*>& out, std::size_t count, std::size_t per_client,
                            const level_weights& weights, instant now) const {
  out.clear();
  std::array<double, priority_count> credit{};
  for (std::size_t i = 0; i < priority_count; ++i) credit[i] = levels_[i].credit + weight_of(i, weights, now);
  std::array<std::size_t, priority_count> order{};
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return credit[a] > credit[b]; });
  for (const auto i : order) {
    for (const auto& t : levels_[i].turns) {
      auto left = per_client;
      for (auto e = t.waiters.begin(); e != t.waiters.end() && left > 0; ++e, --left) {
        if (out.size() == count) return;
        out.push_back(e->place);
      }
    }
  }
}

double waiting_queue::weight_of(std::size_t i, const level_weights& weights, instant now) const noexcept {
  if (levels_[i].by_age.empty()) return 0;
  const auto waited = std::chrono::duration<double>(now - levels_[i].by_age.begin()->second->since);
  return std::max(weights[i], 0) + std::max(0.0, waited / std::chrono::duration<double>(ageing));
}

} // namespace mainstay
