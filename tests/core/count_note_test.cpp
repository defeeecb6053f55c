// Notes are ahead of the count while it moves, exact when it stands still, and few.
#include "core/count_note.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace mainstay::count_note_test {
namespace {

constexpr std::uint64_t plenty = 1'000'000'000;

BOOST_AUTO_TEST_SUITE(count_note_suite)

BOOST_AUTO_TEST_CASE(the_first_count_is_noted_at_once_and_a_little_ahead) {
  count_note n;
  BOOST_TEST(n.covers(0));
  BOOST_TEST(!n.covers(1));
  BOOST_TEST(n.at_once(1, plenty) == 3u);
  BOOST_TEST(n.covers(3));
  BOOST_TEST(!n.covers(4));
}

BOOST_AUTO_TEST_CASE(a_moment_in_which_nothing_came_makes_the_note_exact) {
  count_note n;
  n.at_once(1, plenty);
  BOOST_TEST(n.after_a_moment(1, plenty).value() == 2u); // one came
  BOOST_TEST(n.after_a_moment(1, plenty).value() == 1u);
  BOOST_TEST(!n.after_a_moment(1, plenty));
  BOOST_TEST(n.after_a_moment(0, plenty).value() == 0u); // it was given back
}

BOOST_AUTO_TEST_CASE(a_steady_count_is_noted_about_once_a_moment) {
  count_note n;
  std::uint64_t used = 0;
  int notes = 0;
  for (int moment = 0; moment < 100; ++moment) {
    for (int i = 0; i < 500; ++i)
      if (!n.covers(++used)) n.at_once(used, plenty), ++notes;
    notes += n.after_a_moment(used, plenty).has_value();
  }
  BOOST_TEST(notes < 120);
}

BOOST_AUTO_TEST_CASE(a_rush_from_nothing_is_noted_a_few_times) {
  count_note n;
  int notes = 0;
  for (std::uint64_t used = 1; used <= 100'000; ++used)
    if (!n.covers(used)) n.at_once(used, plenty), ++notes;
  BOOST_TEST(notes < 20);
}

BOOST_AUTO_TEST_CASE(no_note_is_beyond_what_may_be_counted) {
  count_note n;
  BOOST_TEST(n.at_once(9, 10) == 10u);
  BOOST_TEST(n.after_a_moment(9, 10).value_or(10) == 10u);
  BOOST_TEST(n.ahead_of(9)); // with nothing new to write: but when it has stood still there is
  BOOST_TEST(n.after_a_moment(9, 10).value() == 9u);
  BOOST_TEST(!n.ahead_of(9));
  BOOST_TEST(n.at_once(11, 10) == 11u); // of a limit that was lowered
}

BOOST_AUTO_TEST_CASE(what_may_have_been_lost_is_noted_again) {
  count_note n;
  n.begin_at(7);
  BOOST_TEST(!n.after_a_moment(7, plenty));
  n.forget();
  BOOST_TEST(!n.covers(7));
  BOOST_TEST(n.after_a_moment(7, plenty).value() == 7u);
  n.forget();
  BOOST_TEST(n.at_once(8, plenty) < 20u); // not as if all of it had come at once
}

// A count over many lives. Notes take their time to be written, one after the other; every life ends by being killed.
BOOST_AUTO_TEST_CASE(over_many_killed_lives_only_what_outran_the_writing_is_counted_twice) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 draw(seed);
    const std::uint64_t limit = 20'000;
    std::uint64_t written = 0, sent = 0, forgiven = 0, wasted = 0; // `sent`: over all lives
    for (int life = 0; life < 100; ++life) {
      count_note n;
      std::uint64_t used = written;
      n.begin_at(written);
      std::optional<std::uint64_t> on_its_way;
      int arrives_in = 0, pace = 0;
      const auto write = [&](std::uint64_t note) {
        BOOST_REQUIRE(note >= used);
        BOOST_REQUIRE(note <= std::max(limit, used));
        on_its_way = note;
        arrives_in = static_cast<int>(draw() % 4);
      };
      for (int step = static_cast<int>(draw() % 400); step > 0; --step) {
        if (draw() % 40 == 0) pace = static_cast<int>(draw() % 5);
        for (int i = 0; i < pace && used < limit; ++i) ++used, ++sent;
        if (on_its_way && arrives_in-- == 0) written = *on_its_way, on_its_way.reset();
        if (on_its_way) continue;
        if (!n.covers(used))
          write(n.at_once(used, limit));
        else if (step % 20 == 0)
          if (const auto note = n.after_a_moment(used, limit)) write(*note);
      }
      if (written < used)
        forgiven += used - written; // of the last few steps
      else
        wasted += written - used;
      BOOST_REQUIRE(sent <= limit + forgiven);
    }
    BOOST_TEST(sent > limit / 2); // the month was there to be used, not to be lost to kills
    BOOST_TEST(forgiven < limit / 10);
    BOOST_TEST(sent + wasted >= std::min(written, limit));
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::count_note_test
