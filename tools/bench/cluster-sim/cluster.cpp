#include "tools/bench/cluster-sim/cluster.hpp"

#include <algorithm>

namespace mainstay::sim {

namespace {
constexpr duration on_the_way = 5ms, noticed_after = 800ms, connected_after = 300ms;
constexpr std::uint64_t longest_queue = 100;
} // namespace

cluster::cluster(node_index nodes, quota_terms terms, std::uint64_t seed)
  : terms_(terms), random_(seed), nodes_(nodes) {
  for (node_index n = 0; n < nodes; ++n) {
    begin(n, true);
    nodes_[n].due = std::uniform_real_distribution<>(-1, 0)(random_); // arrivals are not in step
  }
  for (node_index n = 0; n < nodes; ++n)
    for (node_index m = 0; m < nodes; ++m) told(n, m, true);
}

void cluster::begin(node_index n, bool fresh) {
  auto& x = nodes_[n];
  std::vector<std::string> names;
  for (node_index m = 0; m < size(); ++m) names.push_back("node" + std::to_string(m));
  x.cluster = std::make_unique<quota_cluster>(std::move(names), n, ++incarnations_);
  x.share = std::make_unique<quota_share>(*x.cluster, "key:a:rpm", terms_,
                                          fresh ? quota_start{} : quota_start{now_, {}}, now_);
}

void cluster::told(node_index to, node_index about, bool up) {
  auto &a = nodes_[to], &b = nodes_[about];
  if (to == about || !a.share) return;
  up = up && b.share && !apart(to, about);
  const auto before = a.cluster->incarnation_of(about);
  a.cluster->set_peer(about, up, up ? b.cluster->incarnation() : 0);
  a.share->on_peer(about, before, now_);
}

void cluster::crash(node_index n) {
  nodes_[n].share.reset();
  for (node_index m = 0; m < size(); ++m) news_.push_back({now_ + connected_after, m, n, false});
}

void cluster::restart(node_index n) {
  begin(n, false);
  for (node_index m = 0; m < size(); ++m) {
    news_.push_back({now_ + connected_after, m, n, true});
    news_.push_back({now_ + connected_after, n, m, true});
  }
}

void cluster::split(bool yes) {
  split_ = yes;
  for (node_index n = 0; n < size(); ++n)
    for (node_index m = 0; m < size(); ++m)
      if ((n < size() / 2) != (m < size() / 2))
        news_.push_back({now_ + (yes ? noticed_after : connected_after), n, m, !yes});
}

void cluster::post(message m) {
  ++nodes_[m.from].messages;
  if (apart(m.from, m.to)) return;
  m.at = now_ + on_the_way;
  mail_.push_back(std::move(m));
}

void cluster::step(duration d) {
  now_ += d;
  while (!news_.empty() && news_.front().at <= now_) {
    const auto n = news_.front();
    news_.pop_front();
    told(n.to, n.about, n.up);
  }
  while (!mail_.empty() && mail_.front().at <= now_) {
    const auto m = std::move(mail_.front());
    mail_.pop_front();
    auto& x = nodes_[m.to];
    if (!x.share) continue;
    ++x.messages;
    if (m.grant)
      x.share->on_grant(m.from, *m.grant, now_);
    else if (auto g = x.share->on_ask(m.from, *m.ask, now_))
      post({{}, m.to, m.from, {}, g});
  }
  while (!log_.empty() && log_.front().at <= now_ - terms_.window) {
    in_window_ -= log_.front().amount;
    log_.pop_front();
  }
  std::uint64_t sends = 0;
  addressed_asks asks;
  const auto first = std::uniform_int_distribution<node_index>(0, size() - 1)(random_);
  for (node_index i = 0; i < size(); ++i) {
    auto& x = nodes_[(first + i) % size()];
    if (!x.share) continue;
    x.due =
        std::min(x.due + x.per_second * std::chrono::duration<double>(d).count(), static_cast<double>(longest_queue));
    while (x.due >= 1) {
      const auto ticket = x.share->take(1, now_);
      if (!ticket) break;
      x.share->stamp(*ticket, now_);
      x.due -= 1;
      ++sends;
    }
    const auto waiting = x.due >= 1 ? static_cast<std::uint64_t>(x.due) : 0;
    x.share->set_demand(waiting, waiting > 0 ? 1 : 0, now_);
    if (x.share->next_wake() > now_) continue;
    asks.clear();
    x.share->tick(now_, asks);
    for (auto& [to, ask] : asks) post({{}, (first + i) % size(), to, ask, {}});
  }
  if (sends > 0) log_.push_back({now_, sends});
  in_window_ += sends;
  exceeded_ = exceeded_ || in_window_ > terms_.limit;
}

} // namespace mainstay::sim
