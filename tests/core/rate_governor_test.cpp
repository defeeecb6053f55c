// The limits of keys and providers, and the choice among them. The random walk over everything is in
// rate_governor_walk_test.cpp.
#include "tests/core/governor_world.hpp"

#include <map>

namespace mainstay::rate_governor_test {
namespace {

using namespace testing;

BOOST_AUTO_TEST_SUITE(rate_governor_suite)

BOOST_AUTO_TEST_CASE(the_sixty_first_request_of_a_minute_is_not_granted) {
  world w({key("a", {.rpm = 60})});
  for (int i = 0; i < 60; ++i) w.done(w.granted().id), w.now += 100ms;
  const auto no = w.refused(w.ask());
  BOOST_CHECK(no.why == refusal_reason::over_limit);
  BOOST_CHECK(no.not_before == t0 + 60s);
  w.now = t0 + 60s;
  w.granted();
}

BOOST_AUTO_TEST_CASE(an_unsent_grant_counts_whatever_its_age) {
  world w({key("a", {.rpm = 1})});
  const auto first = w.granted();
  BOOST_TEST(first.rate_limited_key);
  w.now += 5min;
  w.refused(w.ask());
  w.gov.sent(first.id, w.now);
  w.now += 59s;
  w.refused(w.ask());
  w.now += 1s;
  w.granted();
}

BOOST_AUTO_TEST_CASE(settling_as_sent_stamps_what_sent_did_not) {
  world w({key("a", {.rpm = 1})});
  const auto first = w.granted();
  w.now += 30s;
  w.done(first.id);
  BOOST_CHECK(w.refused(w.ask()).not_before == t0 + 90s);
}

BOOST_AUTO_TEST_CASE(a_withdrawn_reservation_gives_everything_back) {
  world w({key("a", {.rpm = 1, .tpm = 100, .concurrency = 1})}, 1);
  auto r = w.ask();
  r.tokens = 100;
  w.granted(r);
  w.gov.settle(r.id, {.was_sent = false}, w.now);
  r.id.serial = 2;
  w.granted(r);
}

BOOST_AUTO_TEST_CASE(what_was_told_to_be_sent_cannot_be_withdrawn) {
  world w({key("a", {.rpm = 1})});
  const auto g = w.granted();
  w.gov.sent(g.id, w.now);
  w.gov.settle(g.id, {.was_sent = false}, w.now);
  w.refused(w.ask());
}

BOOST_AUTO_TEST_CASE(real_tokens_replace_the_reserved_ones) {
  world w({key("a", {.tpm = 1000})});
  auto r = w.ask();
  r.tokens = 900;
  w.granted(r);
  auto second = w.ask();
  second.tokens = 200;
  w.refused(second);
  w.done(r.id, 100);
  w.granted(second);
}

BOOST_AUTO_TEST_CASE(more_tokens_than_the_limit_go_only_when_nothing_is_in_use) {
  world w({key("a", {.tpm = 1000})});
  auto small = w.ask(), big = w.ask();
  small.tokens = 1;
  big.tokens = 5000;
  w.granted(small);
  w.refused(big);
  w.done(small.id);
  BOOST_CHECK(w.refused(big).not_before == t0 + 60s);
  w.now += 60s;
  w.granted(big);
}

BOOST_AUTO_TEST_CASE(a_models_own_limits_replace_the_keys_for_that_model_alone) {
  auto a = key("a", {.rpm = 1});
  a.models = {{"o1-*", {.rpm = 2}}};
  world w({a});
  w.done(w.granted(w.ask("gpt")).id);
  w.refused(w.ask("gpt"));
  w.done(w.granted(w.ask("o1-mini")).id);
  w.done(w.granted(w.ask("o1-large")).id);
  w.refused(w.ask("o1-mini"));
}

BOOST_AUTO_TEST_CASE(a_provider_never_has_more_calls_open_than_slots) {
  world w({key("a"), key("b")}, 3);
  std::vector<lease_id> held;
  for (int i = 0; i < 3; ++i) held.push_back(w.granted().id);
  BOOST_CHECK(w.refused(w.ask()).why == refusal_reason::over_limit);
  w.done(held[1]);
  w.granted();
}

BOOST_AUTO_TEST_CASE(the_providers_headers_narrow_the_local_count_until_their_reset) {
  world w({key("a", {.rpm = 100})});
  w.gov.on_provider_limits({.key = "a", .model = "m", .remaining_requests = 1, .reset_requests = 20s}, w.now);
  w.granted();
  const auto no = w.refused(w.ask());
  BOOST_CHECK(no.not_before == t0 + 20s);
  w.now += 20s;
  w.granted();
}

BOOST_AUTO_TEST_CASE(an_absurd_reset_or_an_unknown_key_in_the_headers_hurts_nobody) {
  world w({key("a")});
  w.gov.on_provider_limits({.key = "a", .model = "m", .remaining_tokens = 0, .reset_tokens = duration::max()}, w.now);
  w.gov.on_provider_limits({.key = "nobody", .remaining_tokens = 0}, w.now);
  w.gov.on_provider_limits({.key = "a", .model = "m", .remaining_requests = 0, .reset_requests = duration::min()},
                           w.now);
  auto r = w.ask();
  r.tokens = 1;
  BOOST_CHECK(w.refused(r).not_before == t0 + 24h);
}

BOOST_AUTO_TEST_CASE(equal_keys_take_turns) {
  world w({key("a"), key("b"), key("c")});
  std::map<std::string, int> used;
  for (int i = 0; i < 30; ++i) ++used[w.granted().key];
  BOOST_TEST(used["a"] == 10);
  BOOST_TEST(used["b"] == 10);
  BOOST_TEST(used["c"] == 10);
}

BOOST_AUTO_TEST_CASE(weights_of_keys_and_targets_multiply) {
  auto heavy = key("a");
  heavy.weight = 3;
  world w({heavy, key("b")});
  std::map<std::string, int> used;
  for (int i = 0; i < 40; ++i) {
    const auto g = w.granted();
    ++used[g.key];
    w.done(g.id);
  }
  BOOST_TEST(used["a"] == 30);
  auto both = w.ask();
  both.targets = {{"p", "m", 1}, {"q", "m", 100}};
  w.settings.keys.push_back(key("c", {}, "q"));
  w.gov.reconfigure(w.settings);
  std::map<std::uint32_t, int> targets;
  for (int i = 0; i < 104; ++i) {
    both.id.request = ++w.last;
    ++targets[w.granted(both).target_index];
    w.done(both.id);
  }
  BOOST_TEST(targets[1] == 100);
}

BOOST_AUTO_TEST_CASE(a_healthier_and_freer_key_is_preferred) {
  world w({key("a", {.rpm = 100}), key("b", {.rpm = 100})});
  w.gov.on_standing({.key = "a", .health = 0.2});
  BOOST_TEST(w.granted().key == "b");
  std::map<std::string, int> used;
  for (int i = 0; i < 50; ++i) ++used[w.granted().key];
  BOOST_TEST(used["b"] > used["a"]);
}

BOOST_AUTO_TEST_CASE(an_excluded_key_is_not_taken) {
  world w({key("a"), key("b")});
  auto r = w.ask();
  r.excluded_keys = {"a", "unknown"};
  for (int i = 0; i < 5; ++i, r.id.serial++) BOOST_TEST(w.granted(r).key == "b");
  r.excluded_keys = {"b", "a"};
  BOOST_CHECK(w.refused(r).why == refusal_reason::no_key);
}

BOOST_AUTO_TEST_CASE(dead_keys_are_no_reason_to_wait) {
  world w({key("a")});
  w.gov.on_standing({.key = "a", .disabled = true});
  const auto no = w.refused(w.ask("m", 60s));
  BOOST_CHECK(no.why == refusal_reason::no_key);
  BOOST_CHECK(no.not_before == instant::max());
  auto nowhere = w.ask("m", 60s);
  nowhere.targets = {{"unknown", "m"}};
  BOOST_CHECK(w.refused(nowhere).why == refusal_reason::no_key);
  nowhere.targets.clear();
  BOOST_CHECK(w.refused(nowhere).why == refusal_reason::no_key);
}

BOOST_AUTO_TEST_CASE(a_key_is_never_used_before_the_time_its_provider_named) {
  world w({key("a")});
  w.gov.on_standing({.key = "a", .not_before = t0 + 30s});
  const auto no = w.refused(w.ask("m", 29s));
  BOOST_CHECK(no.why == refusal_reason::resting);
  BOOST_CHECK(no.not_before == t0 + 30s);
  w.now = t0 + 30s;
  w.granted();
}

BOOST_AUTO_TEST_CASE(a_resting_key_is_left_alone_while_another_does_not_rest) {
  world w({key("a"), key("b", {.concurrency = 1})});
  w.gov.on_standing({.key = "a", .rest_until = t0 + 60s});
  BOOST_TEST(w.granted().key == "b");
  w.refused(w.ask()); // b is busy, a rests
  w.now += 60s;
  BOOST_TEST(w.granted().key == "a");
}

BOOST_AUTO_TEST_CASE(when_all_rest_the_least_recently_failed_goes_first) {
  world w({key("a"), key("b"), key("c")});
  w.gov.on_standing({.key = "a", .rest_until = t0 + 60s, .last_failure = t0 - 1s});
  w.gov.on_standing({.key = "b", .rest_until = t0 + 60s, .last_failure = t0 - 9s});
  w.gov.on_standing({.key = "c", .not_before = t0 + 1h});
  for (int i = 0; i < 3; ++i) BOOST_TEST(w.granted().key == "b");
}

BOOST_AUTO_TEST_CASE(an_open_circuit_closes_its_model_and_an_open_endpoint_the_provider) {
  world w({key("a"), key("c", {}, "q")});
  w.gov.on_circuit({"p", "bad", circuit_state::open, t0 + 10s});
  const auto no = w.refused(w.ask("bad"));
  BOOST_CHECK(no.why == refusal_reason::resting);
  BOOST_CHECK(no.not_before == t0 + 10s);
  w.granted(w.ask("good"));
  w.gov.on_circuit({"p", "", circuit_state::open, t0 + 5s});
  w.refused(w.ask("good"));
  auto both = w.ask("good");
  both.targets.push_back({"q", "good"});
  BOOST_TEST(w.granted(both).target_index == 1u);
  w.gov.on_circuit({"p", "", circuit_state::half_open, {}});
  w.granted(w.ask("good"));
  w.now = t0 + 10s; // its time is over: let through even if nobody announced the half-open
  w.granted(w.ask("bad"));
}

BOOST_AUTO_TEST_CASE(who_has_others_to_ask_does_not_wait_for_a_circuit) {
  world w({key("a"), key("c", {}, "q")});
  w.gov.on_circuit({"p", "m", circuit_state::open, t0 + 10s});
  auto r = w.ask("m", 60s);
  r.wait_for_circuits = false;
  const auto no = w.refused(r);
  BOOST_CHECK(no.why == refusal_reason::resting);
  BOOST_CHECK(no.not_before == t0 + 10s);
  r.targets.push_back({"q", "m"}); // its circuit is closed
  BOOST_TEST(w.granted(r).target_index == 1u);
}

BOOST_AUTO_TEST_CASE(the_same_lease_asked_again_gets_the_same_grant) {
  world w({key("a", {.rpm = 1}), key("b", {.rpm = 1})});
  const auto r = w.ask();
  const auto first = w.granted(r), again = w.granted(r);
  BOOST_TEST(first.key == again.key);
  BOOST_TEST(w.gov.look(w.now).leases == 1u);
  w.granted();
  w.refused(w.ask());
}

BOOST_AUTO_TEST_CASE(settling_twice_or_an_unknown_lease_changes_nothing) {
  world w({key("a", {.concurrency = 2})}, 2);
  const auto first = w.granted(), second = w.granted();
  w.done(first.id);
  w.done(first.id);
  w.done({99, 99});
  w.granted();
  w.refused(w.ask());
  BOOST_TEST(w.gov.look(w.now).keys.at(0).in_flight == 2u);
  w.done(second.id);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::rate_governor_test
