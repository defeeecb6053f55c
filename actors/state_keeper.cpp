#include "actors/state_keeper.hpp"

#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <utility>

namespace mainstay {

namespace {

struct state_keeper_state {
  static inline const char* name = "state_keeper";
};

state_keeper_actor::behavior_type state_keeper_behavior(state_keeper_actor::stateful_pointer<state_keeper_state> self,
                                                        std::shared_ptr<state_store> store, governor_actor governor) {
  live_supervised(self);
  const auto again = [self] { send_at(self, clock::now() + note_every, note_due{}); };
  if (store->of_cluster) again();
  return {
      [self, store, governor](const keep_months& notes) {
        self->send(governor, months_kept{store->keep(notes.counts)});
      },
      [store](const keep_load& load) { store->keep(load.cells); }, // the next hour brings it again
      [store](const keep_costs& costs) { return store->keep(costs.rows); },
      [store](const keep_client& c) { return store->keep(c.change); },
      [store, again](const note_due&) {
        store->keep(still_runs());
        again();
      },
      [](const inject_fault& f) { fail_as_told(f); },
      [](const take_settings&) {}, // another path needs a restart
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

state_store::state_store(const std::string& path)
  : file(path, std::chrono::system_clock::now()), earlier(file.months()), earlier_load(file.load()),
    earlier_costs(file.costs()), earlier_clients(file.clients()), earlier_quotas(file.quotas()) {
  if (const auto& broken = file.found_broken(); !broken.moved_to.empty())
    log::error("state {}; it was moved to {} and a new one begun", broken.what, broken.moved_to);
}

bool state_store::keep(const std::vector<month_count>& counts) { return write(counts); }
bool state_store::keep(const load_pattern::cells& cells) { return write(cells); }
bool state_store::keep(const std::vector<cost_ledger::row>& rows) { return write(rows); }
bool state_store::keep(const client_change& change) { return write(change); }
bool state_store::keep(const std::optional<quota_note>& note) { return write(note); }

template <class What>
bool state_store::write(const What& what) {
  try {
    file.keep(what);
    if (std::exchange(failing, false)) log::info("state {} is written again", file.path());
    return true;
  } catch (const sqlite::error& e) {
    if (!std::exchange(failing, true))
      log::error("state {}; going on without writing it, what is counted now does not outlive this process", e.what());
    return false;
  }
}

quota_note still_runs() { return {std::chrono::system_clock::now(), false, {}}; }

caf::strong_actor_ptr spawn_state_keeper(caf::actor_system& sys, std::shared_ptr<state_store> store, governor_actor g) {
  return caf::actor_cast<caf::strong_actor_ptr>(
      sys.spawn<caf::detached>(state_keeper_behavior, std::move(store), std::move(g)));
}

} // namespace mainstay
