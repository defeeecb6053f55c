// The state keeper: writes down what must outlive the process. Has a thread of its own, because disks block.
// What to write and how often is decided by whoever owns it (the governor: core/count_note). A disk that fails costs
// nobody a request: it is logged once when it begins and once when it ends, and whoever sent the counts hears of it and
// sends them again; the week's load (core/load_pattern) comes again with the next hour. That a process of a cluster
// runs (core/quota_note) it says by itself. The store outlives the actor, and writes the last word when no actor is
// left.
#pragma once

#include "actors/actors.hpp"
#include "net/state_file.hpp"

namespace mainstay {

struct state_store {
  /// Opens the file; throws sqlite::error where the daemon should not start.
  explicit state_store(const std::string& path);
  /// False: nothing was written.
  bool keep(const std::vector<month_count>&);
  bool keep(const load_pattern::cells&);
  bool keep(const std::vector<cost_ledger::row>&);
  bool keep(const client_change&);
  bool keep(const std::optional<quota_note>&);

  state_file file;
  const std::vector<month_count> earlier; // what was in it
  const load_pattern::cells earlier_load;
  const std::vector<cost_ledger::row> earlier_costs;
  const std::vector<client_change> earlier_clients;
  const std::optional<quota_note> earlier_quotas;
  bool of_cluster = false; // then it is written down that this process runs
  bool failing = false;

private:
  template <class What>
  bool write(const What&);
};

/// What a process says that has its limits from a cluster, as long as it runs.
quota_note still_runs();

caf::strong_actor_ptr spawn_state_keeper(caf::actor_system&, std::shared_ptr<state_store>, governor_actor);

} // namespace mainstay
