// `drill NAME ...`: has the node break something on purpose, shows how it goes on, and prints what callers noticed. At
// a terminal it asks first. The drill is the node's: it ends by its time whatever becomes of us. An interrupt stops it
// and waits for the report.
#pragma once

#include "tools/ctl/node.hpp"

namespace mainstay::ctl {

/// Whether these words begin a drill that lasts; the others have their answer at once.
bool begins_drill(const std::vector<std::string>& words);

/// The exit code: 0 it is over, 1 the node or the operator would not, 2 no node.
int run_drill(node&, std::vector<std::string> words, bool json);

} // namespace mainstay::ctl
