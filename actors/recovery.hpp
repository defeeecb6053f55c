// The recovery: hears of circuits and keys which models have no target left; tells the governor how much of such a
// model's load it lends to, the journal to park its durable requests and which of them may try, and the log where the
// outage began and what it came to. While nobody waits it asks providers for their list of models, which costs nothing.
// Policy: core/outage. The store outlives the actor; what it tells it tells whole, and again when it was restarted.
#pragma once

#include "actors/actors.hpp"

#include <map>
#include <set>

namespace mainstay {

struct recovery_store {
  recovery_store(config::settings_ptr, std::shared_ptr<http::client>);
  outage_book policy;
  config::settings_ptr settings;
  directory_ptr names;
  std::shared_ptr<http::client> client;
  struct listing {
    http::call_handle call = 0;
    std::vector<std::string> circuits; // that it speaks for
    std::string way;                   // by which it is asked
    instant began{};
  };
  std::map<std::string, listing> listings;   // under way, by provider
  std::size_t looks = 0;                     // so far: providers are asked by their ways in turn
  std::map<std::string, std::size_t> parked; // durable requests, by model
  drill_effect drill;
  std::set<std::string> to_report; // outages that ended: their last counts are awaited
};

caf::strong_actor_ptr spawn_recovery(caf::actor_system&, std::shared_ptr<recovery_store>, recovery_actor own_name);

} // namespace mainstay
