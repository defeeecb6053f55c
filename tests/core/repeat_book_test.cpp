// Who runs and who gets the first answer again, under one idempotency key.
#include "core/repeat_book.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>

namespace repeat_book_test {

using namespace mainstay;
using verdict = repeat_book::verdict;

namespace {

instant at(duration d) { return instant{1h} + d; }

kept_answer_ptr answer(const std::string& text) {
  return std::make_shared<const kept_answer>(kept_answer{200, {}, std::make_shared<const std::string>(text)});
}

repeat_book::asker who(std::uint64_t n, const std::string& body = "body") { return {n, body, at(1h)}; }

} // namespace

BOOST_AUTO_TEST_SUITE(repeats)

BOOST_AUTO_TEST_CASE(the_first_runs_the_others_wait_and_all_get_its_answer) {
  repeat_book book({});
  BOOST_TEST((book.ask("k", who(1), at(0s)).what == verdict::first));
  BOOST_TEST((book.ask("k", who(2), at(0s)).what == verdict::wait));
  BOOST_TEST((book.ask("k", who(3), at(0s)).what == verdict::wait));
  BOOST_TEST((book.ask("other", who(4), at(0s)).what == verdict::first));
  const auto told = book.over("k", 1, answer("a"), at(1s));
  BOOST_TEST_REQUIRE(told.size() == 2u);
  BOOST_TEST(told[0].who == 2u);
  BOOST_TEST(told[1].who == 3u);
  for (auto& t : told) BOOST_TEST((t.what == verdict::repeated && *t.answer->body == "a"));
  const auto later = book.ask("k", who(5), at(2s));
  BOOST_TEST((later.what == verdict::repeated && *later.answer->body == "a"));
}

BOOST_AUTO_TEST_CASE(another_body_under_a_key_in_use_or_answered_is_told_so) {
  repeat_book book({});
  book.ask("k", who(1), at(0s));
  BOOST_TEST((book.ask("k", who(2, "another"), at(0s)).what == verdict::other_body));
  BOOST_TEST(book.over("k", 1, answer("a"), at(0s)).empty());
  BOOST_TEST((book.ask("k", who(3, "another"), at(0s)).what == verdict::other_body));
}

BOOST_AUTO_TEST_CASE(without_an_answer_the_next_one_that_is_still_there_runs) {
  repeat_book book({});
  book.ask("k", who(1), at(0s));
  book.ask("k", {2, "body", at(5s)}, at(0s));
  book.ask("k", who(3), at(0s));
  book.ask("k", who(4), at(0s));
  BOOST_TEST(book.over("k", 3, nullptr, at(1s)).empty()); // left while it waited
  const auto told = book.over("k", 1, nullptr, at(6s));
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].who == 4u);
  BOOST_TEST((told[0].what == verdict::first));
  BOOST_TEST(book.over("k", 4, nullptr, at(7s)).empty());
  BOOST_TEST(book.under_way() == 0u);
  BOOST_TEST((book.ask("k", who(5), at(8s)).what == verdict::first));
}

BOOST_AUTO_TEST_CASE(asking_again_gets_the_same_again) {
  repeat_book book({});
  book.ask("k", who(1), at(0s));
  BOOST_TEST((book.ask("k", who(1), at(0s)).what == verdict::first));
  book.ask("k", who(2), at(0s));
  BOOST_TEST((book.ask("k", who(2), at(0s)).what == verdict::wait));
  BOOST_TEST(book.waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_found_elsewhere_is_for_the_first_and_for_all_who_wait) {
  repeat_book book({});
  book.ask("k", who(1, "another"), at(0s));
  book.ask("k", who(2, "another"), at(0s));
  const auto told = book.found("k", "body", answer("old"));
  BOOST_TEST_REQUIRE(told.size() == 2u);
  for (auto& t : told) BOOST_TEST((t.what == verdict::other_body));
  BOOST_TEST((book.ask("k", who(3), at(1s)).what == verdict::first)); // to be looked for there again
}

BOOST_AUTO_TEST_CASE(a_shorter_life_holds_for_answers_that_come_after_it) {
  repeat_book book({10, 1u << 20, 1h});
  book.ask("old", who(1), at(0s));
  book.over("old", 1, answer("a"), at(0s));
  book.set_bounds({10, 1u << 20, 1min});
  book.ask("new", who(2), at(0s));
  book.over("new", 2, answer("b"), at(0s));
  BOOST_TEST((book.ask("old", who(3), at(2min)).what == verdict::repeated));
  BOOST_TEST((book.ask("new", who(4), at(2min)).what == verdict::first));
  book.over("new", 4, answer("c"), at(2min));
  BOOST_TEST((book.ask("new", who(5), at(2min)).what == verdict::repeated));
  BOOST_TEST(book.answers() == 2u);
}

BOOST_AUTO_TEST_CASE(a_key_is_free_again_when_its_answers_life_is_over) {
  repeat_book book({10, 1u << 20, 1min});
  book.ask("k", who(1), at(0s));
  book.over("k", 1, answer("a"), at(0s));
  BOOST_TEST((book.ask("k", who(2), at(59s)).what == verdict::repeated));
  BOOST_TEST((book.ask("k", who(3), at(60s)).what == verdict::first));
  BOOST_TEST(book.bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(the_oldest_go_when_there_are_too_many_or_too_large_ones) {
  repeat_book book({3, 100000, 1h});
  for (std::uint64_t n = 1; n <= 5; ++n) {
    book.ask(std::to_string(n), who(n), at(0s));
    book.over(std::to_string(n), n, answer("a"), at(0s));
  }
  BOOST_TEST(book.answers() == 3u);
  BOOST_TEST((book.ask("2", who(10), at(1s)).what == verdict::first));
  BOOST_TEST((book.ask("3", who(11), at(1s)).what == verdict::repeated));
  book.ask("large", who(12), at(1s));
  book.over("large", 12, answer(std::string(99500, 'x')), at(1s));
  BOOST_TEST(book.answers() == 1u);
  book.ask("too large", who(13), at(1s));
  book.over("too large", 13, answer(std::string(100001, 'x')), at(1s));
  BOOST_TEST(book.answers() == 1u);
  BOOST_TEST((book.ask("large", who(14), at(1s)).what == verdict::repeated));
}

BOOST_AUTO_TEST_CASE(who_never_said_that_it_is_over_does_not_block_the_key) {
  repeat_book book({});
  book.ask("k", {1, "body", at(10s)}, at(0s));
  book.ask("k", who(2), at(0s));
  BOOST_TEST(book.sweep(at(9s)).empty());
  const auto told = book.sweep(at(10s));
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].second.who == 2u);
  BOOST_TEST((told[0].second.what == verdict::first));
}

/// Askers come under a few keys and two bodies, end with and without answers: one at a time runs under a key, everybody
/// is told, nobody gets another body's answer, and the bounds hold.
BOOST_AUTO_TEST_CASE(a_random_walk_tells_everybody_and_runs_one_at_a_time) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    std::mt19937 random(seed);
    auto roll = [&](unsigned n) { return random() % n; };
    repeat_book book({4, 8000, 20s});
    std::map<std::string, std::uint64_t> running; // by key
    std::map<std::uint64_t, std::pair<std::string, std::string>> asked;
    std::set<std::uint64_t> waiting;
    auto now = at(0s);
    auto take = [&](const std::string& key, const std::vector<repeat_book::told>& all) {
      for (auto& t : all) {
        BOOST_REQUIRE(waiting.erase(t.who) == 1u);
        if (t.what == verdict::first)
          BOOST_REQUIRE(running.emplace(key, t.who).second);
        else if (t.what == verdict::repeated)
          BOOST_REQUIRE(*t.answer->body == asked[t.who].second);
      }
    };
    for (std::uint64_t n = 1; n <= 3000; ++n) {
      const auto key = std::to_string(roll(6)), body = std::string(roll(4) ? "x" : "y");
      asked[n] = {key, body};
      const auto t = book.ask(key, {n, body, now + 1000h}, now);
      switch (t.what) {
      case verdict::first: BOOST_REQUIRE(running.emplace(key, n).second); break;
      case verdict::wait: waiting.insert(n); break;
      case verdict::repeated: BOOST_REQUIRE(*t.answer->body == body); break;
      case verdict::other_body: break;
      }
      const auto end = std::to_string(roll(6));
      if (auto it = running.find(end); it != running.end() && roll(3) == 0) {
        const auto over = it->second;
        running.erase(it);
        take(end, book.over(end, over, roll(2) ? answer(asked[over].second) : nullptr, now));
      }
      BOOST_REQUIRE(book.answers() <= 4u);
      BOOST_REQUIRE(book.bytes() <= 8000u);
      BOOST_REQUIRE(book.waiting() == waiting.size());
      BOOST_REQUIRE(book.under_way() == running.size());
      now += std::chrono::milliseconds(roll(400));
    }
    while (!running.empty()) {
      const auto [key, n] = *running.begin();
      running.erase(running.begin());
      take(key, book.over(key, n, nullptr, now));
    }
    BOOST_TEST(waiting.empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace repeat_book_test
