// The alert bell: posts alerts that begin or end to the webhook, one after the other, each until it is taken: again
// with growing pauses, for ten minutes at most. With a secret each post is signed (docs/operations.md, "Alerts"). What
// is waiting is bounded, the oldest goes first. The store outlives the actor; a post under way when it dies is made
// again.
#pragma once

#include "actors/actors.hpp"

#include <deque>

namespace mainstay {

struct alert_bell_store {
  alert_bell_store(config::settings_ptr, std::shared_ptr<http::client>);
  config::settings_ptr settings;
  std::shared_ptr<http::client> client;
  struct post {
    std::string body; // JSON
    instant until{};
    int tries = 0;
  };
  std::deque<post> waiting;  // the front one is under way
  std::uint64_t numbers = 0; // of posts and pauses, given so far
  std::uint64_t delivered = 0, failed = 0, given_up = 0;
};

caf::strong_actor_ptr spawn_alert_bell(caf::actor_system&, std::shared_ptr<alert_bell_store>,
                                       alert_bell_actor own_name);

} // namespace mainstay
