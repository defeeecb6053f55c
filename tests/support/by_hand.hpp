// An actor system for tests in which nothing happens by itself: actors run and clocks go on only as the test says.
#pragma once

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

namespace mainstay::test {

/// To be inherited, so that the system outlives what its actors refer to.
struct by_hand {
  struct testing_config : caf::actor_system_config {
    testing_config() { set("scheduler.policy", caf::atom("testing")); }
  };

  testing_config config;
  caf::actor_system system{config};
  caf::scheduler::test_coordinator& steps = dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
};

} // namespace mainstay::test
