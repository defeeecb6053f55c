// Anthropic's Messages API at the door: what its callers send and what they are told.
#include "net/dialects/caller_dialect.hpp"
#include "net/dialects/messages.hpp"
#include "tests/net/telling.hpp"

namespace messages_in_test {

using namespace mainstay;

namespace {

std::string body(const std::string& messages, const std::string& more = "") {
  return R"({"model":"m","max_tokens":9,"messages":[)" + messages + "]" + more + "}";
}
std::string chat(const std::string& messages, const std::string& more = "") {
  return chat_of(read_messages(make_bytes(body(messages, more))));
}
/// Of one user message.
std::string said_in(const std::string& messages, const std::string& more = "") {
  const auto tree = tree_of(chat(messages, more));
  const auto* list = tree.find("messages");
  return list ? json::to_text(*list) : "none";
}
const std::string hi = R"({"role":"user","content":"hi"})";

std::string refused(const std::string& text) { return refusal_of(read_messages(make_bytes(text))); }

std::vector<std::string> only_native(const std::string& messages, const std::string& more = "") {
  const auto read = read_messages(make_bytes(body(messages, more)));
  BOOST_REQUIRE_MESSAGE(std::holds_alternative<caller_request>(read), refusal_of(read));
  return std::get<caller_request>(read).native->only_native;
}

} // namespace

BOOST_AUTO_TEST_SUITE(messages_in)

BOOST_AUTO_TEST_CASE(a_question_becomes_a_chat_and_keeps_its_parameters) {
  BOOST_TEST(chat(hi, R"(,"temperature":0.50,"top_p":0.9,"top_k":5,"stop_sequences":["a","b"],"system":"be kind",)"
                      R"("metadata":{"user_id":"u1"},"service_tier":"standard_only","stream":true)") ==
             R"({"model":"m","max_tokens":9,"temperature":0.50,"top_p":0.9,"top_k":5,"stop":["a","b"],"user":"u1",)"
             R"("service_tier":"default","stream":true,"stream_options":{"include_usage":true},)"
             R"("messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hi"}]})");
}

BOOST_AUTO_TEST_CASE(what_says_nothing_is_left_out) {
  BOOST_TEST(chat(hi, R"(,"system":"","tools":[],"stop_sequences":[],"thinking":null,"metadata":{"user_id":null})") ==
             R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})");
}

BOOST_AUTO_TEST_CASE(one_plain_block_is_a_string_and_others_keep_their_hints) {
  BOOST_TEST(said_in(R"({"role":"user","content":[{"type":"text","text":"hi"}]})") ==
             R"([{"role":"user","content":"hi"}])");
  BOOST_TEST(said_in(R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})") ==
             R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])");
  BOOST_TEST(said_in(hi, R"(,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}])") ==
             R"([{"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},)"
             R"({"role":"user","content":"hi"}])");
}

BOOST_AUTO_TEST_CASE(images_and_documents_become_their_counterparts) {
  BOOST_TEST(
      said_in(
          R"({"role":"user","content":[)"
          R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAA="},"cache_control":{"type":"ephemeral"}},)"
          R"({"type":"image","source":{"type":"url","url":"https://x/y.png"}},)"
          R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BBB="},"title":"t.pdf"},)"
          R"({"type":"document","source":{"type":"text","media_type":"text/plain","data":"caf\u00e9"},"citations":{"enabled":false}}]})") ==
      R"([{"role":"user","content":[)"
      R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AAA="},"cache_control":{"type":"ephemeral"}},)"
      R"({"type":"image_url","image_url":{"url":"https://x/y.png"}},)"
      R"({"type":"file","file":{"file_data":"data:application/pdf;base64,BBB=","filename":"t.pdf"}},)"
      R"({"type":"file","file":{"file_data":"data:text/plain;base64,Y2Fmw6k="}}]}])");
}

BOOST_AUTO_TEST_CASE(calls_and_their_results_keep_ids_order_errors_and_images) {
  BOOST_TEST(
      said_in(
          hi +
          R"(,{"role":"assistant","content":[{"type":"text","text":"I look."},)"
          R"({"type":"tool_use","id":"t1","name":"f","input":{"a":1.50}},{"type":"tool_use","id":"t2","name":"g","input":{}}]},)"
          R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r1","is_error":true},)"
          R"({"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"r2"},{"type":"image","source":{"type":"url","url":"https://x"}}]},)"
          R"({"type":"text","text":"and now?"}]})") ==
      R"([{"role":"user","content":"hi"},{"role":"assistant","content":"I look.","tool_calls":[)"
      R"({"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1.50}"}},)"
      R"({"id":"t2","type":"function","function":{"name":"g","arguments":"{}"}}]},)"
      R"({"role":"tool","tool_call_id":"t1","content":"r1","is_error":true},)"
      R"({"role":"tool","tool_call_id":"t2","content":[{"type":"text","text":"r2"},{"type":"image_url","image_url":{"url":"https://x"}}]},)"
      R"({"role":"user","content":"and now?"}])");
  BOOST_TEST(said_in(hi + R"(,{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},)"
                          R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]})") ==
             R"([{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[)"
             R"({"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
             R"({"role":"tool","tool_call_id":"t","content":""}])");
}

BOOST_AUTO_TEST_CASE(signed_thoughts_stay_blocks_and_unsigned_ones_are_reasoning) {
  BOOST_TEST(said_in(hi + R"(,{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s="},)"
                          R"({"type":"redacted_thinking","data":"x"},{"type":"text","text":"so"}]})") ==
             R"([{"role":"user","content":"hi"},{"role":"assistant","content":"so","thinking_blocks":[)"
             R"({"type":"thinking","thinking":"hm","signature":"s="},{"type":"redacted_thinking","data":"x"}]}])");
  BOOST_TEST(said_in(hi + R"(,{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},)"
                          R"({"type":"text","text":"so"}]})") ==
             R"([{"role":"user","content":"hi"},{"role":"assistant","content":"so","reasoning_content":"hm"}])");
}

BOOST_AUTO_TEST_CASE(tools_and_the_choice_among_them) {
  const auto tree = tree_of(chat(
      hi,
      R"(,"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}},)"
      R"({"type":"custom","name":"g","input_schema":{}}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true})"));
  BOOST_TEST(
      json::to_text(*tree.find("tools")) ==
      R"([{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}},"cache_control":{"type":"ephemeral"}},)"
      R"({"type":"function","function":{"name":"g","parameters":{}}}])");
  BOOST_TEST(json::to_text(*tree.find("tool_choice")) == R"({"type":"function","function":{"name":"f"}})");
  BOOST_TEST(tree.find("parallel_tool_calls")->text == "false");
  for (auto [theirs, ours] : {std::pair("auto", "auto"), {"any", "required"}, {"none", "none"}}) {
    const auto made = tree_of(chat(hi, R"(,"tool_choice":{"type":")" + std::string(theirs) + "\"}"));
    BOOST_TEST(made.find("tool_choice")->text == ours);
    BOOST_TEST(!made.find("parallel_tool_calls"));
  }
}

BOOST_AUTO_TEST_CASE(effort_and_output_format_become_their_counterparts) {
  const auto tree = tree_of(chat(
      hi,
      R"(,"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},"thinking":{"type":"enabled","budget_tokens":2000})"));
  BOOST_TEST(tree.find("reasoning_effort")->text == "low");
  BOOST_TEST(json::to_text(*tree.find("response_format")) ==
             R"({"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"},"strict":true}})");
  BOOST_TEST(json::to_text(*tree.find("thinking")) == R"({"type":"enabled","budget_tokens":2000})");
  BOOST_TEST(!tree.find("output_config"));
}

BOOST_AUTO_TEST_CASE(what_only_anthropic_has_keeps_its_shape_and_is_named) {
  using names = std::vector<std::string>;
  BOOST_TEST(only_native(hi).empty());
  BOOST_TEST(only_native(hi, R"(,"mcp_servers":[{"type":"url"}],"container":"c")") ==
             (names{"mcp_servers", "container"}));
  BOOST_TEST(
      only_native(hi,
                  R"(,"tools":[{"name":"f","input_schema":{}},{"type":"web_search_20250305","name":"web_search"}])") ==
      names{"tools[1].type"});
  BOOST_TEST(
      only_native(R"({"role":"user","content":[{"type":"text","text":"x"},{"type":"search_result","source":"s"}]})") ==
      names{"messages[0].content[1].type"});
  BOOST_TEST(
      only_native(R"({"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://x"}}]})") ==
      names{"messages[0].content[0].type"});
  BOOST_TEST(
      only_native(
          hi +
          R"(,{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"text","text":"x"}]})") ==
      names{"messages[1].content[0].type"});
  const auto tree = tree_of(chat(hi, R"(,"mcp_servers":[{"type":"url"}])"));
  BOOST_TEST(json::to_text(*tree.find("mcp_servers")) == R"([{"type":"url"}])");
}

BOOST_AUTO_TEST_CASE(the_callers_own_bytes_and_where_the_model_stands_go_along) {
  const std::string text = R"({ "max_tokens":1, "model" : "m\u00e9" ,"messages":[]})";
  const auto read = read_messages(make_bytes(text));
  const auto& native = *std::get<caller_request>(read).native;
  BOOST_TEST(*native.body == text);
  BOOST_TEST(text.substr(native.model_value.begin, native.model_value.end - native.model_value.begin) ==
             R"("m\u00e9")");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named) {
  BOOST_TEST(refused("{") == " invalid_json");
  BOOST_TEST(refused("[]") == " invalid_type");
  BOOST_TEST(refused("\"x\"") == " invalid_type");
  BOOST_TEST(refused("{\"model\":\"\xff\"}") == " invalid_utf8");
  BOOST_TEST(refused(R"({"model":"m","messages":[],"a":"\udc00"})") == " invalid_json");
  BOOST_TEST(refused(R"({"messages":[],"max_tokens":1})") == "model missing_required_parameter");
  BOOST_TEST(refused(R"({"model":"m","max_tokens":1})") == "messages missing_required_parameter");
  BOOST_TEST(refused(R"({"model":"m","messages":[]})") == "max_tokens missing_required_parameter");
  BOOST_TEST(refused(R"({"model":"a","messages":[],"max_tokens":1,"model":"b"})") == "model duplicate_parameter");
  BOOST_TEST(refused(body(R"({"role":"system","content":"x"})")) == "messages[0].role invalid_value");
  BOOST_TEST(refused(body(R"({"role":"user"})")) == "messages[0].content missing_required_parameter");
  BOOST_TEST(refused(body(R"({"role":"user","content":[7]})")) == "messages[0].content[0] invalid_type");
  BOOST_TEST(refused(body(hi, R"(,"n":2)")) == "n unknown_parameter");
  BOOST_TEST(refused(body(hi, R"(,"tool_choice":{"type":"maybe"})")) == "tool_choice invalid_value");
  std::string many = "[0";
  for (int i = 0; i < 250'000; ++i) many += ",0";
  BOOST_TEST(refused(body(hi, ",\"x\":" + many + "]")) == " invalid_json");
  std::string wide;
  for (int i = 0; i < 300; ++i) wide += ",\"m" + std::to_string(i) + "\":0";
  BOOST_TEST(refused(body(hi, wide)) == " invalid_json");
}

BOOST_AUTO_TEST_CASE(tokens_are_counted_without_a_cap) {
  const auto read =
      read_token_count(make_bytes(R"({"model":"m","messages":[{"role":"user","content":"four words stand here"}]})"));
  const auto parsed = parse_chat_request(std::get<caller_request>(read).chat);
  BOOST_TEST(std::get<chat_request>(parsed).prompt_tokens > 3u);
}

// -- answers

BOOST_AUTO_TEST_CASE(a_whole_answer_is_a_message) {
  auto t = messages_teller();
  BOOST_TEST(
      t->whole(completion_of(R"("content":"caf\u00e9")")) ==
      R"({"id":"msg_7","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"caf\u00e9"}],)"
      R"("stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"cache_creation_input_tokens":0,)"
      R"("cache_read_input_tokens":3,"output_tokens":4}})");
  BOOST_TEST(t->whole("{}").empty());
  BOOST_TEST(t->whole("no").empty());
}

BOOST_AUTO_TEST_CASE(a_whole_answer_has_its_thoughts_words_and_calls_in_order) {
  auto t = messages_teller();
  const auto tree = tree_of(t->whole(completion_of(
      R"("content":"x","reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}],)"
      R"("tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"q\":\"\\u00e9\"}"}},)"
      R"({"id":"b","type":"function","function":{"name":"g","arguments":""}},{"id":"c","type":"function","function":{"name":"h","arguments":"{half"}}])",
      R"("tool_calls")")));
  BOOST_TEST(
      json::to_text(*tree.find("content")) ==
      R"([{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"x"},)"
      R"({"type":"tool_use","id":"a","name":"f","input":{"q":"é"}},{"type":"tool_use","id":"b","name":"g","input":{}},)"
      R"({"type":"tool_use","id":"c","name":"h","input":{"arguments":"{half"}}])");
  BOOST_TEST(tree.find("stop_reason")->text == "tool_use");
  const auto unsigned_thoughts = tree_of(t->whole(completion_of(R"("content":"x","reasoning_content":"hm")")));
  BOOST_TEST(json::to_text(unsigned_thoughts.find("content")->items.front()) ==
             R"({"type":"thinking","thinking":"hm","signature":""})");
}

BOOST_AUTO_TEST_CASE(every_way_to_end_has_its_reason) {
  const auto reason = [](const std::string& finish, const std::string& more = "") {
    const auto tree = tree_of(messages_teller()->whole(completion_of(R"("content":"x")", finish, more)));
    return tree.find("stop_reason")->text + "/" + tree.find("stop_sequence")->text;
  };
  BOOST_TEST(reason(R"("stop")") == "end_turn/");
  BOOST_TEST(reason(R"("stop")", R"(,"stop_reason":"END")") == "stop_sequence/END");
  BOOST_TEST(reason(R"("stop")", R"(,"stop_reason":128009)") == "end_turn/"); // vLLM's token number
  BOOST_TEST(reason(R"("length")") == "max_tokens/");
  BOOST_TEST(reason(R"("tool_calls")") == "tool_use/");
  BOOST_TEST(reason(R"("content_filter")") == "refusal/");
}

BOOST_AUTO_TEST_CASE(a_stream_of_words_is_one_block) {
  auto t = messages_teller();
  const auto all =
      tell_all(*t, {chunk_of(R"("role":"assistant","content":"")"), chunk_of(R"("content":"a")"),
                    chunk_of(R"("content":"\n\ud83d\ude00")"), chunk_of("", R"("stop")"),
                    R"({"id":"chatcmpl-7","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}})"});
  const told expected = {
      R"(message_start {"type":"message_start","message":{"id":"msg_7","type":"message","role":"assistant","model":"m","content":[],)"
      R"("stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}})",
      R"(content_block_start {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
      R"(content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}})",
      R"(content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\n\ud83d\ude00"}})",
      R"(content_block_stop {"type":"content_block_stop","index":0})",
      R"(message_delta {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":2}})",
      R"(message_stop {"type":"message_stop"})"};
  BOOST_TEST(all == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_usage_of_the_end_serves_where_no_chunk_had_one) {
  auto t = messages_teller();
  const auto all = tell_all(
      *t, {chunk_of(R"("content":"a")"), chunk_of("", R"("length")")},
      R"({"prompt_tokens":8,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":6,"cache_creation_tokens":1}})");
  BOOST_TEST(
      all[all.size() - 2] ==
      R"(message_delta {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},)"
      R"("usage":{"input_tokens":1,"cache_creation_input_tokens":1,"cache_read_input_tokens":6,"output_tokens":1}})");
}

BOOST_AUTO_TEST_CASE(thoughts_words_and_calls_are_blocks_one_after_the_other) {
  auto t = messages_teller();
  const auto all = tell_all(
      *t,
      {chunk_of(R"("role":"assistant","reasoning_content":"h")"), chunk_of(R"("reasoning_content":"m")"),
       chunk_of(R"("thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}])"),
       chunk_of(R"("thinking_blocks":[{"type":"redacted_thinking","data":"d"}])"), chunk_of(R"("content":"x")"),
       chunk_of(R"("tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}])"),
       chunk_of(R"("tool_calls":[{"index":0,"function":{"arguments":"{}"}}])"),
       chunk_of(
           R"("tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{\"a\":1}"}}])"),
       chunk_of("", R"("tool_calls")")});
  const told expected = {
      R"(content_block_start {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}})",
      R"(content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}})",
      R"(content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"m"}})",
      R"(content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}})",
      R"(content_block_stop {"type":"content_block_stop","index":0})",
      R"(content_block_start {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"d"}})",
      R"(content_block_stop {"type":"content_block_stop","index":1})",
      R"(content_block_start {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}})",
      R"(content_block_delta {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"x"}})",
      R"(content_block_stop {"type":"content_block_stop","index":2})",
      R"(content_block_start {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}})",
      R"(content_block_delta {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}})",
      R"(content_block_stop {"type":"content_block_stop","index":3})",
      R"(content_block_start {"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"b","name":"g","input":{}}})",
      R"(content_block_delta {"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}})",
      R"(content_block_stop {"type":"content_block_stop","index":4})"};
  BOOST_TEST(told(all.begin() + 1, all.end() - 2) == expected, boost::test_tools::per_element());
  BOOST_TEST(all[all.size() - 2].find(R"("stop_reason":"tool_use")") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(calls_that_are_told_across_each_other_are_whole_blocks_one_after_the_other) {
  const auto call = [](int index, const std::string& begin, const std::string& arguments) {
    return chunk_of(R"("tool_calls":[{"index":)" + std::to_string(index) + begin + R"(,"function":{)" +
                    (begin.empty() ? "" : R"("name":"f",)") + R"("arguments":")" + arguments + R"("}}])");
  };
  const auto blocks = [](const told& all) {
    std::string out;
    for (auto& event : all) {
      const auto tree = json::parse(event.substr(event.find(' ') + 1));
      if (event.starts_with("content_block_start")) out += "[" + tree->find("content_block")->find("type")->text + " ";
      if (event.starts_with("content_block_stop")) out += "]";
      if (!event.starts_with("content_block_delta")) continue;
      for (auto member : {"partial_json", "text"})
        if (auto said = tree->find("delta")->find(member)) out += said->text;
    }
    return out;
  };
  auto t = messages_teller();
  BOOST_TEST(blocks(tell_all(*t, {call(0, R"(,"id":"a")", ""), call(1, R"(,"id":"b")", ""), call(0, "", R"({\"x\")"),
                                  call(1, "", R"({\"y\":\"}\")"), chunk_of(R"("content":"so")"), call(0, "", ":1}"),
                                  call(1, "", "}"), chunk_of("", R"("tool_calls")")})) ==
             R"([tool_use {"x":1}][tool_use {"y":"}"}][text so])");
  // Arguments that never end keep nothing back for good.
  auto cut = messages_teller();
  BOOST_TEST(blocks(tell_all(*cut, {call(0, R"(,"id":"a")", "{"), call(1, R"(,"id":"b")", "{"),
                                    call(2, R"(,"id":"c")", "{}"), call(1, "", "1"), call(0, "", "0")})) ==
             "[tool_use {0][tool_use {1][tool_use {}]");
  // Nor do they keep back without a bound.
  auto flood = messages_teller();
  const std::string words(1000, 'w');
  (void)flood->chunk(call(0, R"(,"id":"a")", "{"));
  std::size_t before = 0, events = 0;
  for (; events == 0 && before < 2000; ++before)
    events = flood->chunk(chunk_of(R"("content":")" + words + "\"")).size();
  BOOST_TEST((before > 500 && before < 1100));
  BOOST_TEST(events > 500u);
}

namespace {

std::string native_chunk(const std::string& data, const std::string& delta = "") {
  const auto type = tree_of(data).find("type")->text;
  auto chunk = chunk_of(delta);
  chunk.insert(1, R"("native":{"type":")" + type + R"(","data":)" + data + "},");
  return chunk;
}
const std::string native_start =
    R"({"type":"message_start", "message":{"id":"msg_x","content":[],"usage":{"input_tokens":3}}})";
const std::string block_0 =
    R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}, "x":1})";
const std::string word_0 = R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"w"}})";

} // namespace

BOOST_AUTO_TEST_CASE(a_providers_own_events_go_through_untouched) {
  auto t = messages_teller();
  const std::string stop = R"({"type":"content_block_stop","index":0})";
  const std::string last =
      R"({"type":"message_delta","delta":{"stop_reason":"pause_turn"},"usage":{"output_tokens":1}})";
  const auto all = tell_all(*t, {native_chunk(native_start, R"("role":"assistant")"), native_chunk(block_0),
                                 native_chunk(R"({"type":"ping"})"), native_chunk(word_0, R"("content":"w")"),
                                 native_chunk(stop), native_chunk(last)});
  const told expected = {
      "message_start " + native_start,          "content_block_start " + block_0, R"(ping {"type":"ping"})",
      "content_block_delta " + word_0,          "content_block_stop " + stop,     "message_delta " + last,
      R"(message_stop {"type":"message_stop"})"};
  BOOST_TEST(all == expected, boost::test_tools::per_element());
  BOOST_TEST(t->whole(R"({"choices":[],"native":{"data":{"id":"msg_1", "x":[1.0]}}})") ==
             R"({"id":"msg_1", "x":[1.0]})");
}

BOOST_AUTO_TEST_CASE(a_stream_that_goes_on_without_native_events_ends_well_formed) {
  auto t = messages_teller();
  const auto all =
      tell_all(*t, {native_chunk(native_start), native_chunk(block_0), native_chunk(word_0, R"("content":"w")"),
                    chunk_of(R"("content":"x")"), chunk_of("", R"("stop")")});
  BOOST_TEST_REQUIRE(all.size() == 7u);
  BOOST_TEST(
      all[3] ==
      R"(content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}})");
  BOOST_TEST(all[4] == R"(content_block_stop {"type":"content_block_stop","index":0})");
  BOOST_TEST(all[5].starts_with("message_delta"));
  BOOST_TEST(all[6].starts_with("message_stop"));
}

BOOST_AUTO_TEST_CASE(another_providers_native_events_are_not_mixed_in) {
  auto t = messages_teller();
  const auto all =
      tell_all(*t, {native_chunk(native_start), native_chunk(block_0), native_chunk(word_0, R"("content":"w")"),
                    native_chunk(native_start), native_chunk(block_0), native_chunk(word_0, R"("content":"y")"),
                    chunk_of("", R"("stop")")});
  const told expected = {
      "message_start " + native_start, "content_block_start " + block_0, "content_block_delta " + word_0,
      R"(content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"y"}})",
      R"(content_block_stop {"type":"content_block_stop","index":0})"};
  BOOST_TEST(told(all.begin(), all.end() - 2) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(errors_have_anthropics_shape_and_types) {
  const std::string said =
      R"({"error":{"message":"no \"m\"","type":"invalid_request_error","param":"model","code":"x"}})";
  BOOST_TEST(anthropic_error(404, said) ==
             R"({"type":"error","error":{"type":"not_found_error","message":"no \"m\""}})");
  for (auto [status, type] : {std::pair(400, "invalid_request_error"),
                              {401, "authentication_error"},
                              {429, "rate_limit_error"},
                              {500, "api_error"},
                              {503, "overloaded_error"},
                              {529, "overloaded_error"},
                              {504, "timeout_error"}})
    BOOST_TEST(anthropic_error(status, said).find(type) != std::string::npos);
  told all;
  add_told(all, messages_teller()->broken(502, said));
  BOOST_TEST(all == told{R"(error {"type":"error","error":{"type":"api_error","message":"no \"m\""}})"});
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace messages_in_test
