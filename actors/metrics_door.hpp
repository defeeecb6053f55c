// The metrics door: what there is to see of the node, for Prometheus, for balancers and for people. Reads only. Runs on
// the sockets' thread and holds no state of its own.
#pragma once

#include "actors/intake.hpp"
#include "net/http_server.hpp"

namespace mainstay {

/// GET / and what its page needs, /events (server-sent events: an overview each second), /metrics, /healthz, /readyz.
/// The last two are open; the others need the token where the configuration has one, and are for callers on this
/// machine where it has none. `ready` is asked from the server's thread.
std::shared_ptr<http::handler> make_metrics_door(caf::actor_system&, std::shared_ptr<live_settings>, directory_ptr,
                                                 std::function<bool()> ready);

} // namespace mainstay
