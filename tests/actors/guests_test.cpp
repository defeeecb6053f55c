// Runs that go to a peer and peers' runs here, among a cluster and a dispatcher that are played by the test: what is
// said to whom, and that nothing stays when a peer is lost, a word is, or the guests' actor itself.
#include "actors/guests.hpp"

#include "tests/support/by_hand.hpp"

#include <boost/test/unit_test.hpp>

namespace guests_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

struct fixture : test::by_hand {
  std::vector<send_to> sent;
  std::vector<run_record_ptr> submitted;
  std::vector<request_id> left;
  std::vector<bool> dispatcher_told;
  std::vector<patience_over> due;
  std::vector<call_head> heads;
  std::string data;
  std::vector<call_end> ends;
  governor::free_slots free{{{"p", 0}, {"q", 3}}};
  guests_actor guests;

  /// Everybody else, and the run that is away.
  caf::actor everybody = system.spawn([this](caf::event_based_actor*) -> caf::behavior {
    return {[this](const send_to& m) { sent.push_back(m); },
            [](const peer_listen&) {},
            [this](const ask_slots&) { return free; },
            [](const look&) {
              dispatcher_view v;
              v.places = 7;
              return v;
            },
            [this](const peers_room& r) { dispatcher_told.push_back(r.any); },
            [this](const letter<submission>& mail) {
              submitted.push_back(mail.content().record);
              mail.opened();
            },
            [this](const letter<caller_left>& mail) {
              left.push_back(mail.content().id);
              mail.opened();
            },
            [this](const guest_speaks& s) { caf::anon_send(guests, s); },
            [this](const patience_over& m) { due.push_back(m); },
            [this](const call_head& h) { heads.push_back(h); },
            [this](const call_data& d) { data += *d.piece; },
            [this](const call_end& e) { ends.push_back(e); }};
  });
  directory_ptr names = [this] {
    directory d;
    d.dispatcher = caf::actor_cast<dispatcher_actor>(everybody);
    d.governor = caf::actor_cast<governor_actor>(everybody);
    d.cluster = caf::actor_cast<cluster_actor>(everybody);
    d.guests = caf::actor_cast<guests_actor>(everybody);
    return std::make_shared<const directory>(std::move(d));
  }();
  std::shared_ptr<config::settings> settings = std::make_shared<config::settings>();
  std::shared_ptr<guests_store> store;

  fixture() {
    settings->node = "here";
    store = std::make_shared<guests_store>(settings, names);
    begin();
    peer_is(true, 1);
  }
  ~fixture() {
    caf::anon_send_exit(guests, caf::exit_reason::kill);
    caf::anon_send_exit(everybody, caf::exit_reason::user_shutdown);
    steps.run();
  }

  void begin() {
    guests = caf::actor_cast<guests_actor>(spawn_guests(system, store));
    steps.run();
  }
  template <class Message>
  void tell(Message m) {
    caf::anon_send(guests, std::move(m));
    steps.run();
  }
  void peer_is(bool up, std::uint64_t incarnation) { tell(peer_changed{"peer", up, incarnation}); }
  void peer_says(const std::string& kind, const std::string& head, const std::string& body = {}) {
    tell(peer_said{"peer", kind, head, body});
  }
  std::vector<send_to> said(const std::string& kind) const {
    std::vector<send_to> out;
    std::copy_if(sent.begin(), sent.end(), std::back_inserter(out), [&](auto& m) { return m.kind == kind; });
    return out;
  }
  void peer_has_room() {
    peer_says("run.room", R"({"node":"there","places":9,"taken":0,"slots":{"p":1},"of the future":[1]})");
  }
  away_seat ask() {
    away_seat seat;
    caf::scoped_actor self{system};
    away_ask question{5, 3, move_reason::waiting, {"p"}, caf::actor_cast<caf::actor_addr>(everybody)};
    auto answer = self->request(guests, 10s, std::move(question));
    steps.run();
    answer.receive([&](const away_seat& s) { seat = s; }, [](const caf::error&) {});
    return seat;
  }
  /// A run of ours is there.
  std::uint64_t send_away() {
    peer_has_room();
    const auto seat = ask();
    BOOST_TEST_REQUIRE(seat.number != 0u);
    BOOST_TEST(seat.node == "there");
    tell(away_begin{seat.number, R"({"id":"req_5"})", make_bytes("the request")});
    return seat.number;
  }
  static std::string of(std::uint64_t run, std::uint64_t n, const std::string& more = "") {
    return R"({"run":)" + std::to_string(run) + R"(,"n":)" + std::to_string(n) + more + "}";
  }
  void guest_comes(std::uint64_t run = 9) {
    const auto number = std::to_string(run);
    peer_says("run.begin",
              R"({"run":)" + number + R"(,"why":"queue","id":"req_9","left_ms":5000,"level":"high","client":"shop"})",
              R"({"model":"smart"})");
    BOOST_TEST_REQUIRE(!submitted.empty());
  }
  bool is_empty() const { return store->aways.empty() && store->guests.empty() && store->guest_numbers.empty(); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(guests, fixture)

BOOST_AUTO_TEST_CASE(a_run_goes_to_the_peer_with_room_and_hears_its_answer_as_a_providers) {
  const auto run = send_away();
  const auto begun = said("run.begin");
  BOOST_TEST_REQUIRE(begun.size() == 1u);
  BOOST_TEST(begun[0].body == "the request");
  BOOST_TEST(begun[0].head.find(R"("why":"waiting")") != std::string::npos);
  peer_says("run.reply", of(run, 1, R"(,"status":200,"labels":{"x-mainstay-source":"primary","set-cookie":"x"})"),
            "{}");
  BOOST_TEST_REQUIRE(heads.size() == 1u);
  BOOST_TEST(heads[0].serial == 3u);
  BOOST_TEST(find_header(*heads[0].headers, "x-mainstay-source"));
  BOOST_TEST(!find_header(*heads[0].headers, "set-cookie"));
  BOOST_TEST(data == "{}");
  BOOST_TEST_REQUIRE(ends.size() == 1u);
  BOOST_TEST(!ends[0].error);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_stream_comes_piece_by_piece_with_its_usage_at_the_end) {
  const auto run = send_away();
  peer_says("run.head", of(run, 1));
  peer_says("run.events", of(run, 2), "data: 1\n\n");
  tell(away_credit{run, 8});
  BOOST_TEST(said("run.credit").size() == 1u);
  peer_says("run.end", of(run, 3, R"(,"usage":"{\"total_tokens\":3}")"));
  BOOST_TEST(data == "data: 1\n\ndata: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\ndata: [DONE]\n\n");
  BOOST_TEST(ends.size() == 1u);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_lost_or_another_brings_its_runs_home_at_once) {
  send_away();
  peer_is(false, 1);
  BOOST_TEST_REQUIRE(ends.size() == 1u);
  BOOST_TEST(ends[0].error.has_value());
  BOOST_TEST(is_empty());
  peer_is(true, 1);
  send_away();
  peer_is(true, 2);
  BOOST_TEST(ends.size() == 2u);
  BOOST_TEST(is_empty());
  BOOST_TEST(ask().number == 0u); // nothing is known of it
}

BOOST_AUTO_TEST_CASE(what_follows_a_gap_is_no_use) {
  const auto run = send_away();
  peer_says("run.head", of(run, 1));
  peer_says("run.events", of(run, 3), "data: 2\n\n");
  BOOST_TEST(data.empty());
  BOOST_TEST_REQUIRE(ends.size() == 1u);
  BOOST_TEST(ends[0].error.has_value());
  BOOST_TEST(said("run.leave").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_stream_without_its_head_comes_home) {
  for (auto* kind : {"run.events", "run.error"}) {
    const auto run = send_away();
    peer_says(kind, of(run, 1), "{}");
    BOOST_TEST(data.empty());
    BOOST_TEST(ends.back().error.has_value());
  }
  BOOST_TEST(ends.size() == 2u);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_have_it_or_said_more_than_came_has_lost_it) {
  const auto run = send_away();
  peer_says("run.have", R"({"runs":[]})"); // what it said may have been said before the run came there
  BOOST_TEST(ends.empty());
  peer_says("run.recheck", "{}");
  BOOST_TEST(said("run.check").size() == 2u);
  peer_says("run.have", R"({"runs":[[)" + std::to_string(run) + ",0]]}");
  BOOST_TEST(ends.empty());
  peer_says("run.have", R"({"runs":[[)" + std::to_string(run) + ",2]]}");
  BOOST_TEST(ends.size() == 1u);
  send_away();
  peer_says("run.recheck", "{}");
  peer_says("run.have", R"({"runs":[]})");
  BOOST_TEST(ends.size() == 2u);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(who_leaves_is_told_to_the_peer_if_it_had_begun) {
  const auto run = send_away();
  tell(away_leave{run});
  BOOST_TEST(said("run.leave").size() == 1u);
  peer_says("run.room", R"({"node":"there","places":9,"taken":1,"slots":{"p":1}})");
  const auto seat = ask();
  BOOST_TEST(ask().number == 0u); // its only call is taken
  tell(away_leave{seat.number});
  BOOST_TEST(said("run.leave").size() == 1u);
  BOOST_TEST(ask().number != 0u);
}

BOOST_AUTO_TEST_CASE(who_found_no_room_is_told_when_there_may_be_some) {
  const auto run = send_away();
  for (int i = 0; i < 3; ++i) BOOST_TEST(ask().number == 0u);
  BOOST_TEST(due.empty());
  peer_says("run.reply", of(run, 1), "{}"); // the peer's only call is free again
  BOOST_TEST(due.size() == 1u);
  BOOST_TEST(ask().number != 0u);
  peer_says("run.room", R"({"node":"there","places":9,"taken":2,"slots":{"p":1}})");
  BOOST_TEST(due.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_run_that_died_is_away_no_more) {
  send_away();
  letter<owner_gone>::post(caf::actor_cast<caf::strong_actor_ptr>(guests), owner_gone{5, {0, 4}});
  steps.run();
  BOOST_TEST(said("run.leave").size() == 1u);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(what_the_peer_does_not_take_is_home_again) {
  const auto run = send_away();
  tell(peer_refused{"peer", "run.begin", words::number(run), peer_refused::reason::full});
  BOOST_TEST_REQUIRE(ends.size() == 1u);
  BOOST_TEST(said("run.leave").empty());
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_peers_run_is_accepted_as_its_own_node_admitted_it_and_its_words_go_back) {
  guest_comes();
  const auto& in = submitted[0]->in;
  BOOST_TEST(submitted[0]->guest);
  BOOST_TEST(submitted[0]->admitted_once);
  BOOST_TEST(in.id == "req_9");
  BOOST_TEST(in.client_name() == "shop");
  BOOST_TEST((in.level == priority::high));
  BOOST_TEST((in.deadline - in.received == 5s));
  in.reply->stream_head({{"x-mainstay-source", "primary"}, {"x-mainstay-latency-ms", "5"}});
  in.reply->stream_event(make_bytes("1"));
  in.reply->stream_event(make_bytes("2"));
  steps.run();
  BOOST_TEST_REQUIRE(said("run.events").size() == 1u);
  BOOST_TEST(said("run.events")[0].body == "data: 1\n\ndata: 2\n\n");
  BOOST_TEST(said("run.head")[0].head == R"({"run":9,"n":1,"labels":{"x-mainstay-source":"primary"}})");
  std::size_t read = 0;
  in.reply->observe_progress(1, [&](std::size_t n) { read += n; });
  peer_says("run.credit", R"({"run":9,"bytes":9})");
  BOOST_TEST(read == 1u);
  in.reply->stream_end(make_bytes("null"), {});
  steps.run();
  BOOST_TEST(said("run.end").size() == 1u);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_guest_whose_node_leaves_or_is_lost_ends) {
  guest_comes();
  peer_says("run.leave", R"({"run":9})");
  BOOST_TEST(left.size() == 1u);
  BOOST_TEST(submitted[0]->caller_gone);
  guest_comes(10);
  peer_is(false, 1);
  BOOST_TEST(left.size() == 2u);
  submitted[1]->in.reply->reply(200, {}, make_bytes("{}"));
  steps.run();
  BOOST_TEST(said("run.reply").empty());
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_successor_ends_what_its_predecessor_may_have_lost_here_and_there) {
  send_away();
  guest_comes();
  caf::anon_send_exit(guests, caf::exit_reason::kill);
  steps.run();
  begin();
  BOOST_TEST(ends.size() == 1u);
  BOOST_TEST(said("run.leave").size() == 1u);
  BOOST_TEST(left.size() == 1u);
  BOOST_TEST(said("run.lost").size() == 1u);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(who_waits_while_calls_are_free_here_waits_for_a_limit_and_stays) {
  free.by_provider["p"] = 1;
  caf::anon_send_exit(guests, caf::exit_reason::kill);
  steps.run();
  begin();
  peer_has_room();
  BOOST_TEST(ask().number == 0u);
}

BOOST_AUTO_TEST_CASE(peers_are_told_what_room_there_is_and_the_dispatcher_whether_they_have_some) {
  BOOST_TEST_REQUIRE(!said("run.room").empty());
  const auto told = words::room_in(said("run.room").back().head);
  BOOST_TEST_REQUIRE(told.has_value());
  BOOST_TEST(told->room.places == 7u);
  BOOST_TEST(told->room.slots.at("q") == 3u);
  peer_has_room();
  BOOST_TEST_REQUIRE(dispatcher_told.size() == 2u);
  BOOST_TEST(!dispatcher_told[0]);
  BOOST_TEST(dispatcher_told[1]);
  tell(node_drains{});
  BOOST_TEST(words::room_in(said("run.room").back().head)->room.draining);
  peer_is(false, 1);
  BOOST_TEST(!dispatcher_told.back());
}

BOOST_AUTO_TEST_CASE(words_that_are_none_are_counted_and_hurt_nobody) {
  const auto run = send_away();
  for (const auto* kind : {"run.begin", "run.room", "run.have", "run.reply", "run.events", "run.end", "run.error",
                           "run.lost", "run.leave", "run.credit", "run.whim"})
    for (const auto* head : {"", "[]", "{", R"({"run":-1})", R"({"run":"x","left_ms":1e99,"places":{}})"})
      peer_says(kind, head, "junk");
  peer_says("run.begin", R"({"run":4,"id":"a b","left_ms":99999999999,"level":"high"})");
  peer_says("run.begin", R"({"run":4,"id":"a\r\nset-cookie: b","left_ms":5,"level":"high"})");
  BOOST_TEST(store->not_understood > 40u);
  BOOST_TEST(submitted.empty());
  BOOST_TEST(ends.empty());
  BOOST_TEST(store->aways.count(run) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace guests_test
