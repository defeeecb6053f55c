// The answer keeper: the cache's file. Has a thread of its own, because disks block. Writes come through a bounded
// queue and are written many at a time; what finds no room in it is dropped and counted. A file that fails costs nobody
// a request: it is left alone for a while, with one log line when that begins and one when it is written again; a
// broken one is moved aside. The store outlives the actor. When to ask is the cache actor's business.
#pragma once

#include "actors/actors.hpp"
#include "net/cache_file.hpp"

#include <atomic>
#include <deque>
#include <mutex>

namespace mainstay {

/// What waits to be written. From any thread.
class answer_writes {
public:
  /// True: somebody has to be told that something waits.
  bool add(std::string key, cached_answer);
  /// The oldest, at most so many, of at most so many bytes together.
  std::vector<cache_file::entry> take(std::size_t most, std::size_t most_bytes);
  void clear();
  bool empty() const;
  std::uint64_t dropped() const;
  /// So many could not be written.
  void lost(std::size_t);

private:
  mutable std::mutex guard_;
  std::deque<cache_file::entry> waiting_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

struct answer_keeper_store {
  answer_writes writes;
  // Of the file, for everybody to see.
  std::atomic<bool> up{false};
  std::atomic<std::size_t> entries{0}, bytes{0};
  std::atomic<std::uint64_t> evictions{0}, failures{0};

  // The keeper's own.
  std::string path;
  cache_file::bounds bounds;
  std::unique_ptr<cache_file> file;
  instant open_again_at{};
  bool failing = false;
};

caf::strong_actor_ptr spawn_answer_keeper(caf::actor_system&, std::shared_ptr<answer_keeper_store>,
                                          const config::settings_ptr&);

} // namespace mainstay
