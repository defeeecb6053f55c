// OpenAI's Responses API at the door: what its callers send and what they are told.
#include "net/dialects/responses.hpp"
#include "tests/net/telling.hpp"

namespace responses_in_test {

using namespace mainstay;

namespace {

caller_request_or read(const std::string& input, const std::string& more = "") {
  return read_responses(make_bytes(R"({"model":"m","input":)" + input + more + "}"));
}
std::string messages(const std::string& input, const std::string& more = "") {
  const auto tree = tree_of(chat_of(read(input, more)));
  return json::to_text(*tree.find("messages"));
}
std::string refused(const std::string& more, const std::string& input = R"("hi")") {
  return refusal_of(read(input, more));
}
std::unique_ptr<answer_teller> teller(const std::string& more = "") {
  return std::move(std::get<caller_request>(read(R"("hi")", more)).teller);
}

/// The events as trees; their numbers must count up from 0.
std::vector<json::value> events_of(answer_teller& t, const std::vector<std::string>& chunks,
                                   const std::string& usage = "null") {
  std::vector<json::value> out;
  std::uint64_t next = 0;
  for (auto& e : tell_all(t, chunks, usage)) {
    auto tree = tree_of(std::string_view(e).substr(e.find(' ')));
    BOOST_TEST(tree.find("type")->text == e.substr(0, e.find(' ')));
    BOOST_TEST(tree.find("sequence_number")->whole().value() == next++);
    out.push_back(std::move(tree));
  }
  return out;
}
/// Type and the members that say where and what, without the responses.
std::vector<std::string> outline(const std::vector<json::value>& events) {
  std::vector<std::string> out;
  for (auto& e : events) {
    std::string line = e.find("type")->text.substr(9);
    for (auto* member : {"output_index", "content_index", "item_id", "delta", "text", "arguments"})
      if (auto* v = e.find(member)) line += " " + v->text;
    out.push_back(line);
  }
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(responses_in)

BOOST_AUTO_TEST_CASE(a_question_becomes_a_chat_and_keeps_its_parameters) {
  BOOST_TEST(
      chat_of(read(
          R"("hi")",
          R"(,"instructions":"be kind","max_output_tokens":9,"temperature":0.5,"reasoning":{"effort":"low","summary":"auto"},)"
          R"("text":{"format":{"type":"json_schema","name":"n","schema":{},"strict":true},"verbosity":"low"},"user":"u","stream":true,)"
          R"("store":false,"background":false,"truncation":"disabled","metadata":{"a":"b"},"include":["reasoning.encrypted_content"])")) ==
      R"({"model":"m","max_completion_tokens":9,"temperature":0.5,"reasoning_effort":"low","verbosity":"low",)"
      R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{},"strict":true}},"user":"u",)"
      R"("stream":true,"stream_options":{"include_usage":true},)"
      R"("messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hi"}]})");
}

BOOST_AUTO_TEST_CASE(messages_of_every_role_and_kind_of_part) {
  BOOST_TEST(
      messages(
          R"([{"role":"developer","content":"d"},{"type":"message","role":"user","content":[{"type":"input_text","text":"t"}]},)"
          R"({"role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"low"},)"
          R"({"type":"input_file","file_data":"data:application/pdf;base64,BB==","filename":"f.pdf"},{"type":"input_audio","input_audio":{"data":"CC==","format":"wav"}}]},)"
          R"({"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"a","annotations":[]},{"type":"refusal","refusal":"r"}]}])") ==
      R"([{"role":"developer","content":"d"},{"role":"user","content":"t"},{"role":"user","content":[{"type":"text","text":"see"},)"
      R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},)"
      R"({"type":"file","file":{"file_data":"data:application/pdf;base64,BB==","filename":"f.pdf"}},)"
      R"({"type":"input_audio","input_audio":{"data":"CC==","format":"wav"}}]},)"
      R"({"role":"assistant","content":"a","refusal":"r"}])");
}

BOOST_AUTO_TEST_CASE(reasoning_words_and_calls_that_follow_one_another_are_one_turn) {
  BOOST_TEST(
      messages(
          R"([{"role":"user","content":"q"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}]},)"
          R"({"role":"assistant","content":"w"},{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"},)"
          R"({"type":"function_call","call_id":"c2","name":"g","arguments":"{\"a\":1}"},)"
          R"({"type":"function_call_output","call_id":"c1","output":"r1"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"r2"}]},)"
          R"({"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"[{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"}]"},)"
          R"({"type":"function_call","call_id":"c3","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c3","output":"r3"}])") ==
      R"([{"role":"user","content":"q"},{"role":"assistant","content":"w","reasoning_content":"hm","tool_calls":[)"
      R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{\"a\":1}"}}]},)"
      R"({"role":"tool","tool_call_id":"c1","content":"r1"},{"role":"tool","tool_call_id":"c2","content":"r2"},)"
      R"({"role":"assistant","content":null,"thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"}],"tool_calls":[)"
      R"({"id":"c3","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c3","content":"r3"}])");
  BOOST_TEST(messages(R"([{"role":"assistant","content":"a"},{"role":"assistant","content":"b"}])") ==
             R"([{"role":"assistant","content":"a"},{"role":"assistant","content":"b"}])");
}

BOOST_AUTO_TEST_CASE(functions_and_the_choice_among_them) {
  const auto tree = tree_of(chat_of(
      read(R"("hi")", R"(,"tools":[{"type":"function","name":"f","description":"d","parameters":{},"strict":true}],)"
                      R"("tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false)")));
  BOOST_TEST(json::to_text(*tree.find("tools")) ==
             R"([{"type":"function","function":{"name":"f","description":"d","parameters":{},"strict":true}}])");
  BOOST_TEST(json::to_text(*tree.find("tool_choice")) == R"({"type":"function","function":{"name":"f"}})");
  BOOST_TEST(tree.find("parallel_tool_calls")->text == "false");
  const auto allowed = tree_of(chat_of(read(
      R"("hi")", R"(,"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]})")));
  BOOST_TEST(
      json::to_text(*allowed.find("tool_choice")) ==
      R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}})");
}

BOOST_AUTO_TEST_CASE(what_needs_an_answer_to_be_kept_or_a_tool_of_openais_is_refused_by_name) {
  BOOST_TEST(refused(R"(,"store":true)") == "store unsupported_parameter");
  BOOST_TEST(refused(R"(,"previous_response_id":"resp_1")") == "previous_response_id unsupported_parameter");
  BOOST_TEST(refused(R"(,"background":true)") == "background unsupported_parameter");
  BOOST_TEST(refused(R"(,"conversation":"c")") == "conversation unsupported_parameter");
  BOOST_TEST(refused(R"(,"prompt":{"id":"p"})") == "prompt unsupported_parameter");
  BOOST_TEST(refused(R"(,"tools":[{"type":"web_search"}])") == "tools[0].type unsupported_parameter");
  BOOST_TEST(refused(R"(,"tool_choice":{"type":"file_search"})") == "tool_choice unsupported_parameter");
  BOOST_TEST(refused(R"(,"truncation":"auto")") == "truncation unsupported_parameter");
  BOOST_TEST(refused(R"(,"max_tool_calls":3)") == "max_tool_calls unsupported_parameter");
  BOOST_TEST(refused(R"(,"include":["message.output_text.logprobs"])") == "include unsupported_parameter");
  BOOST_TEST(refused(R"(,"text":{"format":{"type":"grammar"}})") == "text.format.type unsupported_parameter");
  BOOST_TEST(refused(R"(,"messages":[])") == "messages unknown_parameter");
  BOOST_TEST(refused("", R"([{"type":"item_reference","id":"x"}])") == "input[0] unsupported_parameter");
  BOOST_TEST(refused("", R"([{"type":"computer_call"}])") == "input[0].type unsupported_parameter");
  BOOST_TEST(refused("", R"([{"role":"user","content":[{"type":"input_image","file_id":"f"}]}])") ==
             "input[0].content[0].file_id unsupported_parameter");
  BOOST_TEST(refused("", R"([{"role":"user","content":[{"type":"input_file","file_url":"https://x"}]}])") ==
             "input[0].content[0].file_url unsupported_parameter");
  BOOST_TEST(refused("", R"([{"type":"function_call","name":"f","arguments":"{}"}])") ==
             "input[0].call_id missing_required_parameter");
  BOOST_TEST(refused("", "[]") == "input empty_array");
  BOOST_TEST(refused("", "null") == "input missing_required_parameter");
}

BOOST_AUTO_TEST_CASE(a_whole_answer_is_a_response_that_says_the_request_again) {
  auto t = teller(
      R"(,"instructions":"i","temperature":0.5,"metadata":{"a":"b"},"tools":[{"type":"function","name":"f","parameters":{}}])");
  BOOST_TEST(
      t->whole(completion_of(R"("content":"caf\u00e9")")) ==
      R"({"id":"resp_7","object":"response","created_at":1700000000,"background":false,"status":"completed","error":null,)"
      R"("incomplete_details":null,"model":"m","output":[{"id":"msg_7_0","type":"message","role":"assistant","content":[)"
      R"({"type":"output_text","text":"caf\u00e9","annotations":[],"logprobs":[]}],"status":"completed"}],"instructions":"i",)"
      R"("max_output_tokens":null,"max_tool_calls":null,"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,)"
      R"("reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":false,"temperature":0.5,)"
      R"("text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[{"type":"function","name":"f","parameters":{}}],"top_logprobs":0,)"
      R"("top_p":1.0,"truncation":"disabled","metadata":{"a":"b"},"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":3,"cache_write_tokens":0},)"
      R"("output_tokens":4,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14}})");
  BOOST_TEST(teller()->whole("{}").empty());
}

BOOST_AUTO_TEST_CASE(reasoning_refusals_and_calls_are_items) {
  const auto whole = [](const std::string& more, const std::string& message, const std::string& finish = R"("stop")") {
    auto tree = tree_of(teller(more)->whole(completion_of(message, finish)));
    return json::to_text(*tree.find("output"));
  };
  BOOST_TEST(
      whole(
          "",
          R"("content":"x","reasoning_content":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}])") ==
      R"([{"id":"rs_7_0","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}],"status":"completed"},)"
      R"({"id":"msg_7_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[],"logprobs":[]}],"status":"completed"},)"
      R"({"id":"fc_7_2","type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}","status":"completed"}])");
  BOOST_TEST(
      whole("", R"("content":null,"refusal":"no")") ==
      R"([{"id":"msg_7_0","type":"message","role":"assistant","content":[{"type":"refusal","refusal":"no"}],"status":"completed"}])");
  const std::string signed_thoughts =
      R"("content":null,"reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}])";
  BOOST_TEST(whole("", signed_thoughts).find("encrypted") == std::string::npos);
  BOOST_TEST(
      whole(R"(,"include":["reasoning.encrypted_content"])", signed_thoughts) ==
      R"([{"id":"rs_7_0","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}],)"
      R"("encrypted_content":"[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"}]","status":"completed"}])");
  const auto cut = tree_of(teller()->whole(completion_of(R"("content":"x")", R"("length")")));
  BOOST_TEST(cut.find("status")->text == "incomplete");
  BOOST_TEST(json::to_text(*cut.find("incomplete_details")) == R"({"reason":"max_output_tokens"})");
  BOOST_TEST(cut.find("output")->items[0].find("status")->text == "incomplete");
}

BOOST_AUTO_TEST_CASE(a_stream_tells_every_item_from_beginning_to_end) {
  auto t = teller(R"(,"stream":true)");
  const auto events = events_of(
      *t,
      {chunk_of(R"("role":"assistant","content":"")"), chunk_of(R"("reasoning_content":"h")"),
       chunk_of(R"("reasoning_content":"m")"), chunk_of(R"("content":"a")"), chunk_of(R"("content":"b")"),
       chunk_of(R"("tool_calls":[{"index":0,"id":"c0","type":"function","function":{"name":"f","arguments":""}}])"),
       chunk_of(R"("tool_calls":[{"index":0,"function":{"arguments":"{"}}])"),
       chunk_of(R"("tool_calls":[{"index":1,"id":"c1","type":"function","function":{"name":"g","arguments":"[]"}}])"),
       chunk_of(R"("tool_calls":[{"index":0,"function":{"arguments":"}"}}])"), chunk_of("", R"("tool_calls")"),
       R"({"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}})"});
  const std::vector<std::string> expected = {"created",
                                             "in_progress",
                                             "output_item.added 0",
                                             "content_part.added 0 0 rs_7_0",
                                             "reasoning_text.delta 0 0 rs_7_0 h",
                                             "reasoning_text.delta 0 0 rs_7_0 m",
                                             "reasoning_text.done 0 0 rs_7_0 hm",
                                             "content_part.done 0 0 rs_7_0",
                                             "output_item.done 0",
                                             "output_item.added 1",
                                             "content_part.added 1 0 msg_7_1",
                                             "output_text.delta 1 0 msg_7_1 a",
                                             "output_text.delta 1 0 msg_7_1 b",
                                             "output_text.done 1 0 msg_7_1 ab",
                                             "content_part.done 1 0 msg_7_1",
                                             "output_item.done 1",
                                             "output_item.added 2",
                                             "function_call_arguments.delta 2 fc_7_2 {",
                                             "output_item.added 3",
                                             "function_call_arguments.delta 3 fc_7_3 []",
                                             "function_call_arguments.delta 2 fc_7_2 }",
                                             "function_call_arguments.done 2 fc_7_2 {}",
                                             "output_item.done 2",
                                             "function_call_arguments.done 3 fc_7_3 []",
                                             "output_item.done 3",
                                             "completed"};
  BOOST_TEST(outline(events) == expected, boost::test_tools::per_element());
  const auto& first = *events.front().find("response");
  BOOST_TEST(first.find("status")->text == "in_progress");
  BOOST_TEST(first.find("output")->items.empty());
  BOOST_TEST(!first.find("usage"));
  const auto& last = *events.back().find("response");
  BOOST_TEST_REQUIRE(last.find("output")->items.size() == 4u);
  std::size_t done = 0; // each item of the end is the one that was said to be done
  for (auto& e : events)
    if (e.find("type")->text == "response.output_item.done")
      BOOST_TEST(json::to_text(*e.find("item")) == json::to_text(last.find("output")->items[done++]));
  BOOST_TEST(
      json::to_text(*last.find("usage")) ==
      R"({"input_tokens":2,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":5})");
}

BOOST_AUTO_TEST_CASE(a_stream_that_was_cut_is_incomplete) {
  auto t = teller();
  const auto events = events_of(*t, {chunk_of(R"("content":"a")"), chunk_of("", R"("length")")},
                                R"({"prompt_tokens":1,"completion_tokens":1})");
  BOOST_TEST(events.back().find("type")->text == "response.incomplete");
  const auto& last = *events.back().find("response");
  BOOST_TEST(json::to_text(*last.find("incomplete_details")) == R"({"reason":"max_output_tokens"})");
  BOOST_TEST(last.find("output")->items[0].find("status")->text == "incomplete");
  BOOST_TEST(last.find("usage")->find("total_tokens")->text == "2");
}

BOOST_AUTO_TEST_CASE(an_error_about_the_chat_names_the_parameter_that_was_given) {
  const auto said = [](const std::string& param) {
    return teller()->error(400, R"({"error":{"message":"Invalid ')" + param + R"(': no.","type":"t","param":")" +
                                    param + R"(","code":"c"}})");
  };
  BOOST_TEST(
      said("max_completion_tokens") ==
      R"({"error":{"message":"Invalid 'max_output_tokens': no.","type":"t","param":"max_output_tokens","code":"c"}})");
  BOOST_TEST(said("model") == R"({"error":{"message":"Invalid 'model': no.","type":"t","param":"model","code":"c"}})");
}

BOOST_AUTO_TEST_CASE(a_stream_that_breaks_says_so_twice_for_those_who_look_for_either) {
  auto t = teller();
  told all;
  add_told(all, t->chunk(chunk_of(R"("content":"a")")));
  const auto before = all.size();
  add_told(
      all,
      t->broken(502, R"({"error":{"message":"cut \"off\"","type":"upstream_error","param":null,"code":"truncated"}})"));
  BOOST_TEST_REQUIRE(all.size() == before + 2);
  BOOST_TEST(all[before] ==
             R"(error {"type":"error","sequence_number":5,"code":"truncated","message":"cut \"off\"","param":null})");
  const auto failed = tree_of(std::string_view(all.back()).substr(all.back().find(' ')));
  BOOST_TEST(json::to_text(*failed.find("response")->find("error")) ==
             R"({"code":"server_error","message":"cut \"off\""})");
  BOOST_TEST(failed.find("response")->find("status")->text == "failed");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace responses_in_test
