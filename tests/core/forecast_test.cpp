// The pattern of the week, the trend of the last minutes, and what they say of the minutes to come.
#include "core/forecast.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

namespace forecast_test {

using namespace mainstay;

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const utc_time monday{std::chrono::sys_days(std::chrono::year(2026) / 3 / 2)};

/// So much in every minute of [from, to).
void load(forecast& f, utc_time from, utc_time to, std::uint64_t tokens) {
  for (; from < to; from += minutes(1)) f.count(tokens, from);
}

} // namespace

BOOST_AUTO_TEST_SUITE(forecast_suite)

BOOST_AUTO_TEST_CASE(the_week_begins_on_monday_at_midnight_utc) {
  BOOST_TEST(load_pattern::hour_of(monday) == 0u);
  BOOST_TEST(load_pattern::hour_of(monday - seconds(1)) == 167u);
  BOOST_TEST(load_pattern::hour_of(monday + hours(30) + minutes(59)) == 30u);
  BOOST_TEST(load_pattern::hour_of(utc_time{}) == 72u);
  BOOST_TEST(load_pattern::hour_of(utc_time{} - hours(73)) == 167u);
}

BOOST_AUTO_TEST_CASE(a_cell_is_the_mean_of_its_first_weeks_and_then_leans_to_the_latest) {
  load_pattern p;
  for (const double tokens : {100.0, 200.0, 300.0}) p.learn(5, tokens);
  BOOST_TEST(p.all()[5].mean == 200, boost::test_tools::tolerance(1e-9));
  p.learn(5, 1200);
  BOOST_TEST(p.all()[5].mean == 500, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(p.all()[5].weeks == 4u);
}

BOOST_AUTO_TEST_CASE(between_the_middles_of_two_hours_it_goes_in_a_straight_line) {
  load_pattern p;
  p.learn(0, 100);
  p.learn(1, 300);
  p.learn(167, 500);
  const auto at = [&](minutes in) { return *p.at(monday + in); };
  BOOST_TEST(at(minutes(30)) == 100);
  BOOST_TEST(at(minutes(60)) == 200);
  BOOST_TEST(at(minutes(90)) == 300);
  BOOST_TEST(at(minutes(0)) == 300); // the week is a ring
}

BOOST_AUTO_TEST_CASE(an_hour_never_seen_is_guessed_from_the_same_hour_of_other_days_and_else_from_all) {
  load_pattern p;
  BOOST_TEST(!p.at(monday));
  p.learn(9, 100);
  p.learn(10, 200);
  p.learn(33, 300);
  BOOST_TEST(*p.at(monday + hours(48 + 9) + minutes(30)) == 200);
  BOOST_TEST(*p.at(monday + hours(20) + minutes(30)) == 200); // the mean of the three
}

BOOST_AUTO_TEST_CASE(what_an_earlier_process_learned_is_taken_up_and_what_cannot_be_is_left_out) {
  load_pattern::cells earlier{};
  earlier[3] = {700, 4};
  earlier[4] = {-1, 2};
  earlier[5] = {std::numeric_limits<double>::quiet_NaN(), 2};
  earlier[6] = {900, 0};
  load_pattern p;
  p.restore(earlier);
  BOOST_TEST(p.known() == 1u);
  BOOST_TEST(*p.at(monday + hours(3) + minutes(30)) == 700);
}

BOOST_AUTO_TEST_CASE(the_load_now_is_what_was_used_in_the_last_sixty_seconds) {
  forecast f;
  f.count(100, monday);
  f.count(50, monday + seconds(30));
  BOOST_TEST(f.now(monday + seconds(59)) == 150);
  BOOST_TEST(f.now(monday + seconds(60)) == 50);
  BOOST_TEST(f.now(monday + seconds(90)) == 0);
}

BOOST_AUTO_TEST_CASE(without_a_pattern_the_last_minutes_go_on) {
  forecast f;
  load(f, monday, monday + minutes(20), 600);
  BOOST_TEST(f.ahead(5min, monday + minutes(20) - seconds(1)) == 600, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(f.ahead(1h, monday + minutes(20) - seconds(1)) == 600, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(a_pattern_foretells_the_rise_of_the_next_hour) {
  forecast f;
  for (int day = 0; day < 7; ++day) {
    const auto midnight = monday + hours(24 * day);
    load(f, midnight, midnight + hours(9), 100);
    load(f, midnight + hours(9), midnight + hours(24), 1000);
  }
  const auto next = monday + hours(7 * 24);
  load(f, next, next + hours(8) + minutes(30), 100);
  const auto now = next + hours(8) + minutes(30) - seconds(1);
  BOOST_TEST(f.ahead(1h, now) > 950);
  BOOST_TEST(f.ahead(5min, now) < 250);
  BOOST_TEST(f.peak(1h, now) >= f.ahead(1h, now));
  BOOST_TEST(f.hours_learned() == 7 * 24 + 8);
}

BOOST_AUTO_TEST_CASE(a_day_of_half_the_load_is_foretold_at_half_and_a_bit_more_further_ahead) {
  load_pattern::cells flat;
  flat.fill({1000, 4});
  forecast f;
  f.restore(flat);
  load(f, monday, monday + minutes(30), 500);
  const auto now = monday + minutes(30) - seconds(1);
  BOOST_TEST(f.ahead(0s, now) == 500, boost::test_tools::tolerance(1e-9));
  const auto soon = f.ahead(15min, now), later = f.ahead(1h, now), much_later = f.ahead(24h, now);
  BOOST_TEST((500 < soon && soon < later && later < 650 && 950 < much_later && much_later < 1000));
}

BOOST_AUTO_TEST_CASE(load_where_the_pattern_knows_of_none_is_not_multiplied) {
  load_pattern::cells nights{};
  for (std::size_t i = 0; i < nights.size(); ++i) nights[i] = {i < 12 ? 1.0 : 5000.0, 4};
  forecast f;
  f.restore(nights);
  load(f, monday + hours(10), monday + hours(10) + minutes(30), 2000);
  BOOST_TEST(f.ahead(2h + 30min, monday + hours(10) + minutes(29)) < 5000 * 2 + 2000);
}

BOOST_AUTO_TEST_CASE(minutes_nobody_saw_are_not_minutes_without_load) {
  forecast f;
  load(f, monday, monday + minutes(40), 600);
  f.pass(monday + hours(2)); // the process slept, or the clock was set
  BOOST_TEST(f.hours_learned() == 0u);
  load(f, monday + hours(2), monday + hours(3) + minutes(1), 600);
  BOOST_TEST(f.hours_learned() == 1u);
  f.count(600, monday); // and back
  BOOST_TEST(f.now(monday) == 600);
  BOOST_TEST(f.hours_learned() == 1u);
}

BOOST_AUTO_TEST_CASE(an_hour_of_which_less_than_a_half_was_seen_teaches_nothing) {
  forecast f;
  load(f, monday + minutes(31), monday + minutes(61), 600);
  BOOST_TEST(f.hours_learned() == 0u);
  load(f, monday + minutes(61), monday + minutes(121), 600);
  BOOST_TEST(f.hours_learned() == 1u);
  BOOST_TEST(f.pattern().all()[1].mean == 600, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace forecast_test
