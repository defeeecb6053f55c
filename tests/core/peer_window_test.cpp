#include "core/peer_window.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace peer_window_test {

using namespace mainstay;
using verdict = peer_window::verdict;

namespace {

peer_window small() { return peer_window({100, 8, 1000}); }

} // namespace

BOOST_AUTO_TEST_SUITE(peer_windows)

BOOST_AUTO_TEST_CASE(what_is_not_acknowledged_is_bounded_in_bytes_and_in_messages) {
  auto w = small();
  w.sent(60);
  BOOST_TEST((w.judge(40) == verdict::fits));
  BOOST_TEST((w.judge(41) == verdict::full));
  auto many = small();
  for (int i = 0; i < 8; ++i) many.sent(1);
  BOOST_TEST((many.judge(1) == verdict::full));
}

BOOST_AUTO_TEST_CASE(a_message_larger_than_the_window_goes_alone_and_one_beyond_all_never) {
  auto w = small();
  BOOST_TEST((w.judge(900) == verdict::fits));
  w.sent(900);
  BOOST_TEST((w.judge(1) == verdict::full));
  BOOST_TEST((w.judge(1001) == verdict::too_large));
}

BOOST_AUTO_TEST_CASE(the_answer_to_a_beat_acknowledges_what_was_said_before_it_and_no_more) {
  auto w = small();
  w.sent(50);
  w.beat(1);
  w.sent(30);
  w.answered(1);
  BOOST_TEST(w.bytes() == 30u);
  BOOST_TEST(w.messages() == 1u);
  w.beat(2);
  w.beat(3);
  w.answered(3);
  BOOST_TEST(w.bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(a_beat_is_due_after_each_quarter_so_that_a_healthy_peer_never_fills_its_window) {
  auto w = small();
  BOOST_TEST(!w.sent(20));
  BOOST_TEST(w.sent(5));
  w.beat(1);
  BOOST_TEST(!w.sent(20));
  auto many = small();
  BOOST_TEST(!many.sent(1));
  BOOST_TEST(many.sent(1));
}

BOOST_AUTO_TEST_CASE(what_is_lost_with_a_link_takes_no_room) {
  auto w = small();
  w.sent(90);
  w.beat(1);
  w.sent(10);
  w.lost();
  BOOST_TEST(w.bytes() == 0u);
  w.sent(5);
  w.answered(1); // late, of the link before
  BOOST_TEST(w.bytes() == 5u);
}

BOOST_AUTO_TEST_CASE(on_a_random_walk_the_window_counts_exactly_what_is_under_way) {
  for (unsigned seed = 1; seed <= test::rounds(50); ++seed) BOOST_TEST_CONTEXT("seed " << seed) {
      std::mt19937 random(seed);
      auto w = small();
      std::deque<std::size_t> under_way; // messages, and 0 for a beat
      std::deque<std::uint64_t> beats;
      std::uint64_t number = 0;
      for (int step = 0; step < 2000; ++step) {
        const std::size_t bytes = 1 + random() % 120;
        const auto dice = random() % 8;
        if (dice < 4 && w.judge(bytes) == verdict::fits) {
          under_way.push_back(bytes);
          if (w.sent(bytes)) w.beat(++number), under_way.push_back(0), beats.push_back(number);
        } else if (dice == 4) {
          w.beat(++number), under_way.push_back(0), beats.push_back(number);
        } else if (dice == 5 && random() % 50 == 0) {
          w.lost(), under_way.clear(), beats.clear();
        } else if (!beats.empty()) { // the oldest beat is answered
          while (under_way.front() != 0) under_way.pop_front();
          under_way.pop_front();
          w.answered(beats.front()), beats.pop_front();
        }
        std::size_t sum = 0, count = 0;
        for (auto n : under_way) sum += n, count += n > 0;
        BOOST_REQUIRE(w.bytes() == sum);
        BOOST_REQUIRE(w.messages() == count);
        BOOST_REQUIRE((sum <= 100 || count == 1));
        BOOST_REQUIRE(count <= 8u);
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace peer_window_test
