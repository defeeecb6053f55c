// A connection of CAF's, made by us: in the clear or with TLS, and through a gate (net/basp_gate), so that whoever is
// at its other end reaches the one actor that it is for. Promises: no more than `most_waiting` waits for somebody who
// does not read. Everything here runs on CAF's multiplexer thread, but for the making of a dialled one and the end of
// any, which may come elsewhere.
#pragma once

#include "tools/daemon/guest_list.hpp"

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/scribe.hpp>

namespace mainstay {

/// What nodes have under way (core/peer_window), and more: the connection ends beyond it.
inline constexpr std::size_t most_waiting = 32u << 20;

/// The descriptor is the scribe's from here on. Throws std::bad_alloc.
caf::io::scribe_ptr make_gated_scribe(caf::io::network::default_multiplexer&, guest_list::seat);

} // namespace mainstay
