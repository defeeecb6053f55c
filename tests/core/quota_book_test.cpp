#include "core/quota_book.hpp"

#include <boost/test/unit_test.hpp>

namespace mainstay::quota_book_test {
namespace {

constexpr instant start{1000s};
const quota_past long_ago{start - 1h, true, {}};

struct two_books {
  two_books() {
    a.on_peer(1, true, 20, start);
    b.on_peer(0, true, 10, start);
  }
  /// Everything that is due is asked and answered.
  void exchange(instant now) {
    const auto each = [&](quota_book& from, quota_book& to, node_index self) {
      for (const auto& m : from.tick(now))
        if (const auto g = to.on_ask(self, m.name, m.ask, now)) from.on_grant(m.to, m.name, *g, now);
    };
    each(a, b, 0);
    each(b, a, 1);
  }
  static std::optional<quota_terms> find(std::string_view name) {
    if (name == "unknown") return {};
    return quota_terms{10, 60s, false};
  }
  quota_book a{quota_cluster({"a", "b"}, 0, 10), long_ago, start, find},
      b{quota_cluster({"a", "b"}, 1, 20), long_ago, start, find};
};

BOOST_AUTO_TEST_SUITE(quota_book_suite)

BOOST_AUTO_TEST_CASE(a_node_lends_of_a_limit_that_it_has_not_used_itself) {
  two_books x;
  const auto s = x.a.share("key", {10, 60s, false});
  s->set_demand(10, 10, start);
  for (auto now = start; now < start + 3s; now += 100ms) x.exchange(now);
  BOOST_TEST(x.b.size() == 1u);
  BOOST_TEST(s->room(start + 3s) == 10u);
}

BOOST_AUTO_TEST_CASE(of_a_limit_that_does_not_exist_nothing_is_lent) {
  two_books x;
  BOOST_TEST(!x.b.on_ask(0, "unknown", {.incarnation = 10, .seq = 1, .want = 1}, start));
  BOOST_TEST(x.b.size() == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_idle_and_held_by_nobody_is_forgotten) {
  two_books x;
  auto s = x.a.share("key", {10, 60s, false});
  s->set_demand(10, 10, start);
  x.exchange(start);
  x.exchange(start + 1s);
  s->set_demand(0, 0, start + 2s);
  for (auto now = start + 2s; now < start + 100s; now += 500ms) x.exchange(now);
  BOOST_TEST(x.a.size() == 1u);
  BOOST_TEST(x.b.size() == 0u);
  s.reset();
  x.exchange(start + 111s);
  BOOST_TEST(x.a.size() == 0u);
  BOOST_TEST((x.a.next_wake() == instant::max()));
}

BOOST_AUTO_TEST_CASE(a_limit_that_changed_is_shared_anew) {
  two_books x;
  BOOST_TEST(x.a.share("key", {10, 60s, false})->room(start) == 5u);
  BOOST_TEST(x.a.share("key", {20, 60s, false})->room(start) == 10u);
}

// Alone, for the others are gone as well.
quota_book next_of(const std::optional<quota_past>& past, instant now) {
  return {quota_cluster({"a", "b"}, 0, 11), past, now, two_books::find};
}

BOOST_AUTO_TEST_CASE(who_ended_in_order_leaves_the_next_process_what_it_sent_and_lent) {
  two_books x;
  const auto s = x.a.share("key", {10, 60s, false});
  s->stamp(*s->take(2, start), start);
  x.b.share("key", {10, 60s, false})->set_demand(7, 1, start + 40s);
  const auto end = start + 45s;
  for (auto now = start + 40s; now < end; now += 100ms) x.exchange(now);
  const auto lent = s->look(end).home_lent;
  BOOST_TEST(lent >= 1u);
  x.a.share("idle", {10, 60s, false});
  const auto left = x.a.legacy(end);
  BOOST_REQUIRE(left.size() == 1u);
  BOOST_TEST(left.at("key") == 2 + lent);

  auto next = next_of(quota_past{end, true, left}, end + 1s);
  BOOST_TEST(!next.awaits_word());
  const auto again = next.share("key", {10, 60s, false});
  BOOST_TEST(again->room(end + 1s) == 3 - lent);
  BOOST_TEST(next.share("idle", {10, 60s, false})->room(end + 1s) == 5u);
  BOOST_TEST(next.legacy(end + 2s).at("key") == left.at("key")); // who ends again soon hands it on
  BOOST_TEST(again->room(end + 70s) == 3 - lent);                // a loan of its last moment was good for 10 s
  BOOST_TEST(again->room(end + 71s) == 5u);
}

BOOST_AUTO_TEST_CASE(after_one_that_was_killed_nothing_is_open_before_it_must_be_over_whatever_others_say) {
  auto next = next_of(quota_past{start, false, {}}, start + 5s);
  next.on_peer(1, true, 21, start + 5s);
  next.on_word(1, false); // it began anew itself
  const auto s = next.share("key", {10, 60s, false});
  BOOST_TEST(s->room(start + 70s) == 0u);
  BOOST_TEST(s->legacy(start + 70s) == 5u); // and the next one would not know either
  BOOST_TEST(s->room(start + 71s) == 5u);
  auto later = next_of(quota_past{start, false, {}}, start + 71s);
  BOOST_TEST(later.share("key", {10, 60s, false})->room(start + 71s) == 5u);
}

BOOST_AUTO_TEST_CASE(of_calls_at_once_only_the_lent_ones_outlive_a_process_and_their_borrowers_say_when_they_are_over) {
  const quota_terms terms{10, 600s, true};
  two_books x;
  x.a.share("key", terms)->take(2, start);
  const auto there = x.b.share("key", terms);
  std::vector<quota_ticket> calls;
  for (auto i = 0; i < 5; ++i) calls.push_back(*there->take(1, start));
  there->set_demand(2, 1, start);
  for (auto now = start; now < start + 1s; now += 100ms) x.exchange(now);
  const auto left = x.a.legacy(start + 1s);
  const auto lent = left.at("key");
  BOOST_TEST(lent >= 1u);
  BOOST_TEST(lent <= 3u);

  two_books y;
  quota_book next(quota_cluster({"a", "b"}, 0, 11), quota_past{start + 1s, true, left}, start + 2s, two_books::find);
  const auto mine = next.share("key", terms);
  BOOST_TEST(mine->room(start + 2s) == 5 - lent);
  next.on_peer(1, true, 21, start + 2s);
  y.b.on_peer(0, true, 11, start + 2s);
  for (const auto& m : next.tick(start + 2s)) // b began anew as well, and has nothing
    if (const auto g = y.b.on_ask(0, m.name, m.ask, start + 2s)) next.on_grant(m.to, m.name, *g, start + 2s);
  BOOST_TEST(mine->room(start + 2s) == 5u);
}

BOOST_AUTO_TEST_CASE(a_borrower_that_never_says_what_it_has_is_waited_for_no_longer_than_a_call_may_take) {
  const quota_terms terms{10, 600s, true};
  auto next = next_of(quota_past{start, true, {{"key", 2}}}, start + 1s);
  const auto mine = next.share("key", terms);
  BOOST_TEST(mine->room(start + 610s) == 3u);
  BOOST_TEST(next.legacy(start + 610s).at("key") == 2u); // not all of it, though nobody has said
  BOOST_TEST(mine->room(start + 611s) == 5u);
  BOOST_TEST(next.legacy(start + 611s).empty());
}

BOOST_AUTO_TEST_CASE(a_note_of_who_was_killed_is_believed_a_minute_late_and_no_clock_makes_it_earlier) {
  const utc_time noon = std::chrono::sys_days(std::chrono::year(2027) / 2 / 10) + 12h;
  const auto last = [&](bool ended, utc_time today) {
    return past_of({noon, ended, {{"key", 3}}}, today, start).last - start;
  };
  BOOST_TEST((last(true, noon + 90s) == -90s));
  BOOST_TEST((last(false, noon + 90s) == -30s));
  BOOST_TEST((last(false, noon + 20s) == 0s));
  BOOST_TEST((last(true, noon - 1h) == 0s)); // the clock was set back
  BOOST_TEST(past_of({noon, true, {{"key", 3}}}, noon, start).counted.at("key") == 3u);
}

BOOST_AUTO_TEST_CASE(what_is_due_comes_in_the_order_of_those_to_be_asked) {
  quota_book book(quota_cluster({"a", "b", "c"}, 0, 1), long_ago, start, two_books::find);
  book.on_peer(1, true, 2, start);
  book.on_peer(2, true, 3, start);
  for (auto i = 0; i < 20; ++i) book.share("key" + std::to_string(i), {30, 60s, false})->set_demand(20, 1, start);
  BOOST_TEST((book.next_wake() <= start));
  const auto all = book.tick(start);
  BOOST_TEST(all.size() >= 20u);
  BOOST_TEST(std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.to < b.to; }));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::quota_book_test
