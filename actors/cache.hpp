// The CacheActor: complete answers of first choice, in memory and, where configured, in Redis. Whatever Redis does
// (missing, killed, frozen), a question is answered within Redis' command deadline, and at once while its circuit is
// open. Policy: core/answer_cache; the wire: net/redis_client.
#pragma once

#include "actors/actors.hpp"
#include "core/answer_cache.hpp"
#include "net/redis_client.hpp"

namespace mainstay {

struct cache_store {
  explicit cache_store(const config::settings&);
  void reconfigure(const config::settings&);

  bool enabled = false;
  answer_cache memory;
  std::shared_ptr<redis_client> redis;
  std::string redis_url; // of the client above; never logged
  duration ttl{};
  std::uint64_t memory_hits = 0, redis_hits = 0, misses = 0, puts = 0;
};

caf::strong_actor_ptr spawn_cache(caf::actor_system&, std::shared_ptr<cache_store>);

} // namespace mainstay
