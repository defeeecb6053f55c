// What outcomes do to a key: rests, waits, health, disabling, and what the governor hears of it.
#include "core/key_health.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace key_health_test {

using namespace mainstay;
using enum failure_class;

namespace {

const instant start = instant{} + 1000h;

struct one_key {
  key_book book;
  one_key() { book.reconfigure({{"k", 60s, 1}}); }
  std::optional<key_standing> on(std::optional<failure_class> what, instant now = start,
                                 std::optional<duration> retry_after = {}) {
    return book.on_outcome("k", what, retry_after, now);
  }
  key_book::view look() const { return book.views(start).at(0); }
  key_standing standing() const { return look().standing; }
};

} // namespace

BOOST_AUTO_TEST_SUITE(key_health)

BOOST_AUTO_TEST_CASE(a_bad_key_is_disabled_at_once_and_success_does_not_bring_it_back) {
  one_key k;
  BOOST_TEST(k.on(auth)->disabled);
  BOOST_TEST(k.look().why == "auth");
  k.on({}); // a call that was under way
  BOOST_TEST(k.standing().disabled);
  BOOST_TEST(k.look().why == "auth");
}

BOOST_AUTO_TEST_CASE(a_429_rests_the_key_for_retry_after) {
  one_key k;
  BOOST_TEST((k.on(rate_limited, start, 20s)->not_before == start + 20s));
  BOOST_TEST(!k.standing().disabled);
  BOOST_TEST((k.standing().rest_until == instant{}));
  BOOST_TEST(k.look().why == "rate_limited");
}

BOOST_AUTO_TEST_CASE(a_cooldown_is_only_extended) {
  one_key k;
  k.on(rate_limited, start, 20s);
  k.on(rate_limited, start + 1s, 5s);
  BOOST_TEST((k.standing().not_before == start + 20s));
  k.on({}, start + 2s);
  BOOST_TEST((k.standing().not_before == start + 20s));
  k.on(rate_limited, start + 3s, 60s);
  BOOST_TEST((k.standing().not_before == start + 63s));
}

BOOST_AUTO_TEST_CASE(without_retry_after_429s_in_a_row_double_the_rest_up_to_five_minutes) {
  one_key k;
  instant now = start;
  for (const duration rest : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
    k.on(rate_limited, now);
    BOOST_TEST((k.standing().not_before - now == rest));
    now = k.standing().not_before;
  }
  BOOST_TEST(!k.standing().disabled); // however many: the key works
  k.on({}, now);
  k.on(rate_limited, now);
  BOOST_TEST((k.standing().not_before - now == 1s));
}

BOOST_AUTO_TEST_CASE(a_retry_after_that_is_not_enough_again_and_again_is_lengthened_up_to_five_minutes) {
  one_key k;
  instant now = start;
  for (const duration rest : {10s, 10s, 20s, 40s, 80s, 160s, 300s, 300s}) {
    k.on(rate_limited, now, 10s);
    BOOST_TEST((k.standing().not_before - now == rest));
    now = k.standing().not_before;
  }
  k.on(rate_limited, now, 2h); // a longer one is believed
  BOOST_TEST((k.standing().not_before - now == 2h));
  now = k.standing().not_before;
  k.on({}, now);
  k.on(rate_limited, now, 10s);
  BOOST_TEST((k.standing().not_before - now == 10s));
}

BOOST_AUTO_TEST_CASE(of_two_429s_in_flight_the_longer_rest_holds_whichever_arrives_last) {
  for (const bool longer_first : {false, true}) {
    one_key k;
    k.on(rate_limited, start, longer_first ? 60s : 1s);
    k.on(rate_limited, start + 10ms, longer_first ? 1s : 60s);
    BOOST_TEST((k.standing().not_before >= start + 60s));
    BOOST_TEST((k.standing().not_before <= start + 60s + 10ms));
  }
}

BOOST_AUTO_TEST_CASE(a_burst_of_429s_of_calls_under_way_counts_as_one) {
  one_key k;
  for (int i = 0; i < 20; ++i) k.on(rate_limited, start);
  BOOST_TEST((k.standing().not_before == start + 1s));
  k.on(rate_limited, start + 1s);
  BOOST_TEST((k.standing().not_before == start + 3s));
}

BOOST_AUTO_TEST_CASE(a_retry_after_of_zero_or_below_is_none_said_and_an_absurd_one_is_a_day) {
  one_key k;
  k.on(rate_limited, start, 0s);
  BOOST_TEST((k.standing().not_before == start + 1s));
  k.on(rate_limited, start + 1s, -5s);
  BOOST_TEST((k.standing().not_before == start + 3s));
  k.on(rate_limited, start + 3s, 100'000h);
  BOOST_TEST((k.standing().not_before == start + 3s + 24h));
}

BOOST_AUTO_TEST_CASE(a_spent_quota_rests_the_key_for_an_hour_at_least) {
  one_key k;
  k.on(quota_spent, start, 5s);
  BOOST_TEST((k.standing().not_before == start + 1h));
  k.on(quota_spent, start + 1h, 3h);
  BOOST_TEST((k.standing().not_before == start + 4h));
  BOOST_TEST(k.look().why == "quota_spent");
}

BOOST_AUTO_TEST_CASE(a_429_or_a_server_error_during_a_spent_quota_does_not_hide_it) {
  one_key k;
  k.on(quota_spent, start);
  k.on(rate_limited, start + 1s);
  k.on(server_error, start + 1s);
  BOOST_TEST(k.look().why == "quota_spent");
}

BOOST_AUTO_TEST_CASE(five_failures_of_the_keys_own_in_a_row_disable_it_but_a_burst_counts_once) {
  one_key k;
  instant now = start;
  for (int i = 0; i < 4; ++i) {
    for (int burst = 0; burst < 10; ++burst) k.on(quota_spent, now);
    BOOST_TEST(!k.standing().disabled);
    now = k.standing().not_before;
  }
  BOOST_TEST(k.look().consecutive_failures == 4);
  k.on(quota_spent, now);
  BOOST_TEST(k.standing().disabled);

  one_key other;
  now = start;
  for (int i = 0; i < 12; ++i) {
    other.on(quota_spent, now);
    now = other.standing().not_before;
    if (i % 4 == 3) other.on({}, now);
  }
  BOOST_TEST(!other.standing().disabled); // never five without a success between
}

BOOST_AUTO_TEST_CASE(the_targets_and_the_networks_failures_rest_the_key_softly_and_never_disable) {
  for (const auto what : {server_error, overloaded, first_byte_timeout, malformed, truncated, connect_failed, reset}) {
    one_key k;
    for (int i = 0; i < 20; ++i) k.on(what, start + i * 1s);
    BOOST_TEST((k.standing().rest_until == start + 19s + 60s));
    BOOST_TEST((k.standing().last_failure == start + 19s));
    BOOST_TEST((k.standing().not_before == instant{}));
    BOOST_TEST(!k.standing().disabled);
    BOOST_TEST(k.standing().health < 0.5);
    k.on({}, start + 20s);
    BOOST_TEST((k.standing().rest_until == instant{}));
    BOOST_TEST(k.look().why == "");
  }
}

BOOST_AUTO_TEST_CASE(the_callers_failures_and_a_missing_model_change_nothing) {
  one_key k;
  for (const auto what :
       {caller_fault, content_filter, context_length, cancelled, deadline, model_missing, unsupported_feature})
    for (int i = 0; i < 20; ++i) BOOST_TEST(!k.on(what));
  BOOST_TEST(k.standing().health == 1);
  BOOST_TEST(k.look().failures == 0u);
  BOOST_TEST((k.standing().rest_until == instant{}));
}

BOOST_AUTO_TEST_CASE(health_is_an_ewma_and_small_changes_are_not_told) {
  one_key k;
  BOOST_TEST(!k.on({}));
  BOOST_TEST(k.on(server_error)->health == 0.9, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(k.on({})->health == 0.91, boost::test_tools::tolerance(1e-12)); // the rest ended: told
  BOOST_TEST(!k.on({}));                                                     // 0.919
  BOOST_TEST(!k.on({}));                                                     // 0.9271
  BOOST_TEST(k.on({}).has_value());                                          // 0.93439: 0.024 away from what was told
}

BOOST_AUTO_TEST_CASE(an_operators_disable_holds_until_enable_which_starts_afresh) {
  one_key k;
  for (int i = 0; i < 5; ++i) k.on(quota_spent, start + i * 1h);
  BOOST_TEST(k.book.disable("k", "operator", start)->disabled);
  k.on({});
  k.on(auth);
  BOOST_TEST(k.look().why == "operator");
  const auto fresh = k.book.enable("k", start);
  BOOST_REQUIRE(fresh.has_value());
  BOOST_TEST(!fresh->disabled);
  BOOST_TEST((fresh->not_before == instant{} && fresh->rest_until == instant{}));
  BOOST_TEST(fresh->health == 1);
  BOOST_TEST(fresh->key == "k");
  k.on(quota_spent, start);
  BOOST_TEST(!k.standing().disabled); // the failures of before are forgotten
}

BOOST_AUTO_TEST_CASE(unknown_keys_are_nothing) {
  one_key k;
  BOOST_TEST(!k.book.on_outcome("x", auth, {}, start));
  BOOST_TEST(!k.book.enable("x", start));
  BOOST_TEST(!k.book.disable("x", "operator", start));
  BOOST_TEST(k.book.standings().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_what_stays_heals_changed_secrets_and_forgets_who_left) {
  key_book book;
  book.reconfigure({{"stays", 60s, 1}, {"changes", 60s, 1}, {"leaves", 60s, 1}});
  for (const char* key : {"stays", "changes", "leaves"}) book.on_outcome(key, auth, {}, start);
  book.reconfigure({{"stays", 5s, 1}, {"changes", 60s, 2}, {"comes", 60s, 1}});
  const auto standings = book.standings();
  BOOST_REQUIRE(standings.size() == 3u); // by name: changes, comes, stays
  BOOST_TEST((standings[0].key == "changes" && !standings[0].disabled && standings[0].health == 1));
  BOOST_TEST((standings[1].key == "comes" && !standings[1].disabled));
  BOOST_TEST((standings[2].key == "stays" && standings[2].disabled));
  book.enable("stays", start);
  book.on_outcome("stays", server_error, {}, start);
  BOOST_TEST((book.standings()[2].rest_until == start + 5s)); // the new rest binds
}

BOOST_AUTO_TEST_CASE(no_walk_of_outcomes_breaks_a_promise) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    one_key k;
    key_standing told = k.standing();
    instant now = start;
    for (int step = 0; step < 500; ++step) {
      now += std::chrono::seconds(random() % 600);
      const key_book::view before = k.look();
      std::optional<failure_class> what;
      std::optional<duration> retry_after;
      if (random() % 3) what = static_cast<failure_class>(random() % failure_class_count);
      if (random() % 2) retry_after = std::chrono::seconds(static_cast<int>(random() % 7200) - 10);
      if (random() % 50 == 0)
        told = *k.book.enable("k", now);
      else {
        if (const auto news = k.on(what, now, retry_after)) told = *news;
        // A not_before is only ever extended, and by a day at most.
        BOOST_REQUIRE((k.standing().not_before >= before.standing.not_before));
        BOOST_REQUIRE((k.standing().not_before <= std::max(before.standing.not_before, now + 24h)));
        // Only the operator brings a disabled key back, only the key's own failures disable it.
        if (before.standing.disabled)
          BOOST_REQUIRE(k.standing().disabled);
        else if (k.standing().disabled)
          BOOST_REQUIRE((what == auth || what == quota_spent));
        // A success never lowers the health, a failure never raises it.
        BOOST_REQUIRE(
            (what ? k.standing().health <= before.standing.health : k.standing().health >= before.standing.health));
        // A key that cannot be used says why.
        if (k.standing().disabled || k.standing().not_before > now) BOOST_REQUIRE(!k.look().why.empty());
      }
      BOOST_REQUIRE((k.standing().health >= 0 && k.standing().health <= 1));
      // Who listens knows the standing, but for a little health.
      const key_standing is = k.standing();
      BOOST_REQUIRE((told.disabled == is.disabled && told.not_before == is.not_before &&
                     told.rest_until == is.rest_until && told.last_failure == is.last_failure));
      BOOST_REQUIRE(std::abs(told.health - is.health) < 0.02);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace key_health_test
