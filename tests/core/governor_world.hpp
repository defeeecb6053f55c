// A governor with a clock of its own, asked as a request would ask it.
#pragma once

#include "core/rate_governor.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace mainstay::testing {

inline const instant t0 = instant{} + 1000s;

inline governor_settings::key key(std::string name, limit_set limits = {}, std::string provider = "p") {
  return {.name = std::move(name), .provider = std::move(provider), .limits = limits};
}

struct world {
  explicit world(std::vector<governor_settings::key> keys, std::uint32_t slots = 100) {
    settings.keys = std::move(keys);
    settings.providers = {{"p", slots}, {"q", slots}};
    gov = governor(settings);
  }
  governor_settings settings;
  governor gov{{}};
  instant now = t0;
  request_id last = 0;

  capacity_request ask(std::string model = "m", duration patience = 0s) {
    capacity_request r;
    r.id = {++last, 1};
    r.client = "app";
    r.targets = {{"p", std::move(model)}};
    r.wait_until = now + patience;
    r.expires = now + 10min;
    r.wait_for_circuits = true;
    return r;
  }
  capacity_answer acquire(const capacity_request& r) { return gov.acquire(r, now); }
  grant granted(const capacity_request& r) {
    const auto answer = acquire(r);
    BOOST_REQUIRE(std::holds_alternative<grant>(answer));
    return std::get<grant>(answer);
  }
  grant granted() { return granted(ask()); }
  refusal refused(const capacity_request& r) {
    const auto answer = acquire(r);
    BOOST_REQUIRE(std::holds_alternative<refusal>(answer));
    return std::get<refusal>(answer);
  }
  lease_id waits(const capacity_request& r) {
    BOOST_REQUIRE(std::holds_alternative<queued>(acquire(r)));
    return r.id;
  }
  void done(lease_id id, std::optional<std::uint64_t> tokens = {}) { gov.settle(id, {.tokens = tokens}, now); }
  /// All answers that are due, as the shell would collect them: as long as the governor asks to be called at once.
  std::vector<capacity_answer> tick() {
    std::vector<capacity_answer> all;
    do {
      for (auto& a : gov.tick(now)) all.push_back(std::move(a));
    } while (gov.next_wake(now) <= now);
    return all;
  }
  std::vector<lease_id> granted_by_tick() {
    std::vector<lease_id> ids;
    for (const auto& a : tick())
      if (const auto* g = std::get_if<grant>(&a)) ids.push_back(g->id);
    return ids;
  }
};

} // namespace mainstay::testing
