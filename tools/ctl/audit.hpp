// `audit verify FILE... [--expect HASH] [--after HASH]`: reads an audit's files here, without any node, and says which
// lines are not what was written. One FILE stands for its rotated ones too; several are taken as they are given.
#pragma once

#include <string>
#include <vector>

namespace mainstay::ctl {

/// 0: the chain is whole. 1: it is not. 2: it cannot be read, or was not asked for like that.
int audit(const std::vector<std::string>& words, bool json);

} // namespace mainstay::ctl
