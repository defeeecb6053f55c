#include "core/membership.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <random>

namespace membership_test {

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
  n.of.on_hello(identity(b, "beta", 7), false, n.now);
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
  n.of.on_hello(identity(b, "beta"), false, n.now);
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
  n.of.on_hello(identity(b, "beta"), false, n.now);
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
  n.of.on_hello(identity(b, "beta"), false, n.now);
  n.go(1s, {b});
  n.tick(5min);
  BOOST_TEST(n.state(b) == "up");
  n.go(1s);
  BOOST_TEST(n.state(b) == "unreachable", "that did not answer even now");
}

BOOST_AUTO_TEST_CASE(a_silent_link_is_given_up_even_if_nobody_else_is_there_to_wake_us) {
  node n{.of = {{}, identity(a, "alpha"), {b}}};
  n.tick();
  n.of.on_hello(identity(b, "beta"), false, n.now);
  n.tick();
  const auto begun = n.now;
  while (!has(n.last.drop, b) && n.now < begun + 20s) n.tick(n.of.next_wake(n.now) - n.now);
  BOOST_TEST((n.now - begun >= 5s && n.now - begun < 5100ms));
}

BOOST_AUTO_TEST_CASE(another_process_at_the_same_address_or_another_link_is_a_loss_and_a_return) {
  node n;
  n.tick();
  n.of.on_hello(identity(b, "beta", 1), false, n.now);
  n.tick();
  n.of.on_hello(identity(b, "beta", 1), false, n.now);
  BOOST_TEST(n.tick().told.empty(), "the same one is not");
  for (const bool anew : {false, true}) {
    n.of.on_hello(identity(b, "beta", 2), anew, n.now);
    n.tick();
    BOOST_REQUIRE(n.last.told.size() == 2u);
    BOOST_TEST((!n.last.told[0].up && n.last.told[0].incarnation == (anew ? 2u : 1u)));
    BOOST_TEST((n.last.told[1].up && n.last.told[1].incarnation == 2u));
  }
  BOOST_TEST(n.view(b).losses == 2u);
}

BOOST_AUTO_TEST_CASE(a_link_that_was_made_has_its_own_time_for_introductions) {
  node n;
  n.tick();
  BOOST_TEST_REQUIRE(has(n.last.dial, b));
  n.tick(900ms);
  n.of.on_linked(b, n.now);
  BOOST_TEST(!has(n.tick(900ms).drop, b));
  BOOST_TEST(has(n.tick(100ms).drop, b));
}

BOOST_AUTO_TEST_CASE(who_is_none_of_ours_hears_why) {
  node n;
  n.tick();
  n.of.on_hello(identity(c, "gamma"), false, n.now);
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

/// Three nodes that wake up only when they want to, on a network that cuts them off from each other, with processes
/// that stand still, or end and are started anew.
struct walk {
  const std::vector<std::string> all = {a, b, c};
  struct process {
    std::unique_ptr<membership> of;
    std::uint64_t incarnation = 0;
    instant frozen_until{}, wake{};
    std::uint64_t link[3] = {};       // as it sees them, by number; 0: none
    bool dialled[3] = {}, up[3] = {}; // by itself; as listeners were told
  };
  struct word {
    instant at;
    std::size_t from, to;
    enum { hello, welcome, beat, no_link, closed, dial_failed } what;
    std::uint64_t link = 0, incarnation = 0; // of who says so
  };
  std::mt19937 random;
  instant now = instant{} + 1h;
  process nodes[3];
  bool cut[3][3] = {};
  instant changed[3][3]; // since when between these two nothing has changed
  std::vector<word> under_way;
  std::uint64_t links = 0;

  explicit walk(unsigned seed) : random(seed) {
    for (auto& row : changed) std::ranges::fill(row, now);
    for (std::size_t i = 0; i < 3; ++i) start(i);
  }
  bool chance(unsigned one_in) { return random() % one_in == 0; }
  duration some(unsigned most_ms) { return 1ms * (random() % most_ms); }
  node_identity who(std::size_t i) const { return identity(all[i], "n" + std::to_string(i), nodes[i].incarnation); }
  bool frozen(std::size_t i) const { return now < nodes[i].frozen_until; }
  std::size_t index(const std::string& address) const {
    return static_cast<std::size_t>(std::ranges::find(all, address) - all.begin());
  }
  void touch(std::size_t i, std::size_t j) {
    changed[i][j] = changed[j][i] = std::max({now, nodes[i].frozen_until, nodes[j].frozen_until});
  }
  void touch(std::size_t i) {
    for (std::size_t j = 0; j < 3; ++j) touch(i, j);
  }
  void say(std::size_t from, std::size_t to, decltype(word::beat) what, duration after, std::uint64_t link) {
    under_way.push_back({now + after, from, to, what, link, nodes[from].incarnation});
  }

  void start(std::size_t i) {
    for (std::size_t j = 0; j < 3; ++j)
      if (i != j && nodes[i].link[j]) say(i, j, word::closed, 5ms, nodes[i].link[j]);
    const auto incarnation = nodes[i].incarnation + 1;
    std::vector<std::string> peers;
    for (auto& other : all)
      if (other != all[i]) peers.push_back(other);
    nodes[i] = process{.incarnation = incarnation};
    nodes[i].of = std::make_unique<membership>(membership::settings{}, who(i), peers);
    nodes[i].wake = now;
    touch(i);
  }
  void drop(std::size_t i, std::size_t j) {
    auto& link = nodes[i].link[j];
    if (link && nodes[i].dialled[j]) say(i, j, word::closed, 5ms, link); // others' links stay open, on one side
    link = 0;
  }
  void dial(std::size_t i, std::size_t j) {
    if (cut[i][j] || frozen(j)) return say(i, i, word::dial_failed, 200ms + some(1500), j);
    nodes[i].dialled[j] = true;
    nodes[i].of->on_linked(all[j], now);
    say(i, j, word::hello, 5ms, ++links);
  }
  void lost(std::size_t i, std::size_t j) {
    nodes[i].of->on_lost(all[j], "lost", now);
    drop(i, j);
  }
  void tick(std::size_t i) {
    auto& n = nodes[i];
    const auto todo = n.of->tick(now, [&] { return (random() % 1000) / 1000.0; });
    for (auto& to : todo.drop) drop(i, index(to));
    for (auto& to : todo.dial) dial(i, index(to));
    for (auto& to : todo.beat)
      if (const auto j = index(to); n.link[j]) say(i, j, word::beat, 5ms + some(100), n.link[j]);
    for (auto& news : todo.told) BOOST_REQUIRE(std::exchange(n.up[index(news.peer)], news.up) != news.up);
    n.wake = n.of->next_wake(now);
  }
  void hear(const word& w) {
    auto& n = nodes[w.to];
    auto& link = n.link[w.from];
    switch (w.what) {
    case word::dial_failed:
      if (!n.link[w.link]) n.of->on_lost(all[w.link], "nobody answers", now);
      break;
    case word::closed:
    case word::no_link:
      if (link == w.link) lost(w.to, w.from);
      break;
    case word::beat: // over whichever of two that both made at once
      if (link && nodes[w.from].incarnation == w.incarnation)
        n.of->on_heard(all[w.from], now);
      else
        say(w.to, w.from, word::no_link, 5ms, w.link);
      break;
    case word::hello:
    case word::welcome: {
      if (nodes[w.from].incarnation != w.incarnation) break;
      const bool anew = w.what == word::hello && link != 0 && link != w.link;
      if (w.what == word::hello) n.dialled[w.from] = false;
      link = w.link;
      n.of->on_hello(who(w.from), anew, now);
      if (w.what == word::hello) say(w.to, w.from, word::welcome, 5ms, link);
    }
    }
    n.wake = now;
  }
  void step() {
    now += 10ms;
    if (chance(500)) { // cut, or mended, both ways
      const auto i = random() % 3, j = (i + 1 + random() % 2) % 3;
      cut[i][j] = cut[j][i] = !cut[i][j];
      touch(i, j);
    }
    if (const auto i = random() % 3; chance(1000)) nodes[i].frozen_until = now + some(8000), touch(i);
    if (const auto i = random() % 3; chance(2000)) start(i);
    auto due = std::exchange(under_way, {});
    for (auto& w : due)
      if (w.at > now || frozen(w.to))
        under_way.push_back(w);
      else if (!cut[w.from][w.to])
        hear(w);
    for (std::size_t i = 0; i < 3; ++i)
      if (!frozen(i) && now >= nodes[i].wake) tick(i);
  }
  void check() const {
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j) {
        if (i == j || frozen(i)) continue;
        const bool up = nodes[i].of->is_up(all[j]);
        BOOST_REQUIRE(up == nodes[i].up[j]);
        if (cut[i][j] && now - changed[i][j] > 1100ms) BOOST_REQUIRE(!up);
        if (!cut[i][j] && now - changed[i][j] > 5s) BOOST_REQUIRE(up);
      }
  }
};

BOOST_AUTO_TEST_CASE(on_a_random_walk_silent_peers_are_noticed_in_a_second_and_healthy_ones_come_back) {
  for (unsigned seed = 1; seed <= test::rounds(30); ++seed) BOOST_TEST_CONTEXT("seed " << seed) {
      walk w(seed);
      for (const auto end = w.now + 120s; w.now < end;) w.step(), w.check();
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace membership_test
