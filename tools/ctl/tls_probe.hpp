// Why a node could not be reached: CAF does not say what TLS found wrong, so one more handshake is tried by hand.
#pragma once

#include "tools/ctl/connect.hpp"

namespace mainstay::ctl {

/// A sentence; "" where TLS is not to blame. Takes six seconds at most.
std::string probe_tls(const std::string& host, std::uint16_t port, const certificate_files&);

} // namespace mainstay::ctl
