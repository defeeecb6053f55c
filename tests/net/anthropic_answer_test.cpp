// Anthropic's answers, whole and streamed, as chat completions: the same pieces either way, wherever the bytes are cut.
#include "net/chat_answer.hpp"
#include "net/dialects/provider_dialect.hpp"
#include "net/json_tree.hpp"
#include "net/sse.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace anthropic_answer_test {

using namespace mainstay;

namespace {

const answer_label label{"chatcmpl-7", "claude-sonnet-4-5", 1700000000};

struct event {
  std::string type, data;
};
using events = std::vector<event>;

event start(
    const std::string& usage =
        R"({"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":4,"output_tokens":1})") {
  return {
      "message_start",
      R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[],"stop_reason":null,"stop_sequence":null,"usage":)" +
          usage + "}}"};
}
event block(const std::string& content, int index = 0) {
  return {"content_block_start",
          R"({"type":"content_block_start","index":)" + std::to_string(index) + R"(,"content_block":)" + content + "}"};
}
event piece(const std::string& delta, int index = 0) {
  return {"content_block_delta",
          R"({"type":"content_block_delta","index":)" + std::to_string(index) + R"(,"delta":)" + delta + " }"};
}
event text(const std::string& json) { return piece(R"({"type":"text_delta","text":")" + json + "\"}"); }
event stop(int index = 0) {
  return {"content_block_stop", R"({"type":"content_block_stop","index":)" + std::to_string(index) + "}"};
}
event ending(const std::string& reason, const std::string& sequence = "null", const std::string& more = "") {
  return {"message_delta", R"({"type":"message_delta","delta":{"stop_reason":")" + reason + R"(","stop_sequence":)" +
                               sequence + R"(},"usage":{"output_tokens":15)" + more + "}}"};
}
const event ping{"ping", R"({"type": "ping"})"}, over{"message_stop", R"({"type":"message_stop"})"};
const std::string text_block = R"({"type":"text","text":""})";

events answer(events said, const event& last = ending("end_turn")) {
  events all{start()};
  all.insert(all.end(), said.begin(), said.end());
  all.push_back(last);
  all.push_back(over);
  return all;
}

std::vector<std::string> told(const events& all, bool native = false, bool ended = true) {
  std::vector<std::string> out;
  auto translator = anthropic_stream(label, native);
  const auto to = [&](std::string_view data) { out.emplace_back(data); };
  for (auto& e : all) translator->event(e.type, e.data, to);
  if (ended) translator->end(to);
  return out;
}

void check(const std::vector<std::string>& got, const std::vector<std::string>& wanted) {
  BOOST_CHECK_EQUAL_COLLECTIONS(got.begin(), got.end(), wanted.begin(), wanted.end());
}

const std::string head =
    R"({"id":"msg_1","object":"chat.completion.chunk","created":1700000000,"model":"claude-sonnet-4-5-20250929","choices":[)";
std::string chunk(const std::string& delta, const std::string& why = "null", const std::string& more = "") {
  return head + R"({"index":0,"delta":{)" + delta + R"(},"finish_reason":)" + why + more + "}]}";
}
const std::string opening = chunk(R"("role":"assistant","content":"")");
const std::string usage =
    R"({"prompt_tokens":17,"completion_tokens":15,"total_tokens":32,"prompt_tokens_details":{"cached_tokens":4,"cache_creation_tokens":3}})";
std::string usage_chunk(const std::string& u = usage) { return head + R"(],"usage":)" + u + "}"; }
std::string content(const std::string& json) { return chunk(R"("content":")" + json + "\""); }

std::string message(const std::string& content_list,
                    const std::string& stop_members = R"("stop_reason":"end_turn","stop_sequence":null)") {
  return R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[)" +
         content_list + "]," + stop_members +
         R"(,"usage":{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":4,"output_tokens":15,"service_tier":"standard"}})";
}
std::string whole(const std::string& body, bool native = false) {
  auto bytes = anthropic_completion(body, label, native);
  return bytes ? *bytes : "";
}
std::string completion(const std::string& message_members, const std::string& why, const std::string& more = "") {
  return R"({"id":"msg_1","object":"chat.completion","created":1700000000,"model":"claude-sonnet-4-5-20250929","choices":[{"index":0,"message":{"role":"assistant",)" +
         message_members + R"(},"logprobs":null,"finish_reason":")" + why + "\"" + more + R"(}],"usage":)" + usage +
         "}";
}

const std::string tool = R"({"type":"tool_use","id":"toolu_1","name":"weather","input":{}})";
event arguments(const std::string& json, int index) {
  return piece(R"({"type":"input_json_delta","partial_json":")" + json + "\"}", index);
}

/// Everything that can be in an answer.
const events rich =
    answer({block(R"({"type":"thinking","thinking":"","signature":""})"), ping,
            piece(R"({"type":"thinking_delta","thinking":"Hm, \"京\""})"),
            piece(R"({"type":"thinking_delta","thinking":" \ud83e\udd14"})"),
            piece(R"({"type":"signature_delta","signature":"c2ln"})"), stop(),
            block(R"({"type":"redacted_thinking","data":"eA=="})", 1), stop(1), block(text_block, 2),
            piece(R"({"type":"text_delta","text":"Let me 見て 😀\n"})", 2), stop(2), block(tool, 3), arguments("", 3),
            arguments(R"({\"city\":)", 3), arguments(R"( \"京都 😀\"})", 3), stop(3),
            block(R"({"type":"tool_use","id":"toolu_2","name":"time","input":{}})", 4), arguments("", 4), stop(4)},
           ending("tool_use", "null", R"(,"output_tokens_details":{"thinking_tokens":6})"));

} // namespace

BOOST_AUTO_TEST_SUITE(net_dialects_anthropic_answer)

BOOST_AUTO_TEST_CASE(a_text_is_told_piece_by_piece_and_then_why_it_ended_and_what_it_took) {
  check(told(answer({block(text_block), ping, text("Hello"), text(" \\\"京\\u00e9\\\" 😀"), stop()})),
        {opening, content("Hello"), content(" \\\"京\\u00e9\\\" 😀"), chunk("", "\"stop\""), usage_chunk(), "[DONE]"});
}

BOOST_AUTO_TEST_CASE(every_reason_to_stop_has_its_name) {
  const auto why = [](const std::string& reason, const std::string& sequence = "null") {
    return told(answer({}, ending(reason, sequence))).at(1);
  };
  BOOST_TEST(why("end_turn") == chunk("", "\"stop\""));
  BOOST_TEST(why("max_tokens") == chunk("", "\"length\""));
  BOOST_TEST(why("model_context_window_exceeded") == chunk("", "\"length\""));
  BOOST_TEST(why("tool_use") == chunk("", "\"tool_calls\""));
  BOOST_TEST(why("refusal") == chunk("", "\"content_filter\""));
  BOOST_TEST(why("pause_turn") == chunk("", "\"stop\""));
  BOOST_TEST(why("of_the_future") == chunk("", "\"stop\""));
  BOOST_TEST(why("stop_sequence", R"("\n京")") == chunk("", "\"stop\"", R"(,"stop_reason":"\n京")"));
}

BOOST_AUTO_TEST_CASE(calls_keep_their_ids_and_get_their_indexes_and_their_arguments_come_as_they_come) {
  const auto call = [](const std::string& members) { return chunk(R"("tool_calls":[{)" + members + "}]"); };
  const std::string thoughts =
      R"("thinking_blocks":[{"type":"thinking","thinking":"Hm, \"京\" \ud83e\udd14","signature":"c2ln"}])";
  check(
      told(rich),
      {opening, chunk(R"("reasoning_content":"Hm, \"京\"")"), chunk(R"("reasoning_content":" \ud83e\udd14")"),
       chunk(thoughts), chunk(R"("thinking_blocks":[{"type":"redacted_thinking","data":"eA=="}])"),
       content(R"(Let me 見て 😀\n)"),
       call(R"("index":0,"id":"toolu_1","type":"function","function":{"name":"weather","arguments":""})"),
       call(R"("index":0,"function":{"arguments":"{\"city\":"})"),
       call(R"("index":0,"function":{"arguments":" \"京都 😀\"}"})"),
       call(R"("index":1,"id":"toolu_2","type":"function","function":{"name":"time","arguments":""})"),
       call(R"("index":1,"function":{"arguments":"{}"})"), chunk("", "\"tool_calls\""),
       usage_chunk(
           R"({"prompt_tokens":17,"completion_tokens":15,"total_tokens":32,"prompt_tokens_details":{"cached_tokens":4,"cache_creation_tokens":3},"completion_tokens_details":{"reasoning_tokens":6}})"),
       "[DONE]"});
}

BOOST_AUTO_TEST_CASE(a_stream_put_together_is_the_whole_answer) {
  completion_assembler together;
  for (auto& c : told(rich))
    if (c != "[DONE]") together.add(make_bytes(c));
  auto streamed = together.result();
  BOOST_REQUIRE(streamed);
  auto at_once = whole(message(
      R"({"type":"thinking","thinking":"Hm, \"京\" 🤔","signature":"c2ln"},{"type":"redacted_thinking","data":"eA=="},{"type":"text","text":"Let me 見て 😀\n"},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city": "京都 😀"}},{"type":"tool_use","id":"toolu_2","name":"time","input":{}})",
      R"("stop_reason":"tool_use")"));
  auto one = json::parse(*streamed), other = json::parse(at_once);
  BOOST_REQUIRE((one && other));
  const auto said = [](const json::value& v, std::string_view member) {
    auto& m = *v.find("choices")->items.at(0).find("message");
    return m.find(member) ? json::to_text(*m.find(member)) : "";
  };
  for (auto member : {"role", "content", "reasoning_content", "thinking_blocks"})
    BOOST_TEST(said(*one, member) == said(*other, member), member);
  for (auto v : {&*one, &*other}) {
    auto& calls = v->find("choices")->items.at(0).find("message")->find("tool_calls")->items;
    BOOST_REQUIRE(calls.size() == 2u);
    BOOST_TEST(calls[1].find("id")->text == "toolu_2");
    BOOST_TEST(json::to_text(*json::parse(calls[0].find("function")->find("arguments")->text)) ==
               R"({"city":"京都 😀"})");
    BOOST_TEST(calls[1].find("function")->find("arguments")->text == "{}");
    BOOST_TEST(v->find("choices")->items.at(0).find("finish_reason")->text == "tool_calls");
  }
}

BOOST_AUTO_TEST_CASE(wherever_the_bytes_are_cut_the_chunks_are_the_same) {
  std::string stream;
  for (auto& e : rich) stream += "event: " + e.type + "\r\ndata: " + e.data + "\r\n\r\n";
  for (bool native : {false, true}) {
    const auto wanted = told(rich, native);
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      std::vector<std::string> got;
      auto translator = anthropic_stream(label, native);
      const auto to = [&](std::string_view data) { got.emplace_back(data); };
      const auto hear = [&](std::string_view type, std::string_view data) { translator->event(type, data, to); };
      sse_parser parser;
      const std::string one = stream.substr(0, cut), other = stream.substr(cut); // views end where pieces do
      BOOST_REQUIRE((parser.feed(one, hear) && parser.feed(other, hear)));
      parser.finish(hear);
      translator->end(to);
      BOOST_REQUIRE_MESSAGE(got == wanted, "cut at byte " << cut);
    }
    std::vector<std::string> got;
    auto translator = anthropic_stream(label, native);
    const auto to = [&](std::string_view data) { got.emplace_back(data); };
    sse_parser parser;
    for (char c : stream)
      parser.feed(std::string(1, c),
                  [&](std::string_view type, std::string_view data) { translator->event(type, data, to); });
    check(got, wanted);
  }
}

BOOST_AUTO_TEST_CASE(natively_each_chunk_brings_its_event_untouched_and_all_of_them_are_the_stream) {
  auto all = rich;
  all.insert(all.begin() + 3, {"of_the_future", "{\"type\": \"of_the_future\",\n \"x\": [1.50]}"});
  std::size_t at = 0;
  for (auto& c : told(all, true)) {
    if (c == "[DONE]") continue;
    auto facts = read_chunk(c);
    BOOST_TEST(facts.valid, c);
    const auto begin = c.find(R"(,"native":{"type":")");
    BOOST_REQUIRE(begin != std::string::npos);
    auto data = c.substr(c.find(R"(","data":)", begin) + 9);
    data.resize(data.size() - 2);
    BOOST_REQUIRE(at < all.size());
    BOOST_TEST(c.substr(begin + 19, all[at].type.size()) == all[at].type);
    std::string as_line = all[at].data;
    std::replace(as_line.begin(), as_line.end(), '\n', ' ');
    BOOST_TEST(data == as_line);
    BOOST_TEST(facts.no_choices ==
               (all[at].type == "message_stop")); // the usage comes last: nothing is waited for then
    ++at;
  }
  BOOST_TEST(at == all.size());
  auto plain = told(rich), native = told(rich, true);
  std::string told_plainly, told_natively;
  for (auto& c : plain) told_plainly += read_chunk(c).text;
  for (auto& c : native) told_natively += read_chunk(c).text;
  BOOST_TEST(told_plainly == told_natively);
}

BOOST_AUTO_TEST_CASE(an_error_in_the_stream_is_what_anthropic_said) {
  const event error{"error",
                    R"({"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"} })"};
  for (bool native : {false, true}) {
    auto got = told({start(), block(text_block), text("Hel"), error}, native).back();
    BOOST_TEST(got == R"({"error":{"details":null,"type":"overloaded_error","message":"Overloaded"}})");
    auto facts = read_chunk(got);
    BOOST_REQUIRE(facts.error.has_value());
    BOOST_TEST((classify(*facts.error) == failure_class::overloaded));
  }
  BOOST_TEST(read_chunk(told({{"error", R"({"type":"error"})"}}).at(0)).error.has_value());
}

BOOST_AUTO_TEST_CASE(a_stream_that_breaks_off_is_never_called_done) {
  check(told({start(), block(text_block), text("Hel")}), {opening, content("Hel")});
  // All was said, and only the last event is missing.
  check(told({start(), block(text_block), text("Hel"), stop(), ending("end_turn")}),
        {opening, content("Hel"), chunk("", "\"stop\""), usage_chunk()});
  check(
      told({start(), over}),
      {opening,
       usage_chunk(
           R"({"prompt_tokens":17,"completion_tokens":1,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":4,"cache_creation_tokens":3}})"),
       "[DONE]"});
}

BOOST_AUTO_TEST_CASE(what_is_no_event_goes_on_as_it_is_and_what_is_unknown_is_skipped) {
  check(told({{"", "junk"}, {"", R"({"choices":[]})"}, {"", "[DONE]"}}), {"junk", R"({"choices":[]})", "[DONE]"});
  check(told({start(),
              {"x", R"({"type":"x","delta":{"text":"no"}})"},
              block(R"({"type":"server_tool_use","id":"s","name":"web_search","input":{}})"),
              arguments(R"({\"q\":1})", 0),
              stop(),
              piece(R"({"type":"citations_delta","citation":{"type":"char_location","cited_text":"no"}})")}),
        {opening});
}

BOOST_AUTO_TEST_CASE(usage_counts_what_the_last_event_says_and_keeps_what_it_does_not) {
  const auto last = [](const events& all) { return told(all).at(2); };
  BOOST_TEST(
      last(answer({}, ending("end_turn", "null", R"(,"input_tokens":20,"cache_read_input_tokens":null)"))) ==
      usage_chunk(
          R"({"prompt_tokens":27,"completion_tokens":15,"total_tokens":42,"prompt_tokens_details":{"cached_tokens":4,"cache_creation_tokens":3}})"));
  BOOST_TEST(last({start(R"({"input_tokens":10,"output_tokens":1})"), ending("end_turn"), over}) ==
             usage_chunk(R"({"prompt_tokens":10,"completion_tokens":15,"total_tokens":25})"));
}

BOOST_AUTO_TEST_CASE(without_a_beginning_the_answer_is_named_by_us) {
  BOOST_TEST(
      told({text("x")}).at(0) ==
      R"({"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"claude-sonnet-4-5","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]})");
}

BOOST_AUTO_TEST_CASE(whole_answers_have_texts_calls_and_thoughts) {
  BOOST_TEST(whole(message(R"({"type":"text","text":"京 \"x\""},{"type":"text","text":" and more"})")) ==
             completion(R"("content":"京 \"x\" and more","refusal":null)", "stop"));
  BOOST_TEST(
      whole(message(R"({"type":"tool_use","id":"toolu_1","name":"weather","input":{"n": 1.50}})",
                    R"("stop_reason":"tool_use","stop_sequence":null)")) ==
      completion(
          R"("content":null,"refusal":null,"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"weather","arguments":"{\"n\":1.50}"}}])",
          "tool_calls"));
  BOOST_TEST(
      whole(message(R"({"type":"thinking","thinking":"Hm","signature":"s"},{"type":"text","text":"x"})")) ==
      completion(
          R"("content":"x","refusal":null,"reasoning_content":"Hm","thinking_blocks":[{"type":"thinking","thinking":"Hm","signature":"s"}])",
          "stop"));
  BOOST_TEST(
      whole(message(R"({"type":"text","text":"x"})", R"("stop_reason":"stop_sequence","stop_sequence":"END")")) ==
      completion(R"("content":"x","refusal":null)", "stop", R"(,"stop_reason":"END")"));
  BOOST_TEST(whole(message("", R"("stop_reason":"refusal")")) ==
             completion(R"("content":"","refusal":null)", "content_filter"));
}

BOOST_AUTO_TEST_CASE(a_native_whole_answer_comes_along_untouched) {
  const auto body = message(R"({"type": "text", "text": "\u4eac"})");
  auto got = whole(body, true);
  BOOST_TEST(got.ends_with(R"(,"native":{"data":)" + body + "}}"));
  BOOST_TEST(read_completion(got).valid);
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_is_none) {
  for (auto none : {"", "x", "[]", "{}", R"({"content":"text"})", R"({"id":"msg_1","content":[)"})
    BOOST_TEST(!anthropic_completion(none, label, false), none);
  auto error = whole(R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})");
  BOOST_REQUIRE(read_completion(error).error.has_value());
  BOOST_TEST((classify(*read_completion(error).error) == failure_class::overloaded));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace anthropic_answer_test
