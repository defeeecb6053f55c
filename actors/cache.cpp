#include "actors/cache.hpp"

#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <spdlog/spdlog.h>

#include <unordered_map>

namespace mainstay {

namespace {

constexpr auto redis_prefix = "mainstay:answer:1:"; // the number is the format's version

answer_cache::settings memory_settings(const config::settings& s) {
  answer_cache::settings out;
  if (s.cache) {
    out.entries = s.cache->memory_entries;
    out.ttl = s.cache->ttl;
  } else {
    out.entries = 0;
  }
  return out;
}

using ask_promise = caf::typed_response_promise<cache_reply>;
using clear_promise = caf::typed_response_promise<bool>;

struct cache_state {
  static inline const char* name = "cache_actor";
  cache_actor::pointer self = nullptr;
  std::shared_ptr<cache_store> store;
  struct question {
    std::string key;
    ask_promise promise;
  };
  std::unordered_map<std::uint64_t, question> asked; // of Redis
  std::unordered_map<std::uint64_t, clear_promise> clearing;
  std::uint64_t next = 1;

  ~cache_state() {
    for (auto& [id, promise] : clearing) promise.deliver(false);
    for (auto& [id, q] : asked) q.promise.deliver(cache_reply{}); // a miss harms nobody
  }
};

cache_actor::behavior_type behave(cache_actor::stateful_pointer<cache_state> self, std::shared_ptr<cache_store> store) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  return {
      [&st, self](const cache_ask& ask) -> caf::result<cache_reply> {
        auto& s = *st.store;
        if (auto hit = s.memory.get(ask.key, clock::now())) {
          ++s.memory_hits;
          return cache_reply{std::move(hit), "memory"};
        }
        if (!s.redis) {
          ++s.misses;
          return cache_reply{};
        }
        auto promise = self->make_response_promise<ask_promise>();
        auto id = st.next++;
        st.asked.emplace(id, cache_state::question{ask.key, promise});
        auto weak = caf::actor_cast<caf::actor_addr>(self->address());
        s.redis->get(redis_prefix + ask.key, [weak, id, here = turn::here()](redis_result, bytes_ptr value) {
          // from the Redis thread, or at once from ours: an answer to this very actor, not to its successor
          if (auto to = caf::actor_cast<cache_actor>(weak)) tell(to, redis_answer{id, std::move(value)}, here);
        });
        return promise;
      },
      [&st](const redis_answer& answer) {
        if (auto done = st.clearing.find(answer.id); done != st.clearing.end()) {
          done->second.deliver(answer.value != nullptr);
          st.clearing.erase(done);
          return;
        }
        auto it = st.asked.find(answer.id);
        if (it == st.asked.end()) return;
        auto q = std::move(it->second);
        st.asked.erase(it);
        if (answer.value) {
          ++st.store->redis_hits;
          st.store->memory.put(q.key, answer.value, clock::now());
          q.promise.deliver(cache_reply{answer.value, "redis"});
        } else {
          ++st.store->misses;
          q.promise.deliver(cache_reply{});
        }
      },
      [&st](const cache_put& put) {
        auto& s = *st.store;
        if (!s.enabled) return;
        ++s.puts;
        s.memory.put(put.key, put.completion, clock::now());
        if (s.redis) s.redis->set(redis_prefix + put.key, put.completion, s.ttl);
      },
      [&st, self](const cache_clear&) -> caf::result<bool> {
        st.store->memory.clear();
        if (!st.store->redis) return true;
        auto promise = self->make_response_promise<clear_promise>();
        auto id = st.next++;
        st.clearing.emplace(id, promise);
        auto weak = caf::actor_cast<caf::actor_addr>(self->address());
        st.store->redis->clear(redis_prefix, [weak, id](long deleted) {
          if (auto to = caf::actor_cast<cache_actor>(weak))
            caf::anon_send(to, redis_answer{id, deleted >= 0 ? make_bytes({}) : nullptr});
        });
        return promise;
      },
      [&st](const look&) {
        auto& s = *st.store;
        cache_view v;
        v.enabled = s.enabled;
        v.entries = s.memory.size();
        v.bytes = s.memory.bytes();
        v.memory_hits = s.memory_hits;
        v.redis_hits = s.redis_hits;
        v.misses = s.misses;
        v.puts = s.puts;
        v.evictions = s.memory.evictions();
        if (s.redis) {
          auto r = s.redis->look();
          v.redis_configured = true;
          v.redis_up = r.connected && r.breaker != circuit_state::open;
          v.redis_breaker = to_string(r.breaker);
          v.redis_timeouts = r.timeouts;
          v.redis_failures = r.failures;
        }
        return v;
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.store->reconfigure(*s.value); },
  };
}

} // namespace

cache_store::cache_store(const config::settings& s) : memory(memory_settings(s)) { reconfigure(s); }

void cache_store::reconfigure(const config::settings& s) {
  enabled = s.cache.has_value();
  memory.reconfigure(memory_settings(s));
  ttl = s.cache ? s.cache->ttl : duration{};
  std::string url = s.cache && s.cache->redis_url ? s.cache->redis_url->reveal() : "";
  if (url == redis_url) return;
  redis_url = url;
  redis.reset();
  if (url.empty()) return;
  auto settings = parse_redis_url(url); // the config has checked it
  auto where = settings.host + ":" + std::to_string(settings.port);
  settings.on_state = [where](bool up, const std::string& why) {
    if (up)
      spdlog::info("redis {} answers", where);
    else
      spdlog::warn("redis {} is unavailable: {}; going on without it", where, why);
  };
  redis = std::make_shared<redis_client>(std::move(settings));
}

caf::strong_actor_ptr spawn_cache(caf::actor_system& sys, std::shared_ptr<cache_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(behave, std::move(store)));
}

} // namespace mainstay
