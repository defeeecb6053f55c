// The way back of a durable request: to its caller until the journal has it, to the journal from then on, once.
#include "actors/journal_channel.hpp"
#include "actors/turn.hpp"

#include <boost/test/unit_test.hpp>

#include <future>

namespace journal_channel_test {

using namespace mainstay;

namespace {

/// What a caller hears, one line each.
struct heard final : mq::response {
  std::vector<std::string> lines;
  void add(std::string what, const bytes_ptr& body) { lines.push_back(what + " " + (body ? *body : "")); }

  void accepted(header_list, bytes_ptr body) override { add("accepted", body); }
  void reply(int status, header_list, bytes_ptr body) override { add(std::to_string(status), body); }
  void stream_head(header_list) override { lines.emplace_back("head"); }
  void stream_event(bytes_ptr json) override { add("event", json); }
  void stream_comment(std::string) override {}
  void stream_end(bytes_ptr usage, header_list) override { add("end", usage); }
  void stream_error(int status, bytes_ptr, header_list) override {
    lines.push_back("broken " + std::to_string(status));
  }
  void observe_progress(std::size_t, std::function<void(std::size_t)>) override {}
  void on_caller_left(std::function<void()>) override {}
  void on_cancel(std::function<void()>) override {}
};

struct fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor journal{system}; // what is posted to the journal comes here
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> turns = std::make_unique<turn>(system, loop);
  caf::strong_actor_ptr front = stable_front::make(system, *turns);
  std::shared_ptr<heard> way = std::make_shared<heard>();
  std::shared_ptr<live_caller> caller = std::make_shared<live_caller>(way, instant::max());

  fixture() { stable_front::point_to(front, caf::actor_cast<caf::strong_actor_ptr>(caf::actor(journal.ptr()))); }
  ~fixture() {
    stable_front::close(front);
    front = nullptr;
    turns.reset();
  }

  journal_actor name() const { return caf::actor_cast<journal_actor>(front); }
  std::shared_ptr<journal_channel> channel() { return std::make_shared<journal_channel>(name(), caller, 7); }
  journal_done posted() {
    journal_done got;
    journal->receive([&](const letter<journal_done>& mail) {
      got = mail.content();
      mail.opened();
    });
    return got;
  }
  bool nothing_posted() { return journal->mailbox().empty(); }
};

const std::string chunk =
    R"({"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]})";

} // namespace

BOOST_FIXTURE_TEST_SUITE(journal_channels, fixture)

BOOST_AUTO_TEST_CASE(until_the_journal_has_it_an_answer_is_its_callers) {
  auto c = channel();
  c->reply(400, {}, make_bytes("wrong"));
  BOOST_TEST(way->lines == (std::vector<std::string>{"400 wrong"}));
  BOOST_TEST(!c->keep_as(3)); // too late: its caller was told that nothing was accepted
  c.reset();
  BOOST_TEST(nothing_posted());
}

BOOST_AUTO_TEST_CASE(from_then_on_it_is_the_journals_and_told_once) {
  auto c = channel();
  BOOST_TEST(c->keep_as(3));
  BOOST_TEST(c->kept());
  c->reply(200, {}, make_bytes("answer"));
  c->reply(500, {}, make_bytes("too late"));
  const auto done = posted();
  BOOST_TEST(done.number == 3);
  BOOST_TEST(done.run == 7u);
  BOOST_TEST(*done.answer->body == "answer");
  c.reset();
  BOOST_TEST(nothing_posted());
  BOOST_TEST(way->lines.empty());
}

BOOST_AUTO_TEST_CASE(what_is_called_off_first_is_not_kept_and_what_is_kept_first_is_not_called_off) {
  auto c = channel();
  BOOST_TEST(c->call_off());
  BOOST_TEST(c->over());
  BOOST_TEST(!c->call_off());
  BOOST_TEST(!c->keep_as(3));
  c->reply(503, {}, make_bytes("its run ends")); // who called it off hears from the journal
  BOOST_TEST(way->lines.empty());
  auto d = channel();
  BOOST_TEST(d->keep_as(4));
  BOOST_TEST(!d->call_off());
  BOOST_TEST(!d->over());
  d.reset();
  BOOST_TEST(!posted().answer);
}

BOOST_AUTO_TEST_CASE(a_run_that_ends_without_a_word_is_told_too_unless_it_was_handed_over) {
  auto c = channel();
  c->keep_as(3);
  c.reset();
  BOOST_TEST(!posted().answer);
  auto d = channel();
  d->keep_as(4);
  d->hand_over();
  d.reset();
  BOOST_TEST(nothing_posted());
}

BOOST_AUTO_TEST_CASE(a_stream_goes_to_its_caller_at_once_and_its_end_when_it_is_stored) {
  auto c = channel();
  c->keep_as(3);
  std::size_t read = 0;
  c->observe_progress(1000, [&](std::size_t bytes) { read += bytes; });
  c->stream_head({{"x", "y"}});
  c->stream_event(make_bytes(chunk));
  BOOST_TEST(read == chunk.size()); // the run does not wait for its caller
  c->stream_end(make_bytes("null"), {});
  BOOST_TEST(way->lines == (std::vector<std::string>{"head", "event " + chunk}));
  const auto done = posted();
  BOOST_TEST_REQUIRE(!!done.answer);
  BOOST_TEST(read_completion(*done.answer->body).valid);
  caller->settle(*done.answer);
  caller->settle(*done.answer);
  BOOST_TEST(way->lines.size() == 3u);
  BOOST_TEST(way->lines.back() == "end null");
}

BOOST_AUTO_TEST_CASE(a_broken_stream_ends_for_its_caller_and_one_that_never_began_does_not) {
  auto c = channel();
  c->keep_as(3);
  c->stream_error(502, make_bytes("{}"), {});
  BOOST_TEST(way->lines.empty()); // another run may answer
  BOOST_TEST(posted().answer->status == 502);
  auto d = channel();
  d->keep_as(4);
  d->stream_head({});
  d->stream_event(make_bytes(chunk));
  d->stream_error(502, make_bytes("{}"), {});
  BOOST_TEST(way->lines.back() == "broken 502");
  BOOST_TEST(caller->gone());
  posted();
}

BOOST_AUTO_TEST_CASE(a_whole_answer_is_told_as_a_stream_to_who_asked_for_one) {
  completion_assembler all;
  all.add(make_bytes(chunk));
  caller->takes_stream(false);
  caller->accepted("req");
  caller->accepted("req");
  caller->settle({200, {}, all.result()});
  BOOST_TEST_REQUIRE(way->lines.size() >= 4u);
  BOOST_TEST(way->lines[0] == R"(accepted {"state":"pending"})");
  BOOST_TEST(way->lines[1] == "head");
  BOOST_TEST(way->lines.back().starts_with("end"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace journal_channel_test
