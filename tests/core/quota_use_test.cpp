// How well a cluster uses its limits, in the world of the walks, where every send is checked too.
#include "tests/core/quota_world.hpp"

#include <boost/test/unit_test.hpp>

namespace mainstay::test::quota_use_test {
namespace {

quota_world::plan rate(node_index nodes, std::uint64_t limit, duration window = 60s) {
  quota_world::plan p;
  p.nodes = nodes;
  p.terms = {limit, window, false};
  p.window = window;
  return p;
}

/// What was sent in `d`, which must not fail.
std::uint64_t sent_in(quota_world& w, duration d) {
  const auto before = w.sent();
  w.run(d);
  BOOST_TEST_REQUIRE(w.failure() == "");
  return w.sent() - before;
}

BOOST_AUTO_TEST_SUITE(quota_use_suite)

BOOST_AUTO_TEST_CASE(one_node_with_all_the_demand_uses_nearly_all_of_the_limit) {
  quota_world w(rate(3, 600), 1);
  w.demand(1, 30);
  for (auto minute = 0; minute < 3; ++minute) BOOST_TEST(sent_in(w, 60s) >= 580u);
}

BOOST_AUTO_TEST_CASE(where_all_want_too_much_each_has_the_same) {
  quota_world w(rate(3, 600), 1);
  for (node_index n = 0; n < 3; ++n) w.demand(n, 10 + 10 * n);
  sent_in(w, 90s);
  std::uint64_t before[3];
  for (node_index n = 0; n < 3; ++n) before[n] = w.sent_by(n);
  BOOST_TEST(sent_in(w, 120s) >= 1180u);
  for (node_index n = 0; n < 3; ++n) BOOST_TEST(std::abs(static_cast<double>(w.sent_by(n) - before[n]) - 400) < 40);
}

BOOST_AUTO_TEST_CASE(who_wants_less_than_its_share_gets_it_and_the_others_share_the_rest) {
  quota_world w(rate(3, 600), 1);
  w.demand(0, 1);
  w.demand(1, 20);
  w.demand(2, 20);
  sent_in(w, 120s);
  std::uint64_t before[3];
  for (node_index n = 0; n < 3; ++n) before[n] = w.sent_by(n);
  BOOST_TEST(sent_in(w, 120s) >= 1140u);
  BOOST_TEST(std::abs(static_cast<double>(w.sent_by(0) - before[0]) - 120) < 10);
  for (node_index n = 1; n < 3; ++n) BOOST_TEST(std::abs(static_cast<double>(w.sent_by(n) - before[n]) - 530) < 60);
}

BOOST_AUTO_TEST_CASE(demand_that_moves_finds_the_limit_where_it_goes) {
  quota_world w(rate(4, 600), 1);
  sent_in(w, 5s);
  std::uint64_t all = 0;
  for (auto i = 0; i < 18; ++i) {
    for (node_index n = 0; n < 4; ++n) w.demand(n, n == static_cast<node_index>(i % 4) ? 40 : 0);
    const auto sent = sent_in(w, 20s);
    if (i >= 3) all += sent;
  }
  BOOST_TEST(all >= 2700u); // five minutes
}

BOOST_AUTO_TEST_CASE(a_limit_for_a_second_is_used_as_well) {
  quota_world w(rate(3, 50, 1s), 1);
  w.demand(2, 100);
  sent_in(w, 5s);
  BOOST_TEST(sent_in(w, 20s) >= 900u);
  w.demand(0, 100);
  w.demand(2, 10);
  sent_in(w, 3s);
  BOOST_TEST(sent_in(w, 20s) >= 900u);
}

BOOST_AUTO_TEST_CASE(of_a_limit_of_one_every_node_has_its_turn) {
  quota_world w(rate(3, 1, 5s), 1);
  for (node_index n = 0; n < 3; ++n) w.demand(n, 1);
  sent_in(w, 20s);
  std::uint64_t before[3];
  for (node_index n = 0; n < 3; ++n) before[n] = w.sent_by(n);
  BOOST_TEST(sent_in(w, 150s) >= 25u);
  for (node_index n = 0; n < 3; ++n) BOOST_TEST(w.sent_by(n) - before[n] >= 5u);
}

BOOST_AUTO_TEST_CASE(requests_larger_than_a_share_take_turns) {
  auto p = rate(3, 6000, 10s);
  p.smallest = p.largest = 3000;
  quota_world w(p, 1);
  for (node_index n = 0; n < 3; ++n) w.demand(n, 1000);
  sent_in(w, 20s);
  std::uint64_t before[3];
  for (node_index n = 0; n < 3; ++n) before[n] = w.sent_by(n);
  BOOST_TEST(sent_in(w, 150s) >= 15u * 5400);
  for (node_index n = 0; n < 3; ++n) BOOST_TEST(w.sent_by(n) - before[n] >= 7u * 3000);
}

BOOST_AUTO_TEST_CASE(one_call_at_a_time_in_all_the_cluster) {
  quota_world::plan p;
  p.terms = {1, 600s, true};
  p.longest_call = 1s;
  quota_world w(p, 1);
  for (node_index n = 0; n < 3; ++n) w.demand(n, 2);
  sent_in(w, 10s);
  std::uint64_t before[3];
  for (node_index n = 0; n < 3; ++n) before[n] = w.sent_by(n);
  BOOST_TEST(sent_in(w, 60s) >= 80u); // half a second each, and the way from one to the next
  for (node_index n = 0; n < 3; ++n) BOOST_TEST(w.sent_by(n) - before[n] >= 10u);
}

BOOST_AUTO_TEST_CASE(a_node_that_is_cut_off_goes_on_with_its_own_share) {
  quota_world w(rate(3, 600), 1);
  for (node_index n = 0; n < 3; ++n) w.demand(n, 20);
  sent_in(w, 90s);
  for (node_index n = 1; n < 3; ++n) {
    w.cut(0, n, true), w.cut(n, 0, true);
    w.believe(0, n, false), w.believe(n, 0, false);
  }
  sent_in(w, 75s);
  const auto before = w.sent_by(0);
  BOOST_TEST(sent_in(w, 120s) >= 1150u);
  BOOST_TEST(w.sent_by(0) - before >= 380u);
}

BOOST_AUTO_TEST_CASE(two_minutes_after_a_crash_all_of_the_limit_is_used_again) {
  quota_world w(rate(3, 600), 1);
  w.demand(0, 30);
  w.demand(1, 5);
  sent_in(w, 100s);
  for (node_index n = 0; n < 3; ++n) {
    w.crash(n);
    w.run(3s);
    w.restart(n);
    sent_in(w, 60s);
    BOOST_TEST(sent_in(w, 60s) >= 400u);
    BOOST_TEST(sent_in(w, 60s) >= 540u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::test::quota_use_test
