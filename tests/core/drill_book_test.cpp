// When a drill begins and ends, and what is said of it.
#include "core/drill_book.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace drill_book_test {

using namespace mainstay;
using namespace std::chrono_literals;
using phase = drill_book::phase;

namespace {

struct fixture {
  drill_book book;
  instant now{1000s};
  drill_book::counts seen;

  fixture() {
    seen.requests = seen.answered = 100;
    seen.sources = {{"primary", 90}, {"cache", 10}};
    for (int i = 0; i < 100; ++i) seen.took.add(0.1);
    seen.lately = 50;
    seen.p50_lately = 0.1;
    seen.p99_lately = 0.2;
  }

  drill_order order(std::string id, duration length = 15s) {
    return {std::move(id), drill_kind::provider_down, "a", {}, length};
  }
  bool in_force() const { return book.effect().breaks(drill_kind::provider_down, now); }
  /// That time later.
  void see(duration later, drill_book::condition is = {}) {
    now += later;
    book.see(seen, is, now);
  }
  void answer(const std::string& source, double took, int times = 1) {
    for (int i = 0; i < times; ++i) {
      ++seen.requests;
      ++seen.answered;
      ++seen.sources[source];
      seen.took.add(took);
    }
  }
  void fail(const std::string& why) {
    ++seen.requests;
    ++seen.errors[why];
    seen.took.add(1);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(drills, fixture)

BOOST_AUTO_TEST_CASE(ends_by_its_time_and_is_over_when_it_was_well_for_a_while) {
  BOOST_TEST(!in_force());
  BOOST_TEST(book.begin(order("1"), now) == "");
  BOOST_TEST(in_force());
  see(14999ms);
  BOOST_TEST(in_force());
  see(1ms);
  BOOST_TEST(!in_force());
  BOOST_TEST((book.at() == phase::watched));
  see(2999ms);
  BOOST_TEST((book.at() == phase::watched));
  see(1ms);
  BOOST_TEST((book.at() == phase::over));
  BOOST_TEST((book.look(now).lasted == 15s));
}

BOOST_AUTO_TEST_CASE(its_effect_ends_though_nobody_ticks) {
  book.begin(order("1"), now);
  const auto effect = book.effect();
  BOOST_TEST(effect.breaks(drill_kind::provider_down, now + 14s));
  BOOST_TEST(!effect.breaks(drill_kind::slow, now));
  BOOST_TEST(!effect.breaks(drill_kind::provider_down, now + 15s));
}

BOOST_AUTO_TEST_CASE(there_is_one_at_a_time) {
  book.begin(order("1"), now);
  BOOST_TEST(book.begin(order("2"), now).find("one drill at a time") != std::string::npos);
  see(15s);
  BOOST_TEST(book.begin(order("2"), now).find("still watched") != std::string::npos);
  BOOST_TEST(book.begin(order("2"), now + 3s) == "");
  BOOST_TEST(book.look(now + 3s).requests == 0u);
}

BOOST_AUTO_TEST_CASE(the_same_order_again_is_the_same_drill) {
  book.begin(order("1"), now);
  BOOST_TEST(book.begin(order("1"), now + 1s) == "");
  BOOST_TEST((book.effect().until == now + 15s));
  see(15s);
  see(5s);
  BOOST_TEST(book.begin(order("1"), now) == "");
  BOOST_TEST((book.at() == phase::over));
}

BOOST_AUTO_TEST_CASE(its_length_is_bounded) {
  BOOST_TEST(book.begin(order("1", 999ms), now) != "");
  BOOST_TEST(book.begin(order("1", 5min + 1ms), now) != "");
  auto slow = order("1");
  slow.what = drill_kind::slow;
  slow.by = 61s;
  BOOST_TEST(book.begin(slow, now) != "");
  BOOST_TEST((book.at() == phase::none));
  BOOST_TEST(book.begin(order("1", 5min), now) == "");
  BOOST_TEST((slow.by_or_usual() == 61s));
  slow.by = {};
  BOOST_TEST((slow.by_or_usual() == 2s));
}

BOOST_AUTO_TEST_CASE(is_stopped_first_and_no_longer_watched_then) {
  BOOST_TEST(!book.end(drill_book::ending::stopped, now));
  book.begin(order("1"), now);
  now += 3s;
  BOOST_TEST(book.end(drill_book::ending::stopped, now));
  BOOST_TEST(!in_force());
  BOOST_TEST((book.look(now).how == drill_book::ending::stopped));
  BOOST_TEST((book.look(now).lasted == 3s));
  BOOST_TEST(book.end(drill_book::ending::stopped, now));
  BOOST_TEST((book.at() == phase::over));
  BOOST_TEST(!book.end(drill_book::ending::stopped, now));
  BOOST_TEST((book.look(now).how == drill_book::ending::stopped));
}

BOOST_AUTO_TEST_CASE(a_drain_ends_it_and_none_begins_after) {
  book.begin(order("1"), now);
  book.close(now);
  BOOST_TEST(!in_force());
  book.end(drill_book::ending::stopped, now);
  BOOST_TEST(book.begin(order("2"), now) == "the node drains");
}

BOOST_AUTO_TEST_CASE(what_could_not_be_done_leaves_nothing) {
  book.begin(order("1"), now);
  book.withdraw("2");
  BOOST_TEST((book.at() == phase::under_way));
  book.withdraw("1");
  BOOST_TEST((book.at() == phase::none));
  BOOST_TEST(!in_force());
}

BOOST_AUTO_TEST_CASE(tells_what_callers_noticed_since_it_began) {
  seen.errors["deadline"] = 7; // before
  book.begin(order("1"), now);
  see(0s);
  answer("primary", 0.1, 4);
  see(200ms);
  answer("fallback", 0.5, 5);
  fail("connect_failed");
  see(200ms, {true, false});
  answer("fallback", 0.5);
  see(14600ms, {true, false});
  answer("primary", 0.1, 20);
  see(2s, {false, true});
  see(1s, {false, true});
  const auto v = book.look(now);
  BOOST_TEST((v.at == phase::over));
  BOOST_TEST(v.requests == 31u);
  BOOST_TEST(v.answered == 30u);
  BOOST_REQUIRE(v.sources.size() == 2u);
  BOOST_TEST(v.sources[0].name == "fallback");
  BOOST_TEST(v.sources[0].answers == 6u);
  BOOST_TEST((v.sources[0].first == 400ms));
  BOOST_TEST(v.sources[1].answers == 24u);
  BOOST_TEST((v.elsewhere == 400ms));
  BOOST_TEST((v.errors == std::map<std::string, std::uint64_t>{{"connect_failed", 1}}));
  BOOST_TEST((v.shut_out == 400ms));
  BOOST_TEST((v.healed == 17s));
  BOOST_TEST(v.before->requests == 50u);
  BOOST_TEST(v.before->p99 == 0.2);
  BOOST_TEST(v.during->requests == 11u);
  BOOST_TEST(v.during->failed == 1u);
  BOOST_TEST(std::abs(v.during->p50 - 0.5) < 0.01);
  BOOST_TEST(v.after->requests == 20u);
  BOOST_TEST(std::abs(v.after->p99 - 0.1) < 0.01);
}

BOOST_AUTO_TEST_CASE(what_is_not_well_is_watched_for_longer_but_not_for_ever) {
  book.begin(order("1"), now);
  see(15s, {true, false});
  answer("fallback", 0.1);
  see(29s, {true, false});
  BOOST_TEST((book.at() == phase::watched));
  see(1s, {true, false});
  BOOST_TEST((book.at() == phase::over));
  BOOST_TEST(!book.look(now).well);
  BOOST_TEST(!book.look(now).healed.has_value());
}

BOOST_AUTO_TEST_CASE(where_nobody_asks_nothing_is_waited_for) {
  book.begin(order("1"), now);
  see(15s, {true, false});
  see(5s, {false, false});
  BOOST_TEST((book.at() == phase::over));
  BOOST_TEST(book.look(now).requests == 0u);
}

BOOST_AUTO_TEST_CASE(what_falls_ill_again_is_not_healed) {
  book.begin(order("1"), now);
  see(1s, {true, false});
  see(14s, {false, true}); // it tried, and ended at the same time
  answer("primary", 0.1);
  see(1s, {true, false});
  BOOST_TEST(!book.look(now).healed.has_value());
  see(2s, {false, true});
  BOOST_TEST((book.look(now).healed == 18s));
}

BOOST_AUTO_TEST_CASE(whatever_happens_it_is_never_in_force_beyond_its_time_and_is_over_in_the_end) {
  std::mt19937 random(7);
  const auto draw = [&random](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int walk = 0; walk < 300; ++walk) {
    drill_book b;
    instant began{}, until{};
    bool running = false;
    for (int step = 0; step < 60; ++step) {
      now += std::chrono::milliseconds(draw(9000));
      switch (draw(5)) {
      case 0:
        if (b.begin(order(std::to_string(step), std::chrono::seconds(1 + draw(60))), now).empty()) {
          began = now;
          until = b.effect().until;
          running = true;
        }
        break;
      case 1:
        if (draw(4) == 0) running = !b.end(drill_book::ending::stopped, now) && running && b.watching();
        break;
      case 2: answer(draw(2) ? "primary" : "fallback", 0.1); break;
      default: b.see(seen, {draw(2) == 0, draw(2) == 0}, now);
      }
      if (b.effect().breaks(drill_kind::provider_down, now)) {
        BOOST_TEST(running);
        BOOST_TEST((now < until && until - began <= drill_order::longest));
      }
    }
    now += drill_order::longest + drill_book::patience;
    b.tick(now);
    BOOST_TEST(!b.watching());
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace drill_book_test
