// A cluster of the gateway's own shares of one limit (core/quota_share), with a network that only takes time: how much
// of the limit is used and how many messages that takes, while demand moves and nodes fail. That the limit holds is
// counted too, but proved elsewhere (tests/core/quota_walk_test.cpp).
#pragma once

#include "core/quota_share.hpp"

#include <deque>
#include <memory>
#include <random>

namespace mainstay::sim {

class cluster {
public:
  cluster(node_index nodes, quota_terms terms, std::uint64_t seed);

  node_index size() const { return static_cast<node_index>(nodes_.size()); }
  instant now() const { return now_; }
  node_index owner() { return nodes_[0].share->look(now_).owner; }
  /// Amounts a minute.
  void demand(node_index n, double per_minute) { nodes_[n].per_second = per_minute / 60; }
  void crash(node_index n);
  void restart(node_index n);
  /// Two halves that do not hear each other, or all together again; noticed after 800 ms, as membership does.
  void split(bool yes);

  void step(duration d);

  std::uint64_t in_window() const { return in_window_; }
  bool exceeded() const { return exceeded_; }
  /// Asks and answers that a node sent or received so far.
  std::uint64_t messages(node_index n) const { return nodes_[n].messages; }

private:
  struct node {
    std::unique_ptr<quota_cluster> cluster;
    std::unique_ptr<quota_share> share;
    double per_second = 0, due = 0;
    std::uint64_t messages = 0;
  };
  struct message {
    instant at;
    node_index from, to;
    std::optional<quota_ask> ask;
    std::optional<quota_grant> grant;
  };
  struct sent {
    instant at;
    std::uint64_t amount;
  };
  bool apart(node_index a, node_index b) const { return split_ && (a < size() / 2) != (b < size() / 2); }
  void begin(node_index n, bool fresh);
  void told(node_index to, node_index about, bool up);
  void post(message);

  quota_terms terms_;
  std::mt19937_64 random_;
  instant now_{};
  std::vector<node> nodes_;
  std::deque<message> mail_;
  std::deque<sent> log_;
  struct news {
    instant at;
    node_index to, about;
    bool up;
  };
  std::deque<news> news_;
  std::uint64_t in_window_ = 0, incarnations_ = 0;
  bool split_ = false, exceeded_ = false;
};

} // namespace mainstay::sim
