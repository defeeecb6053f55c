// Flights over several nodes: before a node calls a provider for a question that others may have, too, it asks the
// question's owner (rendezvous among the nodes that are up) which node flies already (core/flight_registry), and goes
// there. As owner it answers its peers. Promises: whoever asks is answered within `patience`, and flies where the
// owner is silent, which is then left alone for a while; nothing is kept for a node that is gone. Leaves going there
// to the run and the guests.
#pragma once

#include "actors/actors.hpp"
#include "core/flight_registry.hpp"

#include <map>
#include <string>
#include <unordered_map>

namespace mainstay {

struct peer_flights_store {
  static constexpr duration patience = 10ms, left_alone = 1s;

  struct flown { // here, and its owner knows
    std::string question, owner;
  };
  struct peer {
    bool up = false;
    instant silent_until{}; // it let somebody wait in vain
  };
  peer_flights_store(const config::settings&, directory_ptr);

  directory_ptr names;
  std::string own; // address
  std::map<std::string, peer> peers;
  flight_registry registry;                   // of the questions that are ours
  std::unordered_map<request_id, flown> mine; // by flight
  std::uint64_t not_understood = 0;
};

caf::strong_actor_ptr spawn_peer_flights(caf::actor_system&, std::shared_ptr<peer_flights_store>);

} // namespace mainstay
