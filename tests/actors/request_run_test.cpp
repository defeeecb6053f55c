// What a run borrows, waits for and owes, among actors that answer when the test says so.
#include "actors/flight_channel.hpp"
#include "actors/request_run.hpp"

#include "tests/support/by_hand.hpp"

#include <boost/test/unit_test.hpp>

namespace request_run_test {

using namespace mainstay;
using namespace std::chrono_literals;

using task = std::function<void()>;

} // namespace request_run_test

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(request_run_test::task)

namespace request_run_test {

namespace {

template <class T>
using asked = std::vector<std::pair<T, caf::response_promise>>;

struct silent_caller final : reply_channel {
  int status = 0;
  void reply(int s, header_list, bytes_ptr) override { status = s; }
  void stream_head(header_list) override {}
  void stream_event(bytes_ptr) override {}
  void stream_comment(std::string) override {}
  void stream_end(bytes_ptr, header_list) override {}
  void stream_error(int s, bytes_ptr, header_list) override { status = s; }
  void observe_progress(std::size_t, std::function<void(std::size_t)>) override {}
};

/// One actor plays everybody whom the run knows: it writes down what it is asked, and answers when the test does.
struct fixture : test::by_hand {
  asked<admit_client> admissions;
  asked<capacity_request> capacity;
  asked<ask_permit> permits;
  asked<flight_ask> seats;
  std::vector<keep_lease> kept;
  std::vector<settle_lease> settled;
  std::vector<settle_permit> permits_settled;
  std::vector<run_over> reports;

  caf::actor everybody = system.spawn([this](caf::event_based_actor* self) -> caf::behavior {
    auto later = [self](auto& list) {
      return [self, &list](const typename std::decay_t<decltype(list)>::value_type::first_type& question) {
        auto promise = self->make_response_promise();
        list.emplace_back(question, promise);
        return promise;
      };
    };
    auto opened = [](auto& list) {
      return [&list](const letter<typename std::decay_t<decltype(list)>::value_type>& mail) {
        list.push_back(mail.content());
        mail.opened();
      };
    };
    return {later(admissions),
            later(capacity),
            later(permits),
            later(seats),
            opened(settled),
            opened(permits_settled),
            opened(reports),
            [](const task& now) { now(); },
            [](const cache_ask&) { return cache_reply{}; },
            [this](const keep_lease& k) { kept.push_back(k); },
            [](const letter<flight_leave>& mail) { mail.opened(); },
            [](const letter<owner_gone>& mail) { mail.opened(); },
            [](const letter<key_outcome>& mail) { mail.opened(); },
            [](const letter<run_finished>& mail) { mail.opened(); }};
  });
  directory_ptr names = [this] {
    directory d;
    d.dispatcher = caf::actor_cast<dispatcher_actor>(everybody);
    d.governor = caf::actor_cast<governor_actor>(everybody);
    d.cache = caf::actor_cast<cache_actor>(everybody);
    d.metrics = caf::actor_cast<metrics_actor>(everybody);
    d.flights = caf::actor_cast<flights_actor>(everybody);
    d.breakers["p"] = caf::actor_cast<breaker_actor>(everybody);
    return std::make_shared<const directory>(std::move(d));
  }();

  std::shared_ptr<config::settings> settings = std::make_shared<config::settings>();
  std::shared_ptr<silent_caller> caller = std::make_shared<silent_caller>();
  run_actor run;

  fixture() {
    config::model_settings m;
    m.name = "smart";
    m.ladder = {{{"p", "first", 1}}, {{"p", "second", 1}}};
    m.retry.failover_wait = 2s;
    settings->models.push_back(m);
    config::client_settings c;
    c.name = "shop";
    c.limits.rpm = 10;
    settings->clients.push_back(c);
    settings->cache.emplace();
  }
  ~fixture() {
    if (run) caf::anon_send_exit(run, caf::exit_reason::kill);
    caf::anon_send_exit(everybody, caf::exit_reason::user_shutdown);
    steps.run();
  }

  run_record_ptr record(duration time) {
    auto rec = std::make_shared<run_record>();
    rec->number = 7;
    rec->in.id = "req_7";
    rec->in.settings = settings;
    rec->in.received = clock::now();
    rec->in.deadline = rec->in.received + time;
    rec->in.body = make_bytes(R"({"model":"smart","messages":[{"role":"user","content":"hello"}]})");
    rec->in.reply = caller;
    return rec;
  }
  void begin(const run_record_ptr& rec) {
    run = spawn_request_run(system, nullptr, rec, names);
    steps.run();
  }
  template <class Message>
  void tell(Message m) {
    caf::anon_send(run, std::move(m));
    steps.run();
  }
  template <class T, class Answer>
  void answer(asked<T>& questions, Answer a) {
    caf::anon_send(everybody, task([promise = questions.back().second, a]() mutable { promise.deliver(a); }));
    steps.run();
  }
  capacity_reply granted() const {
    capacity_reply r;
    r.granted = true;
    r.got.id = capacity.back().first.id;
    r.got.key = "k";
    return r;
  }

  /// The run of a flight whose caller has that much time.
  std::shared_ptr<flight_channel> fly(duration time) {
    auto rec = record(time);
    auto flight = std::make_shared<flight_channel>(names->governor, flight_book::terms{rec->in.deadline});
    rec->asked = std::get<chat_request>(parse_chat_request(rec->in.body));
    rec->model = settings->model("smart");
    rec->flight = flight;
    rec->in.reply = flight;
    begin(rec);
    return flight;
  }
  void join(flight_channel& flight, duration time) {
    flight.live_by({clock::now() + time, priority::normal});
    steps.run();
  }
  /// A caller's run on its seat.
  run_record_ptr board(const std::shared_ptr<flight_channel>& flight) {
    auto rec = record(60s);
    rec->in.client = &settings->clients[0];
    begin(rec);
    answer(admissions, client_admission{});
    answer(seats, flight_seat{flight, true});
    return rec;
  }
  std::vector<std::uint64_t> tokens_charged() const {
    std::vector<std::uint64_t> out;
    for (auto& s : settled)
      if (s.id == lease_id{7, 0} && s.how.was_sent) out.push_back(s.how.tokens.value_or(0));
    return out;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(request_runs, fixture)

BOOST_AUTO_TEST_CASE(who_joins_with_more_time_does_not_make_the_fallbacks_wait) {
  auto flight = fly(1s);
  BOOST_REQUIRE(capacity.size() == 1u);
  BOOST_TEST((capacity[0].first.wait_until == flight->terms().until), "the deadline cuts the patience short");
  join(*flight, 60s);
  const auto now = clock::now();
  capacity_reply no;
  no.no = {capacity[0].first.id, refusal_reason::over_limit, now + 30s};
  answer(capacity, no);
  BOOST_REQUIRE(capacity.size() == 2u); // there is more time now: the same again
  BOOST_TEST(capacity[1].first.targets[0].model == "first");
  BOOST_TEST((capacity[1].first.wait_until <= now + 2s));
  BOOST_TEST((capacity[1].first.wait_until > now + 1s));
  no.no.id = capacity[1].first.id;
  answer(capacity, no);
  BOOST_REQUIRE(capacity.size() == 3u);
  BOOST_TEST(capacity[2].first.targets[0].model == "second");
}

BOOST_AUTO_TEST_CASE(a_lease_granted_after_somebody_with_more_time_joined_lives_as_long_as_its_flight) {
  auto flight = fly(1s);
  join(*flight, 600s);
  BOOST_TEST(kept.empty()); // there is no lease yet
  answer(capacity, granted());
  BOOST_REQUIRE(kept.size() == 1u);
  BOOST_TEST((kept[0].id == capacity[0].first.id));
  BOOST_TEST((kept[0].expires > flight->terms().until));
}

BOOST_AUTO_TEST_CASE(a_lease_whose_permit_is_being_asked_for_is_kept_too) {
  auto flight = fly(1s);
  answer(capacity, granted());
  BOOST_TEST(permits.size() == 1u);
  BOOST_TEST(kept.empty());
  join(*flight, 600s);
  BOOST_REQUIRE(kept.size() == 1u);
  BOOST_TEST((kept[0].expires > flight->terms().until));
}

BOOST_AUTO_TEST_CASE(what_a_failed_flight_cost_is_charged_also_to_who_leaves_as_it_fails) {
  auto flight = std::make_shared<flight_channel>(names->governor, flight_book::terms{clock::now() + 60s});
  board(flight);
  caf::anon_send(run, caller_left{7}); // before it hears of the failure
  flight->fail({}, failure_class::server_error, 50);
  steps.run();
  const std::vector<std::uint64_t> once{50};
  BOOST_TEST(tokens_charged() == once, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_a_failed_flight_cost_is_charged_once_to_who_is_told_so) {
  auto flight = std::make_shared<flight_channel>(names->governor, flight_book::terms{clock::now() + 60s});
  board(flight);
  flight->fail({}, failure_class::server_error, 50);
  steps.run();
  const std::vector<std::uint64_t> once{50};
  BOOST_TEST(tokens_charged() == once, boost::test_tools::per_element());
  BOOST_TEST(caller->status == 502);
}

BOOST_AUTO_TEST_CASE(an_admission_that_comes_after_its_caller_has_left_is_given_back) {
  auto rec = record(60s);
  rec->in.client = &settings->clients[0];
  begin(rec);
  BOOST_REQUIRE(admissions.size() == 1u);
  tell(caller_left{7});
  BOOST_REQUIRE(settled.size() == 1u);
  BOOST_TEST((settled[0].id == lease_id{7, 0}));
  BOOST_TEST(!settled[0].how.was_sent);
  answer(admissions, client_admission{});
  BOOST_TEST(seats.empty());
  BOOST_TEST(reports.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_revoked_clients_request_ends_with_401_wherever_it_is_and_gives_back_what_it_asked_for) {
  auto rec = record(60s);
  rec->in.client = &settings->clients[0];
  begin(rec);
  rec->client_revoked = true;
  tell(deadline_over{});
  BOOST_TEST(caller->status == 401);
  BOOST_REQUIRE(settled.size() == 1u);
  BOOST_TEST((settled[0].id == lease_id{7, 0} && !settled[0].how.was_sent));
  answer(admissions, client_admission{});
  BOOST_TEST(seats.empty());
  BOOST_REQUIRE(reports.size() == 1u);
  BOOST_TEST((reports[0].report->status == 401 && reports[0].report->code == "client_revoked"));

  caller->status = 0;
  auto flight = std::make_shared<flight_channel>(names->governor, flight_book::terms{clock::now() + 60s});
  board(flight)->client_revoked = true;
  tell(deadline_over{});
  BOOST_TEST(caller->status == 401, "also on its seat");
  flight->pay(0); // by itself it would say so at its end, when nobody is left here to hear it
  steps.run();
}

BOOST_AUTO_TEST_CASE(a_run_that_goes_on_for_one_that_died_knows_that_its_client_was_revoked) {
  auto rec = record(60s);
  rec->in.client = &settings->clients[0];
  rec->client_revoked = true;
  rec->losses = 1;
  begin(rec);
  BOOST_TEST(caller->status == 401);
  BOOST_TEST(admissions.empty());
}

BOOST_AUTO_TEST_CASE(a_client_that_limits_its_addresses_alone_is_asked_for_too) {
  settings->clients[0].limits = {};
  settings->clients[0].per_address.rpm = 1;
  auto rec = record(60s);
  rec->in.client = &settings->clients[0];
  rec->in.make_particular().address = "192.0.2.1";
  begin(rec);
  BOOST_REQUIRE(admissions.size() == 1u);
  BOOST_TEST(admissions[0].first.address == "192.0.2.1");
  client_admission no;
  no.admitted = false;
  no.of_address = true;
  no.limit = "requests";
  answer(admissions, no);
  BOOST_TEST(caller->status == 429);
  BOOST_TEST(reports.at(0).report->code == "address_limit");
}

BOOST_AUTO_TEST_CASE(what_was_granted_and_never_sent_costs_nothing) {
  settings->cache.reset();
  begin(record(60s));
  answer(capacity, granted());
  BOOST_REQUIRE(permits.size() == 1u);
  tell(caller_left{7});
  BOOST_REQUIRE(settled.size() == 2u);
  BOOST_TEST((settled[0].id == capacity[0].first.id));
  BOOST_TEST(!settled[0].how.was_sent);
  BOOST_REQUIRE(permits_settled.size() == 1u);
  BOOST_TEST((permits_settled[0].how == failure_class::cancelled));
}

BOOST_AUTO_TEST_CASE(a_question_for_capacity_is_withdrawn_when_its_caller_leaves) {
  settings->cache.reset();
  begin(record(60s));
  BOOST_REQUIRE(capacity.size() == 1u);
  tell(caller_left{7});
  BOOST_REQUIRE(!settled.empty());
  BOOST_TEST((settled[0].id == capacity[0].first.id));
  BOOST_TEST(!settled[0].how.was_sent);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace request_run_test
