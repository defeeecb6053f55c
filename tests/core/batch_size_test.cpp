// How many requests go into one call.
#include "core/batch_size.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace batch_size_test {

using namespace mainstay;

BOOST_AUTO_TEST_SUITE(batch_sizes)

BOOST_AUTO_TEST_CASE(batches_grow_to_fifty_while_calls_are_slow_and_shrink_when_they_are_quick) {
  batch_size s;
  BOOST_TEST(s.now() == 5u);
  std::size_t calls = 0;
  for (; s.now() < batch_size::most; ++calls) {
    BOOST_REQUIRE(calls < 20);
    s.answered(3100ms, 120s);
  }
  BOOST_TEST(calls == 8u); // 5, 10, 20, 40, 50, two calls each
  for (int i = 0; i < 100; ++i) s.answered(30s, 120s);
  BOOST_TEST(s.now() == 50u);
  for (int i = 0; i < 20; ++i) s.answered(200ms, 120s);
  BOOST_TEST(s.now() == 5u);
}

BOOST_AUTO_TEST_CASE(three_seconds_are_not_slow_and_one_slow_call_among_quick_ones_is_none) {
  batch_size s;
  for (int i = 0; i < 50; ++i) s.answered(3s, 120s);
  BOOST_TEST(s.now() == 5u);
  batch_size t;
  for (int i = 0; i < 50; ++i) t.answered(i % 5 == 0 ? 10s : 100ms, 120s);
  BOOST_TEST(t.now() == 5u);
}

BOOST_AUTO_TEST_CASE(a_call_that_was_too_large_halves_it_and_success_brings_it_back) {
  batch_size s;
  s.too_large();
  BOOST_TEST(s.now() == 2u);
  s.too_large();
  BOOST_TEST(s.now() == 2u);
  for (int i = 0; i < 4; ++i) s.answered(1s, 120s);
  BOOST_TEST(s.now() == 5u);
}

BOOST_AUTO_TEST_CASE(batches_stay_small_enough_for_the_time_that_a_call_may_take) {
  batch_size s; // a second for each request, and a bit less than thirty for a call
  for (int i = 0; i < 50; ++i) s.answered(std::chrono::seconds(s.now()), 29s);
  BOOST_TEST(s.now() == 10u);
  for (int i = 0; i < 5; ++i) s.answered(25s, 29s);
  BOOST_TEST(s.now() < 10u);
}

BOOST_AUTO_TEST_CASE(the_mean_is_of_the_latest_five) {
  batch_size s;
  BOOST_TEST((s.mean() == duration{}));
  s.answered(1s, 120s);
  BOOST_TEST((s.mean() == 1s));
  for (int i = 0; i < 5; ++i) s.answered(2s, 120s);
  BOOST_TEST((s.mean() == 2s));
}

BOOST_AUTO_TEST_CASE(whatever_comes_it_stays_between_two_and_fifty) {
  std::mt19937 random(7);
  batch_size s;
  for (int i = 0; i < 10000; ++i) {
    if (random() % 7 == 0)
      s.too_large();
    else
      s.answered(std::chrono::milliseconds(random() % 200000), 120s);
    BOOST_REQUIRE((s.now() >= batch_size::least && s.now() <= batch_size::most));
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace batch_size_test
