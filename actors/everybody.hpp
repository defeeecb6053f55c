// Every supervised actor of a directory by its name: for whoever asks all of them the same.
#pragma once

#include "actors/actors.hpp"

namespace mainstay {

/// `on_disk`: it may take its time, for it waits for a disk. Those that are not there are left out.
template <class Do> // (const std::string& name, const auto& handle, bool on_disk)
void for_everybody(const directory& d, const Do& what) {
  const auto one = [&](const char* name, const auto& handle, bool on_disk = false) {
    if (handle) what(std::string(name), handle, on_disk);
  };
  one("rate_governor", d.governor);
  one("key_manager", d.key_manager);
  one("cache_actor", d.cache);
  one("metrics_aggregator", d.metrics);
  one("dispatcher", d.dispatcher);
  one("repeats", d.repeats);
  one("flights", d.flights);
  one("recovery", d.recovery);
  one("warmer", d.warmer);
  one("alert_bell", d.alert_bell);
  one("tracer", d.tracer);
  one("dashboard", d.dashboard);
  one("drills", d.drills);
  one("cluster", d.cluster);
  one("peer_console", d.peer_console);
  one("peer_journal", d.peer_journal);
  one("peer_news", d.peer_news);
  one("cache_clears", d.cache_clears);
  one("guests", d.guests);
  one("peer_flights", d.peer_flights);
  one("similar", d.similar);
  one("state_keeper", d.state_keeper, true);
  one("answer_keeper", d.answer_keeper, true);
  one("journal", d.journal, true);
  one("audit_keeper", d.audit_keeper, true);
  for (auto& [name, b] : d.breakers) what("breaker/" + name, b, false);
  for (auto& [name, u] : d.upstreams) what("upstream/" + name, u, false);
}

} // namespace mainstay
