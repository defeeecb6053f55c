// The journal's actor over a real file: who is told what when the node drains, and what becomes of a cancel whose
// request is not on disk yet, also where the actor dies over both.
#include "actors/intake.hpp"
#include "actors/journal.hpp"
#include "actors/journal_channel.hpp"
#include "actors/turn.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/heard.hpp"

#include <boost/test/unit_test.hpp>

#include <mutex>

namespace journal_test {

using namespace mainstay;
using test::heard;

namespace {

using lines = std::vector<std::string>;

struct fixture {
  test::folder place;
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor asker{system};      // in a run's place
  caf::scoped_actor dispatcher{system}; // who would run them hears of it here
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> turns = std::make_unique<turn>(system, loop);
  caf::strong_actor_ptr front = stable_front::make(system, *turns),
                        dispatcher_front = stable_front::make(system, *turns);
  std::shared_ptr<config::settings> settings = std::make_shared<config::settings>();
  std::shared_ptr<journal_store> store;

  fixture() {
    config::model_settings m;
    m.name = "smart";
    settings->models.push_back(m);
    config::journal_settings s;
    s.path = place.path("journal.db");
    store = std::make_shared<journal_store>(s);
    store->settings = settings;
    auto names = std::make_shared<directory>();
    names->journal = name();
    names->dispatcher = caf::actor_cast<dispatcher_actor>(dispatcher_front);
    store->names = names;
    stable_front::point_to(dispatcher_front, caf::actor_cast<caf::strong_actor_ptr>(caf::actor(dispatcher.ptr())));
  }
  ~fixture() {
    caf::anon_send_exit(caf::actor_cast<caf::actor>(front), caf::exit_reason::user_shutdown);
    stable_front::close(front);
    stable_front::close(dispatcher_front);
    store->callers.clear();
    store->names = nullptr;
    front = dispatcher_front = nullptr;
    turns.reset();
  }

  journal_actor name() const { return caf::actor_cast<journal_actor>(front); }
  caf::strong_actor_ptr start() {
    auto a = spawn_journal(system, store);
    stable_front::point_to(front, a);
    return a;
  }

  struct request {
    std::shared_ptr<heard> way = std::make_shared<heard>();
    std::shared_ptr<live_caller> caller = std::make_shared<live_caller>(way, instant::max());
    run_record_ptr rec = std::make_shared<run_record>();
  };
  request asks(const std::string& id, utc_time not_before = {}) {
    request r;
    r.rec->number = new_request_number();
    r.rec->durable = std::make_shared<journal_channel>(name(), r.caller, r.rec->number);
    r.rec->durable_id = id;
    r.rec->not_before = not_before;
    r.rec->model = &settings->models[0];
    r.rec->in.id = "req-" + id + "-" + std::to_string(r.rec->number);
    r.rec->in.settings = settings;
    r.rec->in.body = make_bytes(R"({"model":"smart","messages":[]})");
    return r;
  }
  /// None: the journal died over it.
  std::optional<journal_verdict::way> accept(const request& r) {
    std::optional<journal_verdict::way> said;
    asker->request(name(), 10s, journal_accept{r.rec})
        .receive([&](const journal_verdict& v) { said = v.what; }, [](const caf::error&) {});
    return said;
  }
  void cancel(const request& r) {
    letter<journal_cancel>::post(front,
                                 journal_cancel{{"local", r.rec->durable_id, r.caller}, r.rec->durable->call_off()});
  }
  std::uint64_t flush() {
    std::uint64_t unanswered = 99;
    asker->request(name(), 10s, journal_flush{})
        .receive([&](std::uint64_t n) { unanswered = n; }, [](const caf::error&) {});
    return unanswered;
  }
  void hold(std::vector<std::string> models) {
    asker->request(name(), 10s, journal_hold{std::move(models)})
        .receive([](const journal_held&) {}, [](const caf::error&) {});
  }
  journal_view look_at() {
    journal_view seen;
    asker->request(name(), 10s, look{})
        .receive([&](journal_view& v) { seen = std::move(v); }, [](const caf::error&) {});
    return seen;
  }
  void until_told(const request& r) {
    for (const auto end = clock::now() + 10s; r.way->lines().empty() && clock::now() < end;) look_at();
  }
};

const auto tomorrow = std::chrono::system_clock::now() + std::chrono::hours(24);

} // namespace

BOOST_FIXTURE_TEST_SUITE(journals, fixture)

BOOST_AUTO_TEST_CASE(
    when_the_doors_stop_whoever_waits_is_told_so_under_its_requests_name_and_what_has_no_answer_is_counted) {
  start();
  const auto running = asks("1"), later = asks("2", tomorrow), done = asks("3");
  BOOST_TEST((accept(running) == journal_verdict::way::run));
  BOOST_TEST((accept(later) == journal_verdict::way::left));
  BOOST_TEST((accept(done) == journal_verdict::way::run));
  done.rec->durable->reply(200, {}, make_bytes("{}"));
  BOOST_TEST(flush() == 2u);
  for (auto* r : {&running, &later}) {
    BOOST_TEST(r->way->lines() == (lines{"accepted", "503 shutting_down"}));
    BOOST_TEST((r->way->headers() == header_list{{"retry-after", "1"}, {"x-request-id", r->rec->in.id}}));
  }
  BOOST_TEST(done.way->lines().front() == "accepted");
  BOOST_TEST(done.way->lines().back().starts_with("200"));
}

BOOST_AUTO_TEST_CASE(while_the_node_drains_nothing_is_run_again) {
  start();
  const auto r = asks("1");
  BOOST_TEST((accept(r) == journal_verdict::way::run));
  hold({"smart"});
  r.rec->durable->reply(503, {}, make_bytes("{}")); // waits for its model
  BOOST_TEST(look_at().parked == 1u);
  asker->send(name(), journal_drain{});
  hold({}); // it may run
  BOOST_TEST(look_at().running == 0u);
  BOOST_TEST(dispatcher->mailbox().empty());
  BOOST_TEST(flush() == 1u);
}

BOOST_AUTO_TEST_CASE(a_cancel_that_comes_before_its_request_holds) {
  start();
  const auto r = asks("1");
  cancel(r);
  until_told(r);
  const auto written = look_at().commits;
  BOOST_TEST((accept(r) == journal_verdict::way::left));
  BOOST_TEST(r.way->lines() == (lines{"499 cancelled"}));
  flush();
  BOOST_TEST(look_at().commits == written + 1); // of the flush: no kill finds the request on disk
  BOOST_TEST(look_at().requests == 0);
}

BOOST_AUTO_TEST_CASE(a_cancel_holds_that_dies_with_its_request_in_the_mailbox_and_comes_again_first) {
  const auto r = asks("1");
  asker->send(name(), inject_fault{}); // nobody is behind the name yet: all of it waits
  auto asked = asker->request(name(), 10s, journal_accept{r.rec});
  cancel(r);
  auto first = spawn_journal(system, store);
  asker->monitor(caf::actor_cast<caf::actor>(first));
  stable_front::point_to(front, std::move(first));
  asker->receive([](const caf::down_msg&) {});
  stable_front::point_to(front, nullptr);
  bool bounced = false;
  asked.receive([](const journal_verdict&) {}, [&](const caf::error&) { bounced = true; });
  BOOST_TEST(bounced);
  start();
  until_told(r);                                         // its letter came again
  BOOST_TEST((accept(r) == journal_verdict::way::left)); // the run asks again
  BOOST_TEST(r.way->lines() == (lines{"499 cancelled"}));
  BOOST_TEST(look_at().requests == 0);
}

BOOST_AUTO_TEST_CASE(a_cancel_of_what_is_on_disk_is_its_answer) {
  start();
  const auto r = asks("1");
  BOOST_TEST((accept(r) == journal_verdict::way::run));
  cancel(r);
  look_at(); // after its commit
  flush();
  BOOST_TEST(r.way->lines() == (lines{"accepted", "499 cancelled"}));
  BOOST_TEST(look_at().answered == 1);
}

BOOST_AUTO_TEST_CASE(a_cancel_of_a_repetition_that_the_journal_has_not_seen_ends_the_first_one) {
  start();
  const auto first = asks("1", tomorrow), again = asks("1");
  BOOST_TEST((accept(first) == journal_verdict::way::left));
  cancel(again);
  flush();
  BOOST_TEST((accept(again) == journal_verdict::way::left));
  BOOST_TEST(first.way->lines() == (lines{"accepted", "499 cancelled"}));
  BOOST_TEST(again.way->lines() == (lines{"499 cancelled"}));
}

BOOST_AUTO_TEST_CASE(what_a_revoked_client_waits_for_is_answered_with_401_and_what_nobody_waits_for_in_its_turn) {
  config::client_settings shop;
  shop.name = "shop";
  settings->clients = {shop};
  start();
  const auto awaited = asks("1", tomorrow), left = asks("2");
  for (auto* r : {&awaited, &left}) {
    r->rec->in.client = &settings->clients[0];
    accept(*r);
  }
  left.caller->left();
  hold({"smart"});
  left.rec->durable->reply(503, {}, make_bytes("{}")); // waits for its model
  for (const auto end = clock::now() + 10s; look_at().callers > 1 && clock::now() < end;) {}
  BOOST_TEST(look_at().parked == 1u);
  auto without = std::make_shared<config::settings>(*settings);
  without->clients[0].revoked = true;
  asker->send(name(), take_settings{without, store->names});
  look_at(); // after its commit
  BOOST_TEST(look_at().answered == 1);
  BOOST_TEST(awaited.way->lines() == (lines{"accepted", "401 client_revoked"}));
  hold({}); // the other's turn comes
  for (const auto end = clock::now() + 10s; look_at().answered < 2 && clock::now() < end;) {}
  BOOST_TEST(look_at().answered == 2);
  BOOST_TEST(dispatcher->mailbox().empty(), "no run is made for it");
}

BOOST_AUTO_TEST_CASE(a_cancel_of_what_nobody_sent_is_a_404) {
  start();
  const auto r = asks("1");
  letter<journal_cancel>::post(front, journal_cancel{{"local", "1", r.caller}});
  flush();
  BOOST_TEST(r.way->lines() == (lines{"404 unknown_id"}));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace journal_test
