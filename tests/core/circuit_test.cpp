// One circuit: what opens it, how long, what closes it, and that no walk of events breaks its promises.
#include "core/circuit.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <vector>

namespace circuit_test {

using namespace mainstay;

namespace {

const instant start = instant{} + 1000h;
constexpr double longest = 1.0 - 1e-12; // the draw that jitters least away

void call(circuit& c, verdict outcome, instant now, double draw = longest) {
  const auto permit = c.ask(now);
  BOOST_REQUIRE(permit.granted);
  c.settle(permit.generation, outcome, now, draw);
}
void trip(circuit& c, instant now, double draw = longest) {
  for (int i = 0; i < 5; ++i) call(c, verdict::failure, now, draw);
  BOOST_REQUIRE((c.state(now) == circuit_state::open));
}
duration open_time(const circuit& c, instant now) { return c.open_until() - now; }
bool about(duration a, duration b) { return std::chrono::abs(a - b) < 1ms; }

} // namespace

BOOST_AUTO_TEST_SUITE(circuit_of_one_thing)

BOOST_AUTO_TEST_CASE(five_failures_in_a_row_open_it_and_four_do_not) {
  circuit c;
  for (int i = 0; i < 4; ++i) call(c, verdict::failure, start);
  BOOST_TEST((c.state(start) == circuit_state::closed));
  BOOST_TEST(c.consecutive_failures() == 4);
  call(c, verdict::failure, start);
  BOOST_TEST((c.state(start) == circuit_state::open));
  BOOST_TEST(c.times_opened() == 1u);
  BOOST_TEST(!c.ask(start).granted);
}

BOOST_AUTO_TEST_CASE(an_open_one_can_be_tried_before_its_time_unless_an_operator_holds_it) {
  circuit c;
  c.let_try(start);
  BOOST_TEST((c.state(start) == circuit_state::closed));
  trip(c, start);
  c.let_try(start + 1s);
  BOOST_TEST((c.state(start + 1s) == circuit_state::half_open));
  BOOST_TEST(c.ask(start + 1s).granted);
  c.force(circuit_state::open, start + 2s);
  c.let_try(start + 3s);
  BOOST_TEST((c.state(start + 1h) == circuit_state::open));
}

BOOST_AUTO_TEST_CASE(what_is_known_to_be_down_opens_again_only_if_nobody_tries_it) {
  circuit c;
  trip(c, start);
  c.still_down(start, longest);
  BOOST_TEST(c.times_opened() == 1u);
  const auto later = c.open_until();
  c.still_down(later, longest);
  BOOST_TEST((c.state(later) == circuit_state::open));
  BOOST_TEST(about(open_time(c, later), 6s)); // four fifths of a quarter
  const auto again = c.open_until();
  const auto trial = c.ask(again);
  BOOST_TEST(trial.granted);
  c.still_down(again, longest);
  BOOST_TEST((c.state(again) == circuit_state::half_open));
  circuit sound;
  sound.still_down(start, longest);
  BOOST_TEST((sound.state(start) == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(a_success_breaks_the_row_and_a_neutral_end_does_not) {
  circuit c;
  for (int i = 0; i < 4; ++i) call(c, verdict::failure, start);
  call(c, verdict::success, start);
  for (int i = 0; i < 4; ++i) call(c, verdict::failure, start);
  call(c, verdict::neutral, start);
  BOOST_TEST((c.state(start) == circuit_state::closed));
  call(c, verdict::failure, start);
  BOOST_TEST((c.state(start) == circuit_state::open));
}

BOOST_AUTO_TEST_CASE(half_of_at_least_twenty_calls_failing_in_the_window_opens_it) {
  circuit c;
  for (int i = 0; i < 9; ++i) {
    call(c, verdict::success, start);
    call(c, verdict::failure, start);
  }
  call(c, verdict::success, start);
  BOOST_TEST((c.state(start) == circuit_state::closed)); // 9 of 19
  call(c, verdict::failure, start);
  BOOST_TEST((c.state(start) == circuit_state::open)); // 10 of 20
}

BOOST_AUTO_TEST_CASE(calls_older_than_the_window_do_not_count) {
  circuit c;
  for (int i = 0; i < 9; ++i) {
    call(c, verdict::success, start);
    call(c, verdict::failure, start);
  }
  for (int i = 0; i < 4; ++i) {
    call(c, verdict::success, start + 10s);
    call(c, verdict::failure, start + 10s);
  }
  BOOST_TEST((c.state(start + 10s) == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(open_time_grows_from_an_eighth_by_doubling_up_to_the_recovery_timeout) {
  circuit c;
  instant now = start;
  trip(c, now);
  for (const duration expected : {3000ms, 6000ms, 12000ms, 24000ms, 24000ms}) {
    BOOST_TEST(about(open_time(c, now), expected));
    now = c.open_until();
    call(c, verdict::failure, now);
  }
  now = c.open_until();
  call(c, verdict::success, now);
  call(c, verdict::success, now);
  trip(c, now);
  BOOST_TEST(about(open_time(c, now), 3000ms)); // closed in between: it begins anew
}

BOOST_AUTO_TEST_CASE(jitter_takes_a_fifth_to_half_of_the_open_time) {
  circuit c;
  trip(c, start, 0);
  BOOST_TEST(about(open_time(c, start), 1875ms));
  circuit d;
  trip(d, start, 0.5);
  BOOST_TEST(about(open_time(d, start), 2437500us));
}

BOOST_AUTO_TEST_CASE(half_open_is_reported_when_the_time_is_over_even_before_anyone_asked) {
  circuit c;
  trip(c, start);
  BOOST_TEST((c.ask(start).retry_at == c.open_until()));
  BOOST_TEST((c.state(c.open_until() - 1ns) == circuit_state::open));
  BOOST_TEST((c.state(c.open_until()) == circuit_state::half_open));
}

BOOST_AUTO_TEST_CASE(half_open_gives_out_two_permits_and_two_successes_close_it) {
  circuit c;
  trip(c, start);
  const instant now = c.open_until();
  const auto first = c.ask(now), second = c.ask(now), third = c.ask(now);
  BOOST_TEST((first.granted && second.granted && !third.granted));
  BOOST_TEST((third.retry_at > now));
  BOOST_TEST(c.permits_out() == 2u);
  c.settle(first.generation, verdict::success, now, 0);
  BOOST_TEST(!c.ask(now).granted); // one success is there, one on its way: no more is needed
  c.settle(second.generation, verdict::success, now, 0);
  BOOST_TEST((c.state(now) == circuit_state::closed));
  BOOST_TEST(c.permits_out() == 0u);
  BOOST_TEST(c.ask(now).granted);
}

BOOST_AUTO_TEST_CASE(a_lost_probe_returns_its_permit) {
  circuit c;
  trip(c, start);
  const instant now = c.open_until();
  const auto first = c.ask(now);
  c.ask(now);
  c.settle(first.generation, verdict::neutral, now, 0);
  BOOST_TEST((c.state(now) == circuit_state::half_open));
  BOOST_TEST(c.permits_out() == 1u);
  BOOST_TEST(c.ask(now).granted);
}

BOOST_AUTO_TEST_CASE(a_failed_probe_opens_it_again_and_the_other_probe_counts_for_nothing) {
  circuit c;
  trip(c, start);
  instant now = c.open_until();
  const auto first = c.ask(now), second = c.ask(now);
  c.settle(first.generation, verdict::failure, now, longest);
  BOOST_TEST((c.state(now) == circuit_state::open));
  BOOST_TEST(c.permits_out() == 0u);
  now = c.open_until();
  const auto next = c.ask(now);
  c.settle(second.generation, verdict::failure, now, longest);
  BOOST_TEST((c.state(now) == circuit_state::half_open));
  BOOST_TEST(c.permits_out() == 1u);
  BOOST_TEST((next.generation != second.generation));
}

BOOST_AUTO_TEST_CASE(calls_that_began_before_it_opened_change_nothing) {
  circuit c;
  const auto before = c.ask(start);
  trip(c, start);
  const instant until = c.open_until();
  for (int i = 0; i < 10; ++i) c.settle(before.generation, verdict::failure, start + 1s, longest);
  BOOST_TEST((c.open_until() == until));
  BOOST_TEST(c.times_opened() == 1u);
  c.ask(until);
  c.settle(before.generation, verdict::success, until, 0);
  c.settle(before.generation, verdict::success, until, 0);
  BOOST_TEST((c.state(until) == circuit_state::half_open));
}

BOOST_AUTO_TEST_CASE(an_operator_holds_it_open_or_closed_until_it_is_automatic_again) {
  circuit c;
  c.force(circuit_state::open, start);
  BOOST_TEST((c.state(start + 1000h) == circuit_state::open));
  BOOST_TEST(!c.ask(start + 1000h).granted);
  BOOST_TEST((c.ask(start).retry_at == instant::max()));
  c.force(circuit_state::closed, start);
  for (int i = 0; i < 50; ++i) call(c, verdict::failure, start);
  BOOST_TEST((c.state(start) == circuit_state::closed));
  BOOST_TEST(c.forced());
  c.automatic(start);
  BOOST_TEST(!c.forced());
  for (int i = 0; i < 4; ++i) call(c, verdict::failure, start); // what failed meanwhile is forgotten
  BOOST_TEST((c.state(start) == circuit_state::closed));
  call(c, verdict::failure, start);
  BOOST_TEST((c.state(start) == circuit_state::open));
  c.automatic(start);
  BOOST_TEST((c.state(start) == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(asking_for_fewer_successes_while_half_open_leaves_it_able_to_close) {
  circuit_settings settings;
  settings.success_threshold = 5;
  circuit c(settings);
  trip(c, start);
  const instant now = c.open_until();
  for (int i = 0; i < 3; ++i) call(c, verdict::success, now);
  BOOST_TEST((c.state(now) == circuit_state::half_open));
  settings.success_threshold = 2;
  c.reconfigure(settings);
  BOOST_TEST((c.state(now) == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(failure_rate_window_and_minimum_are_settings) {
  circuit c({.failure_threshold = 100, .failure_rate = 0.25, .min_calls = 8, .window = 1s});
  for (int i = 0; i < 6; ++i) call(c, verdict::success, start);
  call(c, verdict::failure, start);
  BOOST_TEST((c.state(start) == circuit_state::closed)); // 1 of 7
  call(c, verdict::failure, start + 1s);
  BOOST_TEST((c.state(start + 1s) == circuit_state::closed)); // the seven are out of the window
  for (int i = 0; i < 6; ++i) call(c, verdict::success, start + 1s);
  call(c, verdict::failure, start + 1s);
  BOOST_TEST((c.state(start + 1s) == circuit_state::open)); // 2 of 8
}

BOOST_AUTO_TEST_CASE(slow_calls_end_a_row_of_failures_but_open_it_by_their_share) {
  circuit c({.min_calls = 10, .slow_rate = 0.8});
  for (int i = 0; i < 4; ++i) call(c, verdict::failure, start);
  call(c, verdict::slow, start);
  BOOST_TEST(c.consecutive_failures() == 0);
  circuit d({.min_calls = 10, .slow_rate = 0.8});
  for (int i = 0; i < 2; ++i) call(d, verdict::success, start);
  for (int i = 0; i < 7; ++i) call(d, verdict::slow, start);
  BOOST_TEST((d.state(start) == circuit_state::closed)); // 7 of 9: too few calls
  call(d, verdict::slow, start);
  BOOST_TEST((d.state(start) == circuit_state::open)); // 8 of 10
}

BOOST_AUTO_TEST_CASE(a_slow_probe_opens_it_again) {
  circuit c;
  trip(c, start);
  instant now = c.open_until();
  call(c, verdict::success, now);
  call(c, verdict::slow, now);
  BOOST_TEST((c.state(now) == circuit_state::open));
  BOOST_TEST(about(open_time(c, now), 6000ms));
}

BOOST_AUTO_TEST_CASE(what_recovered_is_met_by_two_calls_at_once_and_one_more_with_each_success) {
  circuit c;
  trip(c, start);
  instant now = c.open_until();
  call(c, verdict::success, now);
  call(c, verdict::success, now);
  BOOST_TEST(c.ramping(now));
  std::vector<std::uint32_t> out;
  for (std::size_t round : {2, 4, 8, 16}) {
    for (auto permit = c.ask(now); permit.granted; permit = c.ask(now)) out.push_back(permit.generation);
    BOOST_TEST(out.size() == round);
    BOOST_TEST((c.ask(now).retry_at > now));
    while (!out.empty()) c.settle(out.back(), verdict::success, now, 0), out.pop_back();
  }
  for (int i = 0; i < 32; ++i) out.push_back(c.ask(now).generation);
  BOOST_TEST(!c.ask(now).granted);
  now += 10s; // the ramp is over: whoever comes
  for (int i = 0; i < 1000; ++i) BOOST_TEST_REQUIRE(c.ask(now).granted);
}

BOOST_AUTO_TEST_CASE(a_call_lost_on_the_ramp_gives_its_place_back_and_widens_nothing) {
  circuit c;
  trip(c, start);
  const instant now = c.open_until();
  call(c, verdict::success, now);
  call(c, verdict::success, now);
  const auto first = c.ask(now), second = c.ask(now);
  BOOST_TEST(!c.ask(now).granted);
  c.settle(first.generation, verdict::neutral, now, 0);
  BOOST_TEST(c.ask(now).granted);
  BOOST_TEST(!c.ask(now).granted);
  c.settle(second.generation, verdict::failure, now, 0);
  BOOST_TEST(c.ask(now).granted);
  BOOST_TEST(!c.ask(now).granted);
}

BOOST_AUTO_TEST_CASE(a_ramp_of_zero_means_full_load_at_once) {
  circuit c({.ramp = 0s});
  trip(c, start);
  const instant now = c.open_until();
  call(c, verdict::success, now);
  call(c, verdict::success, now);
  for (int i = 0; i < 100; ++i) BOOST_TEST_REQUIRE(c.ask(now).granted);
}

BOOST_AUTO_TEST_CASE(nonsense_settings_still_make_a_working_circuit) {
  circuit c({-1, -5s, 0, std::nan(""), 0, 0s, -1s, std::nan(""), -1s});
  call(c, verdict::failure, start);
  BOOST_TEST((c.state(start) == circuit_state::open));
  BOOST_TEST((c.open_until() > start));
  call(c, verdict::success, c.open_until());
  BOOST_TEST((c.state(c.open_until()) == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(no_walk_of_events_breaks_a_promise) {
  std::size_t slow_starts = 0;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    circuit_settings settings;
    settings.failure_threshold = 1 + random() % 6;
    settings.success_threshold = 1 + random() % 4;
    settings.recovery_timeout = std::chrono::milliseconds(100 + random() % 60'000);
    settings.ramp = std::chrono::milliseconds(random() % 20'000);
    circuit c(settings);
    std::vector<std::uint32_t> out; // generations of permits not settled
    instant now = start;
    std::uint32_t half_open_generation = 0;
    std::size_t half_open_out = 0; // permits out of that generation, counted by us
    const auto end_one = [&](std::size_t at, verdict how) {
      half_open_out -= out[at] == half_open_generation;
      c.settle(out[at], how, now, (random() % 1000) / 1000.0);
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
    };
    for (int step = 0; step < 1000; ++step) {
      now += std::chrono::milliseconds(random() % 400);
      if (random() % 2 == 0) {
        const auto before = c.state(now);
        const auto permit = c.ask(now);
        BOOST_REQUIRE((permit.granted || permit.retry_at > now));
        // Closed refuses only on the ramp, and never while no call is under way.
        if (before == circuit_state::closed && !permit.granted) {
          BOOST_REQUIRE(c.ramping(now));
          BOOST_REQUIRE(c.permits_out() >= static_cast<std::uint32_t>(settings.success_threshold));
          ++slow_starts;
        }
        if (before == circuit_state::open) BOOST_REQUIRE(!permit.granted);
        if (permit.granted) out.push_back(permit.generation);
        if (permit.granted && before == circuit_state::half_open) {
          if (permit.generation != half_open_generation) half_open_generation = permit.generation, half_open_out = 0;
          ++half_open_out;
        }
      } else if (!out.empty()) {
        end_one(random() % out.size(),
                seed % 3 && random() % 4 ? verdict::success : static_cast<verdict>(random() % 4));
      }
      // In half-open never more permits are out than successes are needed.
      if (c.state(now) == circuit_state::half_open) {
        BOOST_REQUIRE(c.permits_out() <= static_cast<std::uint32_t>(settings.success_threshold));
        if (c.permits_out() > 0) BOOST_REQUIRE(c.permits_out() == half_open_out);
      }
      if (c.state(now) == circuit_state::open) BOOST_REQUIRE(c.permits_out() == 0u);
      if (c.state(now) == circuit_state::open)
        BOOST_REQUIRE((c.open_until() - now <= settings.recovery_timeout * 4 / 5));
    }
    // Every permit returned leaves none out.
    while (!out.empty()) end_one(0, verdict::neutral);
    BOOST_REQUIRE(c.permits_out() == 0u);
    // Whatever happened, it becomes half-open in time and successes close it.
    now += settings.recovery_timeout;
    BOOST_REQUIRE((c.state(now) != circuit_state::open));
    for (int i = 0; i < settings.success_threshold; ++i)
      if (c.state(now) != circuit_state::closed) call(c, verdict::success, now);
    BOOST_REQUIRE((c.state(now) == circuit_state::closed));
  }
  BOOST_TEST(slow_starts > 20u); // else the walk never met the ramp
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace circuit_test
