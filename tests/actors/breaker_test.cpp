// A provider's breaker with ears in the place of those it announces to: what peers said ends by time, in silence.
#include "actors/breaker.hpp"

#include <boost/test/unit_test.hpp>

namespace breaker_test {

using namespace mainstay;

namespace {

struct fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor governor{system}, recovery{system};
  std::shared_ptr<config::settings> settings = std::make_shared<config::settings>();
  std::shared_ptr<breaker_store> store;
  caf::strong_actor_ptr spawned;

  fixture() {
    settings->providers.emplace_back().name = "a";
    store = std::make_shared<breaker_store>(settings->providers.back(), std::nullopt);
  }
  ~fixture() { caf::anon_send_exit(spawned, caf::exit_reason::user_shutdown); }

  breaker_actor breaker() {
    spawned = spawn_breaker(system, store, caf::actor_cast<governor_actor>(caf::actor(governor)),
                            caf::actor_cast<recovery_actor>(caf::actor(recovery)));
    return caf::actor_cast<breaker_actor>(spawned);
  }
  /// A peer's, so long ago that what it said of `model` ends in a moment.
  void advised(const std::string& model) {
    const auto then = clock::now() - circuit::longest_advice + 200ms;
    store->policy.advise({"a", model, {}, circuit_state::open, then + 1ms, {}, "10.0.0.2:1"}, then);
    store->policy.take_changes(then);
  }
  void hears_that_is_closed(caf::scoped_actor& who, const std::string& model) {
    bool closed = false, silent = false;
    while (!closed && !silent)
      who->receive(
          [&](const governor::circuit_news& n) { closed = n.model == model && n.state == circuit_state::closed; },
          caf::after(5s) >> [&] { silent = true; });
    BOOST_TEST(closed);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(breaker_actor_suite, fixture)

BOOST_AUTO_TEST_CASE(what_peers_said_ends_by_time_for_governor_and_recovery_though_nobody_asks) {
  advised("m");
  const auto it = breaker();
  caf::anon_send(it, circuit_word{"a", "other", {}, circuit_state::open, clock::now() + 5s, {}, "10.0.0.2:1"});
  hears_that_is_closed(governor, "m");
  hears_that_is_closed(recovery, "m");
}

BOOST_AUTO_TEST_CASE(whoever_takes_over_from_a_breaker_that_died_ends_what_it_was_told) {
  advised("m");
  const auto it = breaker();
  caf::anon_send(it, take_settings{settings, std::make_shared<directory>()});
  hears_that_is_closed(governor, "m");
  hears_that_is_closed(recovery, "m");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace breaker_test
