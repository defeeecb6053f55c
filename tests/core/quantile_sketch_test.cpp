// Percentiles within a percent, whatever the values are like.
#include "core/quantile_sketch.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace quantile_sketch_test {

using namespace mainstay;

namespace {

template <class Draw>
void expect_exact_within_a_percent(Draw draw, std::size_t n) {
  std::mt19937_64 random(7);
  std::vector<double> all(n);
  quantile_sketch s;
  for (auto& v : all) s.add(v = draw(random));
  std::sort(all.begin(), all.end());
  for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(q * static_cast<double>(n))));
    const auto exact = all[rank - 1];
    BOOST_TEST(std::abs(s.at(q) - exact) <= exact * quantile_sketch::accuracy * 1.0001,
               "q " << q << ": " << s.at(q) << " " << exact);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(quantile_sketches)

BOOST_AUTO_TEST_CASE(a_million_values_are_told_within_a_percent) {
  expect_exact_within_a_percent([](auto& r) { return std::lognormal_distribution<double>(-2, 1.5)(r); }, 1'000'000);
}

BOOST_AUTO_TEST_CASE(so_are_few_and_equal_ones_and_whole_ranges) {
  expect_exact_within_a_percent([](auto&) { return 0.25; }, 10);
  expect_exact_within_a_percent([](auto& r) { return std::uniform_real_distribution<double>(1e-5, 100)(r); }, 1000);
  expect_exact_within_a_percent(
      [](auto& r) { return std::pow(10, std::uniform_real_distribution<double>(-5.9, 3.9)(r)); }, 20'000);
}

BOOST_AUTO_TEST_CASE(what_is_beyond_the_range_counts_as_its_end) {
  quantile_sketch s;
  BOOST_TEST(s.at(0.5) == 0);
  for (const double v : {-1.0, 0.0, std::nan(""), 1e-9}) s.add(v);
  BOOST_TEST(s.at(1) == quantile_sketch::least);
  s.add(1e9);
  BOOST_TEST(std::abs(s.at(1) - quantile_sketch::most) <= quantile_sketch::most * 0.03);
  BOOST_TEST(s.count() == 5u);
}

BOOST_AUTO_TEST_CASE(sketches_add_up) {
  quantile_sketch a, b, both;
  for (int i = 1; i <= 1000; ++i) {
    (i % 2 ? a : b).add(i);
    both.add(i);
  }
  a += b;
  for (const double q : {0.1, 0.5, 0.99}) BOOST_TEST(a.at(q) == both.at(q));
  const auto added = a.since(b);
  BOOST_TEST(added.count() == 500u);
  BOOST_TEST(std::abs(added.at(1) / 999 - 1) < 0.011);
  a.clear();
  BOOST_TEST(a.count() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace quantile_sketch_test
