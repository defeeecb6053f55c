#include "core/report_costs.hpp"

#include "core/failure.hpp"
#include "core/request_plan.hpp"

#include <algorithm>
#include <optional>
#include <string>

namespace mainstay {

namespace {

const std::string unknown = "unknown"; // model of who asked for one that is not there

cost_ledger::amounts of_call(const attempt_report& a) {
  cost_ledger::amounts what;
  what.usd = a.usd.value_or(0);
  what.calls = 1;
  what.unpriced = !a.usd && a.billed.input + a.billed.output > 0;
  what.tokens = a.billed;
  return what;
}

/// What is of the request itself rather than of its calls.
std::optional<cost_ledger::amounts> of_request(const run_report& r) {
  if (r.flight || r.trial) return std::nullopt;
  cost_ledger::amounts what;
  if (r.ok()) {
    if (r.durable && r.source.empty()) return std::nullopt; // it was kept, and is answered another time
    const auto from = source_named(r.source);
    const bool of_before =
        from == answer_source::cache || from == answer_source::stale || from == answer_source::similar;
    what.answered = 1;
    what.saved = of_before;
    what.saved_usd = of_before ? r.saved_usd : 0;
    const bool first_choice = from == answer_source::primary || from == answer_source::cache || r.source.empty();
    what.rescued = !first_choice || std::any_of(r.attempts.begin(), r.attempts.end(), [](auto& a) {
      return a.failed && *a.failed != failure_class::cancelled;
    });
    return what;
  }
  if (!r.lost()) return std::nullopt;
  what.lost = 1;
  return what;
}

} // namespace

void add_costs(cost_ledger& to, const run_report& r, utc_time now) {
  const auto hour = std::chrono::floor<std::chrono::hours>(now);
  const auto& model = r.model.empty() ? unknown : r.model;
  for (const auto& a : r.attempts) to.add({hour, r.client, model, a.provider}, of_call(a));
  if (const auto what = of_request(r)) to.add({hour, r.client, model, ""}, *what);
}

void add_costs(cost_ledger& to, const batch_report& b, double saved_usd, utc_time now) {
  cost_ledger::amounts what;
  what.batched = static_cast<std::uint64_t>(std::max<std::int64_t>(0, b.calls_saved));
  what.batch_usd = saved_usd;
  to.add({std::chrono::floor<std::chrono::hours>(now), b.client, b.model, ""}, what);
}

} // namespace mainstay
