// Messages of those who keep answers for equal and similar questions: the cache, its file, and who fills it.
#pragma once

#include "actors/letter.hpp"
#include "actors/local_message.hpp"
#include "core/clock.hpp"
#include "core/warming.hpp"
#include "net/bytes.hpp"
#include "net/cached_answer.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mainstay {

// -- cache_actor

/// `stale_too`: nobody else has an answer, an old one will do.
struct cache_ask {
  std::string key;
  bool stale_too = false;
};
struct cache_reply {
  bytes_ptr completion;
  std::string tier;
}; // null: a miss
struct cache_put {
  std::string key;
  bytes_ptr completion;
  std::uint32_t cost = 0; // milliseconds it took its provider
  bytes_ptr request;      // with `scope`: what similar questions may get it too; null: none may
  std::string scope;
};
struct cache_clear {};
/// The tiers that could not be asked: empty when all is gone.
struct cache_cleared {
  std::vector<std::string> not_here;
};
struct redis_answer {
  std::uint64_t id = 0;
  cached_answer what;
}; // from the Redis thread
struct redis_cleared {
  std::uint64_t id = 0;
  bool done = false;
}; // from the Redis thread
/// That question, or that clearing, has waited for the disk for long enough.
struct disk_overdue {
  std::uint64_t id = 0;
};
/// Providers fail, or fail no more.
struct provider_trouble {
  bool now = false;
};
struct cache_tier_view {
  std::string name, state; // "up", "down"
  std::optional<std::size_t> entries, bytes;
  std::uint64_t hits = 0, stale_hits = 0, evictions = 0, timeouts = 0, failures = 0, dropped = 0;
};
struct cache_view {
  bool enabled = false, stretched = false;
  duration fresh_for{};
  std::uint64_t misses = 0, puts = 0;
  std::vector<cache_tier_view> tiers;
  bool redis_configured = false, redis_up = false;
  std::string redis_breaker;
};

// -- answer_keeper

/// Something waits in the store's queue.
struct writes_wait {};
/// A moment is over: what is too old goes, a file that failed is tried again.
struct keeper_due {};
struct disk_ask {
  std::string key;
};
struct disk_reply {
  cached_answer what;
};

// -- similar

/// Is there an answer to a question that is near this one? `scope`: whom the answer depends on besides the request.
struct similar_ask {
  bytes_ptr request;
  std::string scope;
  instant until{}; // nobody waits for the answer any longer
};
struct similar_reply {
  bytes_ptr completion;
}; // null: none
/// The vector of that question or answer; empty: there is none.
struct embedded {
  std::uint64_t id = 0;
  std::vector<float> vector;
};
struct similar_view {
  std::string method;
  double threshold = 0, threshold_now = 0;
  bool always = false;
  std::size_t entries = 0, bytes = 0;
  std::uint64_t hits = 0, misses = 0, evictions = 0, unfit = 0, dropped = 0, cut_short = 0;
  std::uint64_t embedded = 0, not_embedded = 0;
};

// -- warmer

/// From the console of whoever has the file. `id`: of the warming, its own choice. `piece` counts its lines' pieces
/// from 0: one that was taken already is not taken twice. `heard`: how many problems it has been told already.
struct warm_ask {
  enum class way : std::uint8_t { begin, lines, look, stop };
  way what = way::look;
  std::string id; // empty: whichever it is, to look or to stop
  std::uint64_t piece = 0, heard = 0;
  using numbered = std::vector<std::pair<std::uint64_t, std::string>>; // by their numbers in the file
  std::shared_ptr<const numbered> lines;
};
struct warm_problem {
  std::uint64_t line = 0;
  std::string what;
};
struct warm_reply {
  std::string error; // not empty: nothing was done
  std::string id, pause;
  bool taken = false; // of `lines`; false: no room now
  std::size_t longest_line = 0, waiting = 0, running = 0, at_once = 0;
  std::uint64_t kept = 0, skipped = 0, failed = 0;
  std::uint64_t problems_before = 0;
  std::vector<warm_problem> problems;
};
/// What the run of a line came to.
struct warm_over {
  std::string id;
  std::uint64_t line = 0;
  warming::ending how{};
  std::string problem;
  bool node_ends = false;
};

} // namespace mainstay

// clang-format off
MAINSTAY_LOCAL(cache_ask) MAINSTAY_LOCAL(cache_reply) MAINSTAY_LOCAL(cache_put) MAINSTAY_LOCAL(cache_clear)
MAINSTAY_LOCAL(cache_cleared) MAINSTAY_LOCAL(redis_answer) MAINSTAY_LOCAL(redis_cleared) MAINSTAY_LOCAL(disk_overdue)
MAINSTAY_LOCAL(provider_trouble) MAINSTAY_LOCAL(cache_view) MAINSTAY_LOCAL(writes_wait) MAINSTAY_LOCAL(keeper_due)
MAINSTAY_LOCAL(disk_ask) MAINSTAY_LOCAL(disk_reply) MAINSTAY_LOCAL(similar_ask) MAINSTAY_LOCAL(similar_reply)
MAINSTAY_LOCAL(embedded) MAINSTAY_LOCAL(similar_view) MAINSTAY_LOCAL(warm_ask) MAINSTAY_LOCAL(warm_reply)
MAINSTAY_LETTER(warm_over)
    // clang-format on
