// Clears the caches of all nodes of a cluster: this one's at once, peers' as they are told, and those of whoever is
// away when it comes back (core/clear_log). Promises: whoever asked hears within `patience` which nodes have done it
// and which will; a node that was told, or comes with a file of answers from before, clears all its tiers as `cache
// clear` always did, and tries again for a while if one does not answer; nobody who is known to have done it does it
// again.
#pragma once

#include "actors/actors.hpp"
#include "core/clear_log.hpp"

#include <map>
#include <set>
#include <string>

namespace mainstay {

struct cache_clears_store {
  explicit cache_clears_store(const config::settings&);
  duration patience = 2s;
  duration again = 5s;            // then who is up and has not done it is told again, and what failed here is tried
  std::string own;                // address
  std::vector<std::string> peers; // likewise
  std::string incarnation;        // of this process
  std::uint64_t orders = 0;       // given here
  clear_log log;
  // What is left to do here outlives who does it.
  std::set<std::string> at_work; // by id
  struct attempt {
    int tries = 0;
    instant next{};
  };
  std::map<std::string, attempt> unfinished; // peers' orders, of which a tier was not done
  std::set<std::string> up;
};

/// `own`: this actor's stable name, by which the cluster knows it.
caf::strong_actor_ptr spawn_cache_clears(caf::actor_system&, std::shared_ptr<cache_clears_store>, directory_ptr,
                                         cache_clears_actor own);

} // namespace mainstay
