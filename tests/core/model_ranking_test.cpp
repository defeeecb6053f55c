// When a model counts as degraded, when as itself again, and what it scores.
#include "core/model_ranking.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace model_ranking_test {

using namespace mainstay;

namespace {

struct bench {
  model_ranking_settings settings;
  model_ranking ranks;
  instant now = instant{} + 1000s;
  explicit bench(model_ranking_settings s = {}) : settings(s) { ranks.reconfigure(s); }

  void calls(int n, bool success, duration first_word = 1s, const std::string& model = "m") {
    for (; n > 0; --n) ranks.record(model, success, first_word, now);
  }
  model_ranking::view of(const std::string& model = "m") const {
    for (auto& v : ranks.views())
      if (v.model == model) return v;
    return {};
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(ranking_of_models)

BOOST_AUTO_TEST_CASE(the_score_is_success_and_speed_over_a_block_of_calls) {
  bench b;
  b.calls(95, true, 2s);
  BOOST_TEST(b.ranks.take_changes().empty());
  BOOST_TEST(b.of().score == 1);
  b.calls(5, false);
  const auto news = b.ranks.take_changes();
  BOOST_REQUIRE(news.size() == 1u);
  BOOST_TEST(news[0].score == 0.7 * 0.95 + 0.3 / 3, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(news[0].success_share == 0.95);
  BOOST_TEST((news[0].latency == duration(2s)));
  BOOST_TEST(!news[0].degraded);
  BOOST_TEST(news[0].calls == 100u);
  b.calls(100, true, 0s);
  BOOST_TEST(b.of().score == 1);
}

BOOST_AUTO_TEST_CASE(nothing_is_judged_before_the_least_number_of_calls) {
  bench b;
  b.calls(49, false);
  BOOST_TEST(!b.of().degraded);
  b.calls(1, false);
  BOOST_TEST(b.of().degraded);
  BOOST_TEST(b.of().score == 0.3); // of no success nothing is known but that
  BOOST_TEST(b.ranks.take_changes().size() == 1u);
}

BOOST_AUTO_TEST_CASE(below_nine_in_ten_or_above_the_latency_is_degraded_and_just_there_is_not) {
  bench b;
  b.calls(45, true);
  b.calls(5, false);
  BOOST_TEST(!b.of().degraded);
  b.calls(1, false);
  BOOST_TEST(b.of().degraded);
  b.calls(50, true, 15s, "slow");
  BOOST_TEST(!b.of("slow").degraded);
  b.calls(1, true, 16s, "slow");
  BOOST_TEST(b.of("slow").degraded);
}

BOOST_AUTO_TEST_CASE(three_good_calls_in_a_row_after_the_check_interval_bring_it_back) {
  bench b;
  b.calls(50, false);
  b.ranks.take_changes();
  b.now += 59s;
  b.calls(20, true); // what was under way when it was degraded
  BOOST_TEST(b.of().degraded);
  b.now += 1s;
  b.calls(2, true);
  b.calls(1, false);
  b.calls(2, true);
  b.calls(1, true, 20s); // too slow is not good
  b.calls(2, true);
  BOOST_TEST(b.of().degraded);
  BOOST_TEST(b.ranks.take_changes().empty());
  b.calls(1, true);
  BOOST_TEST(!b.of().degraded);
  const auto news = b.ranks.take_changes();
  BOOST_REQUIRE(news.size() == 1u);
  BOOST_TEST(!news[0].degraded);
  b.calls(49, false); // a new block: again the least number of calls
  BOOST_TEST(!b.of().degraded);
  b.calls(1, false);
  BOOST_TEST(b.of().degraded);
}

BOOST_AUTO_TEST_CASE(without_settings_nothing_is_ranked_and_what_was_is_taken_back) {
  bench b;
  b.calls(50, false);
  b.ranks.take_changes();
  b.ranks.reconfigure(std::nullopt);
  const auto news = b.ranks.take_changes();
  BOOST_REQUIRE(news.size() == 1u);
  BOOST_TEST(news[0].model == "m");
  BOOST_TEST(!news[0].degraded);
  BOOST_TEST(news[0].score == 1);
  b.calls(50, false);
  BOOST_TEST(b.ranks.views().empty());
  BOOST_TEST(b.ranks.take_changes().empty());
}

BOOST_AUTO_TEST_CASE(models_are_judged_apart_and_bounded) {
  bench b;
  b.calls(50, false, 0s, "bad");
  b.calls(100, true, 0s, "good");
  BOOST_TEST(b.of("bad").degraded);
  BOOST_TEST(!b.of("good").degraded);
  for (int i = 0; i < 3000; ++i) b.calls(1, true, 0s, "x" + std::to_string(i));
  BOOST_TEST(b.ranks.views().size() <= 1000u);
}

BOOST_AUTO_TEST_CASE(whatever_happens_news_are_told_once_and_say_how_it_stands) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    model_ranking_settings s;
    s.min_calls = 1 + static_cast<int>(random() % 20);
    s.rebalance_every = s.min_calls + static_cast<int>(random() % 50);
    s.check_interval = std::chrono::seconds(1 + random() % 60);
    bench b(s);
    bool told = false, is_bad = false;
    instant degraded_at{};
    for (int step = 0; step < 500; ++step) {
      if (random() % 100 == 0) is_bad = !is_bad;
      b.now += std::chrono::milliseconds(random() % 5000);
      b.calls(1, random() % 100 >= (is_bad ? 60u : 2u), std::chrono::milliseconds(random() % 3000));
      for (auto& n : b.ranks.take_changes()) {
        BOOST_REQUIRE(n.score >= 0 && n.score <= 1);
        if (n.degraded && !told) degraded_at = b.now;
        if (!n.degraded && told) BOOST_REQUIRE(b.now - degraded_at >= s.check_interval);
        told = n.degraded;
      }
      BOOST_REQUIRE(told == b.of().degraded);
      BOOST_REQUIRE(b.ranks.take_changes().empty());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace model_ranking_test
