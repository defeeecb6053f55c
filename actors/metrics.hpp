// The MetricsAggregator: counts what the runs report, and on a scrape asks everybody for the state behind the gauges.
// Names and labels: contract in docs/operations.md, "Metrics". Labels come from the configuration: the number of series
// is bounded. Watches the load (core/load_watch) and tells cache and governor what to do about it.
#pragma once

#include "actors/actors.hpp"

namespace mainstay {

struct metrics_store; // the registry; outlives the actor
/// `earlier`: the week's load that earlier processes learned.
std::shared_ptr<metrics_store> make_metrics_store(const load_pattern::cells& earlier);
/// The week's load as it is known now. To be asked for when the actor has ended.
const load_pattern& load_of(const metrics_store&);

/// `names` is needed for the gauges; it arrives with take_settings too.
caf::strong_actor_ptr spawn_metrics(caf::actor_system&, std::shared_ptr<metrics_store>, directory_ptr names,
                                    config::settings_ptr);

} // namespace mainstay
