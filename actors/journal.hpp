// The journal: takes durable requests and their answers to disk, several at a time (what waits while one commit is
// under way goes into the next), and says so after the commit; hands out answers; runs again what has none, in the
// order and at the pace of core/replay_queue; merges those that may be into one call (actors/batches). Has a thread of
// its own, because disks block. Promises: whoever is told `accepted` is on disk; a request has one answer, the first;
// what could not be written is an error to whoever asked. The store outlives the actor: its successor knows who runs
// and who waits.
#pragma once

#include "actors/actors.hpp"
#include "actors/batches.hpp"
#include "actors/live_caller.hpp"
#include "core/replay_queue.hpp"
#include "net/journal_file.hpp"

#include <unordered_map>

namespace mainstay {

struct journal_store {
  /// Opens the file; throws sqlite::error where the daemon should not start.
  explicit journal_store(const config::journal_settings&);

  config::journal_settings limits;
  journal_file file;
  config::settings_ptr settings; // of runs to come
  directory_ptr names;
  replay_queue queue;                                // of those without an answer
  std::unordered_map<std::int64_t, request_id> runs; // under way: which run has them
  batch_book batches;
  std::unordered_map<std::int64_t, std::vector<std::shared_ptr<live_caller>>> callers;
  bool failing = false, draining = false;
  std::uint64_t requests = 0; // in the file
  std::uint64_t accepted = 0, stored = 0, replayed = 0, parks = 0, refused = 0, expired = 0, commits = 0;
};

caf::strong_actor_ptr spawn_journal(caf::actor_system&, std::shared_ptr<journal_store>);

} // namespace mainstay
