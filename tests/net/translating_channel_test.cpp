// A teller before an HTTP response: shapes, statuses, ends, progress; and the whole way from a provider's bytes.
#include "net/http_exchange.hpp"
#include "net/stream_relay.hpp"
#include "net/translating_channel.hpp"
#include "tests/net/telling.hpp"

namespace translating_channel_test {

using namespace mainstay;
using namespace mainstay::http;

namespace {

struct fixture : exchange_owner {
  event_loop loop{"test"};
  std::shared_ptr<exchange> ex = std::make_shared<exchange>(loop, this, stream_framing::until_close, false);
  std::shared_ptr<translating_channel> channel;

  fixture() {
    ex->collect();
    use(read_messages(make_bytes(R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]})")));
  }
  ~fixture() {
    loop.run([this] { ex->caller_left(); });
  }
  void use(caller_request_or r) {
    channel = std::make_shared<translating_channel>(ex->handle(), std::move(std::get<caller_request>(r).teller));
  }
  void answer_waits() override {}
};

std::string text(const answer_part& part) {
  std::string out;
  for (auto& p : part.pieces) out += p.lead + (p.body ? *p.body : "") + std::string(p.tail);
  return out;
}

bytes_ptr word(const std::string& w) { return make_bytes(chunk_of("\"content\":\"" + w + "\"")); }
const std::string failure_json = R"({"error":{"message":"gone","type":"upstream_error","param":null,"code":"reset"}})";

} // namespace

BOOST_FIXTURE_TEST_SUITE(translating, fixture)

BOOST_AUTO_TEST_CASE(a_whole_answer_is_told_with_its_headers_and_the_dialects_name_for_the_id) {
  channel->reply(200, {{"x-request-id", "req_1"}}, make_bytes(completion_of(R"("content":"a")")));
  const auto part = ex->collect();
  BOOST_TEST_REQUIRE(part.whole.has_value());
  BOOST_TEST(part.whole->status == 200);
  BOOST_TEST(part.whole->body->starts_with(R"({"id":"msg_7","type":"message")"));
  BOOST_TEST(*find_header(part.whole->headers, "request-id") == "req_1");
}

BOOST_AUTO_TEST_CASE(an_error_keeps_its_status_before_the_stream_and_is_an_event_in_it) {
  channel->stream_error(503, make_bytes(failure_json), {{"retry-after", "1"}});
  auto part = ex->collect();
  BOOST_TEST_REQUIRE(part.whole.has_value());
  BOOST_TEST(part.whole->status == 503);
  BOOST_TEST(*part.whole->body == R"({"type":"error","error":{"type":"overloaded_error","message":"gone"}})");
  BOOST_TEST(find_header(part.whole->headers, "retry-after"));
}

BOOST_AUTO_TEST_CASE(a_stream_has_typed_events_comments_and_no_done) {
  channel->stream_head({});
  channel->stream_event(word("a"));
  channel->stream_comment("mainstay continued on b/m");
  channel->stream_end(make_bytes(R"({"prompt_tokens":1,"completion_tokens":1})"), {});
  const auto part = ex->collect();
  const auto all = text(part);
  BOOST_TEST(part.ended);
  BOOST_TEST(all.starts_with("event: message_start\ndata: {"));
  BOOST_TEST(all.find("}\n\n: mainstay continued on b/m\n\nevent: content_block_stop\n") != std::string::npos);
  BOOST_TEST(all.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
}

BOOST_AUTO_TEST_CASE(an_error_in_a_stream_ends_it_in_the_dialects_shape) {
  channel->stream_event(word("a"));
  channel->stream_error(502, make_bytes(failure_json), {});
  channel->stream_event(word("b"));
  const auto part = ex->collect();
  BOOST_TEST(part.ended);
  BOOST_TEST(text(part).ends_with(
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"gone\"}}\n\n"));
}

BOOST_AUTO_TEST_CASE(what_is_given_up_ends_in_the_dialects_shape) {
  channel.reset();
  const auto part = ex->collect();
  BOOST_TEST_REQUIRE(part.whole.has_value());
  BOOST_TEST(part.whole->status == 500);
  BOOST_TEST(part.whole->body->starts_with(R"({"type":"error","error":{"type":"api_error")"));
}

BOOST_AUTO_TEST_CASE(completions_have_untyped_events_and_done) {
  channel.reset();
  ex->collect();
  ex = std::make_shared<exchange>(loop, this, stream_framing::until_close, false);
  ex->collect();
  use(read_completions(make_bytes(R"({"model":"m","prompt":"x"})")));
  channel->stream_event(word("a"));
  channel->stream_end(make_bytes("null"), {});
  const auto all = text(ex->collect());
  BOOST_TEST(all.starts_with(R"(data: {"id":"cmpl-7")"));
  BOOST_TEST(all.ends_with("}\n\ndata: [DONE]\n\n"));
}

BOOST_AUTO_TEST_CASE(progress_is_told_in_the_bytes_that_were_given) {
  std::size_t told = 0;
  channel->observe_progress(1, [&](std::size_t n) { told += n; });
  std::size_t given = 0;
  for (int i = 0; i < 21; ++i) { // the last one is a word
    auto chunk = i % 3 == 1 ? make_bytes(chunk_of("")) : word("w" + std::to_string(i));
    given += chunk->size();
    channel->stream_event(std::move(chunk));
  }
  auto part = ex->collect();
  wire_queue queue;
  queue.push(std::move(part.pieces));
  const auto observer = ex->observer();
  while (!queue.empty()) {
    if (const auto left = queue.consume(1)) observer->written(left);
    BOOST_TEST(told <= given);
  }
  BOOST_TEST(told == given);
}

BOOST_AUTO_TEST_CASE(a_provider_that_thinks_long_without_a_word_for_the_dialect_is_not_held_up) {
  std::size_t told = 0, given = 0;
  channel->observe_progress(1, [&](std::size_t n) { told += n; });
  channel->stream_event(word("a"));
  for (int i = 0; i < 1000; ++i) {
    auto silent = make_bytes(chunk_of(R"("audio":"....")"));
    given += silent->size();
    channel->stream_event(std::move(silent));
  }
  auto part = ex->collect();
  wire_queue queue;
  queue.push(std::move(part.pieces));
  const auto observer = ex->observer();
  while (!queue.empty())
    if (const auto left = queue.consume(1)) observer->written(left);
  BOOST_TEST(told > given - (20u << 10));
}

BOOST_AUTO_TEST_CASE(a_stream_cut_at_every_byte_gives_the_same_events) {
  std::string bytes;
  for (
      const auto& c :
      {chunk_of(R"("role":"assistant","reasoning_content":"考え")"), chunk_of(R"("content":"日本語 😀")"),
       chunk_of(R"("content":"\ud83d\ude00 \u65e5é")"),
       chunk_of(
           R"("tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"城\":\"🏯\"}"}}])"),
       chunk_of("", R"("tool_calls")")})
    bytes += "data: " + c + "\n\n";
  bytes += "data: [DONE]\n\n";
  const auto told_by = [&](caller_request_or r, std::size_t cut) {
    auto& teller = *std::get<caller_request>(r).teller;
    stream_memory memory;
    stream_relay relay(memory, {});
    told out;
    const stream_relay::sink sink{[] {}, [&](bytes_ptr json, bool) { add_told(out, teller.chunk(*json)); }};
    relay.feed(make_bytes(bytes.substr(0, cut)), sink);
    if (relay.current() == stream_relay::state::going) relay.feed(make_bytes(bytes.substr(cut)), sink);
    relay.finish(sink);
    BOOST_TEST((relay.current() == stream_relay::state::complete));
    add_told(out, teller.end("null"));
    return out;
  };
  const auto messages = [] { return read_messages(make_bytes(R"({"model":"m","max_tokens":1,"messages":[]})")); };
  const auto responses = [] { return read_responses(make_bytes(R"({"model":"m","input":"x"})")); };
  const auto completions = [] { return read_completions(make_bytes(R"({"model":"m","prompt":"x"})")); };
  const auto check = [&](auto read) {
    const auto expected = told_by(read(), bytes.size());
    BOOST_TEST(expected.size() > 4u);
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) BOOST_TEST((told_by(read(), cut) == expected));
  };
  check(messages);
  check(responses);
  check(completions);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace translating_channel_test
