// `cache warm FILE`: reads the file here, sends it to the node in pieces that the node has room for, and shows how the
// node gets on with it. The words between the two are in actors/admin.cpp, `warming`.
#pragma once

#include "tools/ctl/node.hpp"

namespace mainstay::ctl {

/// The exit code: 0 all is in the cache, 1 some lines failed or the node would not, 2 no file or no node, 130
/// interrupted.
int warm_cache(node&, const std::string& file, bool json);

} // namespace mainstay::ctl
