// The governor's promises one by one. The random walk over all of them together is in rate_governor_walk_test.cpp.
#include "core/rate_governor.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace mainstay {
namespace {

const instant t0 = instant{} + 1000s;

governor_settings::key key(std::string name, limit_set limits = {}, std::string provider = "p") {
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

BOOST_AUTO_TEST_SUITE(rate_governor_suite)

// --- limits of keys ---

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
  w.gov.on_provider_limits({.key = "a", .remaining_tokens = 0, .reset_tokens = duration::max()}, w.now);
  w.gov.on_provider_limits({.key = "nobody", .remaining_tokens = 0}, w.now);
  w.gov.on_provider_limits({.key = "a", .remaining_requests = 0, .reset_requests = duration::min()}, w.now);
  auto r = w.ask();
  r.tokens = 1;
  BOOST_CHECK(w.refused(r).not_before == t0 + 24h);
}

// --- the choice ---

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

// --- waiting ---

BOOST_AUTO_TEST_CASE(whoever_can_be_served_in_time_waits_and_is_served_then) {
  world w({key("a", {.rpm = 1})});
  w.done(w.granted().id);
  const auto id = w.waits(w.ask("m", 61s));
  BOOST_CHECK(w.gov.next_wake(w.now) == t0 + 60s);
  BOOST_TEST(w.tick().empty());
  w.now = t0 + 60s;
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
  BOOST_CHECK(w.gov.next_wake(w.now) == t0 + 10min); // the lease's expiry
}

BOOST_AUTO_TEST_CASE(whoever_cannot_be_served_in_time_is_told_at_once_when_to_come_back) {
  world w({key("a", {.rpm = 1})});
  w.done(w.granted().id);
  BOOST_CHECK(w.refused(w.ask("m", 59s)).not_before == t0 + 60s);
}

BOOST_AUTO_TEST_CASE(a_slot_may_come_free_at_any_time_so_one_waits_for_it) {
  world w({key("a")}, 1);
  const auto held = w.granted();
  const auto id = w.waits(w.ask("m", 1s));
  w.done(held.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_over_ends_in_one_refusal) {
  world w({key("a")}, 1);
  w.granted();
  const auto id = w.waits(w.ask("m", 1s));
  BOOST_CHECK(w.gov.next_wake(w.now) == t0 + 1s);
  w.now += 1s;
  const auto answers = w.tick();
  BOOST_REQUIRE(answers.size() == 1u);
  BOOST_CHECK(std::get<refusal>(answers[0]).id == id);
  BOOST_CHECK(std::get<refusal>(answers[0]).why == refusal_reason::over_limit);
  BOOST_TEST(w.tick().empty());
}

BOOST_AUTO_TEST_CASE(capacity_that_came_too_late_is_not_given_to_who_stopped_waiting) {
  world w({key("a")}, 1);
  const auto held = w.granted();
  w.waits(w.ask("m", 1s));
  w.now += 2s;
  w.done(held.id);
  const auto answers = w.tick();
  BOOST_REQUIRE(answers.size() == 1u);
  BOOST_CHECK(std::holds_alternative<refusal>(answers[0]));
}

BOOST_AUTO_TEST_CASE(when_the_last_key_dies_those_who_wait_for_it_hear_at_once) {
  world w({key("a", {.concurrency = 1})});
  w.granted();
  const auto first = w.waits(w.ask("m", 1h)), second = w.waits(w.ask("m", 2h));
  w.gov.on_standing({.key = "a", .disabled = true});
  std::set<request_id> told;
  for (const auto& a : w.tick()) {
    BOOST_CHECK(std::get<refusal>(a).why == refusal_reason::no_key);
    told.insert(std::get<refusal>(a).id.request);
  }
  BOOST_CHECK((told == std::set{first.request, second.request}));
}

BOOST_AUTO_TEST_CASE(when_a_rest_outlasts_a_wait_the_waiter_hears_at_once) {
  world w({key("a", {.concurrency = 1})});
  w.granted();
  const auto impatient = w.waits(w.ask("m", 10s));
  w.waits(w.ask("m", 60s));
  w.gov.on_standing({.key = "a", .not_before = t0 + 30s});
  const auto answers = w.tick();
  BOOST_REQUIRE(answers.size() == 1u);
  const auto no = std::get<refusal>(answers[0]);
  BOOST_CHECK(no.id == impatient);
  BOOST_CHECK(no.why == refusal_reason::resting);
  BOOST_CHECK(no.not_before == t0 + 30s);
}

BOOST_AUTO_TEST_CASE(an_enabled_key_serves_those_who_wait) {
  world w({key("a", {.concurrency = 1}), key("b")});
  w.gov.on_standing({.key = "b", .disabled = true});
  w.granted();
  const auto id = w.waits(w.ask("m", 10s));
  w.gov.on_standing({.key = "b"});
  BOOST_CHECK(w.gov.next_wake(w.now) <= w.now);
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
}

BOOST_AUTO_TEST_CASE(waiters_go_before_newcomers_of_their_pool) {
  world w({key("a", {.rpm = 1})});
  w.done(w.granted().id);
  const auto first = w.waits(w.ask("m", 5min));
  w.now += 60s;
  const auto second = w.waits(w.ask("m", 5min)); // there is room, but not for this one first
  BOOST_CHECK(w.gov.next_wake(w.now) <= w.now);
  BOOST_CHECK(w.granted_by_tick() == std::vector{first});
  w.done(first);
  w.now += 60s;
  BOOST_CHECK(w.granted_by_tick() == std::vector{second});
}

BOOST_AUTO_TEST_CASE(asking_again_replaces_the_place_in_the_queue) {
  world w({key("a")}, 1);
  const auto held = w.granted();
  auto r = w.ask("m", 1s);
  w.waits(r);
  r.wait_until = w.now + 60s;
  w.waits(r);
  BOOST_TEST(w.gov.look(w.now).waiting[1] == 1u);
  w.now += 10s;
  BOOST_TEST(w.tick().empty());
  w.done(held.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{r.id});
}

BOOST_AUTO_TEST_CASE(who_withdraws_gets_no_answer_and_leaves_the_next_in_front) {
  world w({key("a")}, 1);
  const auto held = w.granted();
  const auto first = w.waits(w.ask("m", 10s)), second = w.waits(w.ask("m", 20s));
  w.gov.withdraw(first);
  w.done(held.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{second});
  BOOST_TEST(w.gov.look(w.now).waiting[1] == 0u);
}

BOOST_AUTO_TEST_CASE(a_withdrawal_that_crossed_its_grant_gives_the_reservation_back) {
  world w({key("a", {.rpm = 1})});
  const auto g = w.granted();
  w.gov.withdraw(g.id);
  BOOST_TEST(w.gov.look(w.now).leases == 0u);
  w.granted();
}

BOOST_AUTO_TEST_CASE(a_full_queue_refuses) {
  world w({key("a")}, 1);
  w.settings.queue_capacity = 2;
  w.gov.reconfigure(w.settings);
  w.granted();
  w.waits(w.ask("m", 10s));
  w.waits(w.ask("other", 10s));
  BOOST_CHECK(w.refused(w.ask("m", 10s)).why == refusal_reason::queue_full);
}

BOOST_AUTO_TEST_CASE(one_pools_waiters_never_block_another) {
  world w({key("a")});
  w.gov.on_circuit({"p", "bad", circuit_state::open, t0 + 60s});
  for (int i = 0; i < 100; ++i) w.waits(w.ask("bad", 5min));
  w.granted(w.ask("good"));
  // Also when both wait for the same slots: the blocked ones do not stand in front.
  world x({key("a")}, 1);
  const auto held = x.granted();
  for (int i = 0; i < 100; ++i) x.waits(x.ask("bad", 5min));
  const auto good = x.waits(x.ask("good", 5min));
  x.gov.on_circuit({"p", "bad", circuit_state::open, t0 + 60s});
  x.done(held.id);
  BOOST_CHECK(x.granted_by_tick() == std::vector{good});
}

BOOST_AUTO_TEST_CASE(pools_that_share_a_key_take_turns) {
  world w({key("a")}, 1);
  auto held = w.granted().id;
  for (int i = 0; i < 20; ++i) w.waits(w.ask("crowded", 5min));
  for (int i = 0; i < 3; ++i) w.waits(w.ask("quiet", 5min));
  int until_quiet_is_done = 0;
  for (int quiet = 0; quiet < 3; ++until_quiet_is_done) {
    w.done(held);
    const auto ids = w.granted_by_tick();
    BOOST_REQUIRE(ids.size() == 1u);
    held = ids[0];
    quiet += held.request > 21;
  }
  BOOST_TEST(until_quiet_is_done <= 7);
}

BOOST_AUTO_TEST_CASE(the_order_in_which_targets_are_written_does_not_make_another_pool) {
  world w({key("a"), key("c", {}, "q")}, 1);
  auto one = w.ask("m", 1min), other = w.ask("m", 2min);
  one.targets = {{"p", "m"}, {"q", "m"}};
  other.targets = {{"q", "m"}, {"p", "m"}};
  auto first = one, second = other;
  first.id = {1000, 1}, second.id = {1000, 2};
  const auto a = w.granted(first), b = w.granted(second);
  BOOST_TEST(a.key != b.key);
  w.waits(one);
  w.waits(other);
  w.done(a.key == "a" ? a.id : b.id); // p is free
  const auto answers = w.tick();
  BOOST_REQUIRE(answers.size() == 1u);
  BOOST_CHECK(std::get<grant>(answers[0]).id == one.id);
  w.done(one.id);
  const auto more = w.tick();
  BOOST_REQUIRE(more.size() == 1u);
  BOOST_TEST(std::get<grant>(more[0]).target_index == 1u); // p, as that request wrote it
}

BOOST_AUTO_TEST_CASE(who_excludes_the_free_key_does_not_stand_before_those_who_may_use_it) {
  world w({key("a", {.concurrency = 1}), key("b", {.concurrency = 1})});
  const auto first = w.granted(), second = w.granted();
  auto picky = w.ask("m", 10s);
  picky.excluded_keys = {first.key};
  w.waits(picky);
  const auto easy = w.waits(w.ask("m", 60s));
  w.done(first.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{easy});
  w.done(second.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{picky.id});
}

BOOST_AUTO_TEST_CASE(one_who_needs_many_tokens_is_not_starved_by_many_who_need_few) {
  world w({key("a", {.tpm = 1000})});
  std::optional<lease_id> big;
  int before = 0, after = 0;
  std::optional<instant> went;
  for (int s = 0; s < 300; ++s, w.now += 1s) {
    auto small = w.ask("m", 10min);
    small.client = "other";
    small.tokens = 50;
    if (std::holds_alternative<grant>(w.acquire(small))) ++before, w.done(small.id);
    if (s == 120) { // the limit is used up steadily by then
      auto r = w.ask("m", 10min);
      r.tokens = 400;
      big = w.waits(r);
    }
    for (const auto id : w.granted_by_tick()) {
      ++(went ? after : before);
      if (id == big) went = w.now;
      w.done(id);
    }
  }
  BOOST_REQUIRE(went.has_value());
  BOOST_CHECK(*went <= t0 + 120s + 60s);
  BOOST_TEST(before > 20);
  BOOST_TEST(after > 20);
}

BOOST_AUTO_TEST_CASE(tokens_held_back_for_one_who_cannot_use_them_are_there_for_others) {
  world w({key("a", {.tpm = 1000})});
  auto first = w.ask();
  first.tokens = 800;
  w.granted(first);
  auto big = w.ask("bad", 10min), small = w.ask("good", 10min);
  big.tokens = 500;
  small.tokens = 150;
  w.waits(big);
  BOOST_TEST(w.tick().empty());
  w.gov.settle(first.id, {.tokens = 700}, w.now);
  BOOST_TEST(w.tick().empty());
  w.waits(small); // 300 are free, all of them held back
  w.gov.on_circuit({"p", "bad", circuit_state::open, t0 + 5min});
  BOOST_CHECK(w.granted_by_tick() == std::vector{small.id});
}

BOOST_AUTO_TEST_CASE(levels_share_what_becomes_free_by_their_weights) {
  world w({key("a")}, 1);
  auto held = w.granted().id;
  std::map<request_id, priority> level;
  for (int i = 0; i < 26; ++i)
    for (const auto l : {priority::low, priority::normal, priority::high}) {
      auto r = w.ask("m", 5min);
      r.level = l;
      level[w.waits(r).request] = l;
    }
  std::map<priority, int> served;
  for (int i = 0; i < 26; ++i) {
    w.done(held);
    held = w.granted_by_tick().at(0);
    ++served[level[held.request]];
  }
  BOOST_TEST(served[priority::high] == 16);
  BOOST_TEST(served[priority::normal] == 8);
  BOOST_TEST(served[priority::low] == 2);
}

// --- owners, expiry, retries ---

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

// --- clients ---

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

// --- reload ---

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
} // namespace mainstay
