// Months end when the calendar says so.
#include "core/month_quota.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>
#include <string>

namespace mainstay::month_quota_test {
namespace {

const instant t0 = instant{} + 1000h;

utc_time date(int year, unsigned month, unsigned day) {
  return std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day));
}

month_quota quota_of(std::uint64_t limit) {
  month_quota q;
  q.limit_to(limit);
  return q;
}

BOOST_AUTO_TEST_SUITE(month_quota_suite)

BOOST_AUTO_TEST_CASE(the_quota_is_free_again_on_the_first_of_the_next_month) {
  const calendar today{t0, date(2027, 12, 30)};
  auto q = quota_of(2);
  q.take(today, t0);
  q.take(today, t0 + 1h);
  BOOST_TEST(!q.fits(today, t0 + 47h));
  BOOST_CHECK(q.fits_at(today, t0 + 47h) == t0 + 48h); // midnight, New Year
  BOOST_TEST(q.fits(today, t0 + 48h));
  BOOST_TEST(q.used(today, t0 + 48h) == 0u);
}

BOOST_AUTO_TEST_CASE(what_was_not_sent_does_not_count) {
  const calendar today{t0, date(2027, 2, 10)};
  auto q = quota_of(1);
  q.take(today, t0);
  q.give_back();
  BOOST_TEST(q.fits(today, t0));
  q.give_back();
  BOOST_TEST(q.used(today, t0) == 0u);
}

BOOST_AUTO_TEST_CASE(without_a_limit_nothing_is_counted) {
  month_quota q;
  q.take({t0, date(2027, 2, 10)}, t0);
  BOOST_TEST(q.fits({t0, date(2027, 2, 10)}, t0));
  BOOST_TEST(q.used({t0, date(2027, 2, 10)}, t0) == 0u);
}

BOOST_AUTO_TEST_CASE(setting_the_date_within_the_month_keeps_the_count_and_beyond_it_empties_it) {
  auto q = quota_of(5);
  q.take({t0, date(2027, 2, 10)}, t0);
  q.look_again();
  BOOST_TEST(q.used({t0, date(2027, 2, 20)}, t0) == 1u);
  q.look_again();
  BOOST_TEST(q.used({t0, date(2027, 3, 1)}, t0) == 0u);
}

BOOST_AUTO_TEST_CASE(what_an_earlier_process_counted_counts_in_its_month_and_in_no_other) {
  using namespace std::chrono;
  auto same = quota_of(5);
  same.restore(year(2027) / February, 4);
  BOOST_TEST(same.used({t0, date(2027, 2, 20)}, t0) == 4u);
  same.take({t0, date(2027, 2, 20)}, t0);
  BOOST_TEST(!same.fits({t0, date(2027, 2, 20)}, t0));
  BOOST_TEST(same.fits({t0, date(2027, 2, 20)}, t0 + 9 * 24h));
  for (const auto other : {year(2027) / January, year(2026) / February, year(2027) / March}) {
    auto q = quota_of(5);
    q.restore(other, 4);
    BOOST_TEST(q.used({t0, date(2027, 2, 20)}, t0) == 0u);
    BOOST_CHECK(q.month() == year(2027) / February);
  }
}

BOOST_AUTO_TEST_CASE(a_new_month_is_written_down_from_its_first_request_on) {
  const calendar today{t0, date(2027, 12, 31)};
  auto q = quota_of(50);
  q.restore(std::chrono::year(2027) / 12, 40);
  BOOST_TEST(q.noted());
  BOOST_TEST(!q.note_after_a_moment(today, t0));
  BOOST_TEST(!q.note_after_a_moment(today, t0 + 25h)); // the next month: nothing to say about it yet
  q.take(today, t0 + 25h);
  BOOST_TEST(!q.noted()); // though 40 is more: that was of another month
  BOOST_TEST(q.note_at_once(today, t0 + 25h).value() >= 1u);
  BOOST_CHECK(q.month() == std::chrono::year(2028) / 1);
}

BOOST_AUTO_TEST_CASE(no_walk_through_years_sees_more_than_the_limit_in_a_month) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 draw(seed);
    const calendar today{t0, date(2027, 1, 1)};
    auto q = quota_of(20);
    instant now = t0;
    std::map<std::string, int> sent; // by month
    std::string last;
    for (int step = 0; step < 5000; ++step) {
      now += std::chrono::minutes(draw() % 1500);
      const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(today.date_of(now)));
      const auto month = std::to_string(int(day.year())) + "-" + std::to_string(unsigned(day.month()));
      if (!q.fits(today, now)) {
        const std::chrono::year_month_day then(
            std::chrono::floor<std::chrono::days>(today.date_of(q.fits_at(today, now))));
        BOOST_REQUIRE(unsigned(then.day()) == 1u); // it will fit on the first of a month
        BOOST_REQUIRE(sent[month] == 20);          // and not before the quota was used up
        continue;
      }
      q.take(today, now);
      if (draw() % 5 == 0)
        q.give_back();
      else
        ++sent[month];
      BOOST_REQUIRE(sent[month] <= 20);
    }
    BOOST_TEST(sent.size() > 24u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::month_quota_test
