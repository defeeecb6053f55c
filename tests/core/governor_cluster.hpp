// Several governors that share their limits, on one clock: what they say to each other takes a few milliseconds, and
// every request that is granted is sent at once. It knows when each was sent, over all of them.
#pragma once

#include "tests/core/governor_world.hpp"

#include <deque>
#include <map>

namespace mainstay::testing {

class governor_cluster {
public:
  explicit governor_cluster(governor_settings s, node_index size = 3) : settings_(std::move(s)), nodes_(size) {
    for (node_index n = 0; n < size; ++n) begin(n);
    for (node_index n = 0; n < size; ++n) meet(n);
  }

  governor& at(node_index n) { return *nodes_[n].gov; }
  instant now() const { return now_; }
  /// One more waits there, for so long.
  lease_id ask(node_index n, duration patience = 60s, std::uint64_t tokens = 0) {
    capacity_request r;
    r.id = {++last_, 1};
    r.client = "app";
    r.targets = {{"p", "m"}};
    r.wait_until = now_ + patience;
    r.expires = now_ + 10min;
    r.tokens = tokens;
    took_in(n, at(n).acquire(r, now_));
    return r.id;
  }
  void kill(node_index n) {
    nodes_[n].gov.reset();
    for (node_index m = 0; m < nodes_.size(); ++m)
      if (auto* book = book_of(m)) book->on_peer(n, false, 0, now_);
  }
  void begin(node_index n) {
    nodes_[n].gov = std::make_unique<governor>(settings_);
    std::vector<std::string> names;
    for (node_index m = 0; m < nodes_.size(); ++m) names.push_back("10.0.0." + std::to_string(m) + ":7000");
    at(n).join(quota_cluster(names, n, ++incarnations_), {}, now_);
  }
  void restart(node_index n) {
    begin(n);
    meet(n);
  }
  /// A call ends.
  void done(node_index n, lease_id id) { at(n).settle(id, {}, now_); }

  void run(duration d, duration each = 5ms) {
    for (const auto end = now_ + d; now_ < end;) {
      now_ += each;
      turn();
    }
  }
  std::size_t sent_by(node_index n) const { return nodes_[n].sent; }
  std::size_t sent() const { return sends_.size(); }
  const std::vector<lease_id>& granted(node_index n) const { return nodes_[n].granted; }
  /// The most that were sent in any so long a time.
  std::size_t most_in(duration window) const {
    std::size_t most = 0;
    for (std::size_t i = 0, first = 0; i < sends_.size(); ++i) {
      while (sends_[first] <= sends_[i] - window) ++first;
      most = std::max(most, i - first + 1);
    }
    return most;
  }
  std::map<lease_id, client_admission, bool (*)(const lease_id&, const lease_id&)> admitted{
      [](const lease_id& a, const lease_id& b) { return a.request < b.request; }};

private:
  struct node {
    std::unique_ptr<governor> gov;
    std::size_t sent = 0;
    std::vector<lease_id> granted;
  };
  struct message {
    instant at;
    node_index from, to;
    std::string name;
    std::optional<quota_ask> ask;
    std::optional<quota_grant> grant;
  };
  quota_book* book_of(node_index n) { return nodes_[n].gov ? nodes_[n].gov->quotas() : nullptr; }

  void meet(node_index n) {
    for (node_index m = 0; m < nodes_.size(); ++m) {
      auto *here = book_of(n), *there = book_of(m);
      if (m == n || !here || !there) continue;
      here->on_peer(m, true, there->cluster().incarnation(), now_);
      there->on_peer(n, true, here->cluster().incarnation(), now_);
      here->on_word(m, there->cluster().began_anew(n));
      there->on_word(n, here->cluster().began_anew(m));
    }
  }
  void took_in(node_index n, const capacity_answer& a) {
    const auto* g = std::get_if<grant>(&a);
    if (!g) return;
    at(n).sent(g->id, now_);
    nodes_[n].granted.push_back(g->id);
    ++nodes_[n].sent;
    sends_.push_back(now_);
  }
  void turn() {
    for (; !mail_.empty() && mail_.front().at <= now_; mail_.pop_front()) {
      auto& m = mail_.front();
      auto* book = book_of(m.to);
      if (!book) continue;
      if (m.ask) {
        if (const auto g = book->on_ask(m.from, m.name, *m.ask, now_))
          mail_.push_back({now_ + 5ms, m.to, m.from, m.name, {}, g});
      } else {
        book->on_grant(m.from, m.name, *m.grant, now_);
      }
      at(m.to).on_quotas();
    }
    for (node_index n = 0; n < nodes_.size(); ++n) {
      if (!nodes_[n].gov) continue;
      for (const auto& a : at(n).tick(now_)) took_in(n, a);
      for (auto& q : at(n).quota_asks(now_)) mail_.push_back({now_ + 5ms, n, q.to, std::move(q.name), q.ask, {}});
      for (auto& [id, answer] : at(n).take_admissions()) admitted.insert_or_assign(id, answer);
    }
  }

  governor_settings settings_;
  instant now_ = t0;
  std::vector<node> nodes_;
  std::deque<message> mail_;
  std::vector<instant> sends_;
  request_id last_ = 0;
  std::uint64_t incarnations_ = 0;
};

} // namespace mainstay::testing
