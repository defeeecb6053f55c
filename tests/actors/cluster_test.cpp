// Nodes that speak over CAF's networking, each an actor system with sockets of its own in this process: what is said
// arrives whole, who is none of ours hears why, and what a peer does not acknowledge is bounded.
#include "actors/cluster.hpp"
#include "actors/cluster_words.hpp"
#include "actors/stable_front.hpp"
#include "actors/turn.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/io/all.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace cluster_test {

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
  void drop(const std::string& address) override {
    std::lock_guard lock(mutex_);
    dropped_.push_back(address);
  }
  std::vector<std::string> dropped() {
    std::lock_guard lock(mutex_);
    return dropped_;
  }
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
  std::vector<std::string> dropped_;
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
  /// A copy, for it grows.
  template <class What>
  std::vector<What> all(std::vector<What> told::*of) {
    std::lock_guard lock(mutex);
    return this->*of;
  }
  template <class What>
  void add(std::vector<What> told::*to, const What& what) {
    std::lock_guard lock(mutex);
    (this->*to).push_back(what);
    more.notify_all();
  }
};

struct node {
  told heard; // outlives who adds to it
  networked config;
  caf::actor_system system{config};
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> home = std::make_unique<turn>(system, loop);
  caf::strong_actor_ptr front = stable_front::make(system, *home), child;
  cluster_actor cluster = caf::actor_cast<cluster_actor>(front);
  std::string address;
  std::shared_ptr<plain_links> links = std::make_shared<plain_links>(system);
  peer_listener listener;

  node() {
    const auto port = system.middleman().publish(links->entrance(cluster), 0, "127.0.0.1");
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

  std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))); }
  cluster_view look() {
    caf::scoped_actor self{system};
    cluster_view v;
    self->request(cluster, 10s, mainstay::look{})
        .receive([&](cluster_view& x) { v = std::move(x); }, [](const caf::error&) {});
    return v;
  }
  template <class Until>
  bool sees(Until what) {
    for (const auto until = clock::now() + 10s; clock::now() < until; std::this_thread::yield())
      if (const auto v = look(); what(v)) return true;
    return false;
  }
  /// Of its only peer.
  bool becomes(membership::standing state) {
    return sees([&](const cluster_view& v) { return !v.peers.empty() && v.peers[0].state == state; });
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
        if (m.kind == "beat") say(1, "beat", R"({"n":1})"); // alive, but acknowledging nothing
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
  ~stranger() {
    caf::anon_send_exit(self, caf::exit_reason::kill);
    self = nullptr;
    system.await_all_actors_done();
  }

  void say(std::uint16_t version, const std::string& kind, const std::string& head) {
    say_as(caf::actor_cast<caf::strong_actor_ptr>(self), version, kind, head);
  }
  void say_as(const caf::strong_actor_ptr& from, std::uint16_t version, const std::string& kind,
              const std::string& head) {
    tell_as_sent_by(peer_message{version, kind, head, ""}, from);
  }
  /// Whatever it is.
  template <class... What>
  void tell_as_sent_by(What... what) {
    caf::actor_cast<caf::abstract_actor*>(other)->enqueue(
        caf::make_mailbox_element(caf::actor_cast<caf::strong_actor_ptr>(self), caf::make_message_id(), {},
                                  std::move(what)...),
        nullptr);
  }
  static std::string identity(const std::string& address, const std::string& cluster, int link = 1,
                              std::uint16_t version = peer_protocol) {
    return R"({"address":")" + address + R"(","name":"at )" + address + R"(","cluster":")" + cluster +
           R"(","protocol":)" + std::to_string(version) + R"(,"incarnation":"7","link":)" + std::to_string(link) +
           R"(,"of the future":[]})";
  }
  void hello(const std::string& address, const std::string& cluster, int link = 1) {
    say(peer_protocol, "hello", identity(address, cluster, link));
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
  const auto said = n.b.heard.all(&told::said);
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
  const auto first = n.a.heard.all(&told::changed).back();
  BOOST_TEST((first.peer == n.b.address && first.incarnation != 0u));
  n.b.end(); // its front is no more: it is silent
  BOOST_TEST_REQUIRE(n.a.heard.wait([](auto& t) { return !t.changed.back().up; }));
  BOOST_TEST(n.a.heard.all(&told::changed).back().incarnation == first.incarnation);
  n.a.send(n.b.address, "t.late", "");
  BOOST_TEST_REQUIRE(n.a.heard.wait([](auto& t) { return !t.refused.empty(); }));
  const auto refused = n.a.heard.all(&told::refused);
  BOOST_TEST((refused[0].kind == "t.late" && refused[0].why == peer_refused::reason::unreachable));
}

BOOST_AUTO_TEST_CASE(kinds_that_nobody_here_knows_are_dropped_and_counted) {
  two_nodes n;
  n.both_up();
  n.a.send(n.b.address, "of the future", "");
  n.a.send(n.b.address, "t.known", "");
  BOOST_TEST_REQUIRE(n.b.heard.wait([](auto& t) { return !t.said.empty(); }));
  BOOST_TEST(n.b.heard.all(&told::said)[0].kind == "t.known");
  BOOST_TEST(n.b.look().strangers == 1u);
}

BOOST_AUTO_TEST_CASE(a_node_of_another_version_or_cluster_is_refused_and_both_know_why) {
  node a;
  a.begin("alpha", {nobody});
  const auto ours = cluster_name({a.address, nobody});
  stranger later(a.address), elsewhere(a.address);
  later.say(2, "hello", stranger::identity(nobody, ours, 1, 2));
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
  BOOST_TEST(s.wait("stranger") == "{}", "its beat is answered, so that it introduces itself");
  BOOST_TEST(a.sees([](auto& v) { return v.strangers == 3u; }));
  BOOST_TEST(a.heard.all(&told::said).empty());
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
  BOOST_TEST((a.heard.all(&told::refused)[0].why == peer_refused::reason::full));
  a.send(nobody, "t.huge", std::string(9u << 20, 'x'));
  BOOST_TEST_REQUIRE(a.heard.wait([](auto& t) { return t.refused.back().kind == "t.huge"; }));
  BOOST_TEST(a.look().traffic.at(nobody).refused == 6u);
}

/// A node whose only peer is a stranger who says by hand what it says.
struct with_stranger {
  node a;
  std::unique_ptr<stranger> s;
  std::string ours;
  with_stranger() {
    a.begin("alpha", {nobody});
    s = std::make_unique<stranger>(a.address);
    ours = cluster_name({a.address, nobody});
    s->hello(nobody, ours);
    BOOST_TEST_REQUIRE(a.becomes(membership::standing::up));
  }
  /// All that was said before has been heard: what a node answers to a beat comes after it.
  void settled() {
    s->say(1, "t.last", "{}");
    BOOST_TEST_REQUIRE(a.heard.wait([](auto& t) { return !t.said.empty() && t.said.back().kind == "t.last"; }));
  }
  bool is_as_it_was() {
    const auto v = a.look();
    return v.peers[0].state == membership::standing::up && v.peers[0].losses == 0;
  }
};

BOOST_AUTO_TEST_CASE(nobody_ends_the_actor_or_another_peers_link_from_afar) {
  with_stranger w;
  const auto child = w.a.child;
  const auto other = caf::actor_cast<caf::actor_addr>(w.s->other);
  for (int i = 0; i < 40; ++i) {
    w.s->tell_as_sent_by(caf::exit_msg{other, caf::exit_reason::kill});
    w.s->tell_as_sent_by(caf::make_error(caf::sec::runtime_error));
    w.s->tell_as_sent_by(caf::down_msg{w.s->self.address(), caf::exit_reason::kill});
    caf::anon_send_exit(w.s->other, caf::exit_reason::kill);
  }
  w.settled();
  BOOST_TEST(w.is_as_it_was());
  caf::scoped_actor self{w.a.system};
  self->monitor(child);
  self->receive([](const caf::down_msg&) { BOOST_ERROR("it has ended"); }, caf::after(0s) >> [] {});
}

BOOST_AUTO_TEST_CASE(nobody_speaks_for_another_process) {
  with_stranger w;
  stranger third(w.a.address);
  for (auto& other :
       {caf::actor_cast<caf::strong_actor_ptr>(w.s->self), caf::actor_cast<caf::strong_actor_ptr>(third.other)})
    third.say_as(other, 1, "refused", R"({"why":"forged"})");
  third.hello("127.0.0.1:9", w.ours);
  BOOST_TEST(!third.wait("refused").empty());
  w.settled();
  BOOST_TEST(w.is_as_it_was());
  BOOST_TEST(w.a.look().strangers == 1u, "what was forged did not come so far");
}

BOOST_AUTO_TEST_CASE(what_a_dial_came_to_leaves_a_link_alone_that_came_meanwhile) {
  with_stranger w;
  for (bool refused : {false, true}) caf::anon_send(w.a.cluster, link_failed{nobody, "late", refused});
  w.settled();
  BOOST_TEST(w.is_as_it_was());
  BOOST_TEST(w.a.links->dropped().empty());
}

BOOST_AUTO_TEST_CASE(a_dial_that_reaches_a_known_node_or_this_one_is_told_apart_and_takes_nobodys_link) {
  const std::string alias = "127.0.0.1:2", mirror = "127.0.0.1:3";
  node a, b;
  a.begin("alpha", {b.address, alias, mirror});
  b.begin("beta", {a.address, alias, mirror});
  const auto state = [&](const std::string& address) {
    for (auto& p : a.look().peers)
      if (p.address == address) return std::pair(p.state, p.why);
    return std::pair(membership::standing::connecting, std::string());
  };
  BOOST_TEST_REQUIRE(a.sees([&](auto&) { return state(b.address).first == membership::standing::up; }));
  const auto at_b = a.system.middleman().remote_actor<peer_actor>("127.0.0.1", b.port());
  BOOST_TEST_REQUIRE(!!at_b);
  const auto peer = caf::actor_cast<caf::strong_actor_ptr>(*at_b);
  caf::anon_send(a.cluster, link_made{b.address, peer}); // once more
  caf::anon_send(a.cluster, link_made{alias, peer});
  caf::anon_send(a.cluster, link_made{mirror, caf::actor_cast<caf::strong_actor_ptr>(a.links->entrance(a.cluster))});
  const auto refused = membership::standing::refused;
  BOOST_TEST(
      a.sees([&](auto&) { return state(alias) == std::pair(refused, "the node of " + b.address + " answers there"); }));
  BOOST_TEST(a.sees(
      [&](auto&) { return state(mirror) == std::pair(refused, std::string("this node itself answers there")); }));
  BOOST_TEST((state(b.address).first == membership::standing::up));
  BOOST_TEST(std::ranges::count(a.links->dropped(), b.address) == 0);
  for (auto& p : a.look().peers) BOOST_TEST(p.losses == 0u);
}

BOOST_AUTO_TEST_CASE(a_hello_over_another_link_is_a_loss_and_a_return_and_the_same_one_is_nothing) {
  with_stranger w;
  w.s->hello(nobody, w.ours);
  w.settled();
  BOOST_TEST(w.is_as_it_was());
  for (int i = 0; i < 15; ++i) w.a.send(nobody, "t.much", std::string(1u << 20, 'x')); // and nobody acknowledges it
  w.s->hello(nobody, w.ours, 2);
  BOOST_TEST_REQUIRE(w.a.heard.wait([](auto& t) { return t.changed.size() == 3; }));
  const auto news = w.a.heard.all(&told::changed);
  BOOST_TEST((news[0].up && !news[1].up && news[2].up));
  w.a.send(nobody, "t.more", std::string(1u << 20, 'x'));
  BOOST_TEST(!w.s->wait("t.more").empty());
  BOOST_TEST(w.a.heard.all(&told::refused).empty());
}

BOOST_AUTO_TEST_CASE(who_was_given_up_and_is_told_so_comes_anew) {
  with_stranger w;
  w.s->say(1, "stranger", "{}");
  BOOST_TEST(w.a.becomes(membership::standing::unreachable));
  w.s->hello(nobody, w.ours, 2);
  BOOST_TEST(w.a.becomes(membership::standing::up));
}

BOOST_AUTO_TEST_CASE(texts_of_strangers_are_cut_and_plain_and_long_heads_are_nobodys) {
  const auto who = words::identity_in(R"({"name":"a\u001b[2J\nb","version":")" + std::string(5000, 'x') + R"("})");
  BOOST_TEST_REQUIRE(who.has_value());
  BOOST_TEST(who->name == "a?[2J?b");
  BOOST_TEST(who->version.size() == 255u);
  BOOST_TEST(words::reason_in(R"({"why":")" + std::string(254, 'x') + "\u00e4\u00e4\"}") == std::string(254, 'x'));
  with_stranger w;
  w.s->say(1, "refused", R"({"why":")" + std::string(words::longest_head, 'x') + R"("})");
  w.settled();
  BOOST_TEST(w.is_as_it_was());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace cluster_test
