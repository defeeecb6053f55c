#include "core/membership.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <random>

using namespace mainstay;

namespace {

const std::string a = "10.0.0.1:4300", b = "10.0.0.2:4300", c = "10.0.0.3:4300";

node_identity identity(const std::string& address, const std::string& name, std::uint64_t incarnation = 1) {
  return {address, name, cluster_name({a, b, c}), "1.0", "hash", 1, incarnation};
}

/// The node at a; its peers are b and c.
struct node {
  membership of{{}, identity(a, "alpha"), {b, c}};
  instant now = instant{} + 1h;
  membership::decisions last;

  membership::decisions& tick(duration after = 0ms) {
    now += after;
    return last = of.tick(now, [] { return 0.5; });
  }
  /// Time goes by as its wake-ups tell; `heard`: of whom beats come.
  void go(duration how_long, const std::vector<std::string>& heard = {}) {
    for (const auto until = now + how_long; now < until;) {
      for (auto& who : heard) of.on_heard(who, now);
      tick(std::clamp<duration>(of.next_wake(now) - now, 1ms, 100ms));
    }
  }
  membership::view view(const std::string& address) const {
    for (auto& v : of.look())
      if (v.address == address) return v;
    return {};
  }
  std::string state(const std::string& address) const {
    return std::string(membership::to_string(view(address).state));
  }
};

bool has(const std::vector<std::string>& list, const std::string& who) { return std::ranges::count(list, who) > 0; }

} // namespace

BOOST_AUTO_TEST_SUITE(memberships)

BOOST_AUTO_TEST_CASE(of_two_nodes_one_dials_at_once_and_the_other_only_if_nobody_came) {
  membership second({}, identity(b, "beta"), {a, c});
  auto now = instant{} + 1h;
  auto first = second.tick(now, [] { return 0.5; });
  BOOST_TEST((has(first.dial, c) && !has(first.dial, a)));
  now = second.next_wake(now);
  while (!has(first.dial, a) && now < instant{} + 1h + 3s) {
    first = second.tick(now, [] { return 0.5; });
    now = std::max(now + 1ms, second.next_wake(now));
  }
  BOOST_TEST(has(first.dial, a));
}

BOOST_AUTO_TEST_CASE(whoever_introduces_itself_is_up_and_is_told_beats) {
  node n;
  n.tick();
  n.of.on_hello(identity(b, "beta", 7), n.now);
  n.tick();
  BOOST_REQUIRE(n.last.told.size() == 1u);
  BOOST_TEST((n.last.told[0].peer == b && n.last.told[0].up && n.last.told[0].incarnation == 7u));
  BOOST_TEST(has(n.last.beat, b));
  BOOST_TEST(n.tick(100ms).beat.empty());
  BOOST_TEST(has(n.tick(100ms).beat, b));
  BOOST_TEST(n.state(b) == "up");
}

BOOST_AUTO_TEST_CASE(silence_makes_a_peer_unreachable_within_a_second_and_a_word_brings_it_back) {
  node n;
  n.tick();
  n.of.on_hello(identity(b, "beta"), n.now);
  n.go(3s, {b});
  BOOST_TEST(n.state(b) == "up");
  n.go(1s);
  BOOST_TEST(n.state(b) == "unreachable");
  n.of.on_heard(b, n.now);
  n.tick();
  BOOST_TEST((n.last.told.size() == 1u && n.last.told[0].up));
  BOOST_TEST(n.view(b).losses == 1u);
}

BOOST_AUTO_TEST_CASE(the_link_of_a_frozen_peer_is_dropped_and_dialled_again_for_ever) {
  node n;
  n.tick();
  n.of.on_hello(identity(b, "beta"), n.now);
  int beats = 0, drops = 0, dials = 0;
  for (const auto until = n.now + 60s; n.now < until;) {
    n.tick(std::clamp<duration>(n.of.next_wake(n.now) - n.now, 1ms, 100ms));
    beats += has(n.last.beat, b), drops += has(n.last.drop, b), dials += has(n.last.dial, b);
  }
  BOOST_TEST(beats < 12);
  BOOST_TEST(drops > 20);
  BOOST_TEST(dials > 20);
}

BOOST_AUTO_TEST_CASE(who_was_frozen_itself_blames_nobody) {
  node n;
  n.tick();
  n.of.on_hello(identity(b, "beta"), n.now);
  n.go(1s, {b});
  n.tick(5min);
  BOOST_TEST(n.state(b) == "up");
  n.go(1s);
  BOOST_TEST(n.state(b) == "unreachable", "that did not answer even now");
}

BOOST_AUTO_TEST_CASE(another_process_at_the_same_address_is_news) {
  node n;
  n.tick();
  n.of.on_hello(identity(b, "beta", 1), n.now);
  n.tick();
  n.of.on_hello(identity(b, "beta", 1), n.now);
  BOOST_TEST(n.tick().told.empty(), "the same one is not");
  n.of.on_hello(identity(b, "beta", 2), n.now);
  n.tick();
  BOOST_REQUIRE(n.last.told.size() == 1u);
  BOOST_TEST(n.last.told[0].incarnation == 2u);
  BOOST_TEST(n.view(b).losses == 1u);
}

BOOST_AUTO_TEST_CASE(who_is_none_of_ours_hears_why) {
  node n;
  n.tick();
  n.of.on_hello(identity(c, "gamma"), n.now);
  const auto why = [&](auto change) {
    auto other = identity(b, "beta");
    change(other);
    return n.of.refuse(other).value_or("");
  };
  BOOST_TEST(why([](auto&) {}) == "");
  BOOST_TEST(why([](auto& o) { o.config = "other", o.version = "2.0"; }) == "", "nodes are restarted one by one");
  BOOST_TEST(why([](auto& o) { o.protocol = 2; }).find("version 2") != std::string::npos);
  BOOST_TEST(why([](auto& o) { o.cluster = "elsewhere"; }).find("another cluster") != std::string::npos);
  BOOST_TEST(why([](auto& o) {
               o.cluster = cluster_name({b, a, "10.0.0.9:1"});
             }).ends_with("it has 10.0.0.9:1, and no 10.0.0.3:4300"));
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i) many.push_back(std::string(1000, 'x') + std::to_string(i));
  BOOST_TEST(why([&](auto& o) { o.cluster = cluster_name(many); }).size() < 500u);
  BOOST_TEST(why([](auto& o) { o.address = "10.9.9.9:1"; }).find("no peer's") != std::string::npos);
  BOOST_TEST(why([](auto& o) { o.name = "alpha"; }).find("this node's") != std::string::npos);
  BOOST_TEST(why([](auto& o) { o.name = "gamma"; }).find("that of the node") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_refuses_is_asked_again_but_seldom) {
  node n;
  n.tick();
  int dials = 0;
  for (const auto until = n.now + 60s; n.now < until;) {
    if (has(n.last.dial, b)) n.of.on_refused(b, "other cluster", n.now), ++dials;
    n.tick(std::clamp<duration>(n.of.next_wake(n.now) - n.now, 1ms, 100ms));
  }
  BOOST_TEST((dials > 10 && dials < 40));
  BOOST_TEST(n.state(b) == "refused");
  BOOST_TEST(n.view(b).why == "other cluster");
}

/// Nodes at sorted addresses, links with delays, cuts and freezes; told after everything settled.
BOOST_AUTO_TEST_CASE(on_a_random_walk_silent_peers_are_noticed_in_a_second_and_healthy_ones_never_blamed) {
  const std::vector<std::string> all = {a, b, c};
  for (unsigned seed = 1; seed <= test::rounds(30); ++seed) BOOST_TEST_CONTEXT("seed " << seed) {
      std::mt19937 random(seed);
      const auto chance = [&](int one_in) { return random() % one_in == 0; };
      std::vector<std::unique_ptr<membership>> nodes;
      for (std::size_t i = 0; i < 3; ++i) {
        std::vector<std::string> peers;
        for (auto& other : all)
          if (other != all[i]) peers.push_back(other);
        nodes.push_back(
            std::make_unique<membership>(membership::settings{}, identity(all[i], "n" + std::to_string(i)), peers));
      }
      bool cut[3][3] = {};     // what i says does not reach j
      instant cut_since[3][3]; // or is heard again since
      bool linked[3][3] = {};
      struct word {
        instant at;
        std::size_t from, to;
        bool hello;
      };
      std::vector<word> under_way;
      const auto index = [&](const std::string& address) {
        return static_cast<std::size_t>(std::ranges::find(all, address) - all.begin());
      };
      auto now = instant{} + 1h;
      for (auto& row : cut_since) std::ranges::fill(row, now);
      const auto end = now + 120s;
      for (; now < end; now += 10ms) {
        if (chance(300)) { // a link is cut, or mended, both ways
          const auto i = random() % 3, j = (i + 1 + random() % 2) % 3;
          cut[i][j] = cut[j][i] = !cut[i][j];
          cut_since[i][j] = cut_since[j][i] = now;
        }
        for (std::size_t i = 0; i < 3; ++i) {
          const auto todo = nodes[i]->tick(now, [&] { return (random() % 1000) / 1000.0; });
          for (auto& to : todo.drop) linked[i][index(to)] = linked[index(to)][i] = false;
          for (auto& to : todo.dial)
            if (const auto j = index(to); !cut[i][j]) {
              linked[i][j] = linked[j][i] = true;
              under_way.push_back({now + 5ms, i, j, true});
              under_way.push_back({now + 10ms, j, i, true});
            }
          for (auto& to : todo.beat)
            if (const auto j = index(to); linked[i][j])
              under_way.push_back({now + 5ms + 1ms * (random() % 100), i, j, false});
        }
        std::erase_if(under_way, [&](const word& w) {
          if (w.at > now) return false;
          if (cut[w.from][w.to] || !linked[w.from][w.to]) return true;
          if (w.hello)
            nodes[w.to]->on_hello(identity(all[w.from], "n" + std::to_string(w.from)), now);
          else
            nodes[w.to]->on_heard(all[w.from], now);
          return true;
        });
        for (std::size_t i = 0; i < 3; ++i)
          for (std::size_t j = 0; j < 3; ++j) {
            if (i == j) continue;
            const auto so_for = now - std::max(cut_since[i][j], instant{} + 1h);
            const bool up = nodes[i]->is_up(all[j]);
            if (cut[i][j] && so_for > 1100ms) BOOST_REQUIRE(!up);
            if (!cut[i][j] && so_for > 4s) BOOST_REQUIRE(up);
          }
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()
