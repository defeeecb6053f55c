#include "core/request_plan.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>

using namespace mainstay;

namespace {

const instant start{1000s};

target at(std::string provider, std::string model = "m") { return {std::move(provider), std::move(model), 1}; }

request_plan::circumstances two_rungs() {
  request_plan::circumstances c;
  c.ladder = {{at("a")}, {at("b")}};
  c.policy.jitter = jitter_kind::none;
  c.policy.server_error_delay = 1s;
  c.policy.rate_limit_delay = 2s;
  c.policy.network_error_delay = 1s;
  c.deadline = start + 120s;
  return c;
}

failure status(int code, failure_class what) {
  failure f;
  f.what = what;
  f.said.status = code;
  return f;
}

step_acquire acquire_of(const plan_step& s) {
  BOOST_REQUIRE(std::holds_alternative<step_acquire>(s));
  return std::get<step_acquire>(s);
}
instant wait_of(const plan_step& s) {
  BOOST_REQUIRE(std::holds_alternative<step_wait>(s));
  return std::get<step_wait>(s).until;
}
step_give_up end_of(const plan_step& s) {
  BOOST_REQUIRE(std::holds_alternative<step_give_up>(s));
  return std::get<step_give_up>(s);
}
refusal no(refusal_reason why, instant not_before = instant::max()) { return {{}, why, not_before}; }

} // namespace

BOOST_AUTO_TEST_SUITE(the_request_plan)

BOOST_AUTO_TEST_CASE(begins_with_the_targets_of_first_choice) {
  request_plan plan(two_rungs());
  auto step = acquire_of(plan.begin(start));
  BOOST_TEST(step.targets.size() == 1u);
  BOOST_TEST(step.targets[0].provider == "a");
  BOOST_TEST(step.first_attempt);
  BOOST_TEST((plan.granted(at("a"), "k1", start) == answer_source::primary));
}

BOOST_AUTO_TEST_CASE(a_dead_key_is_followed_by_another_key_at_once_and_free_of_retries) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(at("a"), "k1", start);
  auto step = acquire_of(plan.failed(status(401, failure_class::auth), start, 0.5, 0));
  BOOST_TEST(step.targets[0].provider == "a");
  BOOST_TEST(step.excluded_keys == std::vector<std::string>{"k1"});
  BOOST_TEST(!step.charge_retry);
  BOOST_TEST((plan.granted(at("a"), "k2", start) == answer_source::backup));
  BOOST_TEST(plan.retries() == 0);
}

BOOST_AUTO_TEST_CASE(a_429_without_another_key_waits_for_retry_after_and_asks_the_same_target) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(at("a"), "k1", start);
  auto limited = status(429, failure_class::rate_limited);
  limited.said.retry_after = 2s;
  acquire_of(plan.failed(limited, start, 0.5, 3));
  auto until = wait_of(plan.refused(no(refusal_reason::resting, start + 2s), start));
  BOOST_TEST((until == start + 2s));
  auto step = acquire_of(plan.resume(start + 2s));
  BOOST_TEST(step.targets[0].provider == "a");
  BOOST_TEST(step.excluded_keys.empty());
  BOOST_TEST(step.charge_retry);
}

BOOST_AUTO_TEST_CASE(a_retry_after_longer_than_the_patience_moves_on_to_the_fallback) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(at("a"), "k1", start);
  auto limited = status(429, failure_class::rate_limited);
  limited.said.retry_after = 30s;
  plan.failed(limited, start, 0.5, 3);
  auto step = acquire_of(plan.refused(no(refusal_reason::resting, start + 30s), start));
  BOOST_TEST(step.targets[0].provider == "b");
  BOOST_TEST((plan.granted(at("b"), "k9", start) == answer_source::fallback));
}

BOOST_AUTO_TEST_CASE(high_priority_waits_four_times_as_long_and_low_half) {
  for (auto [level, waits] :
       std::map<priority, bool>{{priority::high, true}, {priority::normal, false}, {priority::low, false}}) {
    auto c = two_rungs();
    c.level = level;
    request_plan plan(c);
    plan.begin(start);
    plan.granted(at("a"), "k1", start);
    auto limited = status(429, failure_class::rate_limited);
    limited.said.retry_after = 10s;
    plan.failed(limited, start, 0.5, 3);
    auto step = plan.refused(no(refusal_reason::resting, start + 10s), start);
    BOOST_TEST(std::holds_alternative<step_wait>(step) == waits);
  }
}

BOOST_AUTO_TEST_CASE(without_anybody_else_to_ask_it_waits_as_long_as_the_deadline_allows) {
  auto c = two_rungs();
  c.ladder.pop_back();
  request_plan plan(c);
  plan.begin(start);
  plan.granted(at("a"), "k1", start);
  auto limited = status(429, failure_class::rate_limited);
  limited.said.retry_after = 60s;
  plan.failed(limited, start, 0.5, 3);
  BOOST_TEST((wait_of(plan.refused(no(refusal_reason::resting, start + 60s), start)) == start + 60s));
}

BOOST_AUTO_TEST_CASE(a_500_is_asked_again_max_retries_times_and_then_the_fallback) {
  request_plan plan(two_rungs());
  auto now = start;
  plan.begin(now);
  for (int i = 0; i <= 3; ++i) {
    plan.granted(at("a"), "k1", now);
    auto step = plan.failed(status(500, failure_class::server_error), now, 0.5, 3);
    if (i == 2) { // 1 s, 2 s, then 4 s, which is beyond failover_wait
      BOOST_TEST(acquire_of(step).targets[0].provider == "b");
      return;
    }
    now = wait_of(step);
    BOOST_TEST(acquire_of(plan.resume(now)).targets[0].provider == "a");
  }
  BOOST_FAIL("the fallback was never asked");
}

BOOST_AUTO_TEST_CASE(a_silent_target_is_not_asked_twice) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(at("a"), "k1", start);
  auto step = acquire_of(plan.failed(status(0, failure_class::first_byte_timeout), start + 30s, 0.5, 3));
  BOOST_TEST(step.targets[0].provider == "b");
}

BOOST_AUTO_TEST_CASE(a_content_refusal_and_the_callers_own_fault_end_at_once) {
  for (auto what : {failure_class::content_filter, failure_class::caller_fault, failure_class::cancelled,
                    failure_class::deadline}) {
    request_plan plan(two_rungs());
    plan.begin(start);
    plan.granted(at("a"), "k1", start);
    BOOST_TEST((end_of(plan.failed(status(400, what), start, 0.5, 3)).why.what == what));
  }
}

BOOST_AUTO_TEST_CASE(a_status_that_is_not_listed_is_not_asked_again) {
  auto c = two_rungs();
  c.policy.statuses = {429};
  request_plan plan(c);
  plan.begin(start);
  plan.granted(at("a"), "k1", start);
  BOOST_TEST(acquire_of(plan.failed(status(503, failure_class::overloaded), start, 0.5, 3)).targets[0].provider == "b");
}

BOOST_AUTO_TEST_CASE(missing_capacity_is_waited_for_only_after_every_fallback_was_tried) {
  request_plan plan(two_rungs());
  auto first = acquire_of(plan.begin(start));
  BOOST_TEST((first.wait_until == start + 3s));
  auto second = acquire_of(plan.refused(no(refusal_reason::over_limit, start + 40s), start));
  BOOST_TEST(second.targets[0].provider == "b");
  auto last = acquire_of(plan.refused(no(refusal_reason::over_limit, start + 20s), start));
  BOOST_TEST(last.targets.size() == 2u);
  BOOST_TEST((last.wait_until == start + 120s));
  auto end = end_of(plan.refused(no(refusal_reason::over_limit, start + 20s), start));
  BOOST_TEST((end.why.what == failure_class::rate_limited));
  BOOST_TEST((end.retry_at == start + 20s));
}

BOOST_AUTO_TEST_CASE(no_usable_key_anywhere_is_a_failure_of_its_own) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.refused(no(refusal_reason::no_key), start);
  auto end = end_of(plan.refused(no(refusal_reason::no_key), start));
  BOOST_TEST((end.why.what == failure_class::auth));
}

BOOST_AUTO_TEST_CASE(a_plan_whose_run_died_goes_on_where_it_was) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(at("a"), "k1", start);
  auto step = acquire_of(plan.recover(start + 1s));
  BOOST_TEST(step.targets[0].provider == "a");
  BOOST_TEST(plan.attempts() == 1);
}

BOOST_AUTO_TEST_CASE(repetitions_leave_an_attempt_for_every_target_that_was_not_asked) {
  auto c = two_rungs();
  c.policy.attempts = 2;
  request_plan plan(c);
  plan.begin(start);
  plan.granted(at("a"), "k1", start);
  BOOST_TEST(acquire_of(plan.failed(status(500, failure_class::server_error), start, 0.5, 3)).targets[0].provider ==
             "b");
}

BOOST_AUTO_TEST_CASE(the_story_names_every_failed_attempt_in_order) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(at("a"), "k1", start);
  plan.failed(status(0, failure_class::idle_timeout), start, 0.5, 3);
  plan.granted(at("b"), "k2", start);
  plan.failed(status(404, failure_class::model_missing), start, 0.5, 3);
  BOOST_TEST(plan.story() == "a/m: idle_timeout; b/m: model_missing");
}

// Whatever happens, a plan ends: within `attempts` calls, within max_retries repetitions of each target, never after
// the deadline, never at a target that said "not me".
BOOST_AUTO_TEST_CASE(random_walks_end_within_their_bounds) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](unsigned n) { return random() % n; };
    request_plan::circumstances c;
    for (unsigned rung = 0, rungs = 1 + pick(3); rung < rungs; ++rung) {
      c.ladder.emplace_back();
      for (unsigned i = 0, n = 1 + pick(2); i < n; ++i) c.ladder.back().push_back(at("p" + std::to_string(pick(4))));
    }
    c.policy.attempts = 1 + static_cast<int>(pick(8));
    c.policy.max_retries = static_cast<int>(pick(4));
    c.policy.base_delay = c.policy.server_error_delay = c.policy.rate_limit_delay = c.policy.network_error_delay =
        100ms * (1 + pick(30));
    c.level = static_cast<priority>(pick(3));
    c.deadline = start + 60s;
    request_plan plan(c);
    auto now = start;
    std::map<std::string, int> calls;
    std::map<std::string, bool> silent;
    auto step = plan.begin(now);
    int steps = 0;
    while (!std::holds_alternative<step_give_up>(step)) {
      BOOST_REQUIRE_MESSAGE(++steps < 500, "seed " << seed << " never ends");
      if (auto* w = std::get_if<step_wait>(&step)) {
        BOOST_REQUIRE(w->until < c.deadline);
        BOOST_REQUIRE(w->until >= now);
        now = w->until;
        step = plan.resume(now);
        continue;
      }
      auto& a = std::get<step_acquire>(step);
      BOOST_REQUIRE(!a.targets.empty());
      BOOST_REQUIRE(a.wait_until <= c.deadline);
      switch (pick(6)) {
      case 0: step = plan.refused(no(static_cast<refusal_reason>(pick(5)), now + 1s * pick(90)), now); continue;
      case 1:
        step = plan.no_permit(a.targets[pick(static_cast<unsigned>(a.targets.size()))], now + 100ms * pick(50), now);
        continue;
      default: break;
      }
      auto t = a.targets[pick(static_cast<unsigned>(a.targets.size()))];
      BOOST_REQUIRE_MESSAGE(!silent[t.provider], "seed " << seed << ": a silent target was asked twice");
      plan.granted(t, "k" + std::to_string(pick(3)), now);
      ++calls[t.provider];
      BOOST_REQUIRE(plan.attempts() <= c.policy.attempts);
      now += 10ms * pick(200);
      auto what = static_cast<failure_class>(pick(failure_class_count));
      if (what == failure_class::first_byte_timeout || what == failure_class::model_missing) silent[t.provider] = true;
      failure f = status(pick(2) ? 500 : 0, what);
      if (pick(4) == 0) f.said.retry_after = 1s * pick(70);
      step = plan.failed(f, now, pick(1000) / 1000.0, c.policy.max_retries);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
