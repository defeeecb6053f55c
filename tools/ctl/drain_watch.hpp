// `on NODE drain`: begins the drain there and shows what is left until the node is gone. Ctrl-C ends the looking, not
// the drain.
#pragma once

#include "tools/ctl/node.hpp"

namespace mainstay::ctl {

/// Returns the exit code: 0 also when it was only looked at for a while; 1 where the node refused; 2 where this
/// console's own node does not answer; 3 where the node is not reached any more and had requests in flight, unless its
/// machine says that nobody listens there.
int watch_drain(node& there, const std::string& name, bool json);

} // namespace mainstay::ctl
