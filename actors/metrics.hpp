// The MetricsAggregator: counts what the runs report, and on a scrape asks everybody for the state behind the gauges.
// Names and labels: contract in docs/operations.md, "Metrics". Labels come from the configuration: the number of series
// is bounded. Watches the load (core/load_watch) and tells cache and governor what to do about it.
#pragma once

#include "actors/actors.hpp"

namespace mainstay {

class audit_store;
struct metrics_store; // the registry; outlives the actor
/// What earlier processes wrote down: the week's load, and what calls cost. The audit may be null.
std::shared_ptr<metrics_store> make_metrics_store(const load_pattern::cells& load,
                                                  const std::vector<cost_ledger::row>& costs, std::string version,
                                                  instant started, bool json_logs, std::shared_ptr<audit_store>);
/// What the governor is to know before anybody is asked; later it hears it from the actor.
governor::budget_news spent_budgets(const metrics_store&, const config::settings&);
/// To be asked for when the actor has ended.
std::vector<cost_ledger::row> unwritten_costs(metrics_store&);
/// The week's load as it is known now. To be asked for when the actor has ended.
const load_pattern& load_of(const metrics_store&);

/// `names` is needed for the gauges; it arrives with take_settings too.
caf::strong_actor_ptr spawn_metrics(caf::actor_system&, std::shared_ptr<metrics_store>, directory_ptr names,
                                    config::settings_ptr);

} // namespace mainstay
