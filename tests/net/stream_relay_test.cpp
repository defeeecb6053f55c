#include "net/stream_relay.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace mainstay;

namespace {

std::string role_chunk(const std::string& id = "s1") {
  return R"({"id":")" + id +
         R"(","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})";
}
std::string text_chunk(const std::string& text, const std::string& id = "s1") {
  return R"({"id":")" + id +
         R"(","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":")" + text +
         R"("},"finish_reason":null}]})";
}
std::string end_chunk(const std::string& id = "s1") {
  return R"({"id":")" + id + R"(","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
}
std::string usage_chunk() {
  return R"({"id":"s1","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})";
}
std::string sse(const std::vector<std::string>& events) {
  std::string out;
  for (auto& e : events) out += "data: " + e + "\n\n";
  return out;
}

/// A caller: what it was sent.
struct caller {
  stream_memory memory;
  std::vector<std::string> events;
  int heads = 0;
  stream_relay::sink sink() {
    return {[this] { ++heads; },
            [this](bytes_ptr json, bool mine) {
              if (mine) events.push_back(*json);
            }};
  }
  std::string text() const {
    std::string all;
    for (auto& e : events) all += read_chunk(e).text;
    return all;
  }
  int roles() const {
    int n = 0;
    for (auto& e : events) n += e.find("\"role\"") != std::string::npos;
    return n;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(the_stream_relay)

BOOST_AUTO_TEST_CASE(a_whole_stream_is_passed_on_byte_for_byte_without_the_usage_nobody_asked_for) {
  caller c;
  stream_relay relay(c.memory, {});
  auto to = c.sink();
  std::vector<std::string> events = {role_chunk(), text_chunk("Hello "), text_chunk("world"), end_chunk(),
                                     usage_chunk()};
  BOOST_TEST((relay.feed(make_bytes(sse(events) + "data: [DONE]\n\n"), to) == stream_relay::state::complete));
  events.pop_back();
  BOOST_TEST(c.events == events);
  BOOST_TEST(c.heads == 1);
  BOOST_REQUIRE(relay.usage());
  BOOST_TEST(relay.usage()->output == 2u);
}

BOOST_AUTO_TEST_CASE(who_asked_for_the_usage_gets_it) {
  caller c;
  stream_relay relay(c.memory, {.wants_usage = true});
  relay.feed(make_bytes(sse({role_chunk(), text_chunk("x"), end_chunk(), usage_chunk()})), c.sink());
  BOOST_REQUIRE(c.events.size() == 4u);
  BOOST_TEST(c.events.back() == usage_chunk());
}

BOOST_AUTO_TEST_CASE(nothing_reaches_the_caller_before_something_visible_came) {
  caller c;
  stream_relay relay(c.memory, {});
  relay.feed(make_bytes(": comment\n\n" +
                        sse({role_chunk(), R"({"error":{"message":"overloaded","type":"server_error","code":null}})"})),
             c.sink());
  BOOST_TEST((relay.current() == stream_relay::state::failed));
  BOOST_TEST(c.events.empty());
  BOOST_TEST(c.heads == 0);
  BOOST_TEST(!c.memory.begun);
}

BOOST_AUTO_TEST_CASE(a_junk_event_is_skipped) {
  caller c;
  stream_relay relay(c.memory, {});
  relay.feed(
      make_bytes(sse({role_chunk(), text_chunk("a "), "{not json", text_chunk("b"), end_chunk(), usage_chunk()})),
      c.sink());
  BOOST_TEST((relay.current() == stream_relay::state::complete));
  BOOST_TEST(c.text() == "a b");
  BOOST_TEST(relay.junk_events() == 1u);
}

BOOST_AUTO_TEST_CASE(a_stream_without_done_is_complete_with_its_usage) {
  caller c;
  stream_relay relay(c.memory, {});
  BOOST_TEST((relay.feed(make_bytes(sse({role_chunk(), text_chunk("a"), end_chunk(), usage_chunk()})), c.sink()) ==
              stream_relay::state::complete));
}

BOOST_AUTO_TEST_CASE(a_stream_that_ends_before_its_finish_reason_is_truncated) {
  caller c;
  stream_relay relay(c.memory, {});
  relay.feed(make_bytes(sse({role_chunk(), text_chunk("a")})), c.sink());
  BOOST_TEST((relay.finish(c.sink()) == stream_relay::state::failed));
  BOOST_TEST((relay.failed_with().what == failure_class::truncated));
}

BOOST_AUTO_TEST_CASE(a_stream_without_any_answer_is_malformed) {
  for (std::string body : {"", "<html></html>", "data: [DONE]\n\n"}) {
    caller c;
    stream_relay relay(c.memory, {});
    relay.feed(make_bytes(body), c.sink());
    relay.finish(c.sink());
    BOOST_TEST((relay.current() == stream_relay::state::failed));
    BOOST_TEST((relay.failed_with().what == failure_class::malformed));
  }
}

// Cut anywhere, at any byte, and begun again by attempts that cut their words elsewhere: the caller reads the whole
// text once, under one id, with one role.
BOOST_AUTO_TEST_CASE(a_cut_stream_is_made_whole_by_an_attempt_that_reproduces_it) {
  const std::string text = "amber anchor autumn basin beacon birch bridge canyon cedar";
  std::mt19937 random(7);
  auto stream_of = [&](const std::string& id) {
    std::vector<std::string> events = {role_chunk(id)};
    for (std::size_t at = 0; at < text.size();) {
      auto n = 1 + random() % 9;
      events.push_back(text_chunk(text.substr(at, n), id));
      at += n;
    }
    events.push_back(end_chunk(id));
    events.push_back(usage_chunk());
    return sse(events);
  };
  for (int round = 0; round < 500; ++round) {
    caller c;
    bool whole = false;
    for (int attempt = 0; attempt < 20 && !whole; ++attempt) {
      auto bytes = stream_of("s" + std::to_string(attempt));
      stream_relay relay(c.memory, {});
      auto cut = attempt == 19 ? bytes.size() : random() % (bytes.size() + 1);
      for (std::size_t at = 0; at < cut;) {
        auto n = std::min<std::size_t>(1 + random() % 300, cut - at);
        relay.feed(make_bytes(bytes.substr(at, n)), c.sink());
        at += n;
      }
      whole = relay.finish(c.sink()) == stream_relay::state::complete;
    }
    BOOST_REQUIRE(whole);
    BOOST_REQUIRE_EQUAL(c.text(), text);
    BOOST_REQUIRE_EQUAL(c.roles(), 1);
    auto id = read_chunk(c.events.front()).id;
    for (auto& e : c.events) BOOST_REQUIRE_EQUAL(read_chunk(e).id, id);
  }
}

BOOST_AUTO_TEST_CASE(several_choices_are_complete_when_the_last_of_them_ended) {
  auto piece = [](int index, const std::string& rest) {
    return R"({"id":"s1","choices":[{"index":)" + std::to_string(index) + "," + rest + "}]}";
  };
  caller c;
  stream_relay relay(c.memory, {.continuable = false, .choices = 2});
  relay.feed(
      make_bytes(sse({piece(0, R"("delta":{"content":"a"})"), piece(0, R"("delta":{},"finish_reason":"stop")")})),
      c.sink());
  BOOST_TEST((relay.current() == stream_relay::state::going));
  relay.feed(make_bytes(sse({piece(1, R"("delta":{"content":"b"})"), piece(1, R"("delta":{},"finish_reason":"stop")"),
                             usage_chunk()})),
             c.sink());
  BOOST_TEST((relay.current() == stream_relay::state::complete));

  caller cut;
  stream_relay half(cut.memory, {.continuable = false, .choices = 2});
  half.feed(make_bytes(sse({piece(0, R"("delta":{"content":"a"},"finish_reason":"stop")")})), cut.sink());
  BOOST_TEST((half.finish(cut.sink()) == stream_relay::state::failed));
}

BOOST_AUTO_TEST_CASE(another_answer_is_never_spliced_onto_what_was_sent) {
  caller c;
  {
    stream_relay first(c.memory, {});
    first.feed(make_bytes(sse({role_chunk(), text_chunk("The sky is ")})), c.sink());
  }
  stream_relay second(c.memory, {});
  second.feed(make_bytes(sse({role_chunk(), text_chunk("The sea is green"), end_chunk(), usage_chunk()})), c.sink());
  BOOST_TEST((second.current() == stream_relay::state::failed));
  BOOST_TEST(second.differs());
  BOOST_TEST(c.text() == "The sky is ");
}

BOOST_AUTO_TEST_CASE(a_stream_with_a_tool_call_under_way_is_not_continued) {
  caller c;
  stream_relay first(c.memory, {.continuable = false});
  first.feed(
      make_bytes(sse(
          {R"({"id":"s1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}}]})"})),
      c.sink());
  stream_relay second(c.memory, {.continuable = false});
  BOOST_TEST((second.current() == stream_relay::state::failed));
}

BOOST_AUTO_TEST_SUITE_END()
