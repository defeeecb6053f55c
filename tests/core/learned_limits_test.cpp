// What headers teach: limits nobody configured, over windows of a length nobody tells.
#include "core/learned_limits.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <deque>
#include <random>
#include <vector>

namespace mainstay::learned_limits_test {
namespace {

const instant t0 = instant{} + 1000s;

BOOST_AUTO_TEST_SUITE(learned_limits_suite)

BOOST_AUTO_TEST_CASE(nothing_told_is_no_limit) {
  learned_limits l;
  for (int i = 0; i < 1000; ++i) {
    BOOST_TEST_REQUIRE(l.fits(1'000'000, t0));
    l.take(1'000'000);
  }
  BOOST_TEST(!l.limits_rate());
}

BOOST_AUTO_TEST_CASE(a_told_limit_holds_in_any_window_as_long_as_the_longest_reset) {
  learned_limits l;
  l.requests().learn(10, 9, 60s, t0);
  for (int i = 0; i < 9; ++i) l.give_back(l.take(1), true, 1, t0 + i * 1s);
  BOOST_TEST(!l.fits(1, t0 + 8s)); // the tenth is the one that was answered with the header
  BOOST_TEST(l.fits(1, t0 + 60s));
  BOOST_CHECK((l.look_ahead(1, t0 + 8s).expected == t0 + 60s));
}

BOOST_AUTO_TEST_CASE(after_the_reset_no_more_than_the_limit_goes_out_before_the_next_word) {
  learned_limits l;
  l.requests().learn(10, 0, 60s, t0);
  int sent = 0;
  for (; l.fits(1, t0 + 60s) && sent < 100; ++sent) l.take(1);
  BOOST_TEST(sent == 10);
}

BOOST_AUTO_TEST_CASE(without_a_limit_what_remains_may_be_sent_until_the_reset) {
  learned_limits l;
  l.requests().learn(2, 30s, t0);
  l.tokens().learn(100, 20s, t0);
  BOOST_TEST(!l.fits(101, t0));
  BOOST_TEST(l.look_ahead(101, t0).tokens_only);
  l.take(60);
  l.take(10);
  BOOST_TEST(!l.fits(1, t0 + 20s));
  BOOST_TEST(l.fits(101, t0 + 30s));
}

BOOST_AUTO_TEST_CASE(a_window_told_too_long_shortens_itself_when_they_count_less_than_we) {
  learned_limits l;
  l.requests().learn(10, 9, 1h, t0);
  for (int i = 0; i < 9; ++i) l.give_back(l.take(1), true, 1, t0);
  instant now = t0;
  for (int i = 0; i < 12 && !l.fits(1, now); ++i) {
    now += 10s;
    l.requests().learn(10, 10, 1s, now); // all of it is free again, they say
  }
  BOOST_TEST(l.fits(1, now));
  BOOST_CHECK(l.requests().span() >= 1s);
}

BOOST_AUTO_TEST_CASE(a_limit_of_zero_is_not_believed) {
  learned_limits l;
  l.requests().learn(0, 0, 60s, t0);
  BOOST_TEST(l.fits(1, t0));
  BOOST_TEST(!l.requests().known());
}

/// A provider of one of three kinds; each lets no more through than it should, and says how things stand.
struct provider {
  enum kind { sliding, fixed, bucket } how;
  std::uint64_t limit;
  duration window;
  std::deque<instant> log;
  std::uint64_t used = 0;
  instant since = t0;
  double level = 0; // of the bucket, in requests

  void forget(instant now) {
    while (!log.empty() && log.front() <= now - window) log.pop_front();
    const std::chrono::duration<double> passed = now - since, whole = window;
    if (how == fixed && passed >= whole) used = 0, since += (now - since) / window * window;
    if (how == bucket) level = std::max(0.0, level - passed / whole * static_cast<double>(limit)), since = now;
  }
  bool let_in(instant now) {
    forget(now);
    const auto in_use = how == sliding ? log.size()
                        : how == fixed ? used
                                       : static_cast<std::uint64_t>(std::ceil(level));
    if (in_use >= limit) return false;
    log.push_back(now);
    ++used;
    ++level;
    return true;
  }
  void tell(told_limit& to, instant now) {
    forget(now);
    const auto bucket_reset = std::chrono::duration<double>(window) * level / static_cast<double>(limit);
    const auto reset = how == sliding ? (log.empty() ? 0s : log.back() + window - now)
                       : how == fixed ? since + window - now
                                      : std::chrono::duration_cast<duration>(bucket_reset);
    const auto in_use = how == sliding ? log.size()
                        : how == fixed ? used
                                       : static_cast<std::uint64_t>(std::ceil(level));
    to.learn(limit, limit - std::min<std::uint64_t>(limit, in_use), reset, now);
  }
};

BOOST_AUTO_TEST_CASE(after_the_first_word_no_walk_beside_any_kind_of_provider_meets_a_429) {
  std::size_t sent = 0, held_back = 0;
  double could_have = 0;
  for (const auto kind : {provider::sliding, provider::fixed, provider::bucket})
    for (unsigned seed = 1; seed <= 30; ++seed) {
      std::mt19937 draw(seed);
      provider p{kind, 5 + draw() % 50, std::chrono::seconds(1 + draw() % 60)};
      told_limit told;
      instant now = t0;
      BOOST_REQUIRE(p.let_in(now));
      p.tell(told, now);
      std::vector<std::uint64_t> out;
      const auto sent_before = sent, held_before = held_back;
      for (int step = 0; step < 3000; ++step) {
        now += std::chrono::milliseconds(draw() % 10 ? draw() % 50 : draw() % 3000);
        if (draw() % 3) {
          if (!told.fits(1, now)) {
            ++held_back;
            continue;
          }
          out.push_back(told.reserve(1));
          ++sent;
          // What is let through is never too much for the provider.
          BOOST_REQUIRE(p.let_in(now));
        } else if (!out.empty()) { // an answer: its header, and its end
          p.tell(told, now);
          told.log().stamp(out.back(), now);
          out.pop_back();
        }
      }
      const std::chrono::duration<double> windows = (now - t0) / 1.0;
      could_have += std::min(static_cast<double>(sent - sent_before + held_back - held_before),
                             windows / p.window * static_cast<double>(p.limit));
    }
  BOOST_TEST(held_back > 1'000u);
  BOOST_TEST(static_cast<double>(sent) > 0.7 * could_have); // and it is no excuse for sending little
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::learned_limits_test
