// The warmer: fills the cache from the lines of a file that a console reads and sends in pieces. Each line is a request
// of its own, at low priority and through the dispatcher like any other; when the next one may begin is
// core/warming's decision, on what governor and cache say of the load. One warming at a time; it ends when its console
// says so or is silent for `silence`, and when the node drains. Bounded: so many lines and bytes wait here, so many
// problems wait to be heard of, then nothing more is taken or begun. The store outlives the actor: no line is lost or
// asked twice by its death.
#pragma once

#include "actors/actors.hpp"

#include <deque>
#include <map>

namespace mainstay {

struct warmer_store {
  warmer_store(config::settings_ptr, directory_ptr);

  struct session {
    std::string id;
    warming policy;
    std::uint64_t pieces = 0;                               // taken
    std::unordered_map<warming::number, std::string> lines; // that wait
    std::size_t bytes = 0;                                  // of them
    std::map<warming::number, request_id> runs;
    std::deque<warm_problem> problems; // not heard of yet
    std::uint64_t problems_before = 0;
    instant heard{};
  };
  config::settings_ptr settings;
  directory_ptr names;
  std::optional<session> now;
  warm_reply last; // how the latest one ended, for a console that asks once more
  std::string last_end;
};

caf::strong_actor_ptr spawn_warmer(caf::actor_system&, std::shared_ptr<warmer_store>);

} // namespace mainstay
