// `compare MODEL`: has the node ask each of the model's targets the same question, round after round, and draws how
// they did. The words between the two are in actors/admin.cpp, `compare`.
#pragma once

#include "tools/ctl/node.hpp"

namespace mainstay::ctl {

/// `words` after the command's own. The exit code: 0 every target answered, 1 some did not or the node would not, 2 no
/// node.
int compare(const std::vector<std::string>& words, node&, bool json);

} // namespace mainstay::ctl
