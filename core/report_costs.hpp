// What a report of a run, or of requests that were merged, adds to the ledger: its calls by provider, and beside them
// what is of the request itself.
#pragma once

#include "core/cost_ledger.hpp"
#include "core/run_report.hpp"

namespace mainstay {

void add_costs(cost_ledger&, const run_report&, utc_time now);
/// `saved_usd`: by merging.
void add_costs(cost_ledger&, const batch_report&, double saved_usd, utc_time now);

} // namespace mainstay
