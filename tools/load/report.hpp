// A run's result for programs and for people. Pure.
#pragma once

#include "tools/load/generator.hpp"

#include <string>

namespace mainstay::load {

/// One JSON object, described in docs/load.md.
std::string report_json(const options&, const run_result&);
/// Tables and plain-text plots.
std::string report_text(const options&, const run_result&);
/// "873 us", "1.25 ms", "12.3 s".
std::string short_text(duration);

} // namespace mainstay::load
