// Seats equal requests on flights: one upstream call whose answer all of them get. Policy: core/flight_book; what is
// flown is a run of its own (a record without a door) whose way back is a flight_channel. When the last caller has
// left, that run is told that its caller did.
#pragma once

#include "actors/flight_channel.hpp"
#include "actors/run_record.hpp"

#include <unordered_map>

namespace mainstay {

struct flights_store {
  flight_book book;
  std::unordered_map<request_id, run_record_ptr> flown; // by flight
  directory_ptr names;
};

caf::strong_actor_ptr spawn_flights(caf::actor_system&, std::shared_ptr<flights_store>);

} // namespace mainstay
