// The hand-over between answering threads and the loop.
#include "net/http_exchange.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

namespace http_exchange_test {

using namespace mainstay;
using namespace mainstay::http;

namespace {

struct fixture : exchange_owner {
  event_loop loop{"test"};
  std::shared_ptr<exchange> ex = std::make_shared<exchange>(loop, this, stream_framing::until_close, false);
  std::shared_ptr<response> handle = ex->handle();
  std::atomic<int> looks{0};

  fixture() { ex->collect(); } // the look that every exchange begins with
  ~fixture() {                 // as a connection does: close first, on the loop's thread
    loop.run([this] { ex->caller_left(); });
  }
  void answer_waits() override { ++looks; }
  /// How often the connection is told to look by what was posted since the last time.
  int turn() {
    static const event_loop::task nothing = [] {};
    loop.run(nothing); // behind what was posted
    return looks.exchange(0);
  }
};

std::string text(const answer_part& part) {
  std::string out;
  for (auto& p : part.pieces) out += p.lead + (p.body ? *p.body : "") + std::string(p.tail);
  return out;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(http_exchange, fixture)

BOOST_AUTO_TEST_CASE(a_hundred_events_before_the_loop_looks_wake_it_once) {
  handle->stream_head({});
  BOOST_TEST(turn() == 0); // a head alone can wait
  std::thread([&] {
    for (int i = 0; i < 100; ++i) handle->stream_event(make_bytes("1"));
  }).join();
  BOOST_TEST(turn() == 1);
  auto part = ex->collect();
  BOOST_TEST(part.stream_head.has_value());
  BOOST_TEST(part.pieces.size() == 100u);
  handle->stream_event(make_bytes("2"));
  BOOST_TEST(turn() == 1);
}

BOOST_AUTO_TEST_CASE(what_comes_after_the_end_is_ignored) {
  handle->stream_event(make_bytes("1"));
  handle->stream_end(nullptr, {});
  handle->stream_event(make_bytes("2"));
  handle->stream_error(500, make_bytes("3"), {});
  handle->reply(200, {}, make_bytes("4"));
  auto part = ex->collect();
  BOOST_TEST(text(part) == "data: 1\n\ndata: [DONE]\n\n");
  BOOST_TEST(part.ended);
  BOOST_TEST(!part.whole);
}

BOOST_AUTO_TEST_CASE(a_stream_of_another_dialect_has_typed_events_and_ends_without_done) {
  handle->stream_typed_event("a", make_bytes("1"));
  handle->stream_filler("-");
  handle->stream_close();
  handle->stream_typed_event("b", make_bytes("2"));
  auto part = ex->collect();
  BOOST_TEST(text(part) == "event: a\ndata: 1\n\n: -\n\n");
  BOOST_TEST(part.ended);
  wire_queue queue;
  queue.push(std::move(part.pieces));
  BOOST_TEST(queue.event_bytes() == 2u); // a filler counts, other comments do not
}

BOOST_AUTO_TEST_CASE(an_error_before_the_head_keeps_its_status) {
  handle->stream_error(429, make_bytes("e"), {{"retry-after", "1"}});
  auto part = ex->collect();
  BOOST_REQUIRE(part.whole);
  BOOST_TEST(part.whole->status == 429);
  BOOST_TEST(part.whole->headers.size() == 1u);
  BOOST_TEST(part.pieces.empty());
}

BOOST_AUTO_TEST_CASE(a_dropped_handle_ends_the_answer_once) {
  auto second = handle;
  handle.reset();
  BOOST_TEST(!ex->collect().ended);
  second.reset();
  auto part = ex->collect();
  BOOST_REQUIRE(part.whole);
  BOOST_TEST(part.whole->status == 500);
  BOOST_TEST(part.ended);
}

BOOST_AUTO_TEST_CASE(leaving_is_told_once_and_late_askers_are_told_at_once) {
  int told = 0;
  handle->on_caller_left([&] { told += 10; });
  handle->on_caller_left([&] { ++told; }); // replaces
  ex->caller_left();
  ex->caller_left();
  handle->on_caller_left([&] { ++told; });
  BOOST_TEST(told == 1);

  auto other = std::make_shared<exchange>(loop, this, stream_framing::chunked, false);
  auto late = other->handle();
  other->caller_left();
  late->on_caller_left(nullptr);
  late->on_caller_left([&] { ++told; });
  late->on_caller_left([&] { ++told; });
  BOOST_TEST(told == 2);
}

BOOST_AUTO_TEST_CASE(a_complete_answer_has_no_leaver_and_lets_go_of_callbacks) {
  auto token = std::make_shared<int>(0);
  handle->on_caller_left([token] { ++*token; });
  handle->observe_progress(1, [token](std::size_t) {});
  BOOST_TEST(token.use_count() == 3);
  ex->complete();
  BOOST_TEST(token.use_count() == 1);
  handle->on_caller_left([token] { ++*token; });
  handle->observe_progress(1, [token](std::size_t) {});
  BOOST_TEST(token.use_count() == 1);
  BOOST_TEST(*token == 0);
}

BOOST_AUTO_TEST_CASE(after_the_caller_left_nothing_is_kept_or_posted) {
  ex->caller_left();
  auto body = make_bytes("x");
  handle->stream_event(body);
  handle->reply(200, {}, body);
  handle.reset();
  BOOST_TEST(body.use_count() == 1);
  BOOST_TEST(turn() == 0);
}

// A callback may use the response it belongs to: no lock is held while it runs.
BOOST_AUTO_TEST_CASE(a_leaver_may_call_back_into_the_response) {
  handle->on_caller_left([&] {
    handle->stream_event(make_bytes("x"));
    handle->on_caller_left(nullptr);
    handle->observe_progress(1, nullptr);
  });
  ex->caller_left();
  BOOST_TEST(turn() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace http_exchange_test
