#include "core/lessons.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace lessons_test {

using namespace mainstay;

namespace {
using event = provider_lessons::event;
event answer(std::uint64_t tokens, duration took) { return {event::kind::whole_answer, tokens, took}; }
event silence(duration took) { return {event::kind::too_slow, 0, took}; }
} // namespace

BOOST_AUTO_TEST_SUITE(lessons)

BOOST_AUTO_TEST_CASE(nothing_is_known_at_first) {
  provider_lessons all;
  BOOST_TEST((all.of("m", 0).usual == duration{}));
  BOOST_TEST(!all.of("m", 0).prefill_refused);
}

BOOST_AUTO_TEST_CASE(steady_answers_teach_a_time_a_little_above_theirs) {
  provider_lessons all;
  for (int i = 0; i < 50; ++i) all.learn("m", answer(100, 20s));
  BOOST_TEST((all.of("m", 100).usual >= 20s));
  BOOST_TEST((all.of("m", 100).usual < 21s));
}

BOOST_AUTO_TEST_CASE(varying_answers_teach_a_time_that_nearly_all_of_them_keep) {
  std::mt19937 random(7);
  std::lognormal_distribution<double> seconds(2, 0.4);
  provider_lessons all;
  int late = 0;
  for (int i = 0; i < 2000; ++i) {
    auto took = std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds(random)));
    late += i > 100 && took > all.of("m", 0).usual;
    all.learn("m", answer(100, took));
  }
  BOOST_TEST(late < 60);
}

BOOST_AUTO_TEST_CASE(a_short_answer_is_not_given_the_time_of_a_long_one) {
  provider_lessons all;
  for (int i = 0; i < 20; ++i) {
    all.learn("m", answer(50, 2s));
    all.learn("m", answer(4000, 80s));
  }
  BOOST_TEST((all.of("m", 100).usual < 4s));
  BOOST_TEST((all.of("m", 4096).usual >= 80s));
  BOOST_TEST((all.of("m", 0).usual >= 80s)); // who names no cap may get the longest
}

BOOST_AUTO_TEST_CASE(models_learn_each_for_itself) {
  provider_lessons all;
  all.learn("m", answer(50, 2s));
  all.learn("n", {event::kind::prefill_refused, 0, {}});
  BOOST_TEST((all.of("n", 0).usual == duration{}));
  BOOST_TEST(all.of("n", 0).prefill_refused);
  BOOST_TEST(!all.of("m", 0).prefill_refused);
}

BOOST_AUTO_TEST_CASE(a_model_that_answered_gets_twice_the_time_after_one_silence_and_no_more_after_two) {
  provider_lessons all;
  all.learn("m", answer(50, 2s));
  all.learn("m", silence(30s));
  BOOST_TEST((all.of("m", 0).usual == 60s));
  all.learn("m", silence(60s));
  BOOST_TEST((all.of("m", 0).usual < 30s));
  all.learn("m", silence(30s));
  BOOST_TEST((all.of("m", 0).usual < 30s));
}

BOOST_AUTO_TEST_CASE(a_model_that_never_answered_gets_no_more_time) {
  provider_lessons all;
  all.learn("m", silence(30s));
  BOOST_TEST((all.of("m", 0).usual == duration{}));
}

// Whatever is learned: no time is negative, none of a cap exceeds the one without, and none exceeds what was ever seen
// by more than the formula's spread allows.
BOOST_AUTO_TEST_CASE(random_walks_stay_within_what_was_seen) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    provider_lessons all;
    duration longest{};
    for (int i = 0; i < 200; ++i) {
      auto took = 10ms * (1 + random() % 6000);
      longest = std::max<duration>(longest, took);
      all.learn("m", random() % 4 ? answer(random() % 20000, took) : silence(took));
      auto any = all.of("m", 0).usual, small = all.of("m", 100).usual;
      BOOST_REQUIRE((small >= duration{} && small <= any));
      BOOST_REQUIRE((any <= longest * 5));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace lessons_test
