// What Google's Gemini API is asked, for every feature of a chat request, and what it cannot be asked.
#include "net/dialects/provider_dialect.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

namespace gemini_request_test {

using namespace mainstay;

namespace {

chat_request asked(const std::string& members, const std::string& messages) {
  auto parsed = parse_chat_request(make_bytes(R"({"model":"m","messages":[)" + messages + "]" + members + "}"));
  if (auto wrong = std::get_if<request_problem>(&parsed)) BOOST_FAIL(wrong->message);
  return std::move(std::get<chat_request>(parsed));
}

const std::string hello = R"({"role":"user","content":"Hi"})";
const std::string said = R"({"contents":[{"role":"user","parts":[{"text":"Hi"}]}])";

provider_request_or ask(const std::string& members, const std::string& messages = hello,
                        provider_terms terms = {.model = "gemini-2.5-flash"}) {
  return gemini_request(asked(members, messages), terms);
}

std::string body(const std::string& members, const std::string& messages = hello,
                 provider_terms terms = {.model = "gemini-2.5-flash"}) {
  auto got = ask(members, messages, terms);
  if (auto wrong = std::get_if<request_problem>(&got)) return wrong->code + " " + wrong->param;
  auto& text = *std::get<provider_request>(got).body;
  BOOST_TEST(json::parse(text).has_value(), text);
  return text;
}

std::string contents(const std::string& messages, std::string_view model = "gemini-2.5-flash") {
  auto text = body("", messages, {.model = model});
  auto tree = json::parse(text);
  return tree ? json::to_text(*tree->find("contents")) : text;
}

std::string config(const std::string& members, std::string_view model = "gemini-2.5-flash") {
  auto text = body(members, hello, {.model = model});
  auto tree = json::parse(text);
  auto found = tree ? tree->find("generationConfig") : nullptr;
  return !tree ? text : found ? json::to_text(*found) : "";
}

std::string path(std::string_view model, const std::string& members = "") {
  return std::get<provider_request>(ask(members, hello, {.model = model})).path;
}

} // namespace

BOOST_AUTO_TEST_SUITE(gemini_requests)

BOOST_AUTO_TEST_CASE(the_model_is_in_the_path_and_can_lead_nowhere_else) {
  BOOST_TEST(path("gemini-2.5-pro") == "/models/gemini-2.5-pro:generateContent");
  BOOST_TEST(path("gemini-2.5-pro", R"(,"stream":true)") == "/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
  BOOST_TEST(path("models/gemini-2.5-pro") == "/models/gemini-2.5-pro:generateContent");
  BOOST_TEST(path("tunedModels/mine") == "/tunedModels/mine:generateContent");
  BOOST_TEST(path("../x?key=1#y/%2e") == "/models/..%2Fx%3Fkey%3D1%23y%2F%252e:generateContent");
}

BOOST_AUTO_TEST_CASE(what_the_system_says_stands_apart) {
  BOOST_TEST(
      body(
          "",
          R"({"role":"system","content":"Be kind"},{"role":"developer","content":[{"type":"text","text":"and short"}]},)" +
              hello) == said + R"(,"systemInstruction":{"parts":[{"text":"Be kind"},{"text":"and short"}]}})");
  BOOST_TEST(body("", R"({"role":"system","content":"alone"})") ==
             R"({"contents":[{"role":"user","parts":[{"text":"alone"}]}]})");
}

BOOST_AUTO_TEST_CASE(the_assistant_is_the_model_and_turns_alternate) {
  BOOST_TEST(
      contents(
          hello +
          R"(,{"role":"assistant","content":"Yes?"},{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b 漢字 😀"}]})") ==
      R"([{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Yes?"}]},{"role":"user","parts":[{"text":"a"},{"text":"b 漢字 😀"}]}])");
  // A turn without a word is none: Gemini refuses it.
  BOOST_TEST(contents(hello + R"(,{"role":"assistant","content":""},{"role":"user","content":"again"})") ==
             R"([{"role":"user","parts":[{"text":"Hi"},{"text":"again"}]}])");
  BOOST_TEST(contents(hello + R"(,{"role":"assistant","content":null,"refusal":"No.","reasoning_content":"hm"})") ==
             R"([{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"No."}]}])");
}

BOOST_AUTO_TEST_CASE(pictures_sounds_and_files_are_data_or_fetched_by_google) {
  const auto user = [](const std::string& part) { return contents(R"({"role":"user","content":[)" + part + "]}"); };
  const auto part = [](const std::string& p) { return R"([{"role":"user","parts":[)" + p + "]}]"; };
  BOOST_TEST(user(R"({"type":"image_url","image_url":{"url":"data:image/png;base64,iVBOR"}})") ==
             part(R"({"inlineData":{"mimeType":"image/png","data":"iVBOR"}})"));
  BOOST_TEST(user(R"({"type":"image_url","image_url":{"url":"https://x.test/a.JPG?w=1","detail":"auto"}})") ==
             part(R"({"fileData":{"mimeType":"image/jpeg","fileUri":"https://x.test/a.JPG?w=1"}})"));
  BOOST_TEST(user(R"({"type":"image_url","image_url":"https://x.test/a"})") ==
             part(R"({"fileData":{"fileUri":"https://x.test/a"}})"));
  BOOST_TEST(user(R"({"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}})") ==
             part(R"({"inlineData":{"mimeType":"audio/wav","data":"UklG"}})"));
  BOOST_TEST(user(R"({"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}})") ==
             part(R"({"inlineData":{"mimeType":"application/pdf","data":"JVBE"}})"));
  BOOST_TEST(user(R"({"type":"file","file":{"filename":"a.pdf","file_data":"JVBE"}})") ==
             part(R"({"inlineData":{"mimeType":"application/pdf","data":"JVBE"}})"));
  for (auto url : {"http://x.test/a.png", "file:///etc/passwd", "data:image/png,raw", "data:;base64,", ""})
    BOOST_TEST(user(R"({"type":"image_url","image_url":{"url":")" + std::string(url) + R"("}})") ==
                   "invalid_value messages[0].content[0].image_url",
               url);
  BOOST_TEST(user(R"({"type":"file","file":{"file_id":"file-abc"}})") == "invalid_value messages[0].content[0].file");
  BOOST_TEST(user(R"({"type":"hologram","hologram":{}})") == "unsupported_parameter messages[0].content[0].type");
}

BOOST_AUTO_TEST_CASE(calls_and_their_results_keep_ids_names_and_signatures) {
  const std::string calls =
      hello +
      R"(,{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Rome\"}"},"extra_content":{"google":{"thought_signature":"c2ln"}}},{"id":"c2","type":"function","function":{"name":"time","arguments":""}}]},{"role":"tool","tool_call_id":"c2","content":"noon"},{"role":"tool","tool_call_id":"c1","content":"{\"deg\": 20.50}"},{"role":"user","content":"and?"})";
  BOOST_TEST(
      contents(calls) ==
      R"([{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"functionCall":{"id":"c1","name":"weather","args":{"city":"Rome"}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"c2","name":"time","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"c2","name":"time","response":{"output":"noon"}}},{"functionResponse":{"id":"c1","name":"weather","response":{"deg":20.50}}}]},{"role":"user","parts":[{"text":"and?"}]}])");
}

BOOST_AUTO_TEST_CASE(a_result_is_an_object_whatever_the_tool_said) {
  const auto response = [](const std::string& members) {
    auto text = contents(
        R"({"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c",)" +
        members + "}");
    auto tree = json::parse(text);
    return tree ? json::to_text(*tree->items[1].find("parts")->items[0].find("functionResponse")) : text;
  };
  BOOST_TEST(response(R"("content":"[1]")") == R"({"id":"c","name":"f","response":{"output":"[1]"}})");
  BOOST_TEST(response(R"("content":"{broken")") == R"({"id":"c","name":"f","response":{"output":"{broken"}})");
  BOOST_TEST(response(R"("content":"{}","is_error":true)") == R"({"id":"c","name":"f","response":{"error":"{}"}})");
  BOOST_TEST(
      response(
          R"("content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}])") ==
      R"({"id":"c","name":"f","response":{"output":"a\nb"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]})");
}

BOOST_AUTO_TEST_CASE(calls_of_another_provider_pass_gemini_threes_check) {
  const std::string calls =
      hello +
      R"(,{"role":"assistant","content":"so","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{}"}}]})";
  BOOST_TEST(
      contents(calls, "gemini-3-pro-preview") ==
      R"([{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"so"},{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"b","name":"f","args":{}}}]}])");
  BOOST_TEST(contents(calls, "gemini-2.5-pro").find("skip_") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_conversation_that_cannot_be_told_is_the_callers_problem) {
  BOOST_TEST(contents(R"({"role":"tool","tool_call_id":"x","content":"y"})") ==
             "invalid_value messages[0].tool_call_id");
  BOOST_TEST(contents(hello +
                      R"(,{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"[1]"}}]})") ==
             "invalid_value messages[1].tool_calls[0].function.arguments");
  BOOST_TEST(contents(hello + R"(,{"role":"assistant","tool_calls":[{"id":"c"}]})") ==
             "invalid_type messages[1].tool_calls[0].function");
  BOOST_TEST(contents(hello + R"(,{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{}}]})") ==
             "unsupported_parameter messages[1].tool_calls[0].type");
  BOOST_TEST(contents(R"({"role":"function","content":"y"})") == "unsupported_parameter messages[0].role");
  BOOST_TEST(contents(R"({"role":"user","content":7})") == "invalid_type messages[0].content");
  for (auto nothing :
       {R"({"role":"user","content":[]})", R"({"role":"assistant","content":""})", R"({"role":"system","content":""})"})
    BOOST_TEST(contents(nothing) == "invalid_value messages", nothing);
}

BOOST_AUTO_TEST_CASE(tools_are_declared_with_the_schema_as_it_is) {
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"additionalProperties":false}}},{"type":"function","function":{"name":"g"}}])";
  const std::string declared =
      R"(,"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"additionalProperties":false}},{"name":"g"}]}])";
  BOOST_TEST(body(tools) == said + declared + "}");
  const auto choice = [&](const std::string& c) {
    return body(tools + R"(,"tool_choice":)" + c).substr((said + declared).size());
  };
  BOOST_TEST(choice(R"("auto")") == "}");
  BOOST_TEST(choice(R"("none")") == R"(,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}})");
  BOOST_TEST(choice(R"("required")") == R"(,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}})");
  BOOST_TEST(choice(R"({"type":"function","function":{"name":"g"}})") ==
             R"(,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["g"]}}})");
  const std::string allowed =
      R"("tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]}})";
  BOOST_TEST(choice(R"({"type":"allowed_tools","allowed_tools":{"mode":"required",)" + allowed) ==
             R"(,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}}})");
  BOOST_TEST(choice(R"({"type":"allowed_tools","allowed_tools":{"mode":"auto",)" + allowed) ==
             R"(,"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f","g"]}}})");
  BOOST_TEST(body(tools + R"(,"tool_choice":"sometimes")") == "invalid_value tool_choice");
  BOOST_TEST(body(tools + R"(,"parallel_tool_calls":false)") == "unsupported_parameter parallel_tool_calls");
  BOOST_TEST(body(R"(,"tools":[{"type":"custom","custom":{"name":"x"}}])") == "unsupported_parameter tools[0].type");
}

BOOST_AUTO_TEST_CASE(arguments_that_must_follow_their_schema_are_validated) {
  const std::string strict = R"(,"tools":[{"type":"function","function":{"name":"f","strict":true}}])";
  const auto mode = [&](const std::string& more) {
    auto tree = json::parse(body(strict + more));
    return json::to_text(*tree->find("toolConfig"));
  };
  BOOST_TEST(mode("") == R"({"functionCallingConfig":{"mode":"VALIDATED"}})");
  BOOST_TEST(mode(R"(,"tool_choice":"auto")") == R"({"functionCallingConfig":{"mode":"VALIDATED"}})");
  BOOST_TEST(mode(R"(,"tool_choice":"required")") == R"({"functionCallingConfig":{"mode":"ANY"}})");
}

BOOST_AUTO_TEST_CASE(a_signature_of_what_was_said_goes_back_with_it) {
  const std::string extra = R"("extra_content":{"google":{"thought_signature":"c2ln"}}})";
  BOOST_TEST(contents(R"({"role":"assistant","content":"a",)" + extra) ==
             R"([{"role":"model","parts":[{"text":"a","thoughtSignature":"c2ln"}]}])");
  BOOST_TEST(contents(R"({"role":"assistant","content":"a"},{"role":"assistant","content":"",)" + extra) ==
             R"([{"role":"model","parts":[{"text":"a"},{"text":"","thoughtSignature":"c2ln"}]}])");
}

BOOST_AUTO_TEST_CASE(members_of_tools_formats_and_streams_are_lost_by_name_or_not_at_all) {
  const std::string tool = R"(,"tools":[{"type":"function","function":{"name":"f","returns":"x"}}])";
  BOOST_TEST(body(tool) == "unsupported_parameter tools[0].function.returns");
  const auto dropped = ask(tool, hello, {.model = "gemini-2.5-flash", .leave_out = true});
  BOOST_TEST(std::get<provider_request>(dropped).left_out == std::vector<std::string>{"tools[].function.returns"},
             boost::test_tools::per_element());
  BOOST_TEST(body(R"(,"stream":true,"stream_options":{"pace":1})") == "unsupported_parameter stream_options.pace");
  BOOST_TEST(body(R"(,"top_logprobs":3)") == "invalid_value top_logprobs");
}

BOOST_AUTO_TEST_CASE(members_of_messages_are_lost_by_name_or_not_at_all) {
  const std::string named = R"({"role":"user","name":"ann","content":[{"type":"text","text":"x","name":null}]})";
  BOOST_TEST(contents(named) == "unsupported_parameter messages[0].name");
  const auto dropped = ask("", named, {.model = "gemini-2.5-flash", .leave_out = true});
  BOOST_TEST(std::get<provider_request>(dropped).left_out == std::vector<std::string>{"messages[].name"},
             boost::test_tools::per_element());
  for (auto gone : {"function_call", "audio"}) {
    const auto message = R"({"role":"assistant","content":"x",")" + std::string(gone) + R"(":{"id":"a"}})";
    BOOST_TEST(body("", message, {.model = "gemini-2.5-flash", .leave_out = true}) ==
               "unsupported_parameter messages[0]." + std::string(gone));
  }
}

BOOST_AUTO_TEST_CASE(how_to_sample_is_the_generation_config) {
  BOOST_TEST(
      config(
          R"(,"temperature":0.50,"top_p":1e-1,"top_k":40,"seed":-1,"presence_penalty":0.1,"frequency_penalty":-2,"n":2,"logprobs":true,"top_logprobs":3,"stop":["a","漢"],"max_tokens":5)") ==
      R"({"maxOutputTokens":5,"temperature":0.50,"topP":1e-1,"topK":40,"seed":2147483647,"presencePenalty":0.1,"frequencyPenalty":-2,"candidateCount":2,"responseLogprobs":true,"logprobs":3,"stopSequences":["a","漢"]})");
  BOOST_TEST(config(R"(,"stop":"x")") == R"({"stopSequences":["x"]})");
  BOOST_TEST(config(R"(,"max_tokens":5,"max_completion_tokens":7)") == R"({"maxOutputTokens":7})");
  BOOST_TEST(config(R"(,"top_logprobs":0,"logprobs":false)") == "");
  BOOST_TEST(config(R"(,"temperature":"hot")") == "invalid_type temperature");
  BOOST_TEST(config(R"(,"stop":[1])") == "invalid_type stop");
  BOOST_TEST(config(R"(,"seed":1.5)") == "invalid_type seed");
}

BOOST_AUTO_TEST_CASE(json_is_asked_for_by_its_type_and_schema) {
  BOOST_TEST(config(R"(,"response_format":{"type":"text"})") == "");
  BOOST_TEST(config(R"(,"response_format":{"type":"json_object"})") == R"({"responseMimeType":"application/json"})");
  BOOST_TEST(
      config(
          R"(,"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object"}}})") ==
      R"({"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}})");
  BOOST_TEST(config(R"(,"response_format":{"type":"xml"})") == "invalid_value response_format.type");
}

BOOST_AUTO_TEST_CASE(effort_is_a_budget_or_from_gemini_3_on_a_level) {
  const auto effort = [](std::string_view model, const std::string& word) {
    return config(R"(,"reasoning_effort":")" + word + "\"", model);
  };
  const auto budget = [](const std::string& n) {
    return R"({"thinkingConfig":{"thinkingBudget":)" + n + R"(,"includeThoughts":true}})";
  };
  const auto level = [](const std::string& l) {
    return R"({"thinkingConfig":{"thinkingLevel":")" + l + R"(","includeThoughts":true}})";
  };
  BOOST_TEST(effort("gemini-2.5-flash", "none") == R"({"thinkingConfig":{"thinkingBudget":0}})");
  BOOST_TEST(effort("gemini-2.5-pro", "none") == R"({"thinkingConfig":{"thinkingBudget":128}})");
  BOOST_TEST(effort("gemini-2.5-flash", "minimal") == budget("1024"));
  BOOST_TEST(effort("gemini-2.5-flash", "low") == budget("1024"));
  BOOST_TEST(effort("gemini-2.5-flash", "medium") == budget("8192"));
  BOOST_TEST(effort("gemini-2.5-flash", "high") == budget("24576"));
  BOOST_TEST(effort("gemini-3-flash-preview", "none") == R"({"thinkingConfig":{"thinkingLevel":"MINIMAL"}})");
  BOOST_TEST(effort("gemini-3-flash-preview", "minimal") == level("MINIMAL"));
  BOOST_TEST(effort("gemini-3-pro-preview", "minimal") == level("LOW"));
  BOOST_TEST(effort("gemini-3-pro-preview", "medium") == level("HIGH"));
  BOOST_TEST(effort("gemini-3.1-pro-preview", "medium") == level("MEDIUM"));
  BOOST_TEST(effort("gemini-3-flash-preview", "high") == level("HIGH"));
  BOOST_TEST(effort("gemini-2.5-flash", "extreme") == "invalid_value reasoning_effort");
  BOOST_TEST(config(R"(,"thinking":{"type":"enabled","budget_tokens":3000})") == budget("3000"));
  BOOST_TEST(config(R"(,"thinking":{"type":"enabled","budget_tokens":64000})") == budget("24576"));
  BOOST_TEST(config(R"(,"thinking":{"type":"adaptive"})") == budget("-1"));
  BOOST_TEST(config(R"(,"thinking":{"type":"disabled"})") == R"({"thinkingConfig":{"thinkingBudget":0}})");
}

BOOST_AUTO_TEST_CASE(what_changes_nothing_is_no_parameter) {
  BOOST_TEST(
      body(
          R"(,"n":1,"logprobs":false,"store":false,"presence_penalty":0,"frequency_penalty":0.0,"logit_bias":{},"tool_choice":"auto","service_tier":"auto","stop":null,"top_p":null,"modalities":["text"],"functions":[],"verbosity":"medium","audio":null,"user":"u","metadata":{"a":"b"},"prompt_cache_key":"k","safety_identifier":"s","parallel_tool_calls":true,"stream":false)") ==
      said + "}");
}

BOOST_AUTO_TEST_CASE(what_has_no_counterpart_is_named_or_left_out_and_named) {
  for (auto member : {R"("logit_bias":{"1":2})", R"("store":true)", R"("functions":[{"name":"f"}])", R"("min_p":0.1)",
                      R"("modalities":["text","audio"])", R"("web_search_options":{})", R"("verbosity":"low")",
                      R"("prediction":{"type":"content"})"}) {
    const auto text = std::string(member);
    const auto name = text.substr(1, text.find('"', 1) - 1);
    BOOST_TEST(body("," + text) == "unsupported_parameter " + name);
    auto got = ask("," + text, hello, {.model = "gemini-2.5-flash", .leave_out = true});
    BOOST_REQUIRE(std::holds_alternative<provider_request>(got));
    auto& made = std::get<provider_request>(got);
    BOOST_TEST(*made.body == said + "}");
    BOOST_TEST(made.left_out == std::vector<std::string>{name}, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(what_was_begun_is_the_models_last_turn_and_comes_off_the_cap) {
  prefill begun{"Once \"upon\"", 7};
  BOOST_TEST(
      body(R"(,"max_tokens":10)", hello, {.model = "gemini-2.5-flash", .begun = &begun}) ==
      R"({"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Once \"upon\""}]}],"generationConfig":{"maxOutputTokens":3}})");
  begun.tokens = 10;
  BOOST_TEST(body(R"(,"max_tokens":10)", hello, {.model = "gemini-2.5-flash", .begun = &begun})
                 .find(R"("maxOutputTokens":1})") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gemini_request_test
