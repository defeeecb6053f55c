// Answers in memory: bounds, age, and who has to go. Times and draws are made up.
#include "core/answer_cache.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>

namespace answer_cache_test {

using namespace mainstay;

namespace {

const instant start{1h};

answer_cache::item answer(std::string text, instant born = start, std::uint32_t cost = 0) {
  return {std::make_shared<const std::string>(std::move(text)), born, cost};
}

std::string name(const char* kind, int n) { return kind + std::to_string(n); }

struct fixture {
  explicit fixture(answer_cache::settings s = {100, 1u << 20, 1h}) : cache(s) {}
  void put(const std::string& key, std::uint32_t cost = 0) { cache.put(key, answer("to " + key, start, cost)); }
  bool ask(const std::string& key) { return cache.find(key, start) != nullptr; }
  /// As the run does: what is not there is fetched and kept.
  bool ask_or_fetch(const std::string& key) {
    const bool hit = ask(key);
    if (!hit) put(key);
    return hit;
  }
  answer_cache cache;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(answer_cache_suite, fixture)

BOOST_AUTO_TEST_CASE(what_was_put_is_found_until_it_is_too_old) {
  cache.put("a", answer("one", start, 7));
  const auto* found = cache.find("a", start + 1h - 1ns);
  BOOST_TEST_REQUIRE(found);
  BOOST_TEST(*found->value == "one");
  BOOST_TEST((found->born == start));
  BOOST_TEST(found->cost == 7u);
  BOOST_TEST(!cache.find("a", start + 1h));
  BOOST_TEST(cache.size() == 0u);
  BOOST_TEST(cache.bytes() == 0u);
  BOOST_TEST(cache.evictions() == 0u); // nobody needed its room
}

BOOST_AUTO_TEST_CASE(an_entry_is_as_old_as_its_answer_not_as_its_place_here) {
  cache.put("a", answer("promoted from a slower tier", start - 59min));
  BOOST_TEST(cache.find("a", start));
  BOOST_TEST(!cache.find("a", start + 1min));
}

BOOST_AUTO_TEST_CASE(another_answer_to_the_same_question_replaces_the_first) {
  put("a");
  cache.put("a", answer("another", start + 30min));
  BOOST_TEST(*cache.find("a", start + 80min)->value == "another");
  BOOST_TEST(cache.size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_too_large_is_not_kept_and_what_it_was_to_replace_neither) {
  cache.reconfigure({100, 16u << 10, 1h});
  put("a");
  cache.put("a", answer(std::string(2000, 'x')));
  BOOST_TEST(cache.size() == 0u);
  BOOST_TEST(cache.bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(a_scan_does_not_push_out_what_is_in_use) {
  constexpr int hot = 50;
  for (int round = 0; round < 4; ++round)
    for (int i = 0; i < hot; ++i) ask_or_fetch(name("hot", i));
  for (int i = 0; i < 10'000; ++i) { // of the least recently used, each hot one would have gone long ago
    ask_or_fetch(name("once", i));
    if (i % 200 == 0) ask_or_fetch(name("hot", i / 200)); // each once in ten thousand
  }
  int there = 0;
  for (int i = 0; i < hot; ++i) there += ask(name("hot", i));
  BOOST_TEST(there == hot);
}

BOOST_AUTO_TEST_CASE(who_had_to_go_and_comes_again_soon_stays) {
  for (int i = 0; i < 100; ++i) put(name("first", i));
  for (int i = 0; i < 20; ++i) put(name("second", i)); // first0 to first19 had to go
  BOOST_TEST(!ask("first0"));
  put("first0");
  for (int i = 0; i < 1000; ++i) put(name("once", i));
  BOOST_TEST(ask("first0"));
  BOOST_TEST(!ask("first99")); // never asked for again
}

BOOST_AUTO_TEST_CASE(what_is_used_no_more_makes_room_for_what_is) {
  for (int i = 0; i < 100; ++i)
    for (int n = 0; n < 5; ++n) ask_or_fetch(name("old", i));
  for (int round = 0; round < 40; ++round)
    for (int i = 0; i < 50; ++i) ask_or_fetch(name("new", i));
  int there = 0;
  for (int i = 0; i < 50; ++i) there += ask(name("new", i));
  BOOST_TEST(there == 50);
}

BOOST_AUTO_TEST_CASE(of_equals_the_answer_that_took_its_provider_longer_stays_longer) {
  cache.reconfigure({20, 1u << 20, 1h});
  const auto fill = [&](std::uint32_t cost_of_even) {
    cache.clear();
    for (int i = 0; i < 20; ++i) {
      put(name("a", i), i % 2 ? 10 : cost_of_even);
      for (int n = 0; n < 2; ++n) ask(name("a", i)); // twice: they get into the main queue
    }
    for (int i = 0; i < 11; ++i) // each twice in the small queue, so that the main one must make room
      for (int n = 0; n < 3; ++n) ask_or_fetch(name("b", i));
    int even = 0, odd = 0;
    for (int i = 0; i < 20; ++i) (i % 2 ? odd : even) += ask(name("a", i));
    return std::pair(even, odd);
  };
  const auto dear = fill(1000);
  BOOST_TEST(dear.first > dear.second + 4);
  const auto alike = fill(10);
  BOOST_TEST(std::abs(alike.first - alike.second) <= 1);
}

BOOST_AUTO_TEST_CASE(bytes_are_a_bound_too_and_a_smaller_bound_evicts_at_once) {
  cache.reconfigure({1000, 100'000, 1h});
  for (int i = 0; i < 1000; ++i) cache.put(name("a", i), answer(std::string(1000, 'x')));
  BOOST_TEST(cache.bytes() <= 100'000u);
  BOOST_TEST(cache.size() > 75u);
  cache.reconfigure({10, 100'000, 1h});
  BOOST_TEST(cache.size() == 10u);
  cache.reconfigure({0, 100'000, 1h});
  BOOST_TEST(cache.size() == 0u);
  put("a");
  BOOST_TEST(!ask("a"));
}

// Ten thousand steps of everything, over bounds and ages that change, against a map that forgets nothing.
BOOST_AUTO_TEST_CASE(whatever_happens_bounds_hold_and_what_is_found_is_the_youngest_and_not_too_old) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const auto up_to = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
    answer_cache::settings bounds{30, 20'000, 100s};
    answer_cache walked(bounds);
    std::map<std::string, answer_cache::item> latest;
    instant now = start;
    const auto one = [](const std::string& key, const answer_cache::item& what) {
      return key.size() + what.value->size();
    };
    for (int step = 0; step < 10'000; ++step) {
      now += std::chrono::milliseconds(up_to(400));
      const auto key = name("k", std::min(up_to(100), up_to(100)));
      switch (up_to(20)) {
      case 0:
        bounds = {std::size_t(up_to(40)), std::size_t(1000 + up_to(30'000)), std::chrono::seconds(1 + up_to(200))};
        walked.reconfigure(bounds);
        break;
      case 1:
        if (up_to(20) == 0) {
          walked.clear();
          latest.clear();
          BOOST_TEST_REQUIRE(walked.bytes() == 0u);
        }
        break;
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
      case 7: {
        auto what = answer(std::string(std::size_t(up_to(2500)), 'x') + std::to_string(step), now - 1s * up_to(5),
                           std::uint32_t(up_to(1000)));
        const auto* there = walked.find(key, now);
        const bool older = there && there->born > what.born; // then what is there stays
        walked.put(key, what);
        if (!older) latest[key] = what;
        break;
      }
      default:
        if (const auto* found = walked.find(key, now)) {
          BOOST_TEST_REQUIRE(latest.count(key));
          BOOST_TEST_REQUIRE((found->value == latest[key].value && found->cost == latest[key].cost));
          BOOST_TEST_REQUIRE((now - found->born < bounds.kept));
        }
      }
      BOOST_TEST_REQUIRE(walked.size() <= bounds.entries);
      BOOST_TEST_REQUIRE(walked.bytes() <= bounds.bytes);
      if (step % 500 == 0) { // what it says it holds is what can be found, when nothing is too old
        answer_cache empty({100, 1u << 20, 1h});
        empty.put("k", answer("v", now));
        const auto overhead = empty.bytes() - 2;
        walked.reconfigure({bounds.entries, bounds.bytes, 24h});
        std::size_t sum = 0, count = 0;
        for (const auto& [k, what] : latest)
          if (walked.find(k, now)) ++count, sum += one(k, what) + overhead;
        BOOST_TEST_REQUIRE(walked.size() == count);
        BOOST_TEST_REQUIRE(walked.bytes() == sum);
        walked.reconfigure(bounds);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace answer_cache_test
