// One question to an embeddings endpoint: a short-lived actor that takes the way of every call (the governor's key and
// limits at low priority, the breaker's permit, the upstream), once, without a second try. What it borrowed goes back
// on every path, and `done` is told exactly once, with nothing where there is no vector in time. To the upstream it is
// a run like any other.
#pragma once

#include "actors/actors.hpp"

#include <functional>

namespace mainstay {

struct embedding_order {
  config::settings_ptr settings;
  directory_ptr names;
  target at;
  std::string text;
  instant until{};
  bool may_wait = true;                         // for capacity; else it is asked now or not at all
  std::function<void(std::vector<float>)> done; // from any thread; empty: none
};

void spawn_embedding_call(caf::actor_system&, embedding_order);

} // namespace mainstay
