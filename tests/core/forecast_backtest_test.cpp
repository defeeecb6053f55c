// The forecast on weeks of load, minute by minute, against the two forecasts that cost nothing: it goes on as in the
// last minute, and it will be as in the same hour last week. It must be nearer to what came than either.
#include "core/forecast.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace forecast_backtest_test {

using namespace mainstay;

namespace {

using std::chrono::minutes;

constexpr std::size_t hour = 60, day = 24 * hour, week = 7 * day;
const utc_time monday{std::chrono::sys_days(std::chrono::year(2026) / 3 / 2)};

using series = std::vector<double>; // tokens of each minute, from a Monday on

/// Four weeks of an office and its evenings: days and weekends, noise that grows with the load, some growth from week
/// to week, three hours of a sale in the third and a holiday in the fourth.
series synthetic(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> noise(0, 1);
  series out;
  double drift = 0;
  for (std::size_t m = 0; m < 4 * week; ++m) {
    const auto at = static_cast<double>(m % day) / hour;
    const bool weekend = m % week >= 5 * day;
    const auto bump = [&](double middle, double width) { return std::exp(-std::pow((at - middle) / width, 2)); };
    auto load = 4000 + (weekend ? 9000 : 40000) * bump(11, 3) + (weekend ? 14000 : 30000) * bump(16, 3.5);
    load *= 1 + 0.03 * static_cast<double>(m) / week;
    const auto in_sale = m - (2 * week + 3 * day + 13 * hour);
    if (in_sale < 3 * hour) load *= 2.2;
    if (m / day == 3 * 7 + 1) load *= 0.35;
    drift = 0.999 * drift + 0.006 * noise(random);
    out.push_back(std::max(0.0, load * (1 + drift) * (1 + 0.15 * noise(random))));
  }
  return out;
}

/// The recorded counts are of half hours: the minutes between lie on a straight line, and are counted as chance has it.
series recorded() {
  std::ifstream in(MAINSTAY_SOURCE_DIR "/tests/data/recorded_days.txt");
  BOOST_TEST_REQUIRE(in.good());
  series half_hours;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream numbers(line);
    for (double n = 0; numbers >> n;) half_hours.push_back(n);
  }
  BOOST_TEST_REQUIRE(half_hours.size() == 42u * 48);
  std::mt19937 random(7);
  series out;
  for (std::size_t i = 0; i + 1 < half_hours.size(); ++i)
    for (int m = 0; m < 30; ++m) {
      const auto mean = (half_hours[i] * (30 - m) + half_hours[i + 1] * m) / 30 / 30;
      out.push_back(std::poisson_distribution<int>(mean)(random));
    }
  return out;
}

struct error_of {
  double ours = 0, last_minute = 0, last_week = 0; // mean absolute errors
};

/// Every five minutes, from the second week on.
error_of errors(const series& load, std::size_t ahead) {
  forecast f;
  error_of sum;
  int n = 0;
  for (std::size_t m = 0; m + ahead < load.size(); ++m) {
    const auto now = monday + minutes(m) + std::chrono::seconds(59); // the minute has ended
    f.count(static_cast<std::uint64_t>(load[m]), now);
    if (m < week || m % 5 != 0) continue;
    const auto came = load[m + ahead];
    const auto same_hour = (m + ahead - week) / hour * hour;
    double last_week = 0;
    for (std::size_t i = 0; i < hour; ++i) last_week += load[same_hour + i] / hour;
    sum.ours += std::abs(f.ahead(minutes(ahead), now) - came);
    sum.last_minute += std::abs(load[m] - came);
    sum.last_week += std::abs(last_week - came);
    ++n;
  }
  return {sum.ours / n, sum.last_minute / n, sum.last_week / n};
}

void compare(const char* what, const series& load) {
  for (const std::size_t ahead : {5, 15, 60}) {
    const auto e = errors(load, ahead);
    std::cout << what << ", " << ahead << " min ahead, mean absolute error: forecast " << e.ours << ", last minute "
              << e.last_minute << ", same hour last week " << e.last_week << '\n';
    BOOST_TEST(e.ours < e.last_minute);
    BOOST_TEST(e.ours < e.last_week);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(forecast_backtest_suite)

BOOST_AUTO_TEST_CASE(it_beats_both_naive_forecasts_on_synthetic_weeks_with_a_sale_and_a_holiday) {
  for (unsigned seed = 1; seed <= 3; ++seed) compare("synthetic", synthetic(seed));
}

BOOST_AUTO_TEST_CASE(it_beats_both_naive_forecasts_on_recorded_days) { compare("recorded", recorded()); }

BOOST_AUTO_TEST_SUITE_END()

} // namespace forecast_backtest_test
