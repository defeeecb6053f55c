// The Breaker of one provider: gives permits, last of all before a call, and with each the way to take; hears how each
// ended; announces every change of a circuit and of a model's rank to the governor, of circuits to the recovery too,
// and to peers what was found here; also when what peers said ends by time. With the permit it tells what earlier
// answers have taught. Policy: core/breaker, core/lessons, core/model_ranking.
#pragma once

#include "actors/actors.hpp"

#include <map>

namespace mainstay {

struct breaker_store {
  breaker_store(const config::provider_settings& p, std::optional<model_ranking_settings> r) : provider(p.name) {
    take(p);
    ranking.reconfigure(r);
  }
  void take(const config::provider_settings& p) {
    policy.reconfigure(p.breaker, {p.ways.begin(), p.ways.end()}, p.pool_per_host);
  }
  std::string provider;
  provider_breaker policy;
  provider_lessons lessons;
  model_ranking ranking;
};

/// `news`: null: there are no peers.
caf::strong_actor_ptr spawn_breaker(caf::actor_system&, std::shared_ptr<breaker_store>, governor_actor, recovery_actor,
                                    peer_news_actor news = {});

} // namespace mainstay
