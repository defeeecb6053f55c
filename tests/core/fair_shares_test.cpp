#include "core/fair_shares.hpp"

#include <boost/test/unit_test.hpp>

#include <numeric>
#include <random>

namespace mainstay::fair_shares_test {
namespace {

using shares = std::vector<std::uint64_t>;

BOOST_AUTO_TEST_SUITE(fair_shares_suite)

BOOST_AUTO_TEST_CASE(who_wants_less_gets_it_and_the_others_share_the_rest) {
  BOOST_TEST((fair_shares(100, {{.want = 10}, {.want = 200}, {.want = 1000}}) == shares{10, 45, 45}));
  BOOST_TEST((fair_shares(100, {{.want = 10}, {.want = 20}}) == shares{10, 20}));
}

BOOST_AUTO_TEST_CASE(what_it_has_of_its_own_counts_and_stays_with_it) {
  BOOST_TEST((fair_shares(100, {{.base = 30, .want = 100}, {.want = 100}}) == shares{50, 50}));
  BOOST_TEST((fair_shares(100, {{.base = 80, .want = 100}, {.want = 100}}) == shares{80, 20}));
}

BOOST_AUTO_TEST_CASE(what_whole_numbers_leave_over_goes_to_who_waits_longest) {
  BOOST_TEST((fair_shares(11, {{.want = 9, .since = instant{2s}}, {.want = 9, .since = instant{1s}}, {.want = 9}}) ==
              shares{4, 4, 3}));
}

BOOST_AUTO_TEST_CASE(where_a_fair_part_helps_nobody_turns_are_taken) {
  const auto one = [](instant since) { return fair_claim{.want = 1, .first = 1, .least = 1, .since = since}; };
  BOOST_TEST((fair_shares(1, {one(instant{3s}), one(instant{1s}), one(instant{2s})}) == shares{0, 1, 0}));
  const auto large = [](instant since) { return fair_claim{.want = 90, .first = 60, .least = 60, .since = since}; };
  BOOST_TEST((fair_shares(100, {large(instant{2s}), large(instant{1s})}) == shares{40, 60}));
}

BOOST_AUTO_TEST_CASE(never_is_more_given_than_there_is_nor_less_than_was_there) {
  std::mt19937 random(1);
  for (auto round = 0; round < 2000; ++round) {
    std::vector<fair_claim> claims(1 + random() % 6);
    std::uint64_t bases = 0;
    for (auto& c : claims) {
      c.base = random() % 5;
      c.want = c.base + random() % 50;
      c.first = random() % 3 == 0 ? random() % 40 : 0;
      c.least = random() % 2 == 0 ? c.base + random() % 40 : 0;
      c.since = random() % 2 == 0 ? instant::max() : instant{std::chrono::seconds(random() % 5)};
      bases += c.base;
    }
    const auto pool = bases + random() % 100;
    const auto s = fair_shares(pool, claims);
    BOOST_TEST(std::accumulate(s.begin(), s.end(), std::uint64_t{0}) <= pool);
    for (std::size_t i = 0; i < s.size(); ++i) BOOST_TEST(s[i] >= claims[i].base);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::fair_shares_test
