// The pace that 429s teach: when it begins, how it shrinks and regrows, and that no walk of events breaks its promises.
#include "core/pacer.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace mainstay::pacer_test {
namespace {

const instant t0 = instant{} + 1000s;

duration interval(const pacer& p) {
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(1 / p.rate()));
}

/// Two sends, the second too close to the first, and the 429 for it.
pacer taught(double even_rate, instant now = t0) {
  pacer p;
  p.take(now);
  p.on_refused(now, p.take(now), even_rate, now);
  return p;
}

/// A provider that lets `limit` through in any second, asked for `load` a second in bunches of `bunch`. How many 429s
/// came in each minute.
std::vector<int> refusals_by_minute(double even_rate, std::size_t limit, double load, int bunch, int minutes) {
  pacer p;
  std::vector<int> refused(static_cast<std::size_t>(minutes));
  std::deque<instant> let_in;
  const auto between = std::chrono::duration_cast<duration>(std::chrono::duration<double>(bunch / load));
  instant now = t0, next_bunch = t0;
  for (int waiting = 0; now < t0 + minutes * 1min;) {
    while (next_bunch <= now) waiting += bunch, next_bunch += between;
    if (waiting > 0 && p.fits(now)) {
      --waiting;
      const auto gap = p.take(now);
      while (!let_in.empty() && let_in.front() <= now - 1s) let_in.pop_front();
      if (let_in.size() < limit) {
        let_in.push_back(now);
        p.on_success(now);
      } else {
        p.on_refused(now, gap, even_rate, now);
        ++waiting; // it is asked again
        ++refused[static_cast<std::size_t>((now - t0) / 1min)];
      }
    }
    now = waiting > 0 ? std::max(p.fits_at(now), now + 1ms) : next_bunch;
  }
  return refused;
}

BOOST_AUTO_TEST_SUITE(pacer_suite)

BOOST_AUTO_TEST_CASE(it_lets_everything_through_until_a_429_came) {
  pacer p;
  for (int i = 0; i < 1000; ++i) {
    BOOST_TEST_REQUIRE(p.fits(t0));
    p.take(t0);
  }
  p.on_success(t0);
  BOOST_TEST(!p.on());
}

BOOST_AUTO_TEST_CASE(a_429_after_a_bunch_spreads_the_known_limit_evenly) {
  pacer p = taught(1.0);
  BOOST_TEST(p.rate() == 0.95);
  BOOST_TEST(!p.fits(t0));
  const auto at = p.fits_at(t0);
  BOOST_CHECK(at - t0 == interval(p));
  p.take(at);
  BOOST_CHECK(p.fits_at(at) - at == interval(p));
}

BOOST_AUTO_TEST_CASE(a_429_for_what_was_sent_alone_teaches_no_pace) {
  pacer p;
  const auto first = p.take(t0);
  p.on_refused(t0, first, 0, t0);
  p.on_refused(t0, first, 1.0, t0);
  p.on_refused(t0 + 2s, p.take(t0 + 2s), 0, t0 + 3s);
  p.on_refused(t0 + 4s, p.take(t0 + 4s), 1.0, t0 + 5s); // at 0.5 a second, below the even rate
  BOOST_TEST(!p.on());
}

BOOST_AUTO_TEST_CASE(without_a_known_limit_the_recent_rate_was_too_much) {
  pacer p;
  duration gap{};
  for (int i = 0; i < 20; ++i) gap = p.take(t0 + i * 50ms);
  p.on_refused(t0 + 950ms, gap, 0, t0 + 1s);
  BOOST_TEST(p.rate() == 0.7 * 20 / 10, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(one_wave_of_429s_shrinks_the_rate_once) {
  pacer p;
  duration gap{};
  for (int i = 0; i < 20; ++i) gap = p.take(t0);
  for (int i = 0; i < 19; ++i) p.on_refused(t0, gap, 1.0, t0 + 1s + i * 10ms);
  BOOST_TEST(p.rate() == 0.95);
}

BOOST_AUTO_TEST_CASE(a_429_at_the_learned_pace_shrinks_it_further_and_successes_bring_most_of_it_back) {
  pacer p = taught(1.0);
  instant now = t0;
  const auto send = [&] {
    now = p.fits_at(now);
    return p.take(now);
  };
  send();
  const auto gap = send();
  p.on_refused(now, gap, 1.0, now);
  BOOST_TEST(p.rate() == 0.95 * 0.7, boost::test_tools::tolerance(1e-9));
  for (int i = 0; i < 20; ++i) p.on_success(now);
  BOOST_TEST(p.rate() == 0.95 * 0.85 * 0.95, boost::test_tools::tolerance(1e-9)); // just below what was too much
}

BOOST_AUTO_TEST_CASE(long_after_the_last_429_the_rate_grows_on_and_in_the_end_the_pacing_goes) {
  pacer p = taught(1.0);
  const auto before = p.rate();
  p.on_success(t0 + 29s);
  BOOST_TEST(p.rate() == before);
  p.on_success(t0 + 30s);
  BOOST_TEST(p.rate() > before);
  for (int i = 0; i < 200; ++i) p.on_success(t0 + 31s);
  BOOST_TEST(!p.on());
  BOOST_TEST(p.fits(t0));
}

BOOST_AUTO_TEST_CASE(what_was_not_sent_gives_its_turn_back) {
  pacer p = taught(1.0);
  const auto at = p.fits_at(t0);
  p.take(at);
  p.give_back();
  BOOST_TEST(p.fits(at));
}

BOOST_AUTO_TEST_CASE(sixty_a_minute_enforced_as_one_a_second_is_learned_from_one_wave) {
  const auto refused = refusals_by_minute(1.0, 1, 55 / 60.0, 5, 10);
  BOOST_TEST(refused[0] <= 4); // of the first bunch of five
  for (std::size_t minute = 1; minute < refused.size(); ++minute) BOOST_TEST(refused[minute] <= 2); // it looks for more
}

BOOST_AUTO_TEST_CASE(a_limit_that_nobody_knows_is_found_within_a_minute) {
  const auto refused = refusals_by_minute(0, 5, 20, 20, 10);
  for (std::size_t minute = 1; minute < refused.size(); ++minute) BOOST_TEST(refused[minute] <= 12); // of 300
}

BOOST_AUTO_TEST_CASE(no_walk_of_events_breaks_a_promise) {
  int cuts = 0, ends = 0;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937 draw(seed);
    pacer p;
    instant now = t0, last = instant::min();
    duration wanted{}; // since the last send, while nothing was given back
    struct sent {
      instant at;
      duration gap;
    };
    std::vector<sent> out;
    for (int step = 0; step < 2000; ++step) {
      now += std::chrono::milliseconds(draw() % (draw() % 20 ? 300 : 30000));
      const double rate = p.rate();
      if (draw() % 2 && p.fits(now)) {
        // Two sends are never closer than the rate said.
        if (last != instant::min()) BOOST_REQUIRE(now - last >= wanted);
        out.push_back({now, p.take(now)});
        last = now;
        wanted = p.on() ? interval(p) - 1us : duration{};
      } else if (!out.empty()) {
        const auto i = draw() % out.size();
        if (draw() % 10 == 0) {
          p.on_refused(out[i].at, out[i].gap, draw() % 2 ? 1.0 : 0, now);
          // A 429 never makes it faster, and never stops it.
          if (rate > 0) BOOST_REQUIRE(p.rate() <= rate);
          if (p.on()) BOOST_REQUIRE(p.rate() >= 1.0 / 60);
          cuts += p.rate() != rate;
        } else {
          p.on_success(now);
          // A success never makes it slower.
          BOOST_REQUIRE((!p.on() || p.rate() >= rate));
          ends += rate > 0 && !p.on();
        }
        if (!p.on() || p.rate() > rate) wanted = {}; // faster than when the last one was sent
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
      }
      // The next turn always comes within a minute.
      BOOST_REQUIRE(p.fits_at(now) - now <= 61s);
    }
  }
  BOOST_TEST(cuts > 100);
  BOOST_TEST(ends > 0);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::pacer_test
