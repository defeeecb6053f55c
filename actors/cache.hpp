// The CacheActor: complete answers of first choice, in memory and, where configured, in Redis and in a file, asked in
// this order. Whatever the slower tiers do (missing, killed, frozen), a question is answered within Redis' command
// deadline and the file's, and at once while Redis' circuit is open and the disk hangs. What a slower tier had is put
// into the faster ones for the rest of its life. Policy: core/answer_cache, core/answer_lives; the wire:
// net/redis_client; the file: actors/answer_keeper.
#pragma once

#include "actors/answer_keeper.hpp"
#include "actors/similar.hpp"
#include "core/answer_cache.hpp"
#include "core/answer_lives.hpp"
#include "net/redis_client.hpp"

namespace mainstay {

struct cache_store {
  cache_store(const config::settings&, std::shared_ptr<answer_keeper_store>, std::shared_ptr<similar_store>);
  void reconfigure(const config::settings&);

  struct hit_count {
    std::uint64_t fresh = 0, stale = 0;
  };
  bool enabled = false;
  answer_lives lives;
  answer_cache memory;
  std::shared_ptr<redis_client> redis;
  std::string redis_url; // of the client above; never logged
  std::shared_ptr<answer_keeper_store> disk;
  std::shared_ptr<similar_store> similar;
  bool has_disk = false, has_similar = false;
  std::size_t disk_behind = 0; // questions that it has not answered in time, and not yet
  hit_count memory_hits, redis_hits, disk_hits;
  std::uint64_t misses = 0, puts = 0, disk_timeouts = 0;
};

/// `names`: who keeps the file.
caf::strong_actor_ptr spawn_cache(caf::actor_system&, std::shared_ptr<cache_store>, directory_ptr names);

} // namespace mainstay
