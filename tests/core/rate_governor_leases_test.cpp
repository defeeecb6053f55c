// How reservations end, what retries are charged, what clients may do, and what a reload keeps.
#include "tests/core/governor_world.hpp"

namespace mainstay::rate_governor_leases_test {
namespace {

using namespace testing;

BOOST_AUTO_TEST_SUITE(rate_governor_leases_suite)

BOOST_AUTO_TEST_CASE(a_released_owner_leaves_nothing_behind) {
  world w({key("a", {.concurrency = 2})});
  w.settings.clients = {{"app", {.concurrency = 1}}};
  w.gov.reconfigure(w.settings);
  BOOST_TEST(w.gov.admit({7, 0}, "app", 0, w.now + 1h, w.now).admitted);
  auto r = w.ask("m", 10s);
  r.id = {7, 1};
  w.granted(r);
  r.id = {7, 2};
  w.granted(r);
  r.id = {7, 3};
  w.waits(r);
  w.gov.release_owner(7, w.now);
  BOOST_TEST(w.tick().empty());
  const auto view = w.gov.look(w.now);
  BOOST_TEST(view.leases == 0u);
  BOOST_TEST(view.waiting[1] == 0u);
  BOOST_TEST(view.keys.at(0).in_flight == 0u);
  BOOST_TEST(view.pools.at(0).in_use == 0u);
  BOOST_CHECK(w.gov.next_wake(w.now) == instant::max());
  BOOST_TEST(w.gov.admit({8, 0}, "app", 0, w.now + 1h, w.now).admitted);
}

BOOST_AUTO_TEST_CASE(a_forgotten_reservation_is_swept_as_sent) {
  world w({key("a", {.rpm = 2, .concurrency = 1})});
  auto r = w.ask();
  r.expires = w.now + 5s;
  w.granted(r);
  const auto id = w.waits(w.ask("m", 10s));
  BOOST_CHECK(w.gov.next_wake(w.now) == t0 + 5s);
  w.now += 5s;
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
  w.done(id);
  w.now = t0 + 64s;
  BOOST_CHECK(w.refused(w.ask()).not_before == t0 + 65s); // both count since five seconds after the start
}

BOOST_AUTO_TEST_CASE(a_reservation_that_takes_longer_is_swept_later_and_never_earlier) {
  world w({key("a", {.concurrency = 1})});
  auto r = w.ask();
  r.expires = w.now + 5s;
  w.granted(r);
  w.gov.keep(r.id, w.now + 20s);
  w.gov.keep(r.id, w.now + 10s);
  w.gov.keep({999, 1}, w.now + 1h); // nobody's
  const auto id = w.waits(w.ask("m", 1min));
  w.now += 19s;
  BOOST_CHECK(w.granted_by_tick().empty());
  w.now += 1s;
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
}

BOOST_AUTO_TEST_CASE(a_retry_beyond_the_budget_is_refused_and_a_failover_is_not_charged) {
  world w({key("a")}, 1000);
  w.settings.retry_budget = {.ratio = 0, .min_per_second = 0};
  w.gov.reconfigure(w.settings);
  w.gov = governor(w.settings);
  auto r = w.ask();
  r.charge_retry = true;
  BOOST_CHECK(w.refused(r).why == refusal_reason::retry_budget);
  r.charge_retry = false;
  w.granted(r);
}

BOOST_AUTO_TEST_CASE(first_attempts_pay_for_retries) {
  governor_settings s;
  s.keys = {key("a")};
  s.providers = {{"p", 1000}};
  s.retry_budget = {.ratio = 0.5, .min_per_second = 0};
  world w({});
  w.gov = governor(s);
  for (int i = 0; i < 10; ++i) {
    auto r = w.ask();
    r.first_attempt = true;
    w.granted(r);
    w.granted(r); // asked twice, paid once
  }
  int allowed = 0;
  for (int i = 0; i < 20; ++i) {
    auto r = w.ask();
    r.charge_retry = true;
    allowed += std::holds_alternative<grant>(w.acquire(r));
  }
  BOOST_TEST(allowed == 5);
}

BOOST_AUTO_TEST_CASE(a_refused_retry_takes_no_capacity_and_a_refused_request_no_budget) {
  governor_settings s;
  s.keys = {key("a", {.concurrency = 1})};
  s.providers = {{"p", 10}};
  s.retry_budget = {.ratio = 1, .min_per_second = 0};
  world w({});
  w.gov = governor(s);
  auto first = w.ask();
  first.first_attempt = true;
  w.granted(first);
  auto retry = w.ask();
  retry.charge_retry = true;
  for (int i = 0; i < 5; ++i) BOOST_CHECK(w.refused(retry).why == refusal_reason::over_limit);
  w.done(first.id);
  w.granted(retry);
  w.done(retry.id);
  auto another = w.ask();
  another.charge_retry = true;
  BOOST_CHECK(w.refused(another).why == refusal_reason::retry_budget);
  w.granted();
}

BOOST_AUTO_TEST_CASE(failing_outcomes_cut_the_retries) {
  world w({key("a")}, 1000);
  BOOST_TEST(w.gov.max_retries(3) == 3);
  for (int i = 0; i < 100; ++i) w.gov.settle(w.granted().id, {.success = false}, w.now);
  BOOST_TEST(w.gov.max_retries(3) == 1);
}

struct client_world : world {
  client_world() : world({key("a")}) {
    settings.clients = {{"app", {.rpm = 2, .tpm = 100, .concurrency = 2}}, {"free", {}}};
    gov = governor(settings);
  }
  client_admission admit(request_id request, std::uint64_t tokens = 10, std::string name = "app") {
    return gov.admit({request, 0}, name, tokens, now + 10min, now);
  }
};

BOOST_FIXTURE_TEST_CASE(a_client_hears_what_it_has_left, client_world) {
  const auto first = admit(1);
  BOOST_TEST(first.admitted);
  BOOST_TEST(first.limit_requests.value() == 2u);
  BOOST_TEST(first.remaining_requests.value() == 1u);
  BOOST_TEST(first.limit_tokens.value() == 100u);
  BOOST_TEST(first.remaining_tokens.value() == 90u);
  BOOST_CHECK(first.reset_requests == 60s);
  now += 10s;
  const auto second = admit(2);
  BOOST_TEST(second.remaining_requests.value() == 0u);
  BOOST_CHECK(second.reset_tokens == 60s);
}

BOOST_FIXTURE_TEST_CASE(whose_budget_is_spent_waits_for_it_with_limits_or_without, client_world) {
  admit(1);
  gov.on_budgets({{{"app", now + 5h}, {"free", now + 5h}}});
  for (const auto* name : {"app", "free"}) {
    const auto no = admit(2, 10, name);
    BOOST_TEST(!no.admitted);
    BOOST_TEST(no.limit == "budget");
    BOOST_CHECK(no.retry_after == 5h);
  }
  BOOST_TEST(admit(1).admitted, "it was admitted before");
  now += 5h;
  BOOST_TEST(admit(3, 10, "free").admitted);
  gov.on_budgets({{{"app", now + 5h}}});
  gov.on_budgets({});
  BOOST_TEST(admit(4).admitted);
}

BOOST_FIXTURE_TEST_CASE(a_client_over_its_requests_hears_when_to_come_back, client_world) {
  admit(1);
  now += 10s;
  admit(2);
  now += 10s;
  const auto no = admit(3);
  BOOST_TEST(!no.admitted);
  BOOST_TEST(no.limit == "requests");
  BOOST_CHECK(no.retry_after == 40s);
  BOOST_TEST(no.remaining_requests.value() == 0u);
  BOOST_CHECK(no.reset_requests == 50s);
  now += 40s;
  gov.settle({1, 0}, {}, now);
  BOOST_TEST(admit(3).admitted);
}

BOOST_FIXTURE_TEST_CASE(a_client_over_its_tokens_is_refused_and_over_its_concurrency_too, client_world) {
  admit(1, 95);
  const auto no = admit(2, 10);
  BOOST_TEST(no.limit == "tokens");
  BOOST_CHECK(no.retry_after == 60s);
  BOOST_TEST(no.remaining_tokens.value() == 5u);
  now += 60s;
  admit(2);
  const auto full = admit(3);
  BOOST_TEST(full.limit == "concurrency");
  BOOST_CHECK(full.retry_after == 1s);
  gov.settle({1, 0}, {}, now);
  BOOST_TEST(admit(3).admitted);
}

BOOST_FIXTURE_TEST_CASE(a_long_request_counts_once_not_for_as_long_as_it_lasts, client_world) {
  admit(1);
  now += 60s;
  BOOST_TEST(admit(2).remaining_requests.value() == 1u);
}

BOOST_FIXTURE_TEST_CASE(an_admission_asked_again_is_answered_as_the_first_time_and_charged_once, client_world) {
  const auto first = admit(1);
  now += 1s;
  const auto again = admit(1);
  BOOST_TEST(again.remaining_requests.value() == first.remaining_requests.value());
  BOOST_CHECK(again.reset_requests == first.reset_requests);
  BOOST_TEST(gov.look(now).leases == 1u);
  BOOST_TEST(admit(2).admitted);
}

BOOST_FIXTURE_TEST_CASE(what_a_client_really_spent_is_what_it_is_charged, client_world) {
  admit(1, 95);
  gov.settle({1, 0}, {.tokens = 20}, now);
  BOOST_TEST(admit(2, 10).remaining_tokens.value() == 70u);
  gov.settle({2, 0}, {.was_sent = false}, now);
  BOOST_TEST(admit(3, 10).remaining_tokens.value() == 70u);
}

BOOST_FIXTURE_TEST_CASE(clients_without_limits_are_admitted_free, client_world) {
  for (request_id i = 1; i <= 100; ++i) {
    BOOST_TEST(admit(i, 1000000, "free").admitted);
    BOOST_TEST(admit(i, 1000000, "unknown").admitted);
  }
  BOOST_TEST(gov.look(now).leases == 0u);
}

BOOST_AUTO_TEST_CASE(counters_and_leases_survive_a_reload_by_name) {
  world w({key("a", {.rpm = 2}), key("b", {.rpm = 2})});
  std::vector<lease_id> held;
  for (int i = 0; i < 4; ++i) held.push_back(w.granted().id);
  w.settings.keys[0].limits.rpm = 3;
  w.gov.reconfigure(w.settings);
  BOOST_TEST(w.granted().key == "a");
  w.refused(w.ask());
  BOOST_TEST(w.gov.look(w.now).leases == 5u);
  for (const auto id : held) w.done(id);
  BOOST_TEST(w.gov.look(w.now).leases == 1u);
}

BOOST_AUTO_TEST_CASE(a_key_that_leaves_and_returns_brings_no_fresh_limit) {
  world w({key("a", {.rpm = 1})});
  const auto keys = w.settings.keys;
  const auto held = w.granted();
  w.settings.keys.clear();
  w.gov.reconfigure(w.settings);
  BOOST_CHECK(w.refused(w.ask()).why == refusal_reason::no_key);
  w.done(held.id);
  w.settings.keys = keys;
  w.gov.reconfigure(w.settings);
  BOOST_CHECK(w.refused(w.ask()).not_before == t0 + 60s);
}

BOOST_AUTO_TEST_CASE(who_waits_goes_on_waiting_through_a_reload) {
  world w({key("a", {.concurrency = 1})});
  const auto held = w.granted();
  const auto first = w.waits(w.ask("m", 10s)), second = w.waits(w.ask("m", 20s));
  w.gov.reconfigure(w.settings);
  BOOST_TEST(w.tick().empty());
  w.settings.keys.push_back(key("b"));
  w.gov.reconfigure(w.settings);
  BOOST_CHECK((w.granted_by_tick() == std::vector{first, second}));
  w.settings.keys.clear();
  w.settings.providers.clear();
  w.gov.reconfigure(w.settings);
  for (const auto id : {held.id, first, second}) w.done(id);
  BOOST_TEST(w.gov.look(w.now).leases == 0u);
}

BOOST_AUTO_TEST_CASE(ever_new_model_names_leave_nothing_behind) {
  world w({key("a")}, 1);
  const auto held = w.granted();
  for (int i = 0; i < 5000; ++i) w.gov.withdraw(w.waits(w.ask("model-" + std::to_string(i), 10s)));
  for (int i = 0; i < 5000; ++i) w.waits(w.ask("model-" + std::to_string(i), 10s));
  w.now += 10s;
  BOOST_TEST(w.tick().size() == 5000u);
  w.done(held.id);
  BOOST_CHECK(w.gov.next_wake(w.now) == instant::max());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::rate_governor_leases_test
