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

std::optional<priority> priority_named(std::string_view word) noexcept {
  for (const auto level : {priority::high, priority::normal, priority::low})
    if (to_string(level) == word) return level;
  return std::nullopt;
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
  for (auto& l : levels_)
    l.credit = std::clamp(l.credit, -total, total); // turns that could not be used are not saved up
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
    auto of_level = count;
    for (auto t = levels_[i].turns.begin(); t != levels_[i].turns.end() && of_level > 0; ++t) {
      auto left = per_client;
      for (auto e = t->waiters.begin(); e != t->waiters.end() && left > 0 && of_level > 0; ++e, --left, --of_level)
        out.push_back(e->place);
    }
  }
}

namespace {

/// Where among waits from `first` to `last` one until `t` falls.
double share_before(instant first, instant last, instant t) {
  if (t >= last) return 1;
  if (t <= first) return 0;
  return std::chrono::duration<double>(t - first) / std::chrono::duration<double>(last - first);
}

} // namespace

double waiting_queue::before(const std::string& client, priority level, instant wait_until,
                             const level_weights& weights, const level_flags& held, instant now) const {
  const auto& mine = levels_[static_cast<std::size_t>(level)];
  double rounds = 0; // of its own client's turns before its own
  if (const auto found = mine.by_client.find(client); found != mine.by_client.end()) {
    const auto& own = found->second->waiters;
    rounds = static_cast<double>(own.size()) * share_before(own.begin()->until, own.rbegin()->until, wait_until);
  }
  double here = rounds;
  for (const auto& t : mine.turns)
    if (t.client != client) here += std::min(static_cast<double>(t.waiters.size()), rounds + 1);
  const auto own_weight = std::max(weight_of(static_cast<std::size_t>(level), weights, now),
                                   1.0 * std::max(weights[static_cast<std::size_t>(level)], 0));
  double all = here;
  for (std::size_t i = 0; i < priority_count; ++i) {
    if (i == static_cast<std::size_t>(level) || held[i]) continue;
    const auto theirs = static_cast<double>(levels_[i].by_age.size());
    const auto by_weight = own_weight > 0 ? (here + 1) * weight_of(i, weights, now) / own_weight : theirs;
    all += std::min(theirs, by_weight);
  }
  return all;
}

queue_place* waiting_queue::last_in_line(const level_weights& weights, const level_flags& held, instant now) const {
  const level* last = nullptr;
  double least = 0;
  for (std::size_t i = 0; i < priority_count; ++i) {
    const auto weight = weight_of(i, weights, now);
    if (levels_[i].by_age.empty() || held[i] || (last && weight > least)) continue;
    last = &levels_[i];
    least = weight;
  }
  return last ? last->by_age.rbegin()->second : nullptr;
}

std::optional<instant> waiting_queue::oldest(priority level) const {
  const auto& all = levels_[static_cast<std::size_t>(level)].by_age;
  if (all.empty()) return std::nullopt;
  return all.begin()->second->since;
}

double waiting_queue::weight_of(std::size_t i, const level_weights& weights, instant now) const noexcept {
  if (levels_[i].by_age.empty()) return 0;
  const auto waited = std::chrono::duration<double>(now - levels_[i].by_age.begin()->second->since);
  return std::max(weights[i], 0) + std::max(0.0, waited / std::chrono::duration<double>(ageing));
}

} // namespace mainstay
