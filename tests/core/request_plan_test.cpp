#include "core/request_plan.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>

namespace request_plan_test {

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
failure lacking(std::string message) {
  auto f = status(400, failure_class::unsupported_feature);
  f.said.message = std::move(message);
  return f;
}
/// There is no answer of before.
plan_step without_one(request_plan& plan, plan_step step, instant now) {
  return std::holds_alternative<step_degrade>(step) ? plan.nothing_to_offer(now) : step;
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
  BOOST_TEST((plan.granted(1, at("a"), "k1", start) == answer_source::primary));
}

BOOST_AUTO_TEST_CASE(a_dead_key_is_followed_by_another_key_at_once_and_free_of_retries) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  auto step = acquire_of(plan.failed(1, status(401, failure_class::auth), start, 0.5, 0));
  BOOST_TEST(step.targets[0].provider == "a");
  BOOST_TEST(step.excluded_keys == std::vector<std::string>{"k1"});
  BOOST_TEST(!step.charge_retry);
  BOOST_TEST((plan.granted(1, at("a"), "k2", start) == answer_source::backup));
  BOOST_TEST(plan.retries() == 0);
}

BOOST_AUTO_TEST_CASE(a_429_without_another_key_waits_for_retry_after_and_asks_the_same_target) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  auto limited = status(429, failure_class::rate_limited);
  limited.said.retry_after = 2s;
  acquire_of(plan.failed(1, limited, start, 0.5, 3));
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
  plan.granted(1, at("a"), "k1", start);
  auto limited = status(429, failure_class::rate_limited);
  limited.said.retry_after = 30s;
  plan.failed(1, limited, start, 0.5, 3);
  auto step = acquire_of(plan.refused(no(refusal_reason::resting, start + 30s), start));
  BOOST_TEST(step.targets[0].provider == "b");
  BOOST_TEST((plan.granted(1, at("b"), "k9", start) == answer_source::fallback));
}

BOOST_AUTO_TEST_CASE(high_priority_waits_four_times_as_long_and_low_half) {
  for (auto [level, waits] :
       std::map<priority, bool>{{priority::high, true}, {priority::normal, false}, {priority::low, false}}) {
    auto c = two_rungs();
    c.level = level;
    request_plan plan(c);
    plan.begin(start);
    plan.granted(1, at("a"), "k1", start);
    auto limited = status(429, failure_class::rate_limited);
    limited.said.retry_after = 10s;
    plan.failed(1, limited, start, 0.5, 3);
    auto step = plan.refused(no(refusal_reason::resting, start + 10s), start);
    BOOST_TEST(std::holds_alternative<step_wait>(step) == waits);
  }
}

BOOST_AUTO_TEST_CASE(without_anybody_else_to_ask_it_waits_as_long_as_the_deadline_allows) {
  auto c = two_rungs();
  c.ladder.pop_back();
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  auto limited = status(429, failure_class::rate_limited);
  limited.said.retry_after = 60s;
  plan.failed(1, limited, start, 0.5, 3);
  BOOST_TEST((wait_of(plan.refused(no(refusal_reason::resting, start + 60s), start)) == start + 60s));
}

BOOST_AUTO_TEST_CASE(a_repetition_that_meets_an_open_circuit_waits_for_it_if_nobody_else_is_left) {
  for (bool alone : {true, false}) {
    auto c = two_rungs();
    if (alone) c.ladder.pop_back();
    request_plan plan(c);
    plan.begin(start);
    plan.granted(1, at("a"), "k1", start);
    plan.failed(1, status(500, failure_class::server_error), start, 0.5, 3);
    BOOST_TEST(acquire_of(plan.resume(start + 1s)).charge_retry);
    auto step = acquire_of(plan.refused(no(refusal_reason::resting, start + 9s), start + 1s));
    if (!alone) {
      BOOST_TEST(step.targets[0].provider == "b");
      continue;
    }
    auto last = plan.refused(no(refusal_reason::resting, start + 9s), start + 1s);
    BOOST_TEST(std::holds_alternative<step_degrade>(last));
    step = acquire_of(without_one(plan, last, start + 1s));
    BOOST_TEST(step.wait_for_circuits);
    BOOST_TEST((step.wait_until == c.deadline));
    end_of(plan.refused(no(refusal_reason::resting), c.deadline));
  }
}

BOOST_AUTO_TEST_CASE(a_repetition_beyond_the_retry_budget_ends_it_even_if_nobody_else_is_left) {
  auto c = two_rungs();
  c.ladder.pop_back();
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  plan.failed(1, status(500, failure_class::server_error), start, 0.5, 3);
  plan.resume(start + 1s);
  BOOST_TEST(end_of(plan.refused(no(refusal_reason::retry_budget), start + 1s)).why.said.status == 500);
}

BOOST_AUTO_TEST_CASE(a_500_is_asked_again_max_retries_times_and_then_the_fallback) {
  request_plan plan(two_rungs());
  auto now = start;
  plan.begin(now);
  for (int i = 0; i <= 3; ++i) {
    plan.granted(1, at("a"), "k1", now);
    auto step = plan.failed(1, status(500, failure_class::server_error), now, 0.5, 3);
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
  plan.granted(1, at("a"), "k1", start);
  auto step = acquire_of(plan.failed(1, status(0, failure_class::first_byte_timeout), start + 30s, 0.5, 3));
  BOOST_TEST(step.targets[0].provider == "b");
}

BOOST_AUTO_TEST_CASE(a_content_refusal_and_the_callers_own_fault_end_at_once) {
  for (auto what : {failure_class::content_filter, failure_class::caller_fault, failure_class::cancelled,
                    failure_class::deadline}) {
    request_plan plan(two_rungs());
    plan.begin(start);
    plan.granted(1, at("a"), "k1", start);
    BOOST_TEST((end_of(plan.failed(1, status(400, what), start, 0.5, 3)).why.what == what));
  }
}

BOOST_AUTO_TEST_CASE(a_status_that_is_not_listed_is_not_asked_again) {
  auto c = two_rungs();
  c.policy.statuses = {429};
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  BOOST_TEST(acquire_of(plan.failed(1, status(503, failure_class::overloaded), start, 0.5, 3)).targets[0].provider ==
             "b");
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
  plan.granted(1, at("a"), "k1", start);
  auto step = acquire_of(plan.recover(start + 1s));
  BOOST_TEST(step.targets[0].provider == "a");
  BOOST_TEST(plan.attempts() == 1);
}

BOOST_AUTO_TEST_CASE(repetitions_leave_an_attempt_for_every_target_that_was_not_asked) {
  auto c = two_rungs();
  c.policy.attempts = 2;
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  BOOST_TEST(acquire_of(plan.failed(1, status(500, failure_class::server_error), start, 0.5, 3)).targets[0].provider ==
             "b");
}

BOOST_AUTO_TEST_CASE(the_story_names_every_failed_attempt_in_order) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  plan.failed(1, status(0, failure_class::idle_timeout), start, 0.5, 3);
  plan.granted(1, at("b"), "k2", start);
  plan.failed(1, status(404, failure_class::model_missing), start, 0.5, 3);
  BOOST_TEST(plan.story() == "a/m: idle_timeout; b/m: model_missing");
}

BOOST_AUTO_TEST_CASE(the_first_repetition_is_drawn_from_what_the_patience_allows_and_later_ones_must_fit_whole) {
  auto c = two_rungs();
  c.policy.jitter = jitter_kind::full;
  c.policy.server_error_delay = 5s; // beyond failover_wait (3 s) for most draws
  for (double draw : {0.0, 0.3, 0.7, 0.999}) {
    request_plan plan(c);
    plan.begin(start);
    plan.granted(1, at("a"), "k1", start);
    auto until = wait_of(plan.failed(1, status(500, failure_class::server_error), start, draw, 3));
    BOOST_TEST((until <= start + 3s));
    plan.resume(until);
    plan.granted(2, at("a"), "k1", until);
    auto second = plan.failed(2, status(500, failure_class::server_error), until, draw, 3); // of 10 s
    BOOST_TEST(std::holds_alternative<step_wait>(second) == (draw <= 0.3));
  }
}

BOOST_AUTO_TEST_CASE(a_kept_connection_that_was_closed_is_replaced_without_waiting_once) {
  auto c = two_rungs();
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  auto closed = status(0, failure_class::reset);
  closed.kept_connection = true;
  BOOST_TEST((wait_of(plan.failed(1, closed, start, 0.5, 3)) == start));
  plan.resume(start);
  plan.granted(2, at("a"), "k1", start);
  BOOST_TEST((wait_of(plan.failed(2, closed, start, 0.5, 3)) == start + 2s));
  request_plan never(c);
  never.begin(start);
  never.granted(1, at("a"), "k1", start);
  BOOST_TEST(acquire_of(never.failed(1, closed, start, 0.5, 0)).targets[0].provider == "b");
}

BOOST_AUTO_TEST_CASE(an_answer_that_broke_in_the_middle_goes_on_with_the_others_and_comes_back_if_they_fail_too) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  auto cut = status(0, failure_class::truncated);
  BOOST_TEST(acquire_of(plan.failed(1, cut, start, 0.5, 3, true)).targets[0].provider == "b");
  plan.granted(2, at("b"), "k2", start);
  auto back = plan.failed(2, status(404, failure_class::model_missing), start, 0.5, 3, true);
  auto until = wait_of(back);
  auto step = acquire_of(plan.resume(until));
  BOOST_TEST(step.targets[0].provider == "a");
  BOOST_TEST(step.charge_retry);
}

BOOST_AUTO_TEST_CASE(with_nobody_else_to_ask_an_answer_that_broke_in_the_middle_goes_on_with_the_same_target) {
  auto c = two_rungs();
  c.ladder.pop_back();
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  wait_of(plan.failed(1, status(0, failure_class::truncated), start, 0.5, 3, true));
}

BOOST_AUTO_TEST_CASE(whoever_calls_a_request_wrong_that_another_target_began_to_answer_is_not_believed) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  plan.failed(1, status(0, failure_class::idle_timeout), start, 0.5, 3, true);
  plan.granted(2, at("b"), "k2", start);
  auto end = end_of(plan.failed(2, status(400, failure_class::caller_fault), start, 0.5, 3, true));
  BOOST_TEST((end.why.what == failure_class::idle_timeout));
}

BOOST_AUTO_TEST_CASE(a_target_that_does_not_know_the_form_is_asked_again_in_another_at_once_and_free) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  plan.failed(1, status(0, failure_class::idle_timeout), start, 0.5, 3, true);
  plan.granted(2, at("b"), "k2", start);
  auto step = acquire_of(plan.misunderstood(2, start));
  BOOST_TEST(step.targets[0].provider == "b");
  BOOST_TEST(!step.charge_retry);
  BOOST_TEST(step.excluded_keys.empty());
  BOOST_TEST(plan.story() == "a/m: idle_timeout");
}

BOOST_AUTO_TEST_CASE(a_hedge_asks_the_next_target_beside_the_first_on_the_retry_budget_and_waits_for_nothing) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  auto step = acquire_of(plan.hedge(start + 10s));
  BOOST_TEST(step.targets[0].provider == "b");
  BOOST_TEST(step.charge_retry);
  BOOST_TEST((step.wait_until == start + 10s));
  BOOST_TEST((plan.granted(2, at("b"), "k2", start + 10s) == answer_source::fallback));
  BOOST_TEST(std::holds_alternative<step_await>(plan.hedge(start + 11s))); // two at a time
  plan.won(1);
  BOOST_TEST(plan.attempts() == 2);
  BOOST_TEST(plan.story().empty());
}

BOOST_AUTO_TEST_CASE(an_equal_target_is_hedged_to_before_a_fallback) {
  auto c = two_rungs();
  c.ladder[0].push_back(at("a2"));
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a2"), "k1", start);
  auto first = acquire_of(plan.hedge(start));
  BOOST_REQUIRE(first.targets.size() == 1u);
  BOOST_TEST(first.targets[0].provider == "a");
  BOOST_TEST(acquire_of(plan.refused(no(refusal_reason::over_limit), start)).targets[0].provider == "b");
  BOOST_TEST(std::holds_alternative<step_await>(plan.refused(no(refusal_reason::over_limit), start)));
}

BOOST_AUTO_TEST_CASE(a_spent_retry_budget_means_no_hedge) {
  auto c = two_rungs();
  c.ladder.push_back({at("c")});
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  plan.hedge(start);
  BOOST_TEST(std::holds_alternative<step_await>(plan.refused(no(refusal_reason::retry_budget), start)));
}

BOOST_AUTO_TEST_CASE(of_two_attempts_one_may_fail_and_the_other_goes_on) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  plan.hedge(start);
  plan.granted(2, at("b"), "k2", start);
  BOOST_TEST(std::holds_alternative<step_await>(
      plan.failed(1, status(0, failure_class::first_byte_timeout), start + 20s, 0.5, 3)));
  // The first is silent and out; the second may be asked again, for it is the last one left.
  BOOST_TEST((wait_of(plan.failed(2, status(500, failure_class::server_error), start + 21s, 0.5, 3)) == start + 22s));
}

BOOST_AUTO_TEST_CASE(a_first_that_fails_while_its_hedge_is_being_asked_for_leaves_the_step_to_the_answer) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  acquire_of(plan.hedge(start));
  BOOST_TEST(
      std::holds_alternative<step_await>(plan.failed(1, status(500, failure_class::server_error), start, 0.5, 3)));
  BOOST_TEST((wait_of(plan.refused(no(refusal_reason::over_limit, start + 9s), start)) == start + 1s));
}

BOOST_AUTO_TEST_CASE(who_lacks_a_feature_is_passed_over_and_asked_without_it_where_nobody_else_answered) {
  auto c = two_rungs();
  c.dispensable.add(feature::tools);
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  BOOST_TEST(acquire_of(plan.failed(1, lacking("m does not support tools"), start, 0.5, 3)).targets[0].provider == "b");
  BOOST_TEST((plan.to_leave_out(start) == feature::tools));
  plan.granted(2, at("b"), "k2", start);
  plan.failed(2, status(404, failure_class::model_missing), start, 0.5, 3);
  auto step = acquire_of(plan.leave_out(feature::tools, start));
  BOOST_TEST(step.targets.size() == 1u);
  BOOST_TEST(step.targets[0].provider == "a");
  BOOST_TEST(!step.charge_retry);
  BOOST_TEST((plan.granted(3, at("a"), "k1", start) == answer_source::backup));
  end_of(plan.failed(3, lacking("m does not support tools"), start, 0.5, 3));
  BOOST_TEST(!plan.to_leave_out(start)); // once
  BOOST_TEST(plan.attempts() == 3);
}

BOOST_AUTO_TEST_CASE(nothing_is_left_out_without_leave_nor_beyond_attempts_and_deadline) {
  for (int kind = 0; kind < 4; ++kind) {
    auto c = two_rungs();
    c.ladder.pop_back();
    if (kind != 0) c.dispensable.add(kind == 1 ? feature::json : feature::tools);
    if (kind == 2) c.policy.attempts = 1;
    const auto now = kind == 3 ? c.deadline : start;
    request_plan plan(c);
    plan.begin(start);
    plan.granted(1, at("a"), "k1", start);
    auto end = end_of(plan.failed(1, lacking("tools is not supported in this model."), now, 0.5, 3));
    BOOST_TEST((end.why.what == failure_class::unsupported_feature));
    BOOST_TEST(!plan.to_leave_out(now), kind);
  }
}

BOOST_AUTO_TEST_CASE(a_target_that_lacks_two_features_is_asked_without_one_and_then_without_both) {
  auto c = two_rungs();
  c.ladder.pop_back();
  c.dispensable.add(feature::tools);
  c.dispensable.add(feature::json);
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  end_of(plan.failed(1, lacking("m does not support tools"), start, 0.5, 3));
  BOOST_TEST((plan.to_leave_out(start) == feature::tools));
  acquire_of(plan.leave_out(feature::tools, start));
  plan.granted(2, at("a"), "k1", start);
  end_of(plan.failed(2, lacking("JSON mode is not supported"), start, 0.5, 3));
  BOOST_TEST((plan.to_leave_out(start) == feature::json));
  acquire_of(plan.leave_out(feature::json, start));
}

BOOST_AUTO_TEST_CASE(who_could_answer_whole_is_waited_for_no_longer_than_any_model_where_another_answers_in_part) {
  for (bool allowed : {true, false}) {
    auto c = two_rungs();
    if (allowed) c.dispensable.add(feature::tools);
    request_plan plan(c);
    plan.begin(start);
    plan.refused(no(refusal_reason::resting, start + 60s), start); // a rests
    plan.granted(1, at("b"), "k1", start);
    auto last = plan.failed(1, lacking("m does not support tools"), start, 0.5, 3);
    BOOST_TEST(std::holds_alternative<step_degrade>(last) == !allowed);
    auto step = acquire_of(without_one(plan, last, start));
    BOOST_TEST(step.targets[0].provider == "a");
    BOOST_TEST((step.wait_until == (allowed ? start + c.policy.failover_wait : c.deadline)));
    if (!allowed) continue;
    end_of(plan.refused(no(refusal_reason::resting, start + 60s), start + 3s));
    BOOST_TEST(acquire_of(plan.leave_out(feature::tools, start + 3s)).targets[0].provider == "b");
  }
}

// Whatever happens, a plan ends: within `attempts` calls, at most two at a time, within max_retries repetitions of each
// target, never after the deadline, never at a target that said "not me" or is being asked; and while nothing is under
// way, it never says that something is.
BOOST_AUTO_TEST_CASE(random_walks_end_within_their_bounds) {
  for (unsigned seed = 0; seed < 6000; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](unsigned n) { return random() % n; };
    request_plan::circumstances c;
    for (unsigned rung = 0, rungs = 1 + pick(3); rung < rungs; ++rung) {
      c.ladder.emplace_back();
      for (unsigned i = 0, n = 1 + pick(2); i < n; ++i) c.ladder.back().push_back(at("p" + std::to_string(pick(4))));
    }
    c.policy.attempts = 1 + static_cast<int>(pick(8));
    c.policy.max_retries = static_cast<int>(pick(4));
    c.policy.jitter = static_cast<jitter_kind>(pick(4));
    c.policy.base_delay = c.policy.server_error_delay = c.policy.rate_limit_delay = c.policy.network_error_delay =
        100ms * (1 + pick(60));
    c.level = static_cast<priority>(pick(3));
    c.deadline = start + 60s;
    for (auto f : features)
      if (pick(2)) c.dispensable.add(f);
    request_plan plan(c);
    auto now = start;
    bool begun = false, hedged = false;
    std::map<request_plan::attempt_id, std::string> open; // attempts under way: at whom
    request_plan::attempt_id next = 1;
    std::map<std::string, bool> out;
    std::map<std::string, feature> lacks;
    feature_set left_out;
    std::map<std::string, int> repetitions;
    auto step = plan.begin(now);
    int steps = 0;
    for (;;) {
      auto where = "seed " + std::to_string(seed) + ", step " + std::to_string(steps);
      BOOST_REQUIRE_MESSAGE(++steps < 1000, where << ": never ends");
      if (std::holds_alternative<step_give_up>(step)) {
        auto less = open.empty() ? plan.to_leave_out(now) : std::nullopt;
        if (!less) break;
        BOOST_REQUIRE(c.dispensable.has(*less));
        BOOST_REQUIRE(!left_out.has(*less));
        left_out.add(*less);
        for (auto& [who, what] : lacks)
          if (what == *less) out[who] = false;
        step = plan.leave_out(*less, now);
        hedged = false;
        continue;
      }
      BOOST_REQUIRE(open.size() <= 2);
      if (auto* w = std::get_if<step_wait>(&step)) {
        BOOST_REQUIRE_MESSAGE(open.empty(), where << ": waits beside an attempt");
        BOOST_REQUIRE(w->until < c.deadline);
        BOOST_REQUIRE(w->until >= now);
        now = w->until;
        step = plan.resume(now);
        continue;
      }
      if (std::holds_alternative<step_degrade>(step)) {
        BOOST_REQUIRE_MESSAGE(open.empty() && !begun, where << ": another answer in place of one under way");
        step = plan.nothing_to_offer(now);
        BOOST_REQUIRE_MESSAGE(!std::holds_alternative<step_degrade>(step), where << ": degrades twice");
        continue;
      }
      auto* a = std::get_if<step_acquire>(&step);
      bool answered = a && (!hedged || open.empty() || pick(3)); // else an attempt ends while the question is under way
      if (answered) {
        BOOST_REQUIRE(!a->targets.empty());
        BOOST_REQUIRE(a->wait_until <= c.deadline);
        if (!open.empty()) BOOST_REQUIRE_MESSAGE(hedged, where << ": asks beside an attempt, but it is no hedge");
        auto t = a->targets[pick(static_cast<unsigned>(a->targets.size()))];
        switch (pick(6)) {
        case 0:
        case 1: {
          bool was_hedge = hedged;
          step = pick(2) ? plan.refused(no(static_cast<refusal_reason>(pick(5)), now + 1s * pick(90)), now)
                         : plan.no_permit(t, now + 100ms * pick(50), now);
          a = std::get_if<step_acquire>(&step);
          hedged = was_hedge && a && (!open.empty() || a->charge_retry);
          continue;
        }
        default: break;
        }
        BOOST_REQUIRE_MESSAGE(!out[t.provider], where << ": a target that said no was asked again");
        for (auto& [id, whom] : open) BOOST_REQUIRE_MESSAGE(whom != t.provider, where << ": asked twice at once");
        if (a->charge_retry && !hedged) ++repetitions[t.provider];
        BOOST_REQUIRE_MESSAGE(repetitions[t.provider] <= c.policy.max_retries, where << ": too many repetitions");
        open.emplace(next, t.provider);
        plan.granted(next++, t, "k" + std::to_string(pick(3)), now);
        BOOST_REQUIRE(plan.attempts() <= c.policy.attempts);
        hedged = false;
      } else if (!a) {
        BOOST_REQUIRE_MESSAGE(!open.empty(), where << ": waits for nothing");
      }
      now += 10ms * pick(200);
      auto one = std::next(open.begin(), pick(static_cast<unsigned>(open.size())));
      auto [id, whom] = *one;
      if (open.size() == 1 && !hedged && pick(3) == 0) {
        step = plan.hedge(now);
        hedged = std::holds_alternative<step_acquire>(step);
        if (hedged) continue;
      }
      if (pick(5) == 0) { // the first token: whatever else is under way is off
        plan.won(id);
        open = {{id, whom}};
        begun = true;
        hedged = false;
      }
      bool asking = hedged;
      if (begun && pick(6) == 0) {
        open.erase(id);
        step = plan.misunderstood(id, now);
      } else if (begun && pick(6) == 0) {
        out[whom] = true;
        open.erase(id);
        step = plan.differed(id, now);
      } else {
        auto what = static_cast<failure_class>(pick(failure_class_count));
        if (what == failure_class::first_byte_timeout || what == failure_class::model_missing) out[whom] = true;
        failure f = status(pick(2) ? 500 : 0, what);
        if (what == failure_class::unsupported_feature) {
          auto lacking = pick(2) ? feature::tools : feature::json;
          f.said.message = lacking == feature::tools ? "m does not support tools" : "JSON mode is not supported";
          out[whom] = true;
          lacks.insert_or_assign(whom, lacking);
        }
        f.kept_connection = what == failure_class::reset && pick(2);
        if (pick(4) == 0) f.said.retry_after = 1s * pick(70);
        open.erase(id);
        step = plan.failed(id, f, now, pick(1000) / 1000.0, c.policy.max_retries, begun);
      }
      if (asking && std::holds_alternative<step_await>(step)) {
        // The hedge's question is still under way: its answer is next.
        step = pick(2) ? plan.refused(no(static_cast<refusal_reason>(pick(5)), now + 1s), now)
                       : plan.no_permit(at("p9"), now + 1s, now);
      }
      a = std::get_if<step_acquire>(&step);
      hedged = a && (!open.empty() || (asking && a->charge_retry)); // the others are not charged before a wait
    }
  }
}

namespace {

refusal outage(instant not_before = start + 10s) { return {{}, refusal_reason::resting, not_before, true}; }

} // namespace

BOOST_AUTO_TEST_CASE(in_an_outage_an_answer_of_before_comes_before_waiting_and_is_looked_for_once) {
  request_plan plan(two_rungs());
  plan.begin(start);
  acquire_of(plan.refused(outage(), start));
  auto step = plan.refused(outage(), start);
  BOOST_REQUIRE(std::holds_alternative<step_degrade>(step));
  auto otherwise = std::get<step_degrade>(step).otherwise;
  BOOST_TEST((otherwise.why.what == failure_class::overloaded && *otherwise.retry_at == start + 10s));
  auto last = acquire_of(plan.nothing_to_offer(start));
  BOOST_TEST((last.wait_for_circuits && last.wait_until == start + 120s && last.targets.size() == 2u));
  plan.granted(1, at("a"), "k", start + 10s); // its trial
  auto back = wait_of(plan.failed(1, status(503, failure_class::overloaded), start + 11s, 0.5, 3));
  plan_step step_after = plan.resume(back);
  for (int i = 0; i < 5 && std::holds_alternative<step_acquire>(step_after); ++i)
    step_after = plan.refused(outage(), back);
  BOOST_TEST((end_of(step_after).why.what == failure_class::overloaded));
}

BOOST_AUTO_TEST_CASE(in_an_outage_a_request_that_yields_does_not_wait) {
  auto with = two_rungs();
  with.yields = true;
  request_plan plan(with);
  plan.begin(start);
  acquire_of(plan.refused(outage(), start));
  auto end = end_of(plan.refused(outage(), start));
  BOOST_TEST((end.outage && end.why.what == failure_class::overloaded));
}

BOOST_AUTO_TEST_CASE(where_nobody_answers_soon_an_answer_of_before_goes_first) {
  const auto last_step = [](instant a, instant b, refusal_reason why = refusal_reason::resting) {
    request_plan plan(two_rungs());
    plan.begin(start);
    plan.refused(no(why, a), start);
    auto step = plan.refused(no(why, b), start);
    const bool degrades = std::holds_alternative<step_degrade>(step);
    if (degrades) step = plan.nothing_to_offer(start); // then it waits
    BOOST_TEST(acquire_of(step).wait_for_circuits);
    return degrades;
  };
  BOOST_TEST(last_step(start + 20s, start + 10s));
  BOOST_TEST(last_step(start + 20s, instant::max()));
  BOOST_TEST(!last_step(start + 2s, start + 10s));                              // within the patience of three seconds
  BOOST_TEST(!last_step(start + 20s, start + 10s, refusal_reason::over_limit)); // that is a queue's affair
}

BOOST_AUTO_TEST_CASE(a_circuit_that_stays_open_for_long_is_waited_for_only_without_another_answer) {
  auto with = two_rungs();
  with.ladder.pop_back();
  request_plan plan(with);
  plan.begin(start);
  acquire_of(plan.no_permit(at("a"), start + 2s, start));
  BOOST_CHECK(wait_of(plan.no_permit(at("a"), start + 2s, start)) == start + 2s);
  acquire_of(plan.resume(start + 2s));
  plan.granted(1, at("a"), "k", start + 2s); // a trial, in vain
  wait_of(plan.failed(1, status(503, failure_class::overloaded), start + 3s, 0, 3));
  acquire_of(plan.resume(start + 8s));
  auto step = plan.no_permit(at("a"), start + 25s, start + 8s);
  BOOST_TEST(std::holds_alternative<step_degrade>(step));
  acquire_of(plan.nothing_to_offer(start + 8s));
  BOOST_CHECK(wait_of(plan.no_permit(at("a"), start + 25s, start + 8s)) == start + 25s);
}

BOOST_AUTO_TEST_CASE(more_time_is_waited_out_for_the_last_ones_only) {
  auto c = two_rungs();
  c.policy.failover_wait = 5s;
  c.deadline = start + 2s;
  request_plan plan(c);
  BOOST_TEST((acquire_of(plan.begin(start)).wait_until == start + 2s));
  BOOST_TEST((plan.live_by(start + 60s, priority::normal, start + 1s) == start + 6s), "a fallback is left");
  auto step = acquire_of(plan.refused(no(refusal_reason::over_limit), start + 6s));
  BOOST_TEST(step.targets[0].provider == "b");
  BOOST_TEST((plan.live_by(start + 90s, priority::normal, start + 7s) == start + 90s), "nobody is left");
}

BOOST_AUTO_TEST_CASE(with_more_time_the_whole_answer_is_waited_for_as_long_as_anybody_is) {
  request_plan::circumstances c;
  c.ladder = {{at("a"), at("b")}};
  c.policy.failover_wait = 5s;
  c.policy.max_retries = 0;
  c.deadline = start + 2s;
  c.dispensable.add(feature::tools);
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k", start);
  auto step = acquire_of(plan.failed(1, lacking("tools are not supported"), start, 0.5, 0));
  BOOST_TEST((step.wait_until == start + 2s), "the deadline cuts it short");
  BOOST_TEST((plan.live_by(start + 60s, priority::normal, start + 1s) == start + 6s));
}

BOOST_AUTO_TEST_CASE(a_target_whose_dialect_has_no_words_for_it_is_passed_over_without_a_call) {
  request_plan plan(two_rungs());
  plan.begin(start);
  auto f = lacking("logit_bias has no counterpart");
  auto step = acquire_of(plan.inexpressible(at("a"), f, start));
  BOOST_TEST(step.targets[0].provider == "b");
  BOOST_TEST(plan.attempts() == 0);
  BOOST_TEST((plan.granted(1, at("b"), "k", start) == answer_source::fallback));
  BOOST_TEST(plan.attempts() == 1);
}

BOOST_AUTO_TEST_CASE(where_no_dialect_has_words_for_it_the_caller_hears_which_parameter) {
  request_plan plan(two_rungs());
  plan.begin(start);
  auto f = lacking("logit_bias has no counterpart");
  f.said.param = "logit_bias";
  plan.inexpressible(at("a"), f, start);
  const auto end = end_of(plan.inexpressible(at("b"), f, start));
  BOOST_TEST((end.why.what == failure_class::unsupported_feature));
  BOOST_TEST(end.why.said.param == "logit_bias");
}

BOOST_AUTO_TEST_CASE(a_target_that_failed_otherwise_is_the_callers_reason_for_another_try) {
  auto c = two_rungs();
  c.policy.max_retries = 0;
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k", start);
  plan.failed(1, status(503, failure_class::overloaded), start, 0, 0);
  const auto end = end_of(plan.inexpressible(at("b"), lacking("no"), start));
  BOOST_TEST((end.why.what == failure_class::overloaded));
}

BOOST_AUTO_TEST_CASE(a_feature_without_words_may_be_left_out) {
  auto c = two_rungs();
  c.dispensable.add(feature::json);
  request_plan plan(c);
  plan.begin(start);
  auto f = lacking("has no counterpart");
  f.said.code = "unsupported_parameter";
  f.said.param = "response_format";
  plan.inexpressible(at("a"), f, start);
  end_of(plan.inexpressible(at("b"), f, start));
  BOOST_TEST((plan.to_leave_out(start) == feature::json));
  BOOST_TEST(acquire_of(plan.leave_out(feature::json, start)).targets[0].provider == "a");
}

failure unreachable(bool other_way = true) {
  failure f;
  f.what = failure_class::connect_failed;
  f.other_way = other_way;
  return f;
}

BOOST_AUTO_TEST_CASE(a_fault_on_the_way_is_followed_by_another_way_at_once_before_any_other_provider) {
  request_plan plan(two_rungs());
  BOOST_TEST(!acquire_of(plan.begin(start)).other_way);
  plan.granted(1, at("a"), "k1", start);
  auto step = acquire_of(plan.failed(1, unreachable(), start, 0.5, 0));
  BOOST_TEST(step.targets[0].provider == "a");
  BOOST_TEST(step.other_way);
  BOOST_TEST(!step.charge_retry);
  plan.granted(2, at("a"), "k1", start);
  BOOST_TEST(plan.attempts() == 2);
  BOOST_TEST(plan.retries() == 0);
  // The last one: no repetition is left, so it is another provider's turn.
  auto next = acquire_of(plan.failed(2, unreachable(false), start, 0.5, 0));
  BOOST_TEST(next.targets[0].provider == "b");
  BOOST_TEST(!next.other_way);
}

BOOST_AUTO_TEST_CASE(where_no_other_way_is_well_any_more_the_backoff_is_what_it_would_have_been) {
  for (bool permit : {false, true}) {
    request_plan plan(two_rungs());
    plan.begin(start);
    plan.granted(1, at("a"), "k1", start);
    acquire_of(plan.failed(1, unreachable(), start, 0.5, 3));
    auto step = permit ? plan.no_permit(at("a"), start, start) : plan.refused(no(refusal_reason::over_limit), start);
    BOOST_TEST((wait_of(step) == start + 1s));
    BOOST_TEST(!acquire_of(plan.resume(start + 1s)).other_way);
  }
}

BOOST_AUTO_TEST_CASE(silence_is_followed_by_another_way_only_where_nobody_else_is_left) {
  auto silence = unreachable();
  silence.what = failure_class::first_byte_timeout;
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  BOOST_TEST(acquire_of(plan.failed(1, silence, start, 0.5, 3)).targets[0].provider == "b");
  plan.granted(2, at("b"), "k2", start);
  auto step = acquire_of(plan.failed(2, silence, start, 0.5, 3));
  BOOST_TEST(step.other_way);
  BOOST_TEST(step.targets[0].provider == "b");
  BOOST_TEST((end_of(plan.no_permit(at("b"), start, start)).why.what == failure_class::first_byte_timeout));
}

BOOST_AUTO_TEST_CASE(other_ways_leave_an_attempt_for_everybody_who_was_not_asked) {
  auto c = two_rungs();
  c.policy.attempts = 3;
  request_plan plan(c);
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  BOOST_TEST(acquire_of(plan.failed(1, unreachable(), start, 0.5, 0)).targets[0].provider == "a");
  plan.granted(2, at("a"), "k1", start);
  BOOST_TEST(acquire_of(plan.failed(2, unreachable(), start, 0.5, 0)).targets[0].provider == "b");
}

BOOST_AUTO_TEST_CASE(a_kept_connection_that_was_idle_for_too_long_blames_no_way) {
  request_plan plan(two_rungs());
  plan.begin(start);
  plan.granted(1, at("a"), "k1", start);
  auto idle = unreachable();
  idle.what = failure_class::reset;
  idle.kept_connection = true;
  BOOST_TEST((wait_of(plan.failed(1, idle, start, 0.5, 3)) == start)); // the same way again, at once
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace request_plan_test
