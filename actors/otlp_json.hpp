// The spans of requests as OpenTelemetry's collector takes them: ExportTraceServiceRequest in JSON (OTLP 1.x), with the
// attributes of the semantic conventions for generative AI (1.37, "gen_ai.*") where there is one, and of ours
// ("mainstay.*") else. A span for the request, one for each call, and one for each wait: cache, queue, pause, flight.
// No text of prompts or answers.
#pragma once

#include "config/settings.hpp"
#include "core/run_report.hpp"

#include <string>
#include <vector>

namespace mainstay {

/// All reports have a trace.
std::string otlp_json(const std::vector<report_ptr>&, const config::settings&, const std::string& version);

} // namespace mainstay
