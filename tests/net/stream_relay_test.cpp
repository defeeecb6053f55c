#include "net/stream_relay.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace stream_relay_test {

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

namespace {

/// A stream of `text` in pieces of a token, as far as it comes.
std::vector<std::string> pieces_of(const std::string& text, const std::string& id) {
  std::vector<std::string> out{role_chunk(id)};
  for (std::size_t at = 0; at < text.size();) {
    auto end = std::min(text.find(' ', at + 1), text.size());
    out.push_back(text_chunk(text.substr(at, end - at), id));
    at = end;
  }
  return out;
}

/// A caller who has the beginning already.
caller who_has(const std::string& beginning) {
  caller c;
  stream_relay first(c.memory, {});
  first.feed(make_bytes(sse(pieces_of(beginning, "s1"))), c.sink());
  c.memory.before = {7, c.memory.tokens(), 0, 0};
  return c;
}

const std::string beginning = "The light in the harbour was grey that morning and nobody had", rest = " slept at all.";

} // namespace

BOOST_AUTO_TEST_CASE(a_prefill_that_is_gone_on_with_completes_the_text_as_one_stream) {
  auto c = who_has(beginning);
  stream_relay second(c.memory, {.wants_usage = true, .prefilled = beginning.size()});
  auto events = pieces_of(rest, "other");
  events.push_back(end_chunk("other"));
  events.push_back(usage_chunk());
  BOOST_TEST((second.feed(make_bytes(sse(events)), c.sink()) == stream_relay::state::complete));
  BOOST_TEST(c.text() == beginning + rest);
  BOOST_TEST(c.roles() == 1);
  BOOST_TEST(c.heads == 2); // once per attempt that gave a part
  BOOST_TEST(read_chunk(c.events[c.events.size() - 2]).id == "s1");
  BOOST_TEST(!second.ignored_prefill());
  BOOST_REQUIRE(second.usage());
  BOOST_TEST(second.usage()->output == 2u); // its own
  auto told = read_chunk(c.events.back()).usage;
  BOOST_REQUIRE(told);
  BOOST_TEST(told->input == 10u); // 7 of the first, 3 of this one
  BOOST_TEST(told->output == 12u + 2u);
}

BOOST_AUTO_TEST_CASE(a_prefill_that_is_ignored_is_taken_for_a_reproduction) {
  auto c = who_has(beginning);
  stream_relay second(c.memory, {.prefilled = beginning.size()});
  auto events = pieces_of(beginning + rest, "other");
  events.push_back(end_chunk("other"));
  events.push_back(usage_chunk());
  BOOST_TEST((second.feed(make_bytes(sse(events)), c.sink()) == stream_relay::state::complete));
  BOOST_TEST(c.text() == beginning + rest);
  BOOST_TEST(second.ignored_prefill());
}

BOOST_AUTO_TEST_CASE(an_answer_that_begins_anew_and_then_goes_another_way_is_never_spliced) {
  auto c = who_has(beginning);
  stream_relay second(c.memory, {.prefilled = beginning.size()});
  auto other = beginning;
  other.replace(other.size() - 6, 6, "people");
  second.feed(make_bytes(sse(pieces_of(other + rest, "other"))), c.sink());
  BOOST_TEST(second.differs());
  BOOST_TEST(c.text() == beginning);
}

BOOST_AUTO_TEST_CASE(a_continuation_that_repeats_a_word_of_the_beginning_is_one_all_the_same) {
  auto c = who_has(beginning);
  stream_relay second(c.memory, {.prefilled = beginning.size()});
  second.feed(make_bytes(sse({role_chunk("x"), text_chunk("The light", "x"), text_chunk(" went out.", "x"),
                              end_chunk("x"), usage_chunk()})),
              c.sink());
  BOOST_TEST((second.current() == stream_relay::state::complete));
  BOOST_TEST(c.text() == beginning + "The light went out.");
}

BOOST_AUTO_TEST_CASE(blanks_that_were_left_out_of_the_prefill_are_not_doubled) {
  for (std::string said : {" slept", "slept"}) {
    auto c = who_has(beginning + " ");
    BOOST_REQUIRE(c.text() == beginning + " ");
    stream_relay second(c.memory, {.prefilled = beginning.size()});
    second.feed(make_bytes(sse({role_chunk("x"), text_chunk(said, "x"), end_chunk("x"), usage_chunk()})), c.sink());
    BOOST_TEST(c.text() == beginning + " slept");
  }
}

BOOST_AUTO_TEST_CASE(a_continuation_may_have_nothing_more_to_say) {
  auto c = who_has(beginning);
  stream_relay second(c.memory, {.prefilled = beginning.size()});
  second.feed(make_bytes(sse({role_chunk("x"), end_chunk("x"), usage_chunk()})), c.sink());
  BOOST_TEST((second.current() == stream_relay::state::complete));
  BOOST_TEST(c.text() == beginning);
}

BOOST_AUTO_TEST_CASE(tokens_are_counted_by_pieces_where_those_are_small_and_by_bytes_where_not) {
  BOOST_TEST(tokens_streamed(0, 0) == 0u);
  BOOST_TEST(tokens_streamed(280, 40) == 40u);
  BOOST_TEST(tokens_streamed(400, 1) == 101u);
}

// However often a stream breaks, and whether those who go on with it do so by prefill, ignore the prefill, or
// reproduce: the caller reads the text once, whole and in order, with one role, one id, and usage that never shrinks.
BOOST_AUTO_TEST_CASE(random_walks_over_cuts_and_manners_of_going_on_give_the_text_once) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    std::string text;
    for (int i = 0, n = 5 + static_cast<int>(random() % 60); i < n; ++i)
      text += (i ? " " : "") + std::string("w") + std::to_string(random() % 1000);
    caller c;
    bool whole = false;
    for (int attempt = 0; !whole; ++attempt) {
      BOOST_REQUIRE_MESSAGE(attempt < 200, "seed " << seed);
      auto sent = c.memory.text;
      auto blank = sent.find_last_not_of(' ');
      auto prefilled = blank == std::string::npos || random() % 3 == 0 ? 0 : blank + 1;
      bool ignores = prefilled && random() % 3 == 0;
      stream_relay relay(c.memory, {.prefilled = prefilled});
      auto id = "s" + std::to_string(attempt);
      auto events = pieces_of(text.substr(prefilled && !ignores ? prefilled : 0), id);
      events.push_back(end_chunk(id));
      events.push_back(usage_chunk());
      auto bytes = sse(events);
      auto cut = random() % 4 == 0 ? bytes.size() : random() % bytes.size();
      for (std::size_t at = 0; at < cut;) {
        auto n = std::min<std::size_t>(1 + random() % 400, cut - at);
        relay.feed(make_bytes(bytes.substr(at, n)), c.sink());
        at += n;
      }
      whole = relay.finish(c.sink()) == stream_relay::state::complete;
      BOOST_REQUIRE_MESSAGE(!relay.differs(), "seed " << seed << ": " << relay.failed_with().said.message);
      BOOST_REQUIRE_EQUAL(c.text(), text.substr(0, c.text().size()));
      auto before = c.memory.before.output;
      if (relay.contributed()) c.memory.before += {1, relay.tokens(), 0, 0};
      BOOST_REQUIRE(c.memory.before.output >= before);
    }
    BOOST_REQUIRE_EQUAL(c.text(), text);
    BOOST_REQUIRE_EQUAL(c.roles(), 1);
    for (auto& e : c.events) BOOST_REQUIRE_EQUAL(read_chunk(e).id, c.memory.id);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace stream_relay_test
