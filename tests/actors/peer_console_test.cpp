// The console's way to other nodes, with the links and the admin in the test's hands: whose answers count, who is
// obeyed, and that no operator waits for a node that is gone.
#include "actors/peer_console.hpp"

#include "actors/console_others.hpp"
#include "actors/peer_heads.hpp"
#include "actors/stable_front.hpp"
#include "actors/turn.hpp"

#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>

namespace peer_console_test {

using namespace mainstay;

namespace {

struct fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor operators{system};
  std::mutex guard; // of what links and admin are told, by actors of their own: both are asked questions
  std::condition_variable more;
  std::deque<send_to> sent;
  std::deque<console_order> orders;
  bool answers = true; // the admin
  std::string cut_off; // why b is not reached; empty: it is
  caf::actor links, admin;
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> turns = std::make_unique<turn>(system, loop);
  caf::strong_actor_ptr front = stable_front::make(system, *turns);
  peer_console_actor own = caf::actor_cast<peer_console_actor>(front);
  std::shared_ptr<mainstay::config::settings> settings = std::make_shared<mainstay::config::settings>();
  caf::strong_actor_ptr actor;

  fixture() {
    links = system.spawn([this]() -> caf::behavior {
      return {[](const peer_listen&) {},
              [this](send_to& m) {
                const std::lock_guard lock(guard);
                sent.push_back(std::move(m));
                more.notify_all();
              },
              [this](const look&) {
                const std::lock_guard lock(guard);
                cluster_view v;
                v.own.name = "own", v.own.address = "here:1";
                for (const char* name : {"a", "b"}) {
                  membership::view p;
                  p.address = std::string(name) + ":1";
                  p.state = membership::standing::up;
                  p.who.emplace().name = name;
                  if (p.address == "b:1" && !cut_off.empty())
                    p.state = membership::standing::unreachable, p.why = cut_off;
                  v.peers.push_back(p);
                }
                return v;
              }};
    });
    admin = system.spawn([this](caf::event_based_actor* self) -> caf::behavior {
      return {[this, self](const console_order& o) -> caf::result<console_reply> {
        const std::lock_guard lock(guard);
        orders.push_back(o);
        more.notify_all();
        if (answers) return console_reply{true, R"({"node":"own"})"};
        return self->make_response_promise(); // some time
      }};
    });
    auto names = std::make_shared<directory>();
    names->cluster = caf::actor_cast<cluster_actor>(links);
    names->admin = caf::actor_cast<admin_actor>(admin);
    settings->doors.admin.emplace();
    actor = spawn_peer_console(system, std::make_shared<peer_console_store>(peer_console_store{names, settings}), own);
    stable_front::point_to(front, actor);
    for (const char* peer : {"a:1", "b:1"}) caf::anon_send(own, peer_changed{peer, true, 1});
  }
  ~fixture() {
    for (auto& a : {links, admin, caf::actor_cast<caf::actor>(actor)})
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    // It may have its turn still to come from the home of names, which goes last.
    operators->wait_for(links, admin, caf::actor_cast<caf::actor>(actor));
    stable_front::close(front);
    own = nullptr;
    front = actor = nullptr;
    turns.reset();
  }

  template <class What>
  What next(std::deque<What>& of) {
    std::unique_lock lock(guard);
    BOOST_TEST_REQUIRE(more.wait_for(lock, 10s, [&] { return !of.empty(); }));
    auto out = std::move(of.front());
    of.pop_front();
    return out;
  }
  void says(const std::string& peer, std::uint64_t n, const std::string& json) {
    caf::anon_send(own, peer_said{peer, "console.answer", words::head(words::console_answer{n, true}), json});
  }
  void wants(const std::string& peer, std::uint64_t n, std::vector<std::string> what) {
    caf::anon_send(
        own, peer_said{peer, "console.ask", words::head(words::console_question{n, std::move(what), "console"}), ""});
  }
  /// What an operator hears, while `meanwhile` is done with the number of the question.
  template <class Do>
  console_reply asked(std::vector<std::string> what, const std::string& whom, Do meanwhile) {
    auto pending = operators->request(own, 10s, console_ask{std::move(what)});
    const auto m = next(sent);
    BOOST_TEST((m.peer == whom && m.kind == "console.ask"));
    const auto q = words::console_question_in(m.head);
    BOOST_TEST_REQUIRE(!!q);
    meanwhile(q->n);
    console_reply out;
    pending.receive([&](const console_reply& r) { out = r; }, [](const caf::error& e) { BOOST_FAIL(to_string(e)); });
    return out;
  }
};

bool has(const std::string& all, const std::string& part) { return all.find(part) != all.npos; }

} // namespace

BOOST_FIXTURE_TEST_SUITE(peer_consoles, fixture)

BOOST_AUTO_TEST_CASE(who_watches_a_node_go_is_told_a_broken_link_from_a_process_that_is_gone) {
  const auto status_of_b = [&](const std::string& why) {
    {
      const std::lock_guard lock(guard);
      cut_off = why;
    }
    std::string out;
    operators->request(own, 10s, console_ask{{"on", "b", "status"}})
        .receive([&](const console_reply& r) { out = r.json; }, [](const caf::error& e) { BOOST_FAIL(to_string(e)); });
    return out;
  };
  BOOST_TEST(has(status_of_b("its beats are missing"), R"("unreachable":true,"closed":false)"));
  BOOST_TEST(has(status_of_b("Connection refused"), R"("unreachable":true,"closed":true)"));
}

BOOST_AUTO_TEST_CASE(the_answer_of_whom_was_asked_counts_and_nobody_elses) {
  const auto r = asked({"on", "a", "status"}, "a:1", [&](auto n) {
    says("b:1", n, R"({"node":"forged"})");
    says("a:1", n + 1, R"({"node":"another"})");
    caf::anon_send(own, peer_said{"a:1", "console.answer", "no head", "{}"});
    says("a:1", n, R"({"node":"a"})");
    says("a:1", n, R"({"node":"twice"})");
  });
  BOOST_TEST((r.ok && r.json == R"({"node":"a"})"));
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_of_a_console_is_said_to_be_none) {
  for (const char* wrong : {"", "[]", "{", "{} {}", "\x1b[2J"}) {
    const auto r = asked({"on", "a", "status"}, "a:1", [&](auto n) { says("a:1", n, wrong); });
    BOOST_TEST((!r.ok && has(r.json, "its answer cannot be read")), r.json);
  }
}

BOOST_AUTO_TEST_CASE(a_node_that_leaves_or_cannot_be_told_is_named_at_once) {
  const auto left = asked({"on", "a", "status"}, "a:1", [&](auto) {
    caf::anon_send(own, peer_changed{"a:1", false, 1});
  });
  BOOST_TEST(!left.ok);
  BOOST_TEST(has(left.json, "a (a:1): its link broke"), left.json);
  const auto full = asked({"on", "b:1", "drain"}, "b:1", [&](auto n) {
    caf::anon_send(own, peer_refused{"b:1", "console.ask", words::head(words::console_question{n, {"drain"}, ""}),
                                     peer_refused::reason::full});
  });
  BOOST_TEST(has(full.json, "b (b:1): too much is under way to it"), full.json);
}

BOOST_AUTO_TEST_CASE(a_silent_node_is_waited_for_so_long_and_an_order_to_it_may_have_been_done) {
  const auto begun = clock::now();
  const auto r = asked({"on", "a", "reload"}, "a:1", [](auto) {});
  BOOST_TEST((clock::now() - begun >= peer_patience && clock::now() - begun < peer_patience + 3s));
  BOOST_TEST(has(r.json, "no answer within 2 s; what it was told may be done all the same"), r.json);
}

BOOST_AUTO_TEST_CASE(a_peers_operator_is_named_by_the_node_it_came_through) {
  wants("a:1", 7, {"drain"});
  const auto order = next(orders);
  BOOST_TEST((order.who == "console through a:1" && order.words == std::vector<std::string>{"drain"}));
  const auto said = next(sent);
  BOOST_TEST((said.peer == "a:1" && said.kind == "console.answer" && said.body == R"({"node":"own"})"));
  BOOST_TEST(words::console_answer_in(said.head)->n == 7u);
}

BOOST_AUTO_TEST_CASE(only_so_many_questions_of_a_peer_are_under_way) {
  answers = false;
  for (std::uint64_t n = 1; n <= 17; ++n) wants("a:1", n, {"status"});
  const auto refused = next(sent);
  BOOST_TEST((words::console_answer_in(refused.head)->n == 17u && has(refused.body, "too much at once")));
  wants("b:1", 1, {"status"});
  for (int i = 0; i < 17; ++i) next(orders);
}

BOOST_AUTO_TEST_CASE(without_a_console_of_its_own_it_obeys_nobody_and_keys_are_told_to_nobody) {
  wants("a:1", 1, {"clients", "create", "shop"});
  BOOST_TEST(has(next(sent).body, "keys do not travel"));
  settings->doors.admin.reset();
  wants("a:1", 2, {"status"});
  BOOST_TEST(has(next(sent).body, "its console is closed"));
  const std::lock_guard lock(guard);
  BOOST_TEST(orders.empty());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace peer_console_test
