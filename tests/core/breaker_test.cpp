// A provider's breaker: which circuit a failure belongs to, who holds a permit, what is announced.
#include "core/breaker.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace breaker_test {

using namespace mainstay;
using enum failure_class;

namespace {

const instant start = instant{} + 1000h;

struct provider {
  provider_breaker breaker;
  std::uint64_t requests = 0;

  lease_id next() { return {++requests, 1}; }
  bool call(const std::string& model, std::optional<failure_class> what, instant now = start) {
    const lease_id lease = next();
    const bool granted = breaker.ask(lease, model, now).granted;
    breaker.settle(lease, what, now, 0.5);
    return granted;
  }
  void fail(const std::string& model, failure_class what, int times, instant now = start) {
    for (int i = 0; i < times; ++i) call(model, what, now);
  }
  provider_breaker::view of(const std::string& model, instant now = start) const {
    for (const auto& view : breaker.views(now))
      if (view.model == model) return view;
    return {model, circuit_state::closed, false, 0, 0, {}};
  }
  circuit_state state(const std::string& model, instant now = start) const { return of(model, now).state; }
};

} // namespace

BOOST_AUTO_TEST_SUITE(breaker)

BOOST_AUTO_TEST_CASE(status_failures_open_the_models_circuit_and_no_other) {
  provider p;
  p.fail("big", server_error, 5);
  BOOST_TEST((p.state("big") == circuit_state::open));
  BOOST_TEST((p.state("") == circuit_state::closed));
  BOOST_TEST(!p.call("big", {}));
  BOOST_TEST(p.call("small", {}));
}

BOOST_AUTO_TEST_CASE(a_free_answer_lets_the_endpoint_and_the_named_models_be_tried) {
  provider p;
  p.fail("big", server_error, 5);
  p.fail("other", server_error, 5);
  p.fail("small", connect_failed, 5);
  p.breaker.take_changes(start);
  p.breaker.looked_at(provider_breaker::sign::answers, {"big", "unheard of"}, start, 0.5);
  BOOST_TEST((p.state("") == circuit_state::half_open));
  BOOST_TEST((p.state("big") == circuit_state::half_open));
  BOOST_TEST((p.state("other") == circuit_state::open));
  BOOST_TEST(p.breaker.take_changes(start).size() == 2u);
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_cannot_be_reached_opens_again_without_a_call) {
  provider p;
  p.fail("big", connect_failed, 5);
  const auto later = p.of("").open_until;
  p.breaker.looked_at(provider_breaker::sign::unreachable, {"big"}, later, 0.5);
  BOOST_TEST((p.state("", later) == circuit_state::open));
  BOOST_TEST((p.of("", later).open_until > later));
}

BOOST_AUTO_TEST_CASE(connection_failures_open_the_endpoint_for_every_model) {
  provider p;
  p.fail("big", connect_failed, 5);
  BOOST_TEST((p.state("") == circuit_state::open));
  BOOST_TEST((p.state("big") == circuit_state::closed));
  BOOST_TEST(!p.call("small", {}));
}

BOOST_AUTO_TEST_CASE(a_model_failure_is_a_success_for_the_endpoint) {
  provider p;
  p.fail("big", connect_failed, 4);
  p.call("big", server_error);
  BOOST_TEST(p.of("").consecutive_failures == 0);
  p.fail("big", connect_failed, 4);
  BOOST_TEST((p.state("") == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(an_endpoint_failure_is_neutral_for_the_model) {
  provider p;
  p.fail("big", server_error, 4);
  p.call("big", reset);
  BOOST_TEST(p.of("big").consecutive_failures == 4);
  p.call("big", server_error);
  BOOST_TEST((p.state("big") == circuit_state::open));
}

BOOST_AUTO_TEST_CASE(the_callers_and_the_keys_failures_never_open_anything) {
  provider p;
  for (const auto what : {caller_fault, auth, quota_spent, rate_limited, model_missing, unsupported_feature,
                          context_length, content_filter, cancelled, deadline})
    p.fail("big", what, 50);
  BOOST_TEST((p.state("big") == circuit_state::closed));
  BOOST_TEST((p.state("") == circuit_state::closed));
  BOOST_TEST(p.of("big").consecutive_failures == 0);
}

BOOST_AUTO_TEST_CASE(slow_answers_open_the_models_circuit_where_slow_is_configured_and_never_the_endpoint) {
  for (const bool configured : {false, true}) {
    provider p;
    p.breaker.reconfigure({.min_calls = 10, .slow_call = configured ? 5s : 0s});
    for (int i = 0; i < 10; ++i) {
      const lease_id lease = p.next();
      p.breaker.ask(lease, "big", start);
      p.breaker.settle(lease, {}, start, 0.5, 5s);
    }
    BOOST_TEST((p.state("big") == (configured ? circuit_state::open : circuit_state::closed)));
    BOOST_TEST((p.state("") == circuit_state::closed));
  }
}

BOOST_AUTO_TEST_CASE(a_probe_whose_caller_leaves_gives_its_permit_back_and_the_circuit_closes_later) {
  provider p;
  p.breaker.reconfigure({.success_threshold = 1});
  p.fail("big", server_error, 5);
  const instant now = p.of("big").open_until;
  for (int i = 0; i < 20; ++i) {
    const lease_id lease = p.next();
    BOOST_TEST_REQUIRE(p.breaker.ask(lease, "big", now).granted);
    BOOST_TEST(!p.breaker.ask(p.next(), "big", now).granted);
    if (i % 2)
      p.breaker.settle(lease, cancelled, now, 0.5);
    else
      p.breaker.release_owner(lease.request, now);
  }
  BOOST_TEST(p.breaker.permits_out() == 0u);
  p.call("big", {}, now);
  BOOST_TEST((p.state("big", now) == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(asking_twice_with_one_lease_takes_one_permit_and_settling_twice_ends_it_once) {
  provider p;
  p.fail("big", server_error, 5);
  const instant now = p.of("big").open_until;
  const lease_id lease = p.next();
  BOOST_TEST(p.breaker.ask(lease, "big", now).granted);
  BOOST_TEST(p.breaker.ask(lease, "big", now).granted);
  BOOST_TEST(p.breaker.permits_out() == 1u);
  BOOST_TEST(p.breaker.ask(p.next(), "big", now).granted); // the second and last permit of half-open
  BOOST_TEST(!p.breaker.ask(p.next(), "big", now).granted);
  p.breaker.settle(lease, {}, now, 0);
  p.breaker.settle(lease, {}, now, 0);
  p.breaker.settle({999, 9}, server_error, now, 0);
  BOOST_TEST((p.state("big", now) == circuit_state::half_open)); // one success, not two
}

BOOST_AUTO_TEST_CASE(a_refusal_by_the_model_gives_the_endpoints_permit_back) {
  provider p;
  p.fail("big", server_error, 5);
  const instant reopened = p.of("big").open_until;
  p.call("big", server_error, reopened);
  p.fail("small", connect_failed, 5, reopened);
  const instant now = p.of("", reopened).open_until;
  BOOST_REQUIRE((p.state("", now) == circuit_state::half_open));
  BOOST_REQUIRE((p.state("big", now) == circuit_state::open)); // the second time is longer
  for (int i = 0; i < 100; ++i) BOOST_TEST(!p.breaker.ask(p.next(), "big", now).granted);
  BOOST_TEST(p.breaker.ask(p.next(), "small", now).granted);
  BOOST_TEST(p.breaker.ask(p.next(), "small", now).granted);
  BOOST_TEST(!p.breaker.ask(p.next(), "small", now).granted);
}

BOOST_AUTO_TEST_CASE(a_lost_owner_returns_all_its_permits_as_neutral) {
  provider p;
  p.fail("big", server_error, 5);
  const instant now = p.of("big").open_until;
  BOOST_TEST(p.breaker.ask({500, 1}, "big", now).granted);
  BOOST_TEST(p.breaker.ask({500, 2}, "big", now).granted);
  BOOST_TEST(p.breaker.ask({501, 1}, "small", now).granted);
  p.breaker.release_owner(500, now);
  BOOST_TEST(p.breaker.permits_out() == 1u);
  BOOST_TEST((p.state("big", now) == circuit_state::half_open));
  BOOST_TEST((p.call("big", {}, now) && p.call("big", {}, now)));
  BOOST_TEST((p.state("big", now) == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(changes_are_told_once_and_half_open_by_time_alone_too) {
  provider p;
  BOOST_TEST(p.breaker.take_changes(start).empty());
  p.fail("big", server_error, 5);
  auto changes = p.breaker.take_changes(start);
  BOOST_REQUIRE(changes.size() == 1u);
  BOOST_TEST(changes[0].model == "big");
  BOOST_TEST((changes[0].state == circuit_state::open));
  BOOST_TEST(p.breaker.take_changes(start).empty());
  const instant now = changes[0].open_until;
  changes = p.breaker.take_changes(now);
  BOOST_REQUIRE(changes.size() == 1u);
  BOOST_TEST((changes[0].state == circuit_state::half_open));
  p.call("big", {}, now);
  p.call("big", {}, now);
  changes = p.breaker.take_changes(now);
  BOOST_REQUIRE(changes.size() == 1u);
  BOOST_TEST((changes[0].state == circuit_state::closed));
  BOOST_TEST(p.breaker.take_changes(now).empty());
}

BOOST_AUTO_TEST_CASE(a_circuit_that_opened_again_between_two_looks_is_told_with_its_new_time) {
  provider p;
  p.fail("big", server_error, 5);
  const instant first = p.breaker.take_changes(start).at(0).open_until;
  p.call("big", server_error, first);
  const auto changes = p.breaker.take_changes(first);
  BOOST_REQUIRE(changes.size() == 1u);
  BOOST_TEST((changes[0].state == circuit_state::open));
  BOOST_TEST((changes[0].open_until > first));
}

BOOST_AUTO_TEST_CASE(an_operator_forces_the_endpoint_and_automatic_closes_every_circuit) {
  provider p;
  p.fail("big", server_error, 5);
  p.breaker.force(provider_breaker::order::open, start);
  BOOST_TEST(!p.call("small", {}, start + 1000h));
  BOOST_TEST((p.breaker.ask(p.next(), "small", start).retry_at == instant::max()));
  BOOST_TEST(p.breaker.take_changes(start).size() == 2u);
  BOOST_TEST(p.of("").forced);
  p.breaker.force(provider_breaker::order::close, start);
  p.fail("small", connect_failed, 50);
  BOOST_TEST((p.state("") == circuit_state::closed));
  p.breaker.force(provider_breaker::order::automatic, start);
  BOOST_TEST((p.state("big") == circuit_state::closed));
  BOOST_TEST(!p.of("").forced);
  BOOST_TEST(p.breaker.take_changes(start).size() == 2u);
  BOOST_TEST(p.call("big", {}));
}

BOOST_AUTO_TEST_CASE(when_both_refuse_the_later_time_is_named) {
  provider p;
  p.fail("big", server_error, 5);
  p.call("big", server_error, p.of("big").open_until); // opened again, for longer
  const instant now = p.of("big").open_until - 1s;
  p.fail("small", connect_failed, 5, now - 1s);
  const auto answer = p.breaker.ask(p.next(), "big", now - 1s);
  BOOST_TEST(!answer.granted);
  BOOST_TEST((answer.retry_at == std::max(p.of("big").open_until, p.of("").open_until)));
}

BOOST_AUTO_TEST_CASE(names_that_callers_invent_never_push_out_an_open_circuit_and_do_not_pile_up) {
  provider p;
  p.fail("big", server_error, 5);
  for (int i = 0; i < 3000; ++i) p.call("invented-" + std::to_string(i), model_missing, start + i * 1us);
  BOOST_TEST(p.breaker.views(start).size() == 1001u); // the endpoint and a thousand models
  BOOST_TEST((p.state("big") == circuit_state::open));
}

BOOST_AUTO_TEST_CASE(a_permit_of_a_forgotten_model_is_not_settled_with_its_new_circuit) {
  provider p;
  std::vector<lease_id> held;
  for (int i = 0; i < 1000; ++i) {
    held.push_back(p.next());
    p.breaker.ask(held.back(), "m" + std::to_string(i), start + i * 1us);
  }
  p.call("one too many", {}, start + 1s); // all are in use: the longest unasked goes
  p.call("m0", {}, start + 1s);           // and comes back with a new circuit
  for (int i = 0; i < 10; ++i) p.breaker.settle(held[0], server_error, start + 1s, 0);
  BOOST_TEST(p.of("m0", start + 1s).consecutive_failures == 0);
  for (const auto& lease : held) p.breaker.settle(lease, {}, start + 1s, 0);
  BOOST_TEST(p.breaker.permits_out() == 0u);
}

BOOST_AUTO_TEST_CASE(no_walk_of_events_breaks_a_promise) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    circuit_settings settings;
    settings.failure_threshold = 1 + random() % 5;
    settings.success_threshold = 1 + random() % 3;
    settings.recovery_timeout = std::chrono::milliseconds(200 + random() % 20'000);
    provider_breaker breaker(settings);
    std::map<std::uint64_t, std::set<std::uint32_t>> out; // request -> serials with a permit
    std::map<std::string, circuit_state> heard;           // what an audience of the announcements believes
    const std::string models[] = {"a", "b", "c"};
    instant now = start;
    std::size_t permits = 0;
    for (int step = 0; step < 1500; ++step) {
      now += std::chrono::milliseconds(random() % 200);
      const lease_id lease{random() % 8, static_cast<std::uint32_t>(random() % 3)};
      const auto dice = random() % 20;
      if (dice < 9) {
        const auto answer = breaker.ask(lease, models[random() % 3], now);
        BOOST_REQUIRE((answer.granted || answer.retry_at > now));
        if (answer.granted)
          permits += out[lease.request].insert(lease.serial).second;
        else
          BOOST_REQUIRE(out[lease.request].count(lease.serial) == 0u); // a holder is never refused
      } else if (dice < 18) {
        std::optional<failure_class> what;
        if (random() % 2) what = static_cast<failure_class>(random() % failure_class_count);
        breaker.settle(lease, what, now, (random() % 100) / 100.0);
        permits -= out[lease.request].erase(lease.serial);
      } else {
        breaker.release_owner(lease.request, now);
        permits -= out[lease.request].size();
        out[lease.request].clear();
      }
      BOOST_REQUIRE(breaker.permits_out() == permits);
      // Who listens to the announcements knows every state.
      for (const auto& change : breaker.take_changes(now)) heard[change.model] = change.state;
      for (const auto& view : breaker.views(now))
        BOOST_REQUIRE((heard.count(view.model) ? heard[view.model] : circuit_state::closed) == view.state);
    }
    // Every permit returned leaves none out, and everything can close again.
    for (const auto& [request, serials] : out) breaker.release_owner(request, now);
    BOOST_REQUIRE(breaker.permits_out() == 0u);
    now += settings.recovery_timeout;
    std::uint32_t serial = 100;
    for (const auto& model : models)
      for (int i = 0; i < settings.success_threshold; ++i) {
        const lease_id lease{1, ++serial};
        BOOST_REQUIRE(breaker.ask(lease, model, now).granted);
        breaker.settle(lease, {}, now, 0);
      }
    for (const auto& view : breaker.views(now)) BOOST_REQUIRE((view.state == circuit_state::closed));
  }
}

BOOST_AUTO_TEST_CASE(a_permit_names_the_way_to_take_where_there_are_several) {
  provider p;
  const lease_id lease = p.next();
  BOOST_TEST(p.breaker.ask(lease, "big", start).way == "");
  p.breaker.reconfigure({}, {{"eu", "eu:443", "eu", 1}, {"us", "us:443", "us", 1}});
  const lease_id other = p.next();
  const auto answer = p.breaker.ask(other, "big", start, 0.5, {.region = "us"});
  BOOST_TEST(answer.way == "us");
  BOOST_TEST(!answer.other_way);                                   // none in that region
  BOOST_TEST(p.breaker.ask(other, "big", start, 0.5).way == "us"); // the same lease, the same way
}

BOOST_AUTO_TEST_CASE(a_failed_way_is_avoided_and_only_all_of_them_open_the_endpoint) {
  provider p;
  p.breaker.reconfigure({}, {{"eu", "eu:443", "", 1}, {"us", "us:443", "", 1}});
  std::map<std::string, int> asked;
  for (int i = 0; i < 100; ++i) {
    const lease_id lease = p.next();
    const auto answer = p.breaker.ask(lease, "big", start, 0.1);
    BOOST_REQUIRE(answer.granted);
    ++asked[answer.way];
    p.breaker.settle(lease, answer.way == "eu" ? std::optional(connect_failed) : std::nullopt, start, 0.5);
  }
  BOOST_TEST(asked["eu"] == 1);
  BOOST_TEST((p.state("") == circuit_state::closed));
  p.fail("big", connect_failed, 10);
  BOOST_TEST((p.state("") == circuit_state::open));
  BOOST_TEST(!p.call("small", {}));
}

BOOST_AUTO_TEST_CASE(a_models_refusal_gives_back_its_way) {
  provider p;
  p.breaker.reconfigure({}, {{"eu", "eu:443", "", 1}, {"us", "us:443", "", 1}});
  p.fail("big", server_error, 5);
  BOOST_TEST(!p.call("big", {}));
  for (const auto& w : p.breaker.ways(start)) BOOST_TEST(w.under_way == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace breaker_test
