// Log-linear buckets: what goes in comes out again within 1/512.
#include "tools/load/histogram.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <random>

namespace histogram_test {

using namespace mainstay;
using load::histogram;

BOOST_AUTO_TEST_SUITE(histogram_of_durations)

BOOST_AUTO_TEST_CASE(without_anything_all_is_zero) {
  histogram h;
  BOOST_TEST(h.count() == 0u);
  for (auto d : {h.min(), h.max(), h.mean(), h.quantile(0), h.quantile(0.5), h.quantile(1)}) BOOST_TEST((d == 0ns));
  BOOST_TEST(h.buckets().empty());
}

BOOST_AUTO_TEST_CASE(every_magnitude_keeps_its_precision) {
  for (auto d = 1ns; d < histogram::longest; d += d / 3 + 1ns) {
    histogram h;
    h.add(d);
    h.add(histogram::longest); // so that the maximum does not hide the bucket's end
    auto upper = h.buckets().front().upper;
    BOOST_TEST(upper.count() >= d.count());
    BOOST_TEST((upper - d).count() <= d.count() / 512);
    BOOST_TEST((h.quantile(0.5) == upper));
  }
}

BOOST_AUTO_TEST_CASE(quantiles_are_those_of_the_sorted_values) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> draw(13, 2);
  histogram h;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<std::int64_t>(draw(random)));
    h.add(duration(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (auto q : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    auto wanted = values[static_cast<std::size_t>(std::ceil(q * 20000)) - 1];
    BOOST_TEST(h.quantile(q).count() >= wanted);
    BOOST_TEST(h.quantile(q).count() <= wanted + wanted / 512 + 1);
  }
  BOOST_TEST(h.min().count() == values.front());
  BOOST_TEST(h.max().count() == values.back());
  BOOST_TEST((h.quantile(1) == h.max()));
}

BOOST_AUTO_TEST_CASE(the_mean_is_exact) {
  histogram h;
  for (auto d : {1ns, 2ns, 6ns}) h.add(d);
  BOOST_TEST((h.mean() == 3ns));
}

BOOST_AUTO_TEST_CASE(buckets_rise_and_hold_everything) {
  histogram h;
  for (int i = 0; i < 1000; ++i) h.add(std::chrono::microseconds(i * i));
  auto all = h.buckets();
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    count += all[i].count;
    if (i) BOOST_TEST((all[i - 1].upper < all[i].upper));
  }
  BOOST_TEST(count == 1000u);
}

BOOST_AUTO_TEST_CASE(what_lies_outside_counts_at_the_ends) {
  histogram h;
  h.add(-5s);
  h.add(100h);
  BOOST_TEST((h.min() == 0s));
  BOOST_TEST((h.max() == histogram::longest));
  h.clear();
  BOOST_TEST(h.count() == 0u);
  BOOST_TEST((h.max() == 0s));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace histogram_test
