// Runs that another node works on. At home: finds the peer with most room (core/peer_room) for a run that asks, takes
// its request there, and brings what comes of it to the run as a provider's answer would come; a peer that is lost, or
// whose word is, is told to the run as a call that broke, at once. As a host: makes a peer's request a run here, takes
// what it says back, and ends it when its caller's node leaves or is lost. Tells peers what room there is here.
// Promises: a guest never moves on; nothing is kept of a peer that is gone; what a predecessor of this actor may have
// lost ends, here and there. Leaves deciding to move to the run and the dispatcher, and flow to the two ends.
#pragma once

#include "actors/peer_channel.hpp"
#include "core/peer_room.hpp"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

namespace mainstay {

struct guests_store {
  guests_store(config::settings_ptr, directory_ptr);

  struct away { // a run of ours at a peer
    std::string peer;
    request_id owner = 0;
    std::uint32_t serial = 0;
    caf::actor_addr run;
    move_reason why{};
    bool begun = false, head = false; // it went; its stream's head came
    std::uint64_t heard = 0;          // words of it
  };
  struct guest { // a peer's run here
    std::string peer;
    std::uint64_t run = 0; // its number there
    run_record_ptr record;
    std::shared_ptr<peer_channel> way;
    std::uint64_t said = 0; // words of it
  };
  struct peer {
    std::uint64_t incarnation = 0; // of who is up; 0: nobody
    std::string node;              // its name
    std::uint64_t taken = 0;       // requests from there, since it is up
    std::uint64_t taken_told = 0;  // that it knows of
    std::uint64_t checked = 0;     // runs of ours from that number on began after it was asked what it has
    std::set<std::uint64_t> lost;  // runs of theirs that it has to be told of, and was not
  };
  config::settings_ptr settings;
  directory_ptr names;
  std::map<std::string, peer> peers;
  struct wish { // of a run that waits here, for lack of room there
    std::vector<std::string> providers;
    caf::actor_addr run;
  };
  std::deque<wish> wishes; // the longest first
  peer_room room;
  node_room own;
  bool draining = false;
  std::optional<bool> told_room; // what the dispatcher knows of peers' room
  std::uint64_t next_number;
  std::unordered_map<std::uint64_t, away> aways;                             // by number
  std::unordered_map<request_id, guest> guests;                              // by their number here
  std::map<std::pair<std::string, std::uint64_t>, request_id> guest_numbers; // by peer and number there
  std::map<std::pair<std::string, std::string>, std::uint64_t> moved;        // by direction and reason
  std::uint64_t lost = 0, not_understood = 0;
  bool served = false; // by an actor before
};

caf::strong_actor_ptr spawn_guests(caf::actor_system&, std::shared_ptr<guests_store>);

} // namespace mainstay
