#include "actors/cache.hpp"

#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <unordered_map>

namespace mainstay {

namespace {

constexpr auto redis_prefix = "mainstay:answer:2:"; // the number is the format's version
constexpr auto disk_deadline = 50ms;
constexpr auto clear_deadline = 1s; // of the file: whoever waits at the console hears what was not cleared
constexpr std::size_t most_disk_questions = 1000; // under way; more would wait for longer than that

answer_cache::settings memory_settings(const config::settings& s) {
  answer_cache::settings out;
  if (!s.cache) return {.entries = 0};
  out.entries = s.cache->memory_entries;
  out.bytes = s.cache->memory_bytes;
  out.kept = s.cache->lives.kept();
  return out;
}

using ask_promise = caf::typed_response_promise<cache_reply>;
using clear_promise = caf::typed_response_promise<cache_cleared>;

struct cache_state {
  static inline const char* name = "cache_actor";
  cache_actor::pointer self = nullptr;
  std::shared_ptr<cache_store> store;
  directory_ptr names;
  struct question {
    cache_ask ask;
    ask_promise promise;
    std::uint64_t asked_at = 0; // `clears` then
    bool overdue = false;       // at the disk; answered already
  };
  struct clearing {
    clear_promise promise;
    cache_cleared result;
    std::vector<std::string> missing; // tiers that have not answered
  };
  std::unordered_map<std::uint64_t, question> asked; // of a slower tier
  std::unordered_map<std::uint64_t, clearing> clearings;
  std::size_t at_disk = 0;
  std::uint64_t clears = 0;
  std::uint64_t next = 1;

  ~cache_state() {
    for (auto& [id, c] : clearings) {
      auto& not_here = c.result.not_here;
      not_here.insert(not_here.end(), c.missing.begin(), c.missing.end());
      c.promise.deliver(c.result);
    }
    for (auto& [id, q] : asked)
      if (!q.overdue) q.promise.deliver(cache_reply{}); // a miss harms nobody
  }

  // -- asking

  caf::result<cache_reply> on_ask(const cache_ask& ask) {
    auto& s = *store;
    const auto now = clock::now();
    const auto* here = s.memory.find(ask.key, now);
    if (here && count(s.memory_hits, now - here->born, ask)) return cache_reply{here->value, "memory"};
    // What is too old here is not younger below, but other nodes may have written to Redis since.
    const bool disk = !here && disk_answers();
    if (!s.redis && !disk) {
      count_miss(ask);
      return cache_reply{};
    }
    const auto id = next++;
    auto promise = self->make_response_promise<ask_promise>();
    asked.emplace(id, question{ask, promise, clears});
    if (s.redis)
      ask_redis(id, ask.key);
    else
      ask_disk(id);
    return promise;
  }

  /// Whether an answer of that age will do; if so it is a hit.
  bool count(cache_store::hit_count& of, duration age, const cache_ask& ask) const {
    const auto judged = store->lives.judge(age);
    if (judged == answer_age::over || (judged == answer_age::stale && !ask.stale_too)) return false;
    ++(judged == answer_age::fresh ? of.fresh : of.stale);
    return true;
  }

  /// Who asks for an old answer too has missed before, if it looked.
  void count_miss(const cache_ask& ask) { store->misses += !ask.stale_too; }

  void ask_redis(std::uint64_t id, const std::string& key) {
    auto weak = caf::actor_cast<caf::actor_addr>(self);
    store->redis->get(redis_prefix + key, [weak, id, here = turn::here()](redis_result, bytes_ptr value) {
      // from the Redis thread, or at once from ours: an answer to this very actor, not to its successor
      if (auto to = caf::actor_cast<cache_actor>(weak))
        tell(to, redis_answer{id, value ? read_cached_answer(*value) : cached_answer{}}, here);
    });
  }

  void on_redis(const redis_answer& answer) {
    auto it = asked.find(answer.id);
    if (it == asked.end()) return;
    if (answer.what) return found(it, answer.what, store->redis_hits, "redis");
    if (store->memory.find(it->second.ask.key, clock::now()) || !disk_answers()) return missed(it);
    ask_disk(answer.id);
  }

  using asked_place = std::unordered_map<std::uint64_t, question>::iterator;

  void found(asked_place it, const cached_answer& what, cache_store::hit_count& of, const char* tier) {
    auto& q = it->second;
    const auto now = clock::now();
    const auto age = std::max(duration{}, duration(std::chrono::system_clock::now() - what.born));
    if (!count(of, age, q.ask)) return missed(it);
    if (q.asked_at == clears) { // else it was cleared meanwhile, and must not come back
      store->memory.put(q.ask.key, {what.completion, now - age, what.cost});
      if (&of == &store->disk_hits && store->redis)
        store->redis->set(redis_prefix + q.ask.key, make_bytes(to_text(what)), store->lives.kept() - age, true);
    }
    q.promise.deliver(cache_reply{what.completion, tier});
    asked.erase(it);
  }

  void missed(asked_place it) {
    count_miss(it->second.ask);
    it->second.promise.deliver(cache_reply{});
    asked.erase(it);
  }

  // -- the file

  /// A disk that owes an answer hangs: nobody else waits for it until that has come.
  bool disk_answers() const {
    auto& s = *store;
    return s.has_disk && names->answer_keeper && s.disk->up && s.disk_behind == 0 && at_disk < most_disk_questions;
  }

  void ask_disk(std::uint64_t id) {
    ++at_disk;
    send_at(self, clock::now() + disk_deadline, disk_overdue{id});
    self->request(names->answer_keeper, caf::infinite, disk_ask{asked.at(id).ask.key})
        .then([this, id](const disk_reply& r) { on_disk(id, r.what); },
              [this, id](const caf::error&) { on_disk(id, {}); });
  }

  void on_disk(std::uint64_t id, const cached_answer& what) {
    --at_disk;
    auto it = asked.find(id);
    if (it->second.overdue) {
      --store->disk_behind;
      asked.erase(it);
    } else if (what) {
      found(it, what, store->disk_hits, "sqlite");
    } else {
      missed(it);
    }
  }

  void on_overdue(std::uint64_t id) {
    auto it = asked.find(id);
    if (it == asked.end()) {
      cleared(id, "sqlite", false);
      return cleared(id, "similar", false);
    }
    ++store->disk_timeouts;
    ++store->disk_behind;
    count_miss(it->second.ask);
    it->second.overdue = true;
    it->second.promise.deliver(cache_reply{});
  }

  // -- keeping and clearing

  void on_put(const cache_put& put) {
    auto& s = *store;
    if (!s.enabled) return;
    ++s.puts;
    if (s.has_similar && names->similar && put.request &&
        s.similar->writes.add({put.request, put.completion, put.scope}))
      self->send(names->similar, writes_wait{});
    s.memory.put(put.key, {put.completion, clock::now(), put.cost});
    if (!s.redis && !s.has_disk) return;
    cached_answer what{put.completion, std::chrono::system_clock::now(), put.cost};
    if (s.redis) s.redis->set(redis_prefix + put.key, make_bytes(to_text(what)), s.lives.kept());
    if (!s.has_disk || !names->answer_keeper) return;
    if (!s.disk->up)
      s.disk->writes.lost(1);
    else if (s.disk->writes.add(put.key, std::move(what)))
      self->send(names->answer_keeper, writes_wait{});
  }

  caf::result<cache_cleared> on_clear() {
    auto& s = *store;
    s.memory.clear();
    ++clears;
    const bool disk = s.has_disk && names->answer_keeper;
    const bool similar = s.has_similar && names->similar;
    if (!s.redis && !disk && !similar) return cache_cleared{};
    const auto id = next++;
    auto promise = self->make_response_promise<clear_promise>();
    auto& missing = clearings.emplace(id, clearing{promise, {}, {}}).first->second.missing;
    if (s.redis) missing.emplace_back("redis");
    if (disk) missing.emplace_back("sqlite");
    if (similar) missing.emplace_back("similar");
    if (s.redis) {
      auto weak = caf::actor_cast<caf::actor_addr>(self);
      s.redis->clear(redis_prefix, [weak, id](long deleted) {
        if (auto to = caf::actor_cast<cache_actor>(weak)) caf::anon_send(to, redis_cleared{id, deleted >= 0});
      });
    }
    if (disk || similar) send_at(self, clock::now() + clear_deadline, disk_overdue{id});
    if (disk) clear_at(names->answer_keeper, id, "sqlite");
    if (similar) clear_at(names->similar, id, "similar");
    return promise;
  }

  template <class Actor>
  void clear_at(const Actor& who, std::uint64_t id, const char* tier) {
    self->request(who, caf::infinite, cache_clear{})
        .then([this, id, tier](bool done) { cleared(id, tier, done); },
              [this, id, tier](const caf::error&) { cleared(id, tier, false); });
  }

  void cleared(std::uint64_t id, const char* tier, bool done) {
    auto it = clearings.find(id);
    if (it == clearings.end()) return;
    auto& c = it->second;
    if (std::erase(c.missing, tier) == 0) return; // it was too late already
    if (!done) c.result.not_here.emplace_back(tier);
    if (!c.missing.empty()) return;
    c.promise.deliver(c.result);
    clearings.erase(it);
  }

  // -- a picture

  cache_view view() const {
    auto& s = *store;
    cache_view v;
    v.enabled = s.enabled;
    v.stretched = s.lives.stretched;
    v.fresh_for = s.enabled ? s.lives.fresh_for() : duration{};
    v.misses = s.misses;
    v.puts = s.puts;
    if (s.enabled) v.tiers.push_back(tier("memory", true, s.memory_hits, s.memory.size(), s.memory.bytes()));
    if (s.enabled) v.tiers.back().evictions = s.memory.evictions();
    if (s.redis) {
      auto r = s.redis->look();
      v.redis_configured = true;
      v.redis_up = r.connected && r.breaker != circuit_state::open;
      v.redis_breaker = to_string(r.breaker);
      auto& t = v.tiers.emplace_back(tier("redis", v.redis_up, s.redis_hits, {}, {}));
      t.timeouts = r.timeouts;
      t.failures = r.failures;
    }
    if (s.has_disk) {
      auto& d = *s.disk;
      auto& t = v.tiers.emplace_back(tier("sqlite", d.up && s.disk_behind == 0, s.disk_hits, d.entries, d.bytes));
      t.evictions = d.evictions;
      t.timeouts = s.disk_timeouts;
      t.failures = d.failures;
      t.dropped = d.writes.dropped();
    }
    return v;
  }

  static cache_tier_view tier(const char* name, bool up, const cache_store::hit_count& hits,
                              std::optional<std::size_t> entries, std::optional<std::size_t> bytes) {
    cache_tier_view t;
    t.name = name;
    t.state = up ? "up" : "down";
    t.entries = entries;
    t.bytes = bytes;
    t.hits = hits.fresh;
    t.stale_hits = hits.stale;
    return t;
  }
};

cache_actor::behavior_type cache_behavior(cache_actor::stateful_pointer<cache_state> self,
                                          std::shared_ptr<cache_store> store, directory_ptr names) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.names = std::move(names);
  st.store->disk_behind = 0; // nobody will tell us of our predecessor's questions
  return {
      [&st](const cache_ask& ask) { return st.on_ask(ask); },
      [&st](const redis_answer& answer) { st.on_redis(answer); },
      [&st](const redis_cleared& c) { st.cleared(c.id, "redis", c.done); },
      [&st](const disk_overdue& d) { st.on_overdue(d.id); },
      [&st](const cache_put& put) { st.on_put(put); },
      [&st](const cache_clear&) { return st.on_clear(); },
      [&st, self](const provider_trouble& t) {
        st.store->lives.stretched = t.now;
        if (st.names->similar) self->send(st.names->similar, t);
      },
      [&st](const drill_effect& d) {
        if (st.store->redis)
          st.store->redis->freeze_until(d.order.what == drill_kind::redis_frozen ? d.until : instant{});
      },
      [&st](const load_orders& o) { st.store->lives.halves = o.life_in_halves; },
      [&st](const look&) { return st.view(); },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.names = s.names;
        st.store->reconfigure(*s.value);
      },
  };
}

} // namespace

cache_store::cache_store(const config::settings& s, std::shared_ptr<answer_keeper_store> keeper,
                         std::shared_ptr<similar_store> near)
  : memory(memory_settings(s)), disk(std::move(keeper)), similar(std::move(near)) {
  reconfigure(s);
}

void cache_store::reconfigure(const config::settings& s) {
  enabled = s.cache.has_value();
  memory.reconfigure(memory_settings(s));
  const auto before = lives;
  lives = s.cache ? s.cache->lives : answer_lives{};
  lives.stretched = before.stretched;
  lives.halves = before.halves;
  has_disk = s.cache && s.cache->sqlite;
  has_similar = s.cache && s.cache->similar;
  std::string url = s.cache && s.cache->redis_url ? s.cache->redis_url->reveal() : "";
  if (url == redis_url) return;
  redis_url = url;
  redis.reset();
  if (url.empty()) return;
  auto settings = parse_redis_url(url); // the config has checked it
  auto where = settings.host + ":" + std::to_string(settings.port);
  settings.on_state = [where](bool up, const std::string& why) {
    if (up)
      log::info("redis {} answers", where);
    else
      log::warn("redis {} is unavailable: {}; going on without it", where, why);
  };
  redis = std::make_shared<redis_client>(std::move(settings));
}

caf::strong_actor_ptr spawn_cache(caf::actor_system& sys, std::shared_ptr<cache_store> store, directory_ptr names) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(cache_behavior, std::move(store), std::move(names)));
}

} // namespace mainstay
