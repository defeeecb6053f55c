// The MetricsAggregator: counts what the runs report, and on a scrape asks everybody for the state behind the gauges.
// Names and labels: contract in docs/operations.md, "Metrics". Labels come from the configuration: the number of series
// is bounded.
#pragma once

#include "actors/actors.hpp"

namespace mainstay {

struct metrics_store; // the registry; outlives the actor
std::shared_ptr<metrics_store> make_metrics_store();

/// `names` is needed for the gauges; it arrives with take_settings too.
caf::strong_actor_ptr spawn_metrics(caf::actor_system&, std::shared_ptr<metrics_store>, directory_ptr names);

} // namespace mainstay
