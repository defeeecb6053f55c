// Limits beyond a window of its own: bursts, months, hours, models a key does not serve, and what providers teach.
#include "tests/core/governor_world.hpp"

namespace mainstay::rate_governor_limits_test {
namespace {

using namespace testing;

BOOST_AUTO_TEST_SUITE(rate_governor_limits_suite)

int sent_at_once(world& w, const std::string& model = "m", int most = 1000) {
  int sent = 0;
  for (; sent < most; ++sent) {
    const auto r = w.ask(model);
    if (!std::holds_alternative<grant>(w.acquire(r))) break;
    w.done(r.id, 0);
  }
  return sent;
}

BOOST_AUTO_TEST_CASE(a_burst_goes_out_now_and_the_next_window_has_so_much_less) {
  world w({key("a", {.rpm = 60, .burst = 0.2})});
  BOOST_TEST(sent_at_once(w) == 72);
  w.now += 60s;
  BOOST_TEST(sent_at_once(w) == 48);
  w.now += 60s;
  BOOST_TEST(sent_at_once(w) == 72);
}

BOOST_AUTO_TEST_CASE(what_the_provider_says_is_left_does_not_count_against_a_burst) {
  world w({key("a", {.rpm = 60, .burst = 0.2})});
  w.done(w.granted().id);
  w.gov.on_provider_limits(
      {.key = "a", .model = "m", .limit_requests = 60, .remaining_requests = 59, .reset_requests = 60s}, w.now);
  BOOST_TEST(sent_at_once(w) == 71);
}

BOOST_AUTO_TEST_CASE(concurrency_and_the_monthly_quota_are_the_keys_whatever_the_model) {
  auto a = key("a", {.concurrency = 2, .monthly = 3});
  a.models = {{"o1-*", {.rpm = 50}}};
  world w({a});
  w.gov.set_date({t0, utc_time(std::chrono::hours(24 * 30))}); // 31 January 1970
  const auto first = w.granted(w.ask("o1-mini")), second = w.granted(w.ask("gpt"));
  w.refused(w.ask("o1-mini"));
  w.done(first.id);
  w.done(second.id);
  w.gov.settle(w.granted().id, {.was_sent = false}, w.now);
  w.done(w.granted().id);
  const auto no = w.refused(w.ask("o1-mini"));
  BOOST_CHECK(no.why == refusal_reason::over_limit);
  BOOST_CHECK(no.not_before == t0 + 24h);
  BOOST_TEST(w.gov.look(w.now).keys.at(0).month_used == 3u);
  w.now = t0 + 24h;
  w.granted();
}

BOOST_AUTO_TEST_CASE(what_an_earlier_process_counted_of_the_month_is_not_granted_again) {
  const auto january = std::chrono::year(1970) / 1;
  world w({key("a", {.monthly = 20}), key("b", {.monthly = 5}), key("c")});
  w.gov.restore({{"p", "a", january, 18}, {"p", "b", std::chrono::year(1969) / 12, 5}, {"q", "c", january, 3}});
  w.gov.set_date({t0, utc_time(std::chrono::hours(24 * 30))});
  BOOST_TEST(!w.gov.notes_due());
  BOOST_TEST(w.gov.month_notes(governor::note_time::after_a_moment, w.now).empty());
  const auto ask_a = [&] {
    auto r = w.ask();
    r.excluded_keys = {"b", "c"};
    return r;
  };
  w.granted(ask_a());
  w.granted(ask_a());
  BOOST_CHECK(w.refused(ask_a()).why == refusal_reason::over_limit);
  const auto counts = w.gov.month_counts(w.now);
  BOOST_TEST_REQUIRE(counts.size() == 2u); // of those with a limit
  BOOST_TEST(counts[0].key == "a");
  BOOST_TEST(counts[0].provider == "p");
  BOOST_TEST(counts[0].used == 20u);
  BOOST_CHECK(counts[0].month == january);
  BOOST_TEST(counts[1].used == 0u);
}

BOOST_AUTO_TEST_CASE(a_key_that_comes_with_a_reload_comes_with_what_was_counted) {
  world w({key("a")});
  w.gov.restore({{"p", "late", std::chrono::year(1970) / 1, 2}});
  w.gov.set_date({t0, utc_time(std::chrono::hours(24 * 30))});
  w.settings.keys = {key("late", {.monthly = 3})};
  w.gov.reconfigure(w.settings);
  w.granted();
  w.refused(w.ask());
}

BOOST_AUTO_TEST_CASE(grants_are_to_be_noted_when_they_outrun_the_note_and_returns_after_a_moment) {
  world w({key("a", {.monthly = 100}), key("b")});
  w.gov.set_date({t0, utc_time(std::chrono::hours(24 * 30))});
  const auto ask_a = [&] {
    auto r = w.ask();
    r.excluded_keys = {"b"};
    return r;
  };
  const auto first = w.granted(ask_a());
  BOOST_TEST(w.gov.notes_due());
  auto notes = w.gov.month_notes(governor::note_time::at_once, w.now);
  BOOST_TEST_REQUIRE(notes.size() == 1u);
  BOOST_TEST(notes[0].used >= 1u);
  BOOST_TEST(!w.gov.notes_due());
  w.gov.settle(first.id, {.was_sent = false}, w.now);
  BOOST_TEST(w.gov.notes_due()); // less than was noted
  BOOST_TEST(w.gov.month_notes(governor::note_time::at_once, w.now).empty());
  notes = w.gov.month_notes(governor::note_time::after_a_moment, w.now);
  BOOST_TEST_REQUIRE(notes.size() == 1u);
  BOOST_TEST(notes[0].used == 0u);
  BOOST_TEST(w.gov.month_notes(governor::note_time::after_a_moment, w.now).empty());
  w.gov.note_again();
  BOOST_TEST(w.gov.month_notes(governor::note_time::after_a_moment, w.now).size() == 1u);
  auto other = w.ask();
  other.excluded_keys = {"a"};
  w.granted(other);
  BOOST_TEST(!w.gov.notes_due()); // nobody counts that key's months
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_place_of_the_key_gets_it_when_another_model_is_done) {
  auto a = key("a", {.concurrency = 1});
  a.models = {{"o1-*", {.rpm = 50}}};
  world w({a});
  const auto held = w.granted(w.ask("o1-mini"));
  const auto id = w.waits(w.ask("gpt", 10s));
  BOOST_TEST(w.granted_by_tick().empty());
  w.done(held.id);
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
}

BOOST_AUTO_TEST_CASE(a_key_is_no_key_for_a_model_it_does_not_serve) {
  auto a = key("a");
  a.models = {{"o1", {.unavailable = true}}};
  world w({a, key("b")});
  for (int i = 0; i < 4; ++i) BOOST_TEST(w.granted(w.ask("o1")).key == "b");
  world alone({a});
  BOOST_CHECK(alone.refused(alone.ask("o1", 1min)).why == refusal_reason::no_key);
  alone.gov.on_provider_limits({.key = "a", .model = "o1", .remaining_requests = 0}, alone.now);
  alone.granted(alone.ask("o1-mini"));
}

BOOST_AUTO_TEST_CASE(the_hourly_cap_holds_over_all_keys_of_a_provider_and_over_a_reload) {
  world w({key("a"), key("b"), key("c", {}, "q")});
  w.settings.providers[0].hourly = 10;
  w.gov.reconfigure(w.settings);
  BOOST_TEST(sent_at_once(w) == 10);
  w.gov.reconfigure(w.settings);
  const auto no = w.refused(w.ask());
  BOOST_CHECK(no.not_before == t0 + 1h);
  auto other = w.ask();
  other.targets = {{"q", "m"}};
  w.granted(other);
  const auto id = w.waits(w.ask("m", 61min));
  w.now = t0 + 1h;
  BOOST_CHECK(w.granted_by_tick() == std::vector{id});
}

BOOST_AUTO_TEST_CASE(the_margin_lengthens_every_window) {
  world w({key("a", {.rps = 1})});
  w.settings.margin = 50ms;
  w.gov.reconfigure(w.settings);
  w.done(w.granted().id);
  BOOST_CHECK(w.refused(w.ask()).not_before == t0 + 1050ms);
}

BOOST_AUTO_TEST_CASE(a_window_shorter_than_a_call_wants_its_stamp_at_once_and_a_late_word_knows_when_it_left) {
  world w({key("a", {.rps = 1}), key("c", {.rpm = 1}, "q")});
  BOOST_TEST(w.granted().stamp_at_once);
  auto r = w.ask();
  r.targets = {{"q", "m"}};
  BOOST_TEST(!w.granted(r).stamp_at_once);
  w.now += 10s;
  w.gov.settle(r.id, {.sent_at = t0 + 1s}, w.now);
  auto again = w.ask();
  again.targets = r.targets;
  BOOST_CHECK(w.refused(again).not_before == t0 + 61s);
}

BOOST_AUTO_TEST_CASE(headers_teach_a_limit_where_the_configuration_gives_none_or_a_higher_one) {
  for (const auto& configured : {limit_set{}, limit_set{.rpm = 500}}) {
    world w({key("a", configured)});
    w.done(w.granted().id);
    w.gov.on_provider_limits(
        {.key = "a", .model = "m", .limit_requests = 20, .remaining_requests = 19, .reset_requests = 60s}, w.now);
    for (std::uint64_t left = 19; left-- > 0;) {
      w.done(w.granted().id);
      w.gov.on_provider_limits(
          {.key = "a", .model = "m", .limit_requests = 20, .remaining_requests = left, .reset_requests = 60s}, w.now);
    }
    BOOST_CHECK(w.refused(w.ask()).not_before == t0 + 60s);
    BOOST_TEST(w.gov.look(w.now).keys.at(0).rpm_used >= 0.95);
    w.now += 60s;
    BOOST_TEST(sent_at_once(w) == 20);
    BOOST_TEST(sent_at_once(w, "another model", 50) == 50); // nothing was told of that one
  }
}

BOOST_AUTO_TEST_CASE(a_429_below_the_limit_teaches_an_even_pace_and_the_waiting_follow_it) {
  world w({key("a", {.rpm = 60})});
  const auto first = w.granted(), second = w.granted();
  w.gov.settle(first.id, {.success = true}, w.now);
  w.gov.settle(second.id, {.success = false, .rate_limited = true}, w.now);
  BOOST_TEST(w.gov.look(w.now).keys.at(0).paced == 0.95);
  for (int i = 0; i < 5; ++i) w.waits(w.ask("m", 30s));
  std::vector<instant> granted;
  while (granted.size() < 5) {
    w.now = std::max(w.now, w.gov.next_wake(w.now));
    for (const auto id : w.granted_by_tick()) granted.push_back(w.now), w.gov.settle(id, {.success = true}, w.now);
  }
  for (std::size_t i = 1; i < granted.size(); ++i) BOOST_CHECK(granted[i] - granted[i - 1] >= 1050ms);
  BOOST_CHECK(granted.back() - granted.front() <= 4300ms);
}

BOOST_AUTO_TEST_CASE(a_429_that_a_limit_explains_or_that_came_to_a_lone_request_teaches_no_pace) {
  world w({key("a", {.rpm = 10})});
  w.gov.settle(w.granted().id, {.success = false, .rate_limited = true}, w.now);
  w.now += 2s;
  std::vector<grant> all;
  for (int i = 0; i < 9; ++i) all.push_back(w.granted());
  for (const auto& g : all) w.gov.settle(g.id, {.success = false, .rate_limited = true}, w.now); // the window is full
  BOOST_TEST(w.gov.look(w.now).keys.at(0).paced == 0);
}

BOOST_AUTO_TEST_CASE(a_reservation_settles_to_what_the_provider_counted_however_the_call_ended) {
  world w({key("a", {.tpm = 1000})});
  const auto used_after = [&](governor::settlement s) {
    auto r = w.ask();
    r.tokens = 800;
    w.granted(r);
    w.gov.settle(r.id, s, w.now);
    const auto used = w.gov.look(w.now).keys.at(0).tpm_used * 1000;
    w.now += 61s;
    return used;
  };
  BOOST_TEST(used_after({.tokens = 120, .success = true}) == 120);                    // the provider's usage
  BOOST_TEST(used_after({.tokens = 0, .success = false}) == 0);                       // a 5xx, a refusal
  BOOST_TEST(used_after({.tokens = 0, .success = false, .rate_limited = true}) == 0); // a 429
  BOOST_TEST(used_after({.tokens = 45}) == 45); // cut or cancelled: what was streamed
  BOOST_TEST(used_after({}) == 800);            // nobody knows
  BOOST_TEST(used_after({.was_sent = false}) == 0);
}

BOOST_AUTO_TEST_CASE(a_failed_attempt_stays_charged_to_the_keys_requests) {
  world w({key("a", {.rpm = 2, .monthly = 2})});
  for (int i = 0; i < 2; ++i) w.gov.settle(w.granted().id, {.tokens = 0, .success = false}, w.now);
  BOOST_CHECK(w.refused(w.ask()).why == refusal_reason::over_limit);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::rate_governor_limits_test
