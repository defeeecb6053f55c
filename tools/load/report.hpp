// A run's result for programs and for people.
#pragma once

#include "tools/load/generator.hpp"

#include <string>

namespace mainstay::load {

/// One JSON object, described in docs/load.md.
std::string report_json(const options&, const run_result&);

} // namespace mainstay::load
