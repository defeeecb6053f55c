// The supervisor: gives every actor its stable name, spawns it, and spawns it again, over the store that outlived it,
// when it dies. One-for-one. An actor that dies more than `restart_limit` times within `restart_window` is given up:
// the last word is logged and `on_give_up` is called, which ends the daemon: better a clean restart of the whole than a
// storm.
#pragma once

#include "actors/admin.hpp"
#include "actors/audit_keeper.hpp"
#include "actors/journal.hpp"
#include "actors/state_keeper.hpp"
#include "net/http_client.hpp"

#include <functional>

namespace mainstay {

class turn;

struct supervision_settings {
  int restart_limit = 30;
  duration restart_window = 10s;
  std::function<void(const std::string& actor, const std::string& why)> on_give_up;
};

/// Spawns everybody. `home`: where they run when they are spoken to by name. Client and home
/// must outlive the actor system's actors.
struct household {
  supervisor_actor supervisor;
  directory_ptr names;
  std::function<void()> last_word; // to be called when no actor is left: writes exactly what outlives the process
};
/// The files that were opened for what outlives the process; null: it is not kept.
struct kept_files {
  std::shared_ptr<state_store> state;
  std::shared_ptr<journal_store> journal;
  std::shared_ptr<audit_store> audit;
};
household start_household(caf::actor_system&, turn& home, config::settings_ptr, std::shared_ptr<http::client>,
                          kept_files, daemon_hooks, supervision_settings);

/// Closes every name and ends every actor behind them. To be called once, after the drain.
void stop_household(caf::actor_system&, const household&);

} // namespace mainstay
