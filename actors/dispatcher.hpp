// The dispatcher: admits requests up to a bound (and as many again while peers have room, which then have to do them,
// as they do while it drains), keeps a record of each until it was answered, gives each a run, and
// another one if that run dies; keeps the deadlines of all on one timer; drains. The records outlive it: its successor
// watches the same runs.
#pragma once

#include "actors/run_record.hpp"

#include <set>
#include <string>
#include <unordered_map>

namespace mainstay {

struct dispatcher_store {
  struct entry {
    run_record_ptr record;
    run_actor run;
    instant wake{}; // its place in `deadlines`
  };
  directory_ptr names;          // for runs to come
  std::size_t capacity = 10000; // callers' requests in flight at most
  std::unordered_map<request_id, entry> open;
  std::set<std::pair<instant, request_id>> deadlines;
  std::uint64_t accepted = 0, finished = 0, refused = 0, recovered = 0;
  std::size_t flights = 0; // of the open ones: what callers share, no request of its own
  bool draining = false;
  bool peers_have_room = false;
  std::set<std::string> revoked; // clients: nothing more of theirs is accepted, what runs is ended

  std::size_t callers() const noexcept { return open.size() - flights; }
};

/// What may run at once plus what may wait.
std::size_t in_flight_capacity(const config::settings&);

std::set<std::string> revoked_clients(const config::settings&);

/// At the end of the household: by the dispatcher itself, or for one that was given up.
void end_runs(dispatcher_store&);

caf::strong_actor_ptr spawn_dispatcher(caf::actor_system&, std::shared_ptr<dispatcher_store>);

} // namespace mainstay
