// What the audit says of a request, from what its run reported.
#pragma once

#include "core/audit_chain.hpp"
#include "core/run_report.hpp"

namespace mainstay {

/// Tokens and cost are what providers want to be paid for, failed calls included; who answered, or was asked last.
audit_entry entry_of(const run_report&);

} // namespace mainstay
