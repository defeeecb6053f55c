// The tracer: tells an OpenTelemetry collector of the requests in the sample, in posts of many at a time, once a second
// or when enough wait; one post at a time, each again with growing pauses while the collector is full or away. What
// waits is bounded, the newest go first. The store outlives the actor; a post under way when it dies is made again.
#pragma once

#include "actors/actors.hpp"

#include <deque>

namespace mainstay {

struct tracer_store {
  tracer_store(config::settings_ptr, std::string version, std::shared_ptr<http::client>);
  config::settings_ptr settings;
  const std::string version; // of the daemon
  std::shared_ptr<http::client> client;
  std::deque<report_ptr> waiting; // the first `under_way` of them are in a post
  std::size_t under_way = 0;
  int tries = 0;             // of that post
  std::uint64_t numbers = 0; // of posts and pauses, given so far
  std::uint64_t sent = 0, dropped = 0, failed_posts = 0;
};

caf::strong_actor_ptr spawn_tracer(caf::actor_system&, std::shared_ptr<tracer_store>, tracer_actor own_name);

} // namespace mainstay
