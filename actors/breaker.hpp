// The Breaker of one provider: gives permits, last of all before a call; hears how each ended; announces every change
// of a circuit to the governor. With the permit it tells what earlier answers have taught. Policy: core/breaker,
// core/lessons.
#pragma once

#include "actors/actors.hpp"

#include <random>

namespace mainstay {

struct breaker_store {
  breaker_store(std::string provider_name, circuit_settings s) : provider(std::move(provider_name)), policy(s) {}
  std::string provider;
  provider_breaker policy;
  provider_lessons lessons;
  std::mt19937_64 random{std::random_device{}()};
};

caf::strong_actor_ptr spawn_breaker(caf::actor_system&, std::shared_ptr<breaker_store>, governor_actor);

} // namespace mainstay
