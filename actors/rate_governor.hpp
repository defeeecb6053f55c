// The RateGovernor: answers who may be asked now, with which key; holds those who wait; takes every reservation back.
// Policy: core/rate_governor. The store outlives the actor: what was granted is never forgotten. Waiting promises are
// answered when it dies.
#pragma once

#include "actors/quota_peers.hpp"

namespace mainstay {

struct governor_store {
  explicit governor_store(const config::settings& s) : policy(config::governor_view(s)) {}
  governor policy;
  quota_peers peers;
  bool noting = false; // the state keeper has notes of ours and has not said yet what became of them
};

/// Whom the governor speaks to.
struct governor_links {
  state_keeper_actor keeper; // writes down what months have used; null: nobody
  cluster_actor cluster;     // null: alone
  governor_actor own;        // its stable name
};
caf::strong_actor_ptr spawn_rate_governor(caf::actor_system&, std::shared_ptr<governor_store>, governor_links);

} // namespace mainstay
