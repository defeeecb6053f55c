// Nodes that speak over CAF's networking, each an actor system with sockets of its own in this process: what is said
// arrives whole, who is none of ours hears why, and what a peer does not acknowledge is bounded.
#include "actors/cluster.hpp"
#include "actors/stable_front.hpp"
#include "actors/turn.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/io/all.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>

using namespace mainstay;

namespace {

struct networked : caf::actor_system_config {
  networked() {
    load<caf::io::middleman>();
    add_message_types<caf::id_block::mainstay>();
    set("scheduler.max-threads", std::size_t{2});
  }
};

/// Connects as CAF does, which is enough on one machine.
class plain_links final : public peer_links {
public:
  explicit plain_links(caf::actor_system& sys) : system_(sys) {}
  ~plain_links() override { close(); }
  void dial(const std::string& address, const cluster_actor& whom) override {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    threads_.emplace_back([this, address, whom] {
      const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1)));
      if (auto peer = system_.middleman().remote_actor<peer_actor>("127.0.0.1", port))
        caf::anon_send(whom, link_made{address, caf::actor_cast<caf::strong_actor_ptr>(*peer)});
      else
        caf::anon_send(whom, link_failed{address, to_string(peer.error())});
    });
  }
  void drop(const std::string&) override {}
  void close() {
    std::vector<std::thread> all;
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      all.swap(threads_);
    }
    for (auto& t : all) t.join();
  }

private:
  caf::actor_system& system_;
  std::mutex mutex_;
  std::vector<std::thread> threads_;
  bool closed_ = false;
};

/// What a listener was told, waited for.
struct told {
  std::mutex mutex;
  std::condition_variable more;
  std::vector<peer_said> said;
  std::vector<peer_changed> changed;
  std::vector<peer_refused> refused;

  template <class Until>
  bool wait(Until until) {
    std::unique_lock lock(mutex);
    return more.wait_for(lock, 10s, [&] { return until(*this); });
  }
  template <class What>
  void add(std::vector<What> told::*to, const What& what) {
    std::lock_guard lock(mutex);
    (this->*to).push_back(what);
    more.notify_all();
  }
};

struct node {
  networked config;
  caf::actor_system system{config};
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> home = std::make_unique<turn>(system, loop);
  caf::strong_actor_ptr front = stable_front::make(system, *home), child;
  cluster_actor cluster = caf::actor_cast<cluster_actor>(front);
  std::string address;
  std::shared_ptr<plain_links> links = std::make_shared<plain_links>(system);
  peer_listener listener;
  told heard;

  node() {
    const auto port = system.middleman().publish(caf::actor_cast<peer_actor>(cluster), 0, "127.0.0.1");
    BOOST_TEST_REQUIRE(!!port);
    address = "127.0.0.1:" + std::to_string(*port);
    listener = system.spawn([this](peer_listener::pointer) -> peer_listener::behavior_type {
      return {[this](const peer_said& s) { heard.add(&told::said, s); },
              [this](const peer_changed& c) { heard.add(&told::changed, c); },
              [this](const peer_refused& r) { heard.add(&told::refused, r); }};
    });
  }
  void begin(const std::string& name, std::vector<std::string> peers) {
    mainstay::config::settings s;
    s.node = name;
    s.common_hash = "hash of " + name;
    s.cluster.emplace();
    s.cluster->address = address;
    s.cluster->peers = std::move(peers);
    child = spawn_cluster(system, std::make_shared<cluster_store>(s, "1.0", links), cluster);
    stable_front::point_to(front, child);
    caf::anon_send(cluster, peer_listen{"t.", listener});
  }
  void end() {
    if (!front) return;
    links->close();
    stable_front::close(front);
    if (child) caf::anon_send_exit(child, caf::exit_reason::kill);
    caf::anon_send_exit(listener, caf::exit_reason::kill);
    child = front = nullptr;
    listener = nullptr;
    cluster = nullptr;
  }
  ~node() {
    end();
    system.await_all_actors_done();
    home.reset();
  }

  cluster_view look() {
    caf::scoped_actor self{system};
    cluster_view v;
    self->request(cluster, 10s, mainstay::look{})
        .receive([&](cluster_view& x) { v = std::move(x); }, [](const caf::error&) {});
    return v;
  }
  /// Of its only peer.
  bool becomes(membership::standing state) {
    for (const auto until = clock::now() + 10s; clock::now() < until; std::this_thread::yield())
      if (const auto v = look(); !v.peers.empty() && v.peers[0].state == state) return true;
    return false;
  }
  void send(const std::string& to, const std::string& kind, std::string body) {
    caf::anon_send(cluster, send_to{to, kind, R"({"a":1})", std::move(body), {}});
  }
};

struct two_nodes {
  node a, b;
  two_nodes() {
    a.begin("alpha", {b.address});
    b.begin("beta", {a.address});
  }
  void both_up() {
    BOOST_TEST_REQUIRE(a.becomes(membership::standing::up));
    BOOST_TEST_REQUIRE(b.becomes(membership::standing::up));
  }
};

/// Somebody who says by hand what a node would.
struct stranger {
  networked config;
  caf::actor_system system{config};
  std::mutex mutex;
  std::condition_variable more;
  std::vector<peer_message> got;
  peer_actor self, other;

  explicit stranger(const std::string& address) {
    self = system.spawn([this](peer_actor::pointer) -> peer_actor::behavior_type {
      return {[this](const peer_message& m, const caf::strong_actor_ptr&) {
        std::lock_guard lock(mutex);
        got.push_back(m);
        more.notify_all();
      }};
    });
    const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1)));
    const auto found = system.middleman().remote_actor<peer_actor>("127.0.0.1", port);
    BOOST_TEST_REQUIRE(!!found);
    other = *found;
  }
  ~stranger() { caf::anon_send_exit(self, caf::exit_reason::kill); }

  void say(std::uint16_t version, const std::string& kind, const std::string& head) {
    caf::anon_send(other, peer_message{version, kind, head, ""}, caf::actor_cast<caf::strong_actor_ptr>(self));
  }
  void hello(const std::string& address, const std::string& cluster, std::uint16_t version = peer_protocol) {
    say(version, "hello",
        R"({"address":")" + address + R"(","name":"at )" + address + R"(","cluster":")" + cluster + R"(","protocol":)" +
            std::to_string(version) + R"(,"incarnation":"7","of the future":[]})");
  }
  /// The head of the first message of that kind.
  std::string wait(const std::string& kind) {
    std::unique_lock lock(mutex);
    std::string head;
    more.wait_for(lock, 10s, [&] {
      for (auto& m : got)
        if (m.kind == kind) return head = m.head, true;
      return false;
    });
    return head;
  }
};

const std::string nobody = "127.0.0.1:1"; // a peer that does not listen

} // namespace

BOOST_AUTO_TEST_SUITE(clusters)

BOOST_AUTO_TEST_CASE(what_one_node_sends_reaches_whoever_listens_on_the_other_whole_and_in_order) {
  two_nodes n;
  n.both_up();
  const auto large = std::string(1u << 20, 'x') + '\0' + "end";
  n.a.send(n.b.address, "t.large", large);
  for (int i = 0; i < 100; ++i) n.a.send(n.b.address, "t.small", std::to_string(i));
  BOOST_TEST_REQUIRE(n.b.heard.wait([](auto& t) { return t.said.size() == 101; }));
  const auto& said = n.b.heard.said;
  BOOST_TEST((said[0].body == large && said[0].kind == "t.large" && said[0].head == R"({"a":1})"));
  BOOST_TEST(said[0].from == n.a.address);
  for (int i = 0; i < 100; ++i) BOOST_TEST(said[1 + i].body == std::to_string(i));
  const auto v = n.b.look();
  BOOST_TEST(v.traffic.at(n.a.address).bytes_in > 1u << 20);
  BOOST_TEST((v.peers[0].who->name == "alpha" && v.peers[0].who->config == "hash of alpha"));
}

BOOST_AUTO_TEST_CASE(listeners_are_told_who_is_there_and_who_is_gone) {
  two_nodes n;
  n.both_up();
  BOOST_TEST_REQUIRE(n.a.heard.wait([](auto& t) { return !t.changed.empty() && t.changed.back().up; }));
  const auto first = n.a.heard.changed.back();
  BOOST_TEST((first.peer == n.b.address && first.incarnation != 0u));
  n.b.end(); // its front is no more: it is silent
  BOOST_TEST_REQUIRE(n.a.heard.wait([](auto& t) { return !t.changed.back().up; }));
  BOOST_TEST(n.a.heard.changed.back().incarnation == first.incarnation);
  n.a.send(n.b.address, "t.late", "");
  BOOST_TEST_REQUIRE(n.a.heard.wait([](auto& t) { return !t.refused.empty(); }));
  BOOST_TEST((n.a.heard.refused[0].kind == "t.late"));
  BOOST_TEST((n.a.heard.refused[0].why == peer_refused::reason::unreachable));
}

BOOST_AUTO_TEST_CASE(kinds_that_nobody_here_knows_are_dropped_and_counted) {
  two_nodes n;
  n.both_up();
  n.a.send(n.b.address, "of the future", "");
  n.a.send(n.b.address, "t.known", "");
  BOOST_TEST_REQUIRE(n.b.heard.wait([](auto& t) { return !t.said.empty(); }));
  BOOST_TEST(n.b.heard.said[0].kind == "t.known");
  BOOST_TEST(n.b.look().strangers == 1u);
}

BOOST_AUTO_TEST_CASE(a_node_of_another_version_or_cluster_is_refused_and_both_know_why) {
  node a;
  a.begin("alpha", {nobody});
  const auto ours = cluster_name({a.address, nobody});
  stranger later(a.address), elsewhere(a.address);
  later.hello(nobody, ours, 2);
  BOOST_TEST(later.wait("refused").find("version 2") != std::string::npos);
  BOOST_TEST(a.becomes(membership::standing::refused));
  BOOST_TEST(a.look().peers[0].why.find("version 2") != std::string::npos);
  elsewhere.hello(nobody, "others");
  BOOST_TEST(elsewhere.wait("refused").find("another cluster") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_has_not_introduced_itself_reaches_nobody) {
  node a;
  a.begin("alpha", {nobody});
  stranger s(a.address);
  s.say(1, "t.order", "{}");
  s.say(1, "beat", R"({"n":1})");
  s.say(1, "hello", "no JSON");
  while (a.look().strangers < 3u) std::this_thread::yield();
  BOOST_TEST(a.heard.said.empty());
}

BOOST_AUTO_TEST_CASE(nobody_is_two_nodes) {
  const std::string another = "127.0.0.1:2";
  node a;
  a.begin("alpha", {nobody, another});
  stranger s(a.address);
  std::size_t news = 1; // up; then one down and the other up
  for (auto& address : {nobody, another, nobody}) {
    s.hello(address, cluster_name({a.address, nobody, another}));
    BOOST_TEST_REQUIRE(a.heard.wait([&](auto& t) { return t.changed.size() == news; }));
    news += 2;
    for (auto& p : a.look().peers)
      BOOST_TEST((p.state == membership::standing::up) == (p.address == address), p.address);
  }
}

BOOST_AUTO_TEST_CASE(what_a_peer_does_not_acknowledge_is_bounded_and_more_is_refused_at_once) {
  node a;
  a.begin("alpha", {nobody});
  stranger s(a.address);
  s.hello(nobody, cluster_name({a.address, nobody}));
  BOOST_TEST_REQUIRE(a.becomes(membership::standing::up));
  for (int i = 0; i < 20; ++i) a.send(nobody, "t.much", std::string(1u << 20, 'x'));
  BOOST_TEST_REQUIRE(a.heard.wait([](auto& t) { return t.refused.size() >= 5; }));
  BOOST_TEST((a.heard.refused[0].why == peer_refused::reason::full));
  a.send(nobody, "t.huge", std::string(65u << 20, 'x'));
  BOOST_TEST_REQUIRE(a.heard.wait([](auto& t) { return t.refused.back().kind == "t.huge"; }));
  BOOST_TEST(a.look().traffic.at(nobody).refused == 6u);
}

BOOST_AUTO_TEST_SUITE_END()
