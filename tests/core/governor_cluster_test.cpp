#include "tests/core/governor_cluster.hpp"

#include <chrono>

namespace mainstay::governor_cluster_test {
namespace {

using namespace testing;

governor_settings with(limit_set limits) {
  governor_settings s;
  s.keys = {key("k", limits)};
  s.providers = {{"p", 10'000}};
  return s;
}

governor_settings with_client(limit_set limits) {
  auto s = with({});
  s.clients = {{"app", limits, {}}};
  return s;
}

BOOST_AUTO_TEST_SUITE(governor_cluster_suite)

BOOST_AUTO_TEST_CASE(one_node_that_alone_is_asked_gets_nearly_all_of_a_keys_minute) {
  governor_cluster c(with({.rpm = 60}));
  for (int i = 0; i < 120; ++i) c.ask(0, 50s);
  c.run(20s);
  BOOST_TEST(c.sent_by(0) >= 57u);
  BOOST_TEST(c.sent() <= 60u);
}

BOOST_AUTO_TEST_CASE(no_minute_holds_more_than_the_limit_whoever_is_asked) {
  governor_cluster c(with({.rpm = 60}));
  for (int second = 0; second < 200; ++second) {
    for (int i = 0; i < 3; ++i) c.ask(static_cast<node_index>(second / 30 + i) % 2, 5s);
    c.run(1s, 20ms);
  }
  BOOST_TEST(c.most_in(60s) <= 60u);
  BOOST_TEST(c.sent() >= 160u);
}

BOOST_AUTO_TEST_CASE(tokens_are_lent_too) {
  governor_cluster c(with({.tpm = 3000}));
  for (int i = 0; i < 20; ++i) c.ask(1, 50s, 250);
  c.run(20s);
  BOOST_TEST(c.sent() >= 11u);
  BOOST_TEST(c.sent() <= 12u);
}

BOOST_AUTO_TEST_CASE(a_request_that_needs_more_than_a_home_share_waits_for_the_others) {
  governor_cluster c(with({.tpm = 3000}));
  c.ask(2, 50s, 2500);
  BOOST_TEST(c.sent() == 0u);
  c.run(10s);
  BOOST_TEST(c.sent() == 1u);
}

BOOST_AUTO_TEST_CASE(one_call_at_once_is_one_over_all_nodes) {
  governor_cluster c(with({.concurrency = 1}));
  for (node_index n = 0; n < 3; ++n) c.ask(n);
  std::size_t ended[3] = {0, 0, 0};
  for (std::size_t all = 0; all < 3; ++all) {
    c.run(5s);
    BOOST_TEST(c.sent() == all + 1);
    for (node_index n = 0; n < 3; ++n)
      if (c.granted(n).size() > ended[n]) c.done(n, c.granted(n)[ended[n]++]);
  }
}

BOOST_AUTO_TEST_CASE(a_node_that_died_and_is_back_does_not_send_its_minute_anew) {
  governor_cluster c(with({.rpm = 60}));
  for (int i = 0; i < 30; ++i)
    for (node_index n = 0; n < 3; ++n) c.ask(n, 50s);
  c.run(10s);
  c.kill(1);
  c.run(2s);
  c.restart(1);
  for (int i = 0; i < 30; ++i) c.ask(1, 200s);
  c.run(150s, 20ms);
  BOOST_TEST(c.most_in(60s) <= 60u);
  BOOST_TEST(c.granted(1).size() >= 30u);
}

BOOST_AUTO_TEST_CASE(a_cluster_that_begins_waits_for_nobody_but_the_first_word_of_the_others) {
  governor_cluster c(with({.rpm = 60}));
  c.ask(0);
  BOOST_TEST(c.sent() == 1u);
  governor alone(with({.rpm = 60}));
  alone.join(quota_cluster({"a", "b"}, 0, 1), {}, t0);
  capacity_request r;
  r.id = {1, 1};
  r.targets = {{"p", "m"}};
  r.wait_until = t0 + 10s;
  BOOST_TEST(std::holds_alternative<queued>(alone.acquire(r, t0)));
  alone.quotas()->on_peer(1, true, 5, t0 + 1s);
  alone.quotas()->on_word(1, false);
  alone.on_quotas();
  BOOST_TEST(alone.tick(t0 + 1s).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_request_over_its_nodes_share_of_a_clients_limit_waits_a_moment_for_a_loan) {
  governor_cluster c(with_client({.rpm = 30}));
  const auto admit = [&](request_id id) { return c.at(0).admit({id, 0}, "app", 1, c.now() + 1min, c.now()); };
  for (request_id id = 1; id <= 10; ++id) BOOST_TEST(admit(id).admitted);
  BOOST_TEST(admit(11).undecided);
  c.run(300ms);
  BOOST_REQUIRE(c.admitted.count({11, 0}) == 1u);
  BOOST_TEST(c.admitted.at({11, 0}).admitted);
}

BOOST_AUTO_TEST_CASE(a_client_that_has_used_up_its_limit_everywhere_is_refused_after_that_moment) {
  governor_cluster c(with_client({.rpm = 3}));
  request_id id = 0;
  for (node_index n = 0; n < 3; ++n) BOOST_TEST(c.at(n).admit({++id, 0}, "app", 1, c.now() + 1min, c.now()).admitted);
  BOOST_TEST(c.at(0).admit({++id, 0}, "app", 1, c.now() + 1min, c.now()).undecided);
  c.run(350ms);
  BOOST_REQUIRE(c.admitted.count({id, 0}) == 1u);
  BOOST_TEST(!c.admitted.at({id, 0}).admitted);
  BOOST_TEST(c.admitted.at({id, 0}).limit == "requests");
}

BOOST_AUTO_TEST_CASE(what_was_lent_for_a_send_says_until_when) {
  governor_cluster c(with({.rpm = 3}));
  const auto first = std::get<grant>(c.at(0).acquire({.id = {1000, 1}, .targets = {{"p", "m"}}}, c.now()));
  BOOST_TEST((first.send_by == instant::max()));
  capacity_request r{.id = {1001, 1}, .targets = {{"p", "m"}}, .wait_until = c.now() + 5s};
  (void)c.at(0).acquire(r, c.now());
  instant by = instant::max();
  for (int i = 0; i < 1000 && by == instant::max(); ++i) {
    c.run(5ms);
    const auto again = c.at(0).acquire(r, c.now()); // its own, if it has it
    if (const auto* g = std::get_if<grant>(&again)) by = g->send_by;
  }
  BOOST_TEST((by > c.now() && by <= c.now() + 10s));
}

BOOST_AUTO_TEST_CASE(a_limit_that_a_reload_brings_is_shared_as_well) {
  auto s = with({});
  governor_cluster c(s);
  s.keys[0].limits.rpm = 3;
  for (node_index n = 0; n < 3; ++n) c.at(n).reconfigure(s);
  for (node_index n = 0; n < 3; ++n) c.ask(n), c.ask(n);
  c.run(5s);
  BOOST_TEST(c.sent() == 3u);
}

BOOST_AUTO_TEST_CASE(a_limit_that_a_reload_takes_away_is_asked_for_no_more) {
  governor_cluster c(with({.rpm = 3}));
  for (int i = 0; i < 6; ++i) c.ask(0);
  c.run(1s);
  for (node_index n = 0; n < 3; ++n) c.at(n).reconfigure(with({}));
  c.run(1s);
  BOOST_REQUIRE(c.granted(0).size() == 6u);
  for (const auto id : c.granted(0)) c.done(0, id);
  c.run(100s, 100ms);
  for (node_index n = 0; n < 3; ++n) BOOST_TEST(c.at(n).quotas()->size() == 0u);
}

BOOST_AUTO_TEST_CASE(whoever_waits_after_a_while_without_waiters_is_lent_to_as_well) {
  governor_cluster c(with({.tpm = 3000}));
  c.run(1s);
  c.ask(0, 50s, 2500);
  c.run(10s);
  BOOST_TEST(c.sent() == 1u);
}

BOOST_AUTO_TEST_CASE(a_client_that_sent_nothing_yet_is_not_refused_before_another_node_was_asked) {
  governor_cluster c(with_client({.rpm = 2, .tpm = 3000}));
  c.run(1s);
  for (node_index n = 0; n < 3; ++n) { // one of them has no request of its own
    const lease_id id{1000 + n, 0};
    const auto answer = c.at(n).admit(id, "app", 1200, c.now() + 1min, c.now());
    BOOST_TEST(answer.undecided);
    c.run(300ms);
    BOOST_REQUIRE(c.admitted.count(id) == 1u);
    BOOST_TEST(c.admitted.at(id).admitted);
    c.done(n, id);
    c.run(70s, 20ms);
  }
}

BOOST_AUTO_TEST_CASE(a_limit_that_nobody_uses_costs_the_others_messages_nothing) {
  const auto cost_among = [](int clients) {
    auto s = with({.rpm = 900'000});
    for (int i = 0; i < clients; ++i)
      s.clients.push_back({"app" + std::to_string(i), {.rpm = 900'000, .tpm = 900'000, .concurrency = 900}, {}});
    governor g(s);
    g.join(quota_cluster({"a", "b", "c"}, 0, 1), {}, t0);
    for (const node_index peer : {1u, 2u}) {
      g.quotas()->on_peer(peer, true, 5, t0);
      g.quotas()->on_word(peer, false);
    }
    auto now = t0;
    const auto turn = [&] {
      BOOST_REQUIRE(g.tick(now).empty());
      (void)g.quota_asks(now);
      BOOST_REQUIRE(g.next_wake(now) > now);
    };
    turn(); // all of them have heard of the peers
    request_id last = 0;
    auto best = duration::max();
    for (int round = 0; round < 5; ++round) {
      const auto begun = std::chrono::steady_clock::now();
      for (int i = 0; i < 200; ++i) {
        now += 1ms;
        BOOST_REQUIRE(g.admit({++last, 0}, "app0", 1, now + 1min, now).admitted);
        turn();
        BOOST_REQUIRE(std::holds_alternative<grant>(g.acquire({.id = {last, 1}, .targets = {{"p", "m"}}}, now)));
        turn();
        for (const std::uint32_t serial : {0u, 1u}) {
          g.settle({last, serial}, {}, now);
          turn();
        }
      }
      best = std::min<duration>(best, std::chrono::steady_clock::now() - begun);
    }
    return std::chrono::duration<double, std::micro>(best).count() / 800;
  };
  const auto few = cost_among(10), many = cost_among(5000);
  BOOST_TEST_MESSAGE("a message: " << few << " us with 10 clients, " << many << " us with 5,000");
  BOOST_TEST(many < 3 * few);
}

BOOST_AUTO_TEST_CASE(who_never_heard_whether_there_was_a_process_before_leaves_that_question_to_the_next) {
  governor first(governor_settings{}), alone(governor_settings{});
  first.join(quota_cluster({"a", "b"}, 0, 1), {}, t0);
  BOOST_TEST(!first.quota_legacy({}, t0));
  first.quotas()->on_word(1, false);
  BOOST_TEST(first.quota_legacy({}, t0).has_value());
  alone.join(quota_cluster({"a"}, 0, 1), {}, t0);
  BOOST_TEST(!alone.quota_legacy({}, t0));
  BOOST_TEST(!governor(governor_settings{}).quota_legacy({}, t0));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::governor_cluster_test
