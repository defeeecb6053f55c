// One flight's way back to many callers: each gets everything once, from the beginning, at its own pace and under its
// own name, and one client is charged.
#include "actors/attempt.hpp"
#include "actors/flight_channel.hpp"
#include "actors/turn.hpp"

#include <boost/test/unit_test.hpp>

namespace flight_channel_test {

using namespace mainstay;

namespace {

using state = flight_channel::state;

/// What a caller hears, one line each; it reads when the test says so.
struct heard final : reply_channel {
  std::vector<std::string> lines;
  std::function<void(std::size_t)> written;
  bool reads = true;
  std::size_t unread = 0;

  void take() {
    auto n = std::exchange(unread, 0);
    if (n && written) written(n);
  }
  void reply(int status, header_list headers, bytes_ptr body) override {
    lines.push_back(std::to_string(status) + " " + *find_header(headers, "x-request-id") + " " + *body);
  }
  void stream_head(header_list headers) override { lines.push_back("head " + *find_header(headers, "x-request-id")); }
  void stream_event(bytes_ptr json) override {
    lines.push_back(json->substr(0, 8));
    unread += json->size();
  }
  void stream_comment(std::string text) override { lines.push_back(": " + text); }
  void stream_end(bytes_ptr usage, header_list trailers) override {
    lines.push_back("end " + *find_header(trailers, "x-request-id") + " " + *usage);
  }
  void stream_error(int, bytes_ptr, header_list) override { lines.emplace_back("error"); }
  void observe_progress(std::size_t, std::function<void(std::size_t)> w) override { written = std::move(w); }
};

const header_list labels{
    {"x-request-id", "the flight's"}, {"x-mainstay-source", "primary"}, {"x-mainstay-latency-ms", "1"}};

struct fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor governor{system}; // what is posted to the governor comes here
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> turns = std::make_unique<turn>(system, loop);
  caf::strong_actor_ptr front = stable_front::make(system, *turns);
  std::shared_ptr<flight_channel> flight;
  std::map<request_id, std::shared_ptr<heard>> callers;
  std::size_t allowed = 0; // what the run was told that was read

  fixture() {
    stable_front::point_to(front, caf::actor_cast<caf::strong_actor_ptr>(caf::actor(governor.ptr())));
    flight = std::make_shared<flight_channel>(caf::actor_cast<governor_actor>(front), flight_book::terms{});
    flight->observe_progress(1, [this](std::size_t n) { allowed += n; });
  }
  ~fixture() {
    flight.reset();
    stable_front::close(front);
    front = nullptr;
    turns.reset();
  }

  flight_channel::progress board(request_id who) {
    auto& way = callers[who];
    if (!way) way = std::make_shared<heard>();
    flight_channel::passenger p;
    p.who = who;
    p.id = "r" + std::to_string(who);
    p.admitted = true;
    p.way = way;
    return flight->board(std::move(p));
  }
  const std::vector<std::string>& of(request_id who) { return callers.at(who)->lines; }
  void send(const std::string& event) { flight->stream_event(make_bytes(event)); }
  void end() { flight->stream_end(make_bytes("usage"), labels); }
  std::pair<request_id, std::uint64_t> charged() {
    std::pair<request_id, std::uint64_t> got;
    governor->receive([&](const letter<settle_lease>& mail) {
      got = {mail.content().id.request, *mail.content().how.tokens};
      mail.opened();
    });
    return got;
  }
  bool nobody_charged() { return governor->mailbox().empty(); }
};

using lines = std::vector<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(flight_channels, fixture)

BOOST_AUTO_TEST_CASE(a_whole_answer_is_everybodys_under_their_own_names) {
  BOOST_TEST((board(1).now == state::flying));
  board(2);
  flight->reply(200, labels, make_bytes("answer"));
  flight->reply(200, labels, make_bytes("another"));
  BOOST_TEST(of(1) == lines{"200 r1 answer"});
  BOOST_TEST(of(2) == lines{"200 r2 answer"});
  const auto late = board(3);
  BOOST_TEST((late.now == state::ended));
  BOOST_TEST(late.source == "primary");
  BOOST_TEST(of(3) == lines{"200 r3 answer"});
}

BOOST_AUTO_TEST_CASE(who_joins_late_gets_a_stream_from_the_beginning_and_once) {
  board(1);
  flight->stream_head(labels);
  send("one");
  flight->stream_comment("going on elsewhere");
  board(2);
  BOOST_TEST(of(2) == (lines{"head r2", "one", ": going on elsewhere"}));
  board(2); // its run died, and is another
  send("two");
  end();
  const lines all{"head r2", "one", ": going on elsewhere", "two", "end r2 usage"};
  BOOST_TEST(of(2) == all);
  BOOST_TEST((board(2).now == state::ended));
  BOOST_TEST(of(2) == all);
  BOOST_TEST(of(1).size() == 5u);
}

BOOST_AUTO_TEST_CASE(who_leaves_gets_nothing_more_and_who_has_everything_cannot_leave) {
  board(1);
  board(2);
  flight->stream_head(labels);
  send("one");
  const auto left = flight->leave(1);
  BOOST_TEST((left.now == state::flying));
  BOOST_TEST(left.head_sent);
  BOOST_TEST(!left.pays);
  send("two");
  end();
  BOOST_TEST(of(1) == (lines{"head r1", "one"}));
  BOOST_TEST((flight->leave(2).now == state::ended));
  BOOST_TEST((flight->leave(1).now == state::flying)); // and changes nothing
}

BOOST_AUTO_TEST_CASE(the_fastest_reader_lets_more_through_and_the_slowest_gets_the_rest_at_its_own_pace) {
  board(1);
  board(2);
  flight->stream_head(labels);
  const std::string large(stream_window / 2, 'x');
  for (int i = 0; i < 8; ++i) {
    send(large);
    callers[1]->take();
    BOOST_TEST(allowed == static_cast<std::size_t>(i + 1) * large.size());
  }
  BOOST_TEST(of(1).size() == 9u);
  BOOST_TEST(of(2).size() == 3u); // a window full
  end();
  BOOST_TEST((flight->look(1).now == state::ended));
  BOOST_TEST((flight->look(2).now == state::flying));
  for (int i = 0; i < 4; ++i) callers[2]->take();
  BOOST_TEST(of(2) == [&] {
    auto all = of(1);
    all.front() = "head r2";
    all.back() = "end r2 usage";
    return all;
  }());
  BOOST_TEST(allowed == 8 * large.size());
}

BOOST_AUTO_TEST_CASE(what_is_kept_is_bounded_then_nobody_joins_and_the_slowest_says_how_much_may_come) {
  board(1);
  board(2);
  flight->stream_head(labels);
  const std::string large(1u << 20, 'x');
  for (int i = 0; i < 64; ++i) {
    send(large);
    callers[1]->take();
  }
  BOOST_TEST(flight->open());
  const auto before = allowed;
  for (int i = 0; i < 8; ++i) {
    send(large);
    callers[1]->take();
  }
  BOOST_TEST(!flight->open());
  BOOST_TEST(allowed <= before + large.size()); // what the slow one has begun with may go
  for (int i = 0; i < 10; ++i) callers[2]->take();
  BOOST_TEST(allowed > before);
  for (int i = 0; i < 80; ++i) callers[2]->take();
  BOOST_TEST((board(3).now == state::too_late), "its seat was given before, and the beginning is gone meanwhile");
  BOOST_TEST((board(2).now == state::flying));
  end();
  BOOST_TEST(of(2).size() == 74u);
  BOOST_TEST(of(1).size() == 74u);
  BOOST_TEST(of(3).empty());
}

BOOST_AUTO_TEST_CASE(a_failure_is_for_the_callers_runs_and_the_first_one_pays_for_it) {
  board(1);
  board(2);
  flight->stream_head(labels);
  send("one");
  final_answer answer;
  answer.status = 504;
  flight->fail(answer, failure_class::idle_timeout, 30);
  flight->pay(30);
  for (request_id who : {1, 2}) {
    BOOST_TEST(of(who).size() == 2u);
    const auto seen = flight->look(who);
    BOOST_TEST((seen.now == state::failed));
    BOOST_TEST(seen.head_sent);
    BOOST_TEST(!seen.pays);
    BOOST_TEST(flight->failure_of(who).answer.status == 504);
    BOOST_TEST(flight->failure_of(who).tokens == (who == 1 ? 30u : 0u));
  }
  BOOST_TEST(!flight->open());
  BOOST_TEST(nobody_charged());
}

BOOST_AUTO_TEST_CASE(whoever_answers_for_a_run_that_died_too_often_is_heard_as_a_failure) {
  board(1);
  flight->reply(500, labels, make_bytes("{}"));
  BOOST_TEST((flight->look(1).now == state::failed));
  BOOST_TEST(flight->failure_of(1).answer.code == "internal_error");
  BOOST_TEST(of(1).empty());
}

BOOST_AUTO_TEST_CASE(the_first_who_is_there_at_the_end_is_charged_once) {
  board(1);
  board(2);
  board(3);
  flight->leave(1);
  flight->reply(200, labels, make_bytes("answer"));
  BOOST_TEST(flight->look(2).pays);
  BOOST_TEST(!flight->look(3).pays);
  flight->pay(70);
  flight->pay(70);
  flight.reset();
  BOOST_TEST((charged() == std::pair<request_id, std::uint64_t>{2, 70}));
  BOOST_TEST(nobody_charged());
}

BOOST_AUTO_TEST_CASE(who_leaves_last_pays_for_what_was_begun) {
  board(1);
  board(2);
  BOOST_TEST(!flight->leave(1).pays);
  BOOST_TEST(flight->leave(2).pays);
  flight->pay(12);
  BOOST_TEST((charged() == std::pair<request_id, std::uint64_t>{2, 12}));
}

BOOST_AUTO_TEST_CASE(a_flight_that_never_began_settles_what_it_took_over) {
  board(1);
  BOOST_TEST(flight->leave(1).pays);
  flight.reset();
  BOOST_TEST((charged() == std::pair<request_id, std::uint64_t>{1, 0}));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace flight_channel_test
