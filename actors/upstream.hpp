// The upstream of one provider: places calls with the HTTP client and passes what comes back straight to the run that
// asked, from the client's thread. Remembers which calls are open in a store that outlives it: a restart cuts nobody's
// answer. A drill breaks a provider here: what its calls then come to goes the same way as what a provider does.
#pragma once

#include "actors/actors.hpp"

#include <deque>
#include <unordered_map>

namespace mainstay {

class call_reporter;

struct upstream_store {
  std::string provider;
  std::shared_ptr<http::client> client;
  struct call {
    http::call_handle handle = 0;            // 0: it has not left, and perhaps never will
    std::shared_ptr<call_reporter> reporter; // null: it waits
    std::optional<place_call> held;          // by a drill, until its time has come or the drill is over
  };
  std::unordered_map<lease_id, call> open;
  drill_effect drill;
  /// Letters may overtake each other when an upstream dies: a call that was cancelled first must not be placed after.
  struct unwanted {
    request_id owner;
    serial_range which;
  };
  static constexpr std::size_t unwanted_limit = 256;
  std::deque<unwanted> cancelled_early;
  std::uint64_t placed = 0, cancelled = 0;
};

caf::strong_actor_ptr spawn_upstream(caf::actor_system&, std::shared_ptr<upstream_store>, upstream_actor own_name);

} // namespace mainstay
