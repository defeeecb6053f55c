// One meter: its windows together, what the provider says, and what is withheld for others.
#include "core/key_meter.hpp"

#include <boost/test/unit_test.hpp>

namespace mainstay::key_meter_test {
namespace {

const instant t0 = instant{} + 1000s;

key_meter meter_of(limit_set limits) {
  key_meter m;
  m.limit_to(limits);
  return m;
}

BOOST_AUTO_TEST_SUITE(key_meter_suite)

BOOST_AUTO_TEST_CASE(the_narrowest_window_decides) {
  auto m = meter_of({.rpm = 3, .rps = 2});
  for (int i = 0; i < 2; ++i) m.give_back(m.take(0, t0), true, {}, t0);
  BOOST_TEST(!m.fits({0, 0}, t0));
  BOOST_CHECK(m.look_ahead({0, 0}, t0).expected == t0 + 1s);
  m.give_back(m.take(0, t0), true, {}, t0 + 1s);
  BOOST_CHECK(m.look_ahead({0, 0}, t0 + 2s).expected == t0 + 60s);
}

BOOST_AUTO_TEST_CASE(a_place_is_taken_until_it_is_given_back) {
  auto m = meter_of({.concurrency = 1});
  const auto held = m.take(5, t0);
  const auto ahead = m.look_ahead({0, 0}, t0);
  BOOST_CHECK(ahead.expected == instant::max());
  BOOST_CHECK(ahead.not_before == t0);
  m.give_back(held, true, {}, t0);
  BOOST_TEST(m.fits({0, 0}, t0));
}

BOOST_AUTO_TEST_CASE(the_real_number_of_tokens_replaces_the_reserved_one) {
  auto m = meter_of({.tpm = 1000});
  m.give_back(m.take(900, t0), true, 100, t0);
  BOOST_TEST(m.tpm().used(t0) == 100u);
  m.give_back(m.take(100, t0), true, 0, t0);
  BOOST_TEST(m.tpm().log().size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_providers_word_only_narrows) {
  auto m = meter_of({.rpm = 10});
  m.rpm().learn(50, t0 + 60s, t0);
  BOOST_TEST(m.rpm().remaining(t0) == 10u);
  m.rpm().learn(3, t0 + 30s, t0);
  BOOST_TEST(m.rpm().remaining(t0) == 3u);
  m.rpm().learn(8, t0 + 10s, t0);
  BOOST_TEST(m.rpm().remaining(t0 + 10s) == 3u);
  BOOST_TEST(m.rpm().remaining(t0 + 30s) == 10u);
}

BOOST_AUTO_TEST_CASE(a_blocked_window_names_the_reset_as_its_time) {
  auto m = meter_of({.rpm = 10});
  m.rpm().learn(0, t0 + 30s, t0);
  BOOST_TEST(!m.fits({0, 0}, t0));
  BOOST_CHECK(m.look_ahead({0, 0}, t0).expected == t0 + 30s);
  BOOST_TEST(m.fits({0, 0}, t0 + 30s));
}

BOOST_AUTO_TEST_CASE(where_no_limit_is_known_the_provider_teaches_one) {
  auto m = meter_of({});
  m.tpm().learn(100, t0 + 20s, t0);
  BOOST_TEST(m.fits({100, 0}, t0));
  m.take(60, t0);
  BOOST_TEST(!m.fits({60, 0}, t0));
  BOOST_CHECK(m.look_ahead({60, 0}, t0).expected == t0 + 20s);
  BOOST_TEST(m.fits({60, 0}, t0 + 20s));
}

BOOST_AUTO_TEST_CASE(an_oversized_request_is_let_through_alone_but_not_against_the_providers_word) {
  auto m = meter_of({.tpm = 100});
  BOOST_TEST(m.fits({500, 0}, t0));
  BOOST_TEST(!m.fits({500, 10}, t0));
  m.tpm().learn(99, t0 + 5s, t0);
  BOOST_TEST(!m.fits({500, 0}, t0));
  BOOST_CHECK(m.look_ahead({500, 0}, t0).expected == t0 + 5s);
}

BOOST_AUTO_TEST_CASE(what_is_withheld_is_not_there_for_others) {
  auto m = meter_of({.tpm = 100});
  BOOST_TEST(m.fits({50, 50}, t0));
  BOOST_TEST(!m.fits({51, 50}, t0));
  const auto ahead = m.look_ahead({51, 50}, t0);
  BOOST_TEST(ahead.tokens_only);
  BOOST_CHECK(ahead.expected == instant::max()); // until it is given up
  BOOST_CHECK(ahead.not_before == t0);
}

BOOST_AUTO_TEST_CASE(what_is_withheld_may_be_given_up_sooner_than_anything_ages_out) {
  auto m = meter_of({.tpm = 1000});
  m.give_back(m.take(700, t0), true, {}, t0);
  const auto ahead = m.look_ahead({150, 500}, t0);
  BOOST_CHECK(ahead.expected == t0 + 60s);
  BOOST_CHECK(ahead.not_before == t0); // so nobody is refused for it
}

BOOST_AUTO_TEST_CASE(what_is_to_be_left_free_counts_like_used_but_nobody_is_refused_for_it) {
  auto m = meter_of({.rpm = 10, .tpm = 1000});
  for (int i = 0; i < 8; ++i) m.give_back(m.take(0, t0), true, {}, t0 + i * 1s);
  BOOST_TEST(m.fits({0, 0, 0.1}, t0 + 8s));
  BOOST_TEST(!m.fits({0, 0, 0.2}, t0 + 8s));
  const auto ahead = m.look_ahead({0, 0, 0.2}, t0 + 8s);
  BOOST_CHECK(ahead.expected == t0 + 60s);
  BOOST_CHECK(ahead.not_before == t0 + 8s);
  auto tokens = meter_of({.tpm = 1000});
  BOOST_TEST(tokens.fits({950, 0, 0.2}, t0)); // nothing is in use
  tokens.give_back(tokens.take(1, t0), true, {}, t0);
  BOOST_TEST(!tokens.fits({950, 0, 0.2}, t0));
  BOOST_TEST(tokens.fits({799, 0, 0.2}, t0));
}

BOOST_AUTO_TEST_CASE(a_limit_of_zero_lets_nothing_through) {
  for (const auto& limits : {limit_set{.rpm = 0}, limit_set{.rps = 0}, limit_set{.concurrency = 0}})
    BOOST_TEST(!meter_of(limits).fits({1, 0}, t0));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::key_meter_test
