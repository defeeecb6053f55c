#include "actors/audit_entry.hpp"

namespace mainstay {

audit_entry entry_of(const run_report& r) {
  audit_entry e;
  e.time = r.arrived;
  e.request_id = r.id;
  e.client = r.client;
  e.model = r.model;
  e.provider = r.provider;
  if (e.provider.empty() && !r.attempts.empty()) e.provider = r.attempts.back().provider;
  e.source = r.source;
  e.outcome = r.outcome;
  e.status = r.status;
  e.redacted = r.redacted_text();
  double usd = 0;
  bool priced = true;
  for (auto& a : r.attempts) {
    e.input_tokens += a.billed.input;
    e.output_tokens += a.billed.output;
    usd += a.usd.value_or(0);
    priced = priced && (a.usd || a.billed.input + a.billed.output == 0);
  }
  if (priced) e.cost_usd = usd;
  return e;
}

} // namespace mainstay
