// Who leads, joins and leaves a flight, what it lives by, and who may still join one that has landed.
#include "core/flight_book.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace flight_book_test {

using namespace mainstay;

namespace {

instant at(duration d) { return instant{} + 1h + d; }
flight_book::terms until(duration d, priority level = priority::normal) { return {at(d), level}; }

} // namespace

BOOST_AUTO_TEST_SUITE(flight_books)

BOOST_AUTO_TEST_CASE(the_first_leads_and_equal_ones_join_it) {
  flight_book book;
  BOOST_TEST(!book.join("k", 1, until(1min), at(0s), at(0s)));
  book.lead("k", 100, 1, until(1min));
  const auto second = book.join("k", 2, until(1min), at(0s), at(0s));
  BOOST_TEST_REQUIRE(second.has_value());
  BOOST_TEST(second->flight == 100u);
  BOOST_TEST(!second->leads);
  BOOST_TEST(!second->changed.has_value());
  BOOST_TEST(!book.join("other", 3, until(1min), at(0s), at(0s)));
  BOOST_TEST(book.under_way() == 1u);
  BOOST_TEST(book.callers() == 2u);
  BOOST_TEST(book.saved() == 1u);
}

BOOST_AUTO_TEST_CASE(asking_again_gets_the_same_seat_and_is_counted_once) {
  flight_book book;
  book.lead("k", 100, 1, until(1min));
  book.join("k", 2, until(1min), at(0s), at(0s));
  BOOST_TEST(book.join("k", 1, until(1min), at(0s), at(1s))->leads);
  BOOST_TEST(!book.join("k", 2, until(1min), at(0s), at(1s))->leads);
  BOOST_TEST(book.callers() == 2u);
  BOOST_TEST(book.saved() == 1u);
}

BOOST_AUTO_TEST_CASE(it_lives_by_the_latest_deadline_and_the_highest_level) {
  flight_book book;
  book.lead("k", 100, 1, until(10s, priority::low));
  const auto later = book.join("k", 2, until(20s, priority::low), at(0s), at(0s));
  BOOST_TEST((later->changed->until == at(20s)));
  BOOST_TEST((later->changed->level == priority::low));
  const auto more_urgent = book.join("k", 3, until(5s, priority::high), at(0s), at(0s));
  BOOST_TEST((more_urgent->changed->until == at(20s)));
  BOOST_TEST((more_urgent->changed->level == priority::high));
  BOOST_TEST(!book.join("k", 4, until(20s, priority::normal), at(0s), at(0s))->changed.has_value());
}

BOOST_AUTO_TEST_CASE(a_leader_who_leaves_leaves_the_others_flying) {
  flight_book book;
  book.lead("k", 100, 1, until(1min));
  book.join("k", 2, until(1min), at(0s), at(0s));
  BOOST_TEST(!book.leave(1).has_value());
  BOOST_TEST(book.join("k", 3, until(1min), at(0s), at(0s))->flight == 100u);
  BOOST_TEST(!book.leave(3).has_value());
  BOOST_TEST(!book.leave(3).has_value());
  BOOST_TEST(*book.leave(2) == 100u);
  BOOST_TEST(!book.leave(2).has_value());
  BOOST_TEST(book.under_way() == 0u);
  BOOST_TEST(!book.join("k", 4, until(1min), at(0s), at(0s)).has_value());
}

BOOST_AUTO_TEST_CASE(a_closed_flight_keeps_those_it_has_and_another_may_begin_beside_it) {
  flight_book book;
  book.lead("k", 100, 1, until(1min));
  book.close(100);
  BOOST_TEST(!book.join("k", 2, until(1min), at(0s), at(0s)).has_value());
  book.lead("k", 101, 2, until(1min));
  BOOST_TEST(book.join("k", 3, until(1min), at(0s), at(0s))->flight == 101u);
  book.over(100, true, at(1s));
  BOOST_TEST(book.under_way() == 1u);
  BOOST_TEST(book.join("k", 4, until(1min), at(0s), at(0s))->flight == 101u);
}

BOOST_AUTO_TEST_CASE(who_looked_before_the_answer_was_in_the_cache_is_told_to_look_again_and_who_looked_after_leads) {
  flight_book book;
  book.lead("k", 100, 1, until(1min));
  book.over(100, true, at(1s));
  BOOST_TEST(book.callers() == 0u);
  BOOST_TEST(book.under_way() == 0u);
  const auto early = book.join("k", 2, until(1min), at(999ms), at(1100ms));
  BOOST_TEST_REQUIRE(early.has_value());
  BOOST_TEST(early->look_again);
  BOOST_TEST(book.callers() == 0u);
  BOOST_TEST(book.saved() == 0u);
  BOOST_TEST(!book.join("k", 3, until(1min), at(1s), at(1100ms)).has_value());
  BOOST_TEST(!book.join("k", 4, until(1min), at(999ms), at(1s) + flight_book::landed_for).has_value());
  book.lead("k", 101, 5, until(1min));
  BOOST_TEST(book.join("k", 6, until(1min), at(999ms), at(1100ms))->flight == 101u);
}

BOOST_AUTO_TEST_CASE(a_second_landing_under_a_key_outlives_the_first) {
  flight_book book;
  book.lead("k", 100, 1, until(1min));
  book.over(100, true, at(0ms));
  book.lead("k", 101, 2, until(1min));
  book.over(101, true, at(200ms));
  BOOST_TEST(book.join("k", 3, until(1min), at(199ms), at(449ms))->look_again);
  BOOST_TEST(!book.join("k", 4, until(1min), at(199ms), at(450ms)).has_value());
}

BOOST_AUTO_TEST_CASE(a_flight_without_an_answer_for_the_cache_is_gone_at_once) {
  flight_book book;
  book.lead("k", 100, 1, until(1min));
  book.over(100, false, at(1s));
  BOOST_TEST(!book.join("k", 2, until(1min), at(0s), at(1s)).has_value());
  book.over(100, true, at(2s));
  BOOST_TEST(!book.join("k", 2, until(1min), at(0s), at(2s)).has_value());
}

/// Callers come under a few keys, ask again, leave; flights close, fail and land. Beside the book walks a model that
/// only knows sets: a flight has exactly its callers and is cancelled with the last of them, once; deadlines and levels
/// are those of all who joined; who looked before a landing is told so, and nobody else.
BOOST_AUTO_TEST_CASE(a_random_walk_loses_nobody_and_cancels_each_flight_once) {
  struct model_flight {
    std::string key;
    std::set<std::uint64_t> callers;
    instant until{};
    priority level = priority::low;
    bool open = true;
  };
  for (unsigned seed = 1; seed <= test::rounds(40); ++seed) {
    std::mt19937 random(seed);
    auto roll = [&](unsigned n) { return random() % n; };
    flight_book book;
    std::map<std::uint64_t, model_flight> flights;
    std::map<std::string, instant> landed;
    auto now = at(0s);
    auto any = [&]() { return std::next(flights.begin(), roll(static_cast<unsigned>(flights.size()))); };
    for (std::uint64_t n = 1; n <= 2000; ++n) {
      now += std::chrono::milliseconds(roll(100));
      const auto looked = now - std::chrono::milliseconds(roll(200));
      const flight_book::terms with{now + std::chrono::milliseconds(roll(10000)), static_cast<priority>(roll(3))};
      const auto key = std::to_string(roll(4));
      const auto joined = book.join(key, n, with, looked, now);
      const bool open =
          std::any_of(flights.begin(), flights.end(), [&](auto& f) { return f.second.key == key && f.second.open; });
      const auto l = landed.find(key);
      const bool again = !open && l != landed.end() && looked < l->second && now < l->second + flight_book::landed_for;
      BOOST_REQUIRE(joined.has_value() == (open || again));
      BOOST_REQUIRE((joined && joined->look_again) == again);
      if (again) continue;
      if (!joined) book.lead(key, 100000 + n, n, with);
      const auto number = joined ? joined->flight : 100000 + n;
      auto& f = flights[number];
      BOOST_REQUIRE(joined.has_value() == !f.key.empty());
      f.key = key;
      BOOST_REQUIRE(f.open);
      f.callers.insert(n);
      const bool news = joined && (with.until > f.until || with.level < f.level);
      f.until = std::max(f.until, with.until);
      f.level = std::min(f.level, with.level);
      BOOST_REQUIRE((joined && joined->changed.has_value()) == news);
      if (news) BOOST_REQUIRE(joined->changed->until == f.until && joined->changed->level == f.level);
      if (!roll(4)) BOOST_REQUIRE(book.join(key, n, with, now, now)->flight == number);

      for (auto times = roll(3); times > 0 && !flights.empty(); --times) {
        auto it = any();
        const auto who = *std::next(it->second.callers.begin(), roll(static_cast<unsigned>(it->second.callers.size())));
        it->second.callers.erase(who);
        const auto cancelled = book.leave(who);
        BOOST_REQUIRE(cancelled.has_value() == it->second.callers.empty());
        BOOST_REQUIRE(!book.leave(who).has_value());
        if (!cancelled) continue;
        BOOST_REQUIRE(*cancelled == it->first);
        flights.erase(it);
      }
      if (!roll(5) && !flights.empty()) {
        auto it = any();
        if (roll(3) == 0) {
          book.close(it->first);
          it->second.open = false;
        } else {
          const bool lands = roll(2);
          book.over(it->first, lands, now);
          if (lands) landed[it->second.key] = now;
          flights.erase(it);
        }
      }
      std::size_t callers = 0;
      for (auto& [each, m] : flights) callers += m.callers.size();
      BOOST_REQUIRE(book.callers() == callers);
      BOOST_REQUIRE(book.under_way() == flights.size());
    }
    for (auto& [number, f] : flights) book.over(number, false, now);
    BOOST_TEST(book.callers() == 0u);
    BOOST_TEST(book.under_way() == 0u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace flight_book_test
