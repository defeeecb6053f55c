#include "core/peer_polls.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace peer_polls_test {

using namespace mainstay;

namespace {

const instant start{1h};

peer_polls::poll of(std::set<std::string> peers, duration time = 2s) { return {std::move(peers), {}, start + time}; }

} // namespace

BOOST_AUTO_TEST_SUITE(peer_polls_suite)

BOOST_AUTO_TEST_CASE(an_answer_counts_once_and_from_whom_it_is_awaited) {
  peer_polls polls(10);
  const auto n = polls.begin(of({"a", "b"}));
  BOOST_TEST(!polls.answered(n, "c"));
  BOOST_TEST(!polls.answered(n + 1, "a"));
  BOOST_TEST(polls.answered(n, "a"));
  BOOST_TEST(!polls.answered(n, "a"));
  BOOST_TEST(!polls.find(n)->over());
  BOOST_TEST(polls.answered(n, "b"));
  BOOST_TEST(polls.find(n)->over());
  BOOST_TEST(polls.find(n)->silent.empty());
}

BOOST_AUTO_TEST_CASE(who_is_lost_or_late_is_silent_at_once_and_says_nothing_any_more) {
  peer_polls polls(10);
  const auto both = polls.begin(of({"a", "b"})), other = polls.begin(of({"b"}, 5s));
  BOOST_TEST((polls.lost("a", "its link broke") == std::vector{both}));
  BOOST_TEST(!polls.answered(both, "a"));
  BOOST_TEST((polls.due() == start + 2s));
  BOOST_TEST(polls.late(start + 1999ms, "late").empty());
  BOOST_TEST((polls.late(start + 2s, "late") == std::vector{both}));
  BOOST_TEST((polls.find(both)->silent == std::map<std::string, std::string>{{"a", "its link broke"}, {"b", "late"}}));
  BOOST_TEST(!polls.find(other)->over());
  BOOST_TEST((polls.due() == start + 5s));
  BOOST_TEST(polls.late(start + 4s, "late").empty(), "told once");
}

BOOST_AUTO_TEST_CASE(only_so_many_wait_at_once) {
  peer_polls polls(2);
  const auto first = polls.begin(of({"a"}));
  BOOST_TEST(polls.begin(of({"a"})) != 0u);
  BOOST_TEST(polls.begin(of({"a"})) == 0u);
  polls.end(first);
  BOOST_TEST(polls.begin(of({"a"})) > first, "no number is used twice");
}

BOOST_AUTO_TEST_CASE(numbers_go_on_where_those_before_ended) {
  peer_polls before(10, 41);
  const auto last = before.begin(of({"a"}));
  BOOST_TEST(last == 42u);
  peer_polls after(10, last);
  BOOST_TEST(!after.answered(last, "a"));
  BOOST_TEST(after.begin(of({"a"})) == 43u);
}

BOOST_AUTO_TEST_CASE(whatever_happens_every_question_ends_by_its_time) {
  std::mt19937 random(7);
  const std::vector<std::string> peers{"a", "b", "c"};
  for (int run = 0; run < 200; ++run) {
    peer_polls polls(50);
    std::map<peer_polls::number, std::set<std::string>> asked;
    auto now = start;
    for (int step = 0; step < 200; ++step) {
      now += std::chrono::milliseconds(random() % 100);
      const auto& peer = peers[random() % peers.size()];
      const auto n = asked.empty() ? 0 : 1 + random() % asked.size();
      switch (random() % 4) {
      case 0: {
        std::set<std::string> some;
        for (auto& p : peers)
          if (random() % 2) some.insert(p);
        const auto fresh = polls.begin({some, {}, now + 2s});
        if (fresh) asked[fresh] = some;
        break;
      }
      case 1: polls.answered(n, peer); break;
      case 2: polls.fell_silent(n, peer, "refused"); break;
      default: polls.lost(peer, "lost");
      }
      for (auto late : polls.late(now, "late")) BOOST_TEST_REQUIRE(polls.find(late)->over());
      for (auto& [number, some] : asked) {
        const auto* p = polls.find(number);
        BOOST_TEST_REQUIRE((p->over() || p->until > now));
        for (auto& [silent, why] : p->silent) BOOST_TEST_REQUIRE(some.contains(silent));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace peer_polls_test
