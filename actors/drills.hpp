// The drills: breaks something on purpose for a bounded time, one thing at a time, and looks at what callers notice.
// Whose place it is does the breaking (upstream and recovery, the cache's way to Redis, the supervisor) and is told
// until when; what callers noticed comes from what metrics, breakers, keys and cache know anyway, asked a few times a
// second while a drill is watched. Policy and report: core/drill_book. The store outlives the actor, and so does a
// drill; a reload and a drain end it.
#pragma once

#include "actors/actors.hpp"

namespace mainstay {

struct drills_store {
  drill_book book;
  config::settings_ptr settings;
  directory_ptr names;
  drill_book::phase told = drill_book::phase::none; // to those who break things, and to the log
  drill_book::condition last;                       // that was heard
};

caf::strong_actor_ptr spawn_drills(caf::actor_system&, std::shared_ptr<drills_store>);

} // namespace mainstay
