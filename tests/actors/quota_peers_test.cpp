// What governors of several nodes say to each other about their limits, as it is said: words and messages by kinds.
#include "actors/quota_peers.hpp"
#include "actors/quota_words.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>

namespace quota_peers_test {

using namespace mainstay;

namespace {

constexpr instant start{1000s};

struct speaker {
  explicit speaker(node_index self, std::uint64_t incarnation) : address(addresses()[self]) {
    governor_settings s;
    s.keys = {{.name = "k", .provider = "p", .limits = {.rpm = 10}}};
    s.providers = {{"p", 100}};
    policy = std::make_unique<governor>(s);
    policy->join({addresses(), self, incarnation}, {}, start);
  }
  static std::vector<std::string> addresses() { return {"a:1", "b:1"}; }
  quota_peers::send out() {
    return [this](send_to m) { said.push_back({address, m.kind, m.head, m.body}); };
  }
  bool hears(const std::string& kind, const std::string& head, const std::string& from = "b:1") {
    return peers.said(*policy, {from, kind, head, ""}, start, out());
  }
  capacity_answer asks(request_id id) {
    capacity_request r;
    r.id = {id, 1};
    r.targets = {{"p", "m"}};
    r.wait_until = start + 1h;
    return policy->acquire(r, start);
  }
  std::string address;
  std::unique_ptr<governor> policy;
  quota_peers peers;
  std::deque<peer_said> said;
};

struct two {
  two() {
    a.peers.changed(*a.policy, {"b:1", true, 20}, start, a.out());
    b.peers.changed(*b.policy, {"a:1", true, 10}, start, b.out());
    pass(start);
  }
  void pass(instant now) {
    while (!a.said.empty() || !b.said.empty()) {
      one(a, b, now);
      one(b, a, now);
    }
  }
  static void one(speaker& from, speaker& to, instant now) {
    for (; !from.said.empty(); from.said.pop_front()) to.peers.said(*to.policy, from.said.front(), now, to.out());
  }
  static std::size_t turn(speaker& s, instant now) {
    const auto granted = s.policy->tick(now).size();
    s.peers.ask(s.policy->quota_asks(now), s.policy->quotas()->cluster(), s.out());
    return granted;
  }
  speaker a{0, 10}, b{1, 20};
};

BOOST_AUTO_TEST_SUITE(quota_peers_suite)

BOOST_AUTO_TEST_CASE(nodes_that_never_knew_another_of_each_other_open_at_their_first_word) {
  two x;
  BOOST_TEST(x.a.policy->quotas()->fresh());
  BOOST_TEST(x.b.policy->quotas()->fresh());
  BOOST_TEST(x.a.peers.dropped() == 0u);
}

BOOST_AUTO_TEST_CASE(a_node_that_was_known_in_another_incarnation_stays_closed) {
  two x;
  speaker again(0, 11);
  again.peers.changed(*again.policy, {"b:1", true, 20}, start, again.out());
  x.b.peers.changed(*x.b.policy, {"a:1", true, 11}, start, x.b.out());
  two::one(x.b, again, start);
  BOOST_TEST(!again.policy->quotas()->fresh());
  BOOST_TEST(std::holds_alternative<queued>(again.asks(1)));
}

BOOST_AUTO_TEST_CASE(what_waits_here_goes_once_the_other_node_has_lent) {
  two x;
  std::size_t granted = 0;
  for (request_id id = 1; id <= 10; ++id) granted += std::holds_alternative<grant>(x.a.asks(id));
  BOOST_TEST(granted == 5u);
  for (auto now = start; now < start + 3s; now += 50ms) {
    granted += two::turn(x.a, now) + two::turn(x.b, now);
    x.pass(now);
  }
  BOOST_TEST(granted == 10u);
  BOOST_TEST(x.a.peers.dropped() + x.b.peers.dropped() == 0u);
}

BOOST_AUTO_TEST_CASE(nonsense_is_counted_and_breaks_nothing) {
  two x;
  const std::string heads[] = {"",
                               "not JSON",
                               "[]",
                               "{}",
                               R"({"asks":7,"grants":{},"knew":"yes"})",
                               R"({"by":"20","asks":[7,[],["key/k/rpm"],["key/k/rpm",1,2,3,4,5,6,-1]]})",
                               R"({"by":"20","asks":[["key/k/rpm",1,0,1e30,0,0,0,0]]})",
                               R"({"by":"99","asks":[["key/k/rpm",1,0,1,0,0,0,0]]})",
                               R"({"by":"20","asks":[["no such limit",1,0,1,0,0,0,0]]})",
                               R"({"to":"10","grants":[["key/k/rpm",1,10,99999999,0,0]]})",
                               R"({"of":"99","knew":true})"};
  for (const auto* kind : {"quota.ask", "quota.grant", "quota.word"})
    for (const auto& head : heads) {
      const auto before = x.a.peers.dropped();
      x.a.hears(kind, head);
      BOOST_TEST(x.a.peers.dropped() > before, kind << " " << head);
    }
  BOOST_TEST(x.a.said.empty());
  BOOST_TEST(x.a.policy->quotas()->fresh());
  const auto before = x.a.peers.dropped();
  x.a.hears("quota.ask", R"({"by":"20","asks":[["key/k/rpm",1,0,1,0,0,0,0]]})", "c:1");
  x.a.hears("quota.ask", R"({"by":"20","asks":[["key/k/rpm",1,0,1,0,0,0,0]]})", "a:1");
  BOOST_TEST(x.a.peers.dropped() == before + 2);
}

BOOST_AUTO_TEST_CASE(what_a_later_version_says_beyond_this_one_is_ignored) {
  two x;
  BOOST_TEST(!x.a.hears("quota.later", "{}"));
  x.a.hears("quota.ask", R"({"by":"20","more":[],"asks":[["key/k/rpm",1,0,1,0,0,0,0,"more"]]})");
  BOOST_REQUIRE(x.a.said.size() == 1u);
  BOOST_TEST(x.a.said.front().kind == "quota.grant");
}

BOOST_AUTO_TEST_CASE(words_say_what_was_meant) {
  std::uint64_t bad = 0;
  const std::vector<words::named_ask> asks{{"key/\"k\"/rpm", {~std::uint64_t{0}, 1, 2, 3, 4, 5, 6, true}}};
  const auto heard = words::asks_in(words::asks(asks), bad);
  BOOST_REQUIRE(heard.size() == 1u);
  const auto& a = heard[0].second;
  BOOST_TEST(heard[0].first == asks[0].first);
  BOOST_TEST((a.incarnation == ~std::uint64_t{0} && a.seq == 1 && a.holding == 2 && a.want == 3 && a.first == 4));
  BOOST_TEST((a.least == 5 && a.spare == 6 && a.collect));
  const auto lent = words::grants_in(words::grants({{"g", {7, 1, 2, 1500ms, 3, 4}}}), bad);
  BOOST_REQUIRE(lent.size() == 1u);
  const auto& g = lent[0].second;
  BOOST_TEST((g.incarnation == 7 && g.seq == 1 && g.amount == 2 && g.valid_for == 1500ms && g.held == 3));
  BOOST_TEST(g.held_seq == 4u);
  BOOST_TEST(bad == 0u);
}

BOOST_AUTO_TEST_CASE(more_limits_than_fit_in_one_message_go_in_several) {
  two x;
  std::vector<quota_book::message> many;
  for (std::size_t i = 0; i < words::most_limits + 1; ++i)
    many.push_back({1, "limit " + std::to_string(i), {10, i + 1}});
  x.a.peers.ask(many, x.a.policy->quotas()->cluster(), x.a.out());
  BOOST_REQUIRE(x.a.said.size() == 2u);
  std::uint64_t bad = 0;
  BOOST_TEST(words::asks_in(x.a.said[0].head, bad).size() == words::most_limits);
  BOOST_TEST(words::asks_in(x.a.said[1].head, bad).size() == 1u);
  BOOST_TEST(bad == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace

} // namespace quota_peers_test
