// `mainstayctl top`: what the node does, once a second, on a terminal of its own size, until q, Esc or a signal; the
// terminal is left as it was. A node that does not answer is said so, and asked again, over a new connection where the
// old one broke. Without a terminal one sample is printed.
#pragma once

#include "tools/ctl/connect.hpp"
#include "tools/ctl/node.hpp"

namespace mainstay::ctl {

/// `all`: of all nodes (`top --all`). Returns the exit code: 0, or 2 if a sample was to be had and the node did not
/// answer.
int show_top(caf::actor_system&, const console_address&, node&, bool all, bool json);

} // namespace mainstay::ctl
