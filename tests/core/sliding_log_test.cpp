// The sliding log against its promises, and against a naive list in a random walk.
#include "core/sliding_log.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>

namespace mainstay::sliding_log_test {
namespace {

const instant t0 = instant{} + 1000s;

BOOST_AUTO_TEST_SUITE(sliding_log_suite)

BOOST_AUTO_TEST_CASE(an_unstamped_entry_counts_whatever_its_age) {
  sliding_log log(60s);
  const auto ticket = log.reserve(3);
  BOOST_TEST(log.used(t0 + 24h) == 3u);
  BOOST_CHECK(log.fits_at(1, 3, t0 + 24h) == instant::max());
  log.stamp(ticket, t0 + 24h);
  BOOST_CHECK(log.fits_at(1, 3, t0 + 24h) == t0 + 24h + 60s);
}

BOOST_AUTO_TEST_CASE(a_stamped_entry_leaves_exactly_one_window_later) {
  sliding_log log(60s);
  log.stamp(log.reserve(1), t0);
  BOOST_TEST(log.used(t0 + 60s - 1ns) == 1u);
  BOOST_TEST(log.used(t0 + 60s) == 0u);
}

BOOST_AUTO_TEST_CASE(a_second_stamp_changes_nothing) {
  sliding_log log(60s);
  const auto ticket = log.reserve(1);
  log.stamp(ticket, t0);
  log.stamp(ticket, t0 + 30s);
  BOOST_TEST(log.used(t0 + 60s) == 0u);
}

BOOST_AUTO_TEST_CASE(entries_age_by_their_stamps_not_by_their_tickets) {
  sliding_log log(60s);
  const auto first = log.reserve(1), second = log.reserve(10), third = log.reserve(100);
  log.stamp(third, t0);
  log.stamp(first, t0 + 20s);
  log.stamp(second, t0 + 10s); // told late
  BOOST_TEST(log.used(t0 + 60s) == 11u);
  BOOST_TEST(log.used(t0 + 70s) == 1u);
  BOOST_TEST(log.used(t0 + 80s) == 0u);
}

BOOST_AUTO_TEST_CASE(an_entry_may_leave_from_the_middle) {
  sliding_log log(60s);
  const auto a = log.reserve(1), b = log.reserve(1), c = log.reserve(1);
  for (const auto ticket : {a, b, c}) log.stamp(ticket, t0);
  log.withdraw(b);
  log.withdraw(b);
  BOOST_TEST(log.used(t0) == 2u);
  log.withdraw(c);
  log.withdraw(a);
  BOOST_TEST(log.used(t0) == 0u);
  BOOST_TEST(log.size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_correction_counts_at_once_and_comes_too_late_for_what_aged_out) {
  sliding_log log(60s);
  const auto ticket = log.reserve(100);
  log.stamp(ticket, t0);
  log.correct(ticket, 40);
  BOOST_TEST(log.used(t0) == 40u);
  BOOST_TEST(log.used(t0 + 60s) == 0u);
  log.correct(ticket, 500);
  BOOST_TEST(log.used(t0 + 60s) == 0u);
}

BOOST_AUTO_TEST_CASE(a_ticket_of_an_earlier_tenant_touches_nobody) {
  sliding_log log(60s);
  const auto old = log.reserve(1);
  log.withdraw(old);
  log.reserve(7); // in the same slot
  log.withdraw(old);
  log.correct(old, 100);
  log.stamp(old, t0);
  log.stamp(0, t0);
  BOOST_TEST(log.used(t0 + 1h) == 7u);
}

BOOST_AUTO_TEST_CASE(it_knows_when_enough_will_have_aged_out) {
  sliding_log log(60s);
  for (int i = 0; i < 10; ++i) log.stamp(log.reserve(10), t0 + i * 1s);
  BOOST_CHECK(log.fits_at(10, 110, t0 + 10s) == t0 + 10s);
  BOOST_CHECK(log.fits_at(10, 100, t0 + 10s) == t0 + 60s);
  BOOST_CHECK(log.fits_at(25, 100, t0 + 10s) == t0 + 62s);
  BOOST_CHECK(log.fits_at(100, 100, t0 + 10s) == t0 + 69s);
}

BOOST_AUTO_TEST_CASE(an_amount_over_the_limit_fits_only_when_nothing_is_in_use) {
  sliding_log log(60s);
  BOOST_CHECK(log.fits_at(500, 100, t0) == t0);
  const auto ticket = log.reserve(1);
  BOOST_CHECK(log.fits_at(500, 100, t0) == instant::max());
  log.stamp(ticket, t0);
  BOOST_CHECK(log.fits_at(500, 100, t0) == t0 + 60s);
}

BOOST_AUTO_TEST_CASE(below_a_limit_of_zero_nothing_ever_fits) {
  sliding_log log(60s);
  BOOST_CHECK(log.fits_at(1, 0, t0) == instant::max());
}

BOOST_AUTO_TEST_CASE(absurd_amounts_cannot_overflow_the_sum) {
  sliding_log log(60s);
  for (int i = 0; i < 100; ++i) log.correct(log.reserve(UINT64_MAX), UINT64_MAX);
  BOOST_CHECK(log.fits_at(1, UINT64_MAX / 4096, t0) == instant::max());
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_by_what_counts_even_beside_one_that_is_never_sent) {
  sliding_log log(60s);
  log.reserve(1);
  for (int i = 0; i < 100000; ++i) {
    const auto now = t0 + i * 1s;
    log.used(now);
    log.stamp(log.reserve(1), now);
    BOOST_REQUIRE(log.size() <= 61u);
  }
}

BOOST_AUTO_TEST_CASE(random_walk_agrees_with_a_naive_list) {
  struct entry {
    std::uint64_t amount;
    bool stamped;
    instant at;
  };
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 draw(seed);
    sliding_log log(60s);
    std::map<std::uint64_t, entry> naive;
    auto now = t0;
    for (int step = 0; step < 3000; ++step) {
      now += std::chrono::milliseconds(draw() % 3000);
      std::erase_if(naive, [&](auto& e) { return e.second.stamped && e.second.at + 60s <= now; });
      auto some = naive.empty() ? naive.end() : std::next(naive.begin(), draw() % naive.size());
      switch (draw() % 5) {
      case 0:
      case 1: {
        const auto amount = draw() % 50;
        const auto ticket = log.reserve(amount);
        BOOST_REQUIRE(naive.emplace(ticket, entry{amount, false, {}}).second);
        break;
      }
      case 2: {
        if (some == naive.end()) break;
        const auto at = now - std::chrono::milliseconds(draw() % 2000); // told late and out of order
        log.stamp(some->first, at);
        if (!some->second.stamped) some->second.stamped = true, some->second.at = at;
        break;
      }
      case 3:
        if (some == naive.end()) break;
        some->second.amount = draw() % 50;
        log.correct(some->first, some->second.amount);
        break;
      case 4:
        if (some == naive.end()) break;
        log.withdraw(some->first);
        naive.erase(some);
        break;
      }
      std::uint64_t sum = 0;
      for (const auto& [ticket, e] : naive) sum += e.amount;
      BOOST_REQUIRE(log.used(now) == sum);
      BOOST_REQUIRE(log.size() == naive.size());
      const auto at = log.fits_at(30, 400, now);
      if (at == instant::max()) continue;
      const auto sum_at = [&](instant then) {
        std::uint64_t left = 0;
        for (const auto& [ticket, e] : naive)
          if (!e.stamped || e.at + 60s > then) left += e.amount;
        return left;
      };
      BOOST_REQUIRE(sum_at(at) <= 370u);
      if (at > now) BOOST_REQUIRE(sum_at(at - 1ns) > 370u);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::sliding_log_test
