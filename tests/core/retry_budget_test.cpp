// The retry budget and the adaptive limit on retries.
#include "core/retry_budget.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace retry_budget_test {

using namespace mainstay;

namespace {

const instant start = instant{} + 1000h;

int withdraw_all(retry_budget& budget, instant now) {
  int taken = 0;
  while (budget.try_withdraw(now)) ++taken;
  return taken;
}
void feed(adaptive_retries& adaptive, int good, int bad) {
  for (int i = 0; i < good; ++i) adaptive.on_outcome(true);
  for (int i = 0; i < bad; ++i) adaptive.on_outcome(false);
}

} // namespace

BOOST_AUTO_TEST_SUITE(retry_budget_of_traffic)

BOOST_AUTO_TEST_CASE(a_fresh_budget_holds_ten_seconds_of_the_minimum) {
  retry_budget budget({0.2, 10});
  BOOST_TEST(budget.balance(start) == 100);
  BOOST_TEST(withdraw_all(budget, start) == 100);
  BOOST_TEST(!budget.try_withdraw(start));
}

BOOST_AUTO_TEST_CASE(time_gives_the_minimum_back_and_no_more_than_ten_seconds_of_it) {
  retry_budget budget({0.2, 10});
  withdraw_all(budget, start);
  BOOST_TEST(withdraw_all(budget, start + 500ms) == 5);
  BOOST_TEST(withdraw_all(budget, start + 1h) == 100);
}

BOOST_AUTO_TEST_CASE(five_first_attempts_pay_for_one_retry) {
  retry_budget budget({0.2, 0});
  for (int i = 0; i < 4; ++i) budget.on_first_attempt(start);
  BOOST_TEST(!budget.try_withdraw(start));
  budget.on_first_attempt(start);
  BOOST_TEST(budget.try_withdraw(start));
  BOOST_TEST(!budget.try_withdraw(start));
}

BOOST_AUTO_TEST_CASE(what_traffic_earned_expires_after_ten_seconds) {
  retry_budget budget({0.2, 0});
  for (int i = 0; i < 50; ++i) budget.on_first_attempt(start);
  BOOST_TEST(budget.balance(start + 9s) == 10, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(budget.balance(start + 10s) == 0);
  BOOST_TEST(!budget.try_withdraw(start + 10s));
}

BOOST_AUTO_TEST_CASE(looking_often_expires_the_same_as_looking_once) {
  retry_budget looked({0.2, 0}), left({0.2, 0});
  looked.on_first_attempt(start);
  left.on_first_attempt(start);
  looked.reconfigure({0, 0}); // from here on first attempts move its clock and earn nothing
  for (auto at = start; at <= start + 9500ms; at += 7ms) looked.on_first_attempt(at);
  BOOST_TEST(looked.balance(start + 9500ms) == left.balance(start + 9500ms));
  BOOST_TEST(looked.balance(start + 9500ms) > 0);
  BOOST_TEST(looked.balance(start + 10s) == 0);
}

BOOST_AUTO_TEST_CASE(a_clock_that_stands_or_jumps_back_gives_nothing) {
  retry_budget budget({0.2, 10});
  withdraw_all(budget, start);
  BOOST_TEST(!budget.try_withdraw(start - 1h));
  BOOST_TEST(withdraw_all(budget, start + 1s) == 10);
}

BOOST_AUTO_TEST_CASE(a_smaller_budget_binds_at_once_and_nonsense_is_no_budget) {
  retry_budget budget({0.2, 10});
  budget.on_first_attempt(start);
  budget.reconfigure({0.2, 1});
  BOOST_TEST(withdraw_all(budget, start) == 10);
  retry_budget none({-1, std::nan("")});
  none.on_first_attempt(start);
  BOOST_TEST(!none.try_withdraw(start));
}

BOOST_AUTO_TEST_CASE(retries_over_any_walk_stay_within_a_share_of_traffic_plus_the_minimum) {
  std::mt19937 random(31);
  for (int walk = 0; walk < 50; ++walk) {
    const double ratio = (random() % 5) / 10.0, minimum = random() % 5;
    retry_budget budget({ratio, minimum});
    instant now = start;
    int attempts = 0, retries = 0;
    budget.balance(now);
    for (int step = 0; step < 2000; ++step) {
      now += std::chrono::milliseconds(random() % 50);
      if (random() % 3 != 0)
        ++attempts, budget.on_first_attempt(now);
      else
        retries += budget.try_withdraw(now);
      const double seconds = std::chrono::duration<double>(now - start).count();
      BOOST_REQUIRE(retries <= ratio * attempts + minimum * (seconds + 10) + 1e-3);
      const double balance = budget.balance(now);
      BOOST_REQUIRE((balance >= 0 && balance <= ratio * attempts + minimum * 10 + 1e-6));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(adaptive_retries_by_success)

BOOST_AUTO_TEST_CASE(without_outcomes_everything_is_allowed) {
  adaptive_retries adaptive;
  BOOST_TEST(adaptive.max_retries(3) == 3);
  BOOST_TEST(adaptive.success_share() == 1);
}

BOOST_AUTO_TEST_CASE(one_failure_right_after_the_start_cuts_nothing) {
  adaptive_retries adaptive;
  adaptive.on_outcome(false);
  BOOST_TEST(adaptive.max_retries(3) == 3);
}

BOOST_AUTO_TEST_CASE(below_090_retries_are_cut_and_only_above_095_they_come_back) {
  adaptive_retries adaptive;
  feed(adaptive, 90, 10);
  BOOST_TEST(adaptive.max_retries(3) == 3); // 0.90 is not below
  feed(adaptive, 0, 1);
  BOOST_TEST(adaptive.max_retries(3) == 1);
  BOOST_TEST(adaptive.max_retries(0) == 0);
  feed(adaptive, 95, 0); // the last hundred now hold 5 failures
  BOOST_TEST(adaptive.success_share() == 0.95);
  BOOST_TEST(adaptive.max_retries(3) == 1); // 0.95 is not above
  feed(adaptive, 1, 0);
  BOOST_TEST(adaptive.max_retries(3) == 3);
}

BOOST_AUTO_TEST_CASE(in_between_it_stays_as_it_was) {
  adaptive_retries adaptive;
  feed(adaptive, 93, 7);
  BOOST_TEST(adaptive.max_retries(3) == 3);
  feed(adaptive, 0, 93);
  feed(adaptive, 93, 0);
  feed(adaptive, 0, 7);
  BOOST_TEST(adaptive.success_share() == 0.93);
  BOOST_TEST(adaptive.max_retries(3) == 1);
}

BOOST_AUTO_TEST_CASE(another_window_keeps_the_newest_outcomes) {
  adaptive_retries adaptive;
  feed(adaptive, 50, 0);
  feed(adaptive, 0, 20);
  adaptive.reconfigure({.window = 20});
  BOOST_TEST(adaptive.success_share() == 0);
  BOOST_TEST(adaptive.max_retries(3) == 1);
  adaptive.reconfigure({.window = 1000});
  BOOST_TEST(adaptive.success_share() == 0.98);
  adaptive.reconfigure({.window = -5}); // nonsense is a window of one
  adaptive.on_outcome(true);
  BOOST_TEST(adaptive.success_share() == 1);
}

BOOST_AUTO_TEST_CASE(the_share_is_that_of_the_last_outcomes_over_any_walk) {
  std::mt19937 random(5);
  std::vector<bool> all;
  adaptive_retries adaptive({.window = 37});
  for (int i = 0; i < 5000; ++i) {
    all.push_back(random() % 100 < (i / 500 % 2 ? 50u : 97u));
    adaptive.on_outcome(all.back());
    int bad = 0;
    for (std::size_t k = all.size() - std::min<std::size_t>(all.size(), 37); k < all.size(); ++k) bad += !all[k];
    BOOST_REQUIRE_CLOSE(adaptive.success_share() + 1, 2 - bad / 37.0, 1e-9);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace retry_budget_test
