// Who looks for a durable request at other nodes, with the links in the test's hands: what peers may and may not make
// it say, that nothing is passed on, and that nobody is left without a word.
#include "actors/peer_journal.hpp"

#include "actors/live_caller.hpp"
#include "actors/peer_heads.hpp"
#include "actors/stable_front.hpp"
#include "actors/turn.hpp"
#include "tests/support/heard.hpp"

#include <boost/test/unit_test.hpp>

namespace peer_journal_test {

using namespace mainstay;
using words::journal_news;

namespace {

using lines = std::vector<std::string>;
using test::heard;

struct fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor links{system}, journal{system}; // what is sent to peers, and asked of this node's journal
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> turns = std::make_unique<turn>(system, loop);
  caf::strong_actor_ptr front = stable_front::make(system, *turns), journal_front = stable_front::make(system, *turns);
  peer_journal_actor own = caf::actor_cast<peer_journal_actor>(front);
  caf::strong_actor_ptr actor;
  std::shared_ptr<peer_journal_store> store;

  explicit fixture(bool has_journal = true) {
    auto names = std::make_shared<directory>();
    names->cluster = caf::actor_cast<cluster_actor>(caf::actor(links.ptr()));
    stable_front::point_to(journal_front, caf::actor_cast<caf::strong_actor_ptr>(caf::actor(journal.ptr())));
    if (has_journal) names->journal = caf::actor_cast<journal_actor>(journal_front);
    auto settings = std::make_shared<mainstay::config::settings>();
    settings->cluster.emplace();
    settings->cluster->address = "own";
    settings->cluster->peers = {"a", "b"};
    store = std::make_shared<peer_journal_store>(peer_journal_store{names, settings});
    start();
  }
  void start() {
    actor = spawn_peer_journal(system, store, own);
    stable_front::point_to(front, actor);
    links->receive([](const peer_listen& l) { BOOST_TEST(l.prefix == "journal."); });
  }
  ~fixture() {
    caf::anon_send_exit(caf::actor_cast<caf::actor>(actor), caf::exit_reason::user_shutdown);
    links->wait_for(caf::actor_cast<caf::actor>(actor)); // its turn may be with the home of names, which goes last
    stable_front::close(front);
    stable_front::close(journal_front);
    own = nullptr;
    front = journal_front = actor = nullptr;
    turns.reset();
  }

  struct asked {
    std::shared_ptr<heard> way = std::make_shared<heard>();
    std::shared_ptr<live_caller> caller = std::make_shared<live_caller>(way, clock::now() + 1h);
  };
  asked collect(std::uint64_t of_peer = 0) {
    asked q;
    letter<journal_collect>::post(front, journal_collect{{"shop", "id\xff", q.caller, of_peer}});
    return q;
  }
  void up(const std::string& peer, std::uint64_t incarnation = 1) {
    caf::anon_send(own, peer_changed{peer, true, incarnation});
  }
  void down(const std::string& peer) { caf::anon_send(own, peer_changed{peer, false, 1}); }
  void says(const std::string& peer, const std::string& kind, const std::string& head, const std::string& body = "") {
    caf::anon_send(own, peer_said{peer, kind, head, body});
  }
  void answers(const std::string& peer, const journal_news& a, const std::string& body = "{}") {
    says(peer, "journal.answer", words::head(a), body);
  }
  /// What is sent next.
  send_to sent() {
    send_to out;
    links->receive([&](send_to& m) { out = std::move(m); }, caf::after(10s) >> [] { BOOST_FAIL("nothing was sent"); });
    return out;
  }
  /// What it has been told so far has been done.
  void settle() {
    links->request(own, 10s, ask_backlog{}).receive([](std::uint64_t) {}, [](const caf::error&) {});
  }
  std::uint64_t number_of(const send_to& m) { return words::journal_head_in(m.head)->n; }
};

journal_news pending(std::uint64_t n) { return {n, journal_news::way::pending, 202, {{"x-request-id", "r1"}}}; }
journal_news unknown(std::uint64_t n) { return {n, journal_news::way::unknown, 404, {}}; }
journal_news answered(std::uint64_t n, int status = 200) { return {n, journal_news::way::answered, status, {}}; }

} // namespace

BOOST_FIXTURE_TEST_SUITE(peer_journals, fixture)

BOOST_AUTO_TEST_CASE(all_who_are_up_are_asked_and_the_first_answer_counts) {
  up("a"), up("b");
  const auto q = collect();
  const auto one = sent(), two = sent();
  BOOST_TEST((one.peer == "a" && two.peer == "b" && one.kind == "journal.collect" && one.body == "id\xff"));
  const auto n = number_of(one);
  answers("b", unknown(n));
  answers("a", pending(n));
  answers("a", answered(n));
  answers("b", answered(n, 500));
  settle();
  BOOST_TEST(q.way->lines() == (lines{"accepted", "200 "}));
}

BOOST_AUTO_TEST_CASE(unknown_it_is_only_where_every_node_says_so) {
  up("a"), up("b");
  const auto known = collect();
  const auto n = number_of(sent());
  sent();
  answers("a", unknown(n)), answers("b", unknown(n));
  settle();
  BOOST_TEST(known.way->lines() == lines{"404 unknown_id"});
  down("b");
  const auto unsure = collect();
  answers("a", unknown(number_of(sent())));
  settle();
  BOOST_TEST(unsure.way->lines() == lines{"503 node_unreachable"});
  down("a");
  const auto alone = collect();
  settle();
  BOOST_TEST(alone.way->lines() == lines{"503 node_unreachable"});
}

BOOST_AUTO_TEST_CASE(who_waits_hears_at_once_that_its_node_is_gone_or_another_process) {
  up("a"), up("b");
  for (const bool another : {false, true}) {
    const auto q = collect();
    const auto n = number_of(sent());
    sent();
    answers("b", unknown(n)), answers("a", pending(n));
    another ? up("a", 2) : down("a");
    settle();
    BOOST_TEST(q.way->lines() == (lines{"accepted", "503 node_unreachable"}));
    up("a");
  }
}

BOOST_AUTO_TEST_CASE(a_journal_that_cannot_be_read_is_no_journal_without_the_request) {
  up("a"), up("b");
  const auto q = collect();
  const auto n = number_of(sent());
  sent();
  answers("a", answered(n, 503)), answers("b", unknown(n));
  settle();
  BOOST_TEST(q.way->lines() == lines{"503 node_unreachable"});
}

BOOST_AUTO_TEST_CASE(nobody_answers_what_it_was_not_asked) {
  up("a");
  const auto q = collect();
  const auto n = number_of(sent());
  answers("b", answered(n)), answers("a", answered(n + 1));
  for (const char* nonsense : {"", "{}", "[1]", R"({"n":1,"state":"answered","status":9})"})
    says("a", "journal.answer", nonsense);
  says("a", "journal.eat", "{}");
  settle();
  BOOST_TEST(q.way->lines().empty());
  answers("a", answered(n));
  settle();
  BOOST_TEST(q.way->lines() == lines{"200 "});
}

BOOST_AUTO_TEST_CASE(what_another_node_asks_is_looked_for_here_and_never_passed_on) {
  up("a"), up("b");
  says("a", "journal.collect", words::head(words::journal_head{7, "shop", 1000}), "id");
  letter<journal_collect> mail;
  journal->receive([&](const letter<journal_collect>& m) { mail = m; });
  mail.opened();
  const auto& q = mail.content();
  BOOST_TEST((q.client == "shop" && q.id == "id" && q.of_peer != 0));
  BOOST_TEST((q.caller->until > clock::now() + 1s && q.caller->until < clock::now() + 3s));
  letter<journal_collect>::post(front, journal_collect{q}); // as the journal does, which has no such request
  const auto said = sent();
  BOOST_TEST((said.peer == "a" && said.kind == "journal.answer"));
  BOOST_TEST((words::journal_news_in(said.head)->what == journal_news::way::unknown));
  BOOST_TEST(words::journal_news_in(said.head)->n == 7u);
}

BOOST_AUTO_TEST_CASE(an_answer_that_found_no_room_is_read_again) {
  up("a");
  const auto next = [&] {
    std::shared_ptr<live_caller> caller;
    journal->receive([&](const letter<journal_collect>& m) {
      m.opened();
      caller = m.content().caller;
    });
    return caller;
  };
  says("a", "journal.collect", words::head(words::journal_head{7, "shop", 60000}), "id");
  next()->settle({200, {}, make_bytes("first")});
  const auto first = sent();
  BOOST_TEST(first.body == "first");
  caf::anon_send(own, peer_refused{"a", first.kind, first.head, peer_refused::reason::full});
  next()->settle({200, {}, make_bytes("again")});
  BOOST_TEST(sent().body == "again");
}

BOOST_AUTO_TEST_CASE(whoever_asked_a_node_that_left_waits_no_longer_here) {
  up("a");
  says("a", "journal.collect", words::head(words::journal_head{7, "shop", 60000}), "one");
  says("a", "journal.collect", words::head(words::journal_head{8, "shop", 60000}), "two");
  std::vector<std::shared_ptr<live_caller>> callers;
  for (int i = 0; i < 2; ++i)
    journal->receive([&](const letter<journal_collect>& m) {
      m.opened();
      callers.push_back(m.content().caller);
    });
  says("a", "journal.leave", words::head(words::journal_head{7, "", 0}));
  settle();
  BOOST_TEST((callers[0]->gone() && !callers[1]->gone()));
  down("a");
  settle();
  BOOST_TEST(callers[1]->gone());
}

BOOST_AUTO_TEST_CASE(its_own_death_is_told_to_whoever_waits) {
  up("a");
  const auto q = collect();
  sent();
  caf::anon_send(own, inject_fault{});
  for (const auto end = clock::now() + 10s; q.way->lines().empty() && clock::now() < end;) std::this_thread::yield();
  BOOST_TEST(q.way->lines() == lines{"503 journal_unavailable"});
}

BOOST_AUTO_TEST_CASE(what_was_asked_before_its_death_is_left_and_late_answers_to_it_meet_no_other_question) {
  up("a");
  const auto before = collect();
  const auto n = number_of(sent());
  answers("a", pending(n));
  settle();
  caf::anon_send(own, inject_fault{});
  const auto left = sent();
  BOOST_TEST((left.peer == "a" && left.kind == "journal.leave" && number_of(left) == n));
  start();
  up("a");
  const auto after = collect();
  BOOST_TEST(number_of(sent()) != n);
  answers("a", answered(n), "another client's");
  settle();
  BOOST_TEST(after.way->lines().empty());
}

BOOST_AUTO_TEST_CASE(its_own_death_is_told_to_the_node_whose_caller_waits) {
  up("a");
  says("a", "journal.collect", words::head(words::journal_head{7, "shop", 60000}), "one");
  settle();
  caf::anon_send(own, inject_fault{});
  const auto said = sent();
  const auto news = words::journal_news_in(said.head);
  BOOST_TEST((said.peer == "a" && said.kind == "journal.answer" && news->n == 7u && news->status == 503));
}

BOOST_AUTO_TEST_CASE(a_deadline_is_kept_however_many_other_questions_keep_coming) {
  up("a");
  asked q;
  q.caller = std::make_shared<live_caller>(q.way, clock::now() + 300ms);
  letter<journal_collect>::post(front, journal_collect{{"shop", "id", q.caller, 0}});
  answers("a", pending(number_of(sent())));
  for (const auto end = clock::now() + 2s; q.way->lines().size() < 2 && clock::now() < end;) {
    collect();
    answers("a", unknown(number_of(sent())));
  }
  BOOST_TEST(q.way->lines() == (lines{"accepted", "504 deadline"}));
}

BOOST_AUTO_TEST_CASE(two_questions_of_a_node_under_one_number_are_not_both_answered_from_the_journal) {
  up("a");
  says("a", "journal.collect", words::head(words::journal_head{7, "shop", 60000}), "one");
  says("a", "journal.collect", words::head(words::journal_head{7, "shop", 60000}), "two");
  const auto said = sent();
  BOOST_TEST((said.kind == "journal.answer" && words::journal_news_in(said.head)->status == 503));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace peer_journal_test
