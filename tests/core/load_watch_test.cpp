// From tokens used to what cache and governor are told.
#include "core/load_watch.hpp"

#include <boost/test/unit_test.hpp>

namespace load_watch_test {

using namespace mainstay;

namespace {

const utc_time monday{std::chrono::sys_days(std::chrono::year(2026) / 3 / 2)};
const instant start{1000s};

load_watch watching(load_watch::settings s) {
  load_watch w;
  w.reconfigure(s);
  return w;
}

} // namespace

BOOST_AUTO_TEST_SUITE(load_watch_suite)

BOOST_AUTO_TEST_CASE(low_load_shortens_lives_and_high_load_doubles_them_and_holds_back) {
  auto w = watching({{}, 100'000, 2, true});
  BOOST_TEST(!w.judge(start, monday));
  BOOST_TEST((w.told() == load_watch::orders{load_pressure::none, 1}));
  w.count(60'000, monday);
  BOOST_TEST(w.judge(start, monday));
  BOOST_TEST((w.told() == load_watch::orders{load_pressure::none, 2}));
  w.count(60'000, monday);
  BOOST_TEST(w.judge(start, monday));
  BOOST_TEST((w.told() == load_watch::orders{load_pressure::beyond, 4}));
  w.reconfigure({{}, 1'000'000, 2, true}); // more keys: it falls after a minute, as ever
  BOOST_TEST(!w.judge(start + 1s, monday));
  BOOST_TEST(w.judge(start + 61s, monday + std::chrono::seconds(59)));
  BOOST_TEST((w.told() == load_watch::orders{load_pressure::none, 1}));
}

BOOST_AUTO_TEST_CASE(where_it_is_only_shown_nobody_is_told_anything) {
  auto w = watching({{}, 1000, 2, false});
  w.count(2000, monday);
  BOOST_TEST(w.judge(start, monday));
  BOOST_TEST((w.told() == load_watch::orders{}));
  const auto v = w.look(monday);
  BOOST_TEST((v.level == load_level::high && v.pressure == load_pressure::none && !v.acts));
  BOOST_TEST(v.suggested_keys == 9u); // 250 tokens of each below the threshold, for 2000
}

BOOST_AUTO_TEST_CASE(the_day_ahead_is_told_hour_by_hour) {
  auto w = watching({{}, {}, 1, true});
  load_pattern::cells week;
  for (std::size_t i = 0; i < week.size(); ++i) week[i] = {static_cast<double>(i % 24 * 1000), 4};
  w.restore(week);
  const auto now = monday + std::chrono::hours(8) + std::chrono::minutes(10);
  w.judge(start, now);
  const auto v = w.look(now);
  BOOST_TEST(v.hours_known == 168u);
  BOOST_TEST_REQUIRE(v.day_ahead.size() == 24u);
  BOOST_TEST((v.day_ahead[0].first == monday + std::chrono::hours(9)));
  BOOST_TEST((v.day_ahead[23].first == monday + std::chrono::hours(32)));
  BOOST_TEST(v.day_ahead[14].second > 20'000); // 23:00, far enough from the silence now
  BOOST_TEST((v.level == load_level::low && !v.begins.high));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace load_watch_test
