// The claims of a share one by one; what all of them together promise is walked in quota_walk_test.cpp.
#include "core/quota_share.hpp"

#include <boost/test/unit_test.hpp>

namespace mainstay::quota_share_test {
namespace {

constexpr instant start{1000s};
const std::vector<std::string> three{"10.0.0.1:7000", "10.0.0.2:7000", "10.0.0.3:7000"};

/// The share of one of three nodes of a limit of 30 a minute; every home share is 10.
struct one_node {
  explicit one_node(node_index self = 0, bool fresh = true, quota_terms terms = {30, 60s, false})
    : cluster(three, self, 70 + self),
      share(cluster, "key", terms, fresh ? quota_start{} : quota_start{start, {}}, start) {
    for (node_index n = 0; n < 3; ++n)
      if (n != self) meet(n, 70 + n);
  }
  void meet(node_index n, std::uint64_t incarnation, instant now = start) {
    const auto before = cluster.incarnation_of(n);
    cluster.set_peer(n, true, incarnation);
    share.on_peer(n, before, now);
  }
  addressed_asks tick(instant now) {
    addressed_asks asks;
    share.tick(now, asks);
    return asks;
  }
  std::uint64_t asked(node_index from, quota_ask a, instant now = start) {
    if (a.incarnation == 0) a.incarnation = cluster.incarnation_of(from);
    const auto g = share.on_ask(from, a, now);
    return g ? g->amount : 999;
  }
  /// Asks for so much and is granted so much for 2 s by who is asked first; the ask.
  quota_ask borrow(std::uint64_t waiting, std::uint64_t granted, instant now = start) {
    share.set_demand(waiting, 1, now);
    const auto asks = tick(now);
    BOOST_TEST_REQUIRE(asks.size() > 0u);
    share.on_grant(asks[0].first, {asks[0].second.incarnation, asks[0].second.seq, granted, 2s, 0, 0}, now);
    lender = asks[0].first;
    return asks[0].second;
  }
  quota_cluster cluster;
  quota_share share;
  node_index lender = 0;
};

node_index owner_of_key() { return one_node().share.look(start).owner; }
node_index not_owner() { return (owner_of_key() + 1) % 3; }

BOOST_AUTO_TEST_SUITE(quota_share_suite)

BOOST_AUTO_TEST_CASE(home_shares_are_whole_and_sum_up_to_the_limit) {
  for (const std::uint64_t limit : {0, 1, 2, 7, 600, 601}) {
    for (const node_index nodes : {1, 3, 7, 1000}) {
      std::uint64_t sum = 0;
      for (node_index n = 0; n < nodes; ++n) sum += home_share(limit, stable_hash("a"), nodes, n);
      BOOST_TEST(sum == limit);
    }
  }
}

BOOST_AUTO_TEST_CASE(who_owns_a_name_moves_only_when_its_owner_goes) {
  std::vector<std::string> names;
  for (auto i = 0; i < 10; ++i) names.push_back("node" + std::to_string(i));
  quota_cluster c(names, 0, 1);
  for (node_index n = 1; n < 10; ++n) c.set_peer(n, true, 1);
  std::vector<node_index> before, owned(10);
  for (auto i = 0; i < 1000; ++i)
    before.push_back(c.owner(stable_hash("key" + std::to_string(i)))), ++owned[before.back()];
  for (const auto n : owned) BOOST_TEST((n > 60 && n < 140));
  c.set_peer(4, false, 0);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto now = c.owner(stable_hash("key" + std::to_string(i)));
    BOOST_TEST((before[i] == 4 ? now != 4 : now == before[i]));
  }
}

BOOST_AUTO_TEST_CASE(without_anybody_else_a_node_has_its_home_share_and_no_more) {
  one_node x;
  BOOST_TEST(x.share.room(start) == 10u);
  auto t = x.share.take(10, start);
  BOOST_TEST_REQUIRE(t.has_value());
  x.share.stamp(*t, start);
  BOOST_TEST(!x.share.take(1, start));
  BOOST_TEST((x.share.fits_at(5, start) == start + 60s));
  BOOST_TEST((x.share.fits_at(15, start) == instant::max())); // only others can help
  BOOST_TEST(x.share.room(start + 60s) == 10u);
}

BOOST_AUTO_TEST_CASE(a_send_may_be_made_of_both_accounts_and_is_to_be_sent_while_the_loan_is_valid) {
  one_node x(not_owner());
  x.borrow(25, 15);
  const auto t = x.share.take(20, start);
  BOOST_TEST_REQUIRE(t.has_value());
  BOOST_TEST(t->home_amount == 5u);
  BOOST_TEST(t->borrowed_amount == 15u);
  BOOST_TEST((t->send_by == start + 2s));
}

BOOST_AUTO_TEST_CASE(a_correction_gives_back_what_was_borrowed_first) {
  one_node x(not_owner());
  x.borrow(25, 15);
  auto t = x.share.take(20, start);
  x.share.stamp(*t, start);
  x.share.correct(*t, 8);
  BOOST_TEST(x.share.look(start).borrowed_used == 3u);
  BOOST_TEST(x.share.look(start).home_used == 5u);
  x.share.correct(*t, 2);
  BOOST_TEST(x.share.look(start).borrowed_used == 0u);
  BOOST_TEST(x.share.look(start).home_used == 2u);
  x.share.correct(*t, 6);
  BOOST_TEST(x.share.look(start).home_used == 6u);
}

BOOST_AUTO_TEST_CASE(a_loan_ends_two_seconds_after_its_asking_whenever_the_answer_comes) {
  one_node x(not_owner());
  x.share.set_demand(20, 1, start);
  const auto asks = x.tick(start);
  x.share.on_grant(asks[0].first, {asks[0].second.incarnation, asks[0].second.seq, 10, 2s, 0, 0}, start + 400ms);
  BOOST_TEST(x.share.look(start + 2s).borrowed == 10u);
  BOOST_TEST(x.share.look(start + 2001ms).borrowed == 0u);
}

BOOST_AUTO_TEST_CASE(only_the_answer_to_the_latest_ask_counts) {
  one_node x(not_owner());
  x.share.set_demand(20, 1, start);
  const auto first = x.tick(start), second = x.tick(start + 600ms);
  BOOST_TEST_REQUIRE(second.size() == 1u);
  x.share.on_grant(first[0].first, {first[0].second.incarnation, first[0].second.seq, 10, 2s, 0, 0}, start + 700ms);
  BOOST_TEST(x.share.look(start + 700ms).borrowed == 0u);
  x.share.on_grant(first[0].first, {second[0].second.incarnation, second[0].second.seq, 7, 2s, 0, 0}, start + 700ms);
  x.share.on_grant(first[0].first, {second[0].second.incarnation, second[0].second.seq, 7, 2s, 0, 0}, start + 800ms);
  BOOST_TEST(x.share.look(start + 800ms).borrowed == 7u);
}

BOOST_AUTO_TEST_CASE(an_answer_of_a_lender_that_began_anew_meanwhile_does_not_count) {
  one_node x(not_owner());
  x.share.set_demand(20, 1, start);
  const auto asks = x.tick(start);
  x.meet(asks[0].first, 99, start + 100ms);
  x.share.on_grant(asks[0].first, {asks[0].second.incarnation, asks[0].second.seq, 10, 2s, 0, 0}, start + 200ms);
  BOOST_TEST(x.share.look(start + 200ms).borrowed == 0u);
}

BOOST_AUTO_TEST_CASE(what_was_sent_on_a_loan_that_ended_still_counts_at_its_lender) {
  one_node x(not_owner());
  x.borrow(20, 10);
  const auto t = x.share.take(20, start + 1s);
  x.share.stamp(*t, start + 1s);
  x.share.set_demand(0, 0, start + 1s);
  quota_ask last;
  for (auto now = start + 2s; now < start + 61s; now += 500ms)
    for (const auto& [to, ask] : x.tick(now))
      if (to == x.lender) last = ask;
  BOOST_TEST(last.holding == 10u);
  for (auto now = start + 61s; now < start + 64s; now += 500ms)
    for (const auto& [to, ask] : x.tick(now))
      if (to == x.lender) last = ask;
  BOOST_TEST(last.holding == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_lent_is_not_used_here_until_the_borrower_says_so) {
  one_node x(owner_of_key());
  const auto n = not_owner();
  BOOST_TEST(x.asked(n, {.seq = 1, .want = 8}) == 8u);
  BOOST_TEST(x.share.room(start) == 2u);
  BOOST_TEST(x.asked(n, {.seq = 2, .holding = 3, .want = 0}, start + 1s) == 0u);
  BOOST_TEST(x.share.room(start + 1s) == 7u);
}

BOOST_AUTO_TEST_CASE(a_loan_of_which_nothing_is_heard_comes_back_after_its_time_a_window_and_the_margin) {
  one_node x(owner_of_key());
  BOOST_TEST(x.asked(not_owner(), {.seq = 1, .want = 8}) == 8u);
  BOOST_TEST(x.share.room(start + 62499ms) == 2u);
  BOOST_TEST(x.share.room(start + 62500ms) == 10u);
}

BOOST_AUTO_TEST_CASE(an_old_ask_and_one_of_an_unknown_incarnation_are_not_heard) {
  one_node x(owner_of_key());
  const auto n = not_owner();
  BOOST_TEST(x.asked(n, {.seq = 5, .want = 8}) == 8u);
  BOOST_TEST(x.asked(n, {.seq = 4, .want = 0}) == 999u);
  BOOST_TEST(x.asked(n, {.seq = 5, .want = 0}) == 999u);
  BOOST_TEST(x.asked(n, {.incarnation = 12345, .seq = 6, .want = 0}) == 999u);
  BOOST_TEST(x.share.room(start) == 2u);
}

BOOST_AUTO_TEST_CASE(what_the_predecessor_of_a_borrower_had_still_counts_until_its_time_is_over) {
  one_node x(owner_of_key());
  const auto n = not_owner();
  BOOST_TEST(x.asked(n, {.seq = 5, .want = 8}) == 8u);
  x.meet(n, 1234, start + 1s);
  BOOST_TEST(x.asked(n, {.seq = 1, .want = 8}, start + 1s) == 2u);
  BOOST_TEST(x.asked(n, {.seq = 2, .want = 0}, start + 2s) == 0u);
  BOOST_TEST(x.share.room(start + 62s) == 2u);
  BOOST_TEST(x.share.room(start + 63s) == 10u);
}

BOOST_AUTO_TEST_CASE(calls_of_a_borrower_that_began_anew_are_over) {
  one_node x(0, true, {30, 600s, true});
  BOOST_TEST(x.asked(1, {.seq = 5, .want = 8, .collect = true}) == 8u);
  BOOST_TEST(x.share.room(start + 1s) == 2u);
  x.meet(1, 1234, start + 1s);
  BOOST_TEST(x.share.room(start + 1s) == 10u);
}

BOOST_AUTO_TEST_CASE(a_node_that_begins_anew_uses_its_home_share_only_when_nothing_of_before_counts) {
  one_node x(0, false);
  BOOST_TEST(x.share.room(start + 70499ms) == 0u);
  BOOST_TEST(x.share.room(start + 70500ms) == 10u);
}

BOOST_AUTO_TEST_CASE(of_what_is_held_it_opens_when_all_have_said_what_they_have) {
  one_node x(0, false, {30, 600s, true});
  const auto asks = x.tick(start);
  BOOST_TEST_REQUIRE(asks.size() == 2u);
  const auto answer = [&](std::size_t i, std::uint64_t held) {
    x.share.on_grant(asks[i].first, {asks[i].second.incarnation, asks[i].second.seq, 0, 2s, held, 3}, start);
  };
  answer(0, 4);
  BOOST_TEST(x.share.room(start) == 0u);
  answer(1, 0);
  BOOST_TEST(x.share.room(start) == 6u);
}

BOOST_AUTO_TEST_CASE(a_late_word_of_what_a_predecessor_lent_does_not_undo_a_loan_whose_answer_is_under_way) {
  one_node x(0, false, {30, 600s, true});
  const auto asks = x.tick(start); // nobody answers, and the share opens by time
  const auto later = start + 611s;
  const auto to = asks[0].first;
  const auto lent = x.asked(to, {.seq = 3, .want = 4, .first = 1}, later);
  BOOST_TEST(lent == 4u);
  x.share.on_grant(to, {asks[0].second.incarnation, asks[0].second.seq, 0, 2s, 0, 3}, later);
  BOOST_TEST(x.share.room(later) == 6u);
}

BOOST_AUTO_TEST_CASE(nothing_is_lent_on_for_longer_than_it_is_borrowed) {
  one_node x(owner_of_key());
  x.share.take(10, start);
  const auto n = not_owner();
  x.asked(n, {.seq = 1, .want = 8});
  const auto asks = x.tick(start);
  BOOST_TEST_REQUIRE(asks.size() > 0u);
  x.share.on_grant(asks[0].first, {asks[0].second.incarnation, asks[0].second.seq, 8, 5s, 0, 0}, start);
  BOOST_TEST(x.asked(n, {.seq = 2, .want = 8}, start + 1s) == 4u); // half is ours: we have as much demand
  BOOST_TEST(x.asked(n, {.seq = 3, .holding = 0, .want = 8}, start + 3001ms) == 0u);
}

BOOST_AUTO_TEST_CASE(an_idle_share_is_forgotten_and_one_in_use_is_not) {
  one_node x;
  BOOST_TEST(x.share.idle(start));
  const auto t = x.share.take(1, start);
  BOOST_TEST(!x.share.idle(start));
  x.share.stamp(*t, start);
  BOOST_TEST(!x.share.idle(start + 59s));
  BOOST_TEST(x.share.idle(start + 60s));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::quota_share_test
