// `report FILE`: one page of HTML about what calls cost, what was saved, lost and rescued, with plots and everything
// inside: it opens anywhere, without a network. The numbers are the node's answers to `cost`.
#pragma once

#include "tools/ctl/node.hpp"

namespace mainstay::ctl {

/// `words` after the command's own. The exit code: 0 written, 1 the node would not, 2 no node, or the file cannot be
/// written.
int report(const std::vector<std::string>& words, node&, bool json);

} // namespace mainstay::ctl
