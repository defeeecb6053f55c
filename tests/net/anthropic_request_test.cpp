// What Anthropic's Messages API is asked, for every feature of a chat request, and what it cannot be asked.
#include "net/dialects/provider_dialect.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

namespace anthropic_request_test {

using namespace mainstay;

namespace {

chat_request asked(const std::string& members, const std::string& messages) {
  auto parsed = parse_chat_request(make_bytes(R"({"model":"m","messages":[)" + messages + "]" + members + "}"));
  if (auto wrong = std::get_if<request_problem>(&parsed)) BOOST_FAIL(wrong->message);
  return std::move(std::get<chat_request>(parsed));
}

constexpr provider_terms usual{.model = "claude-sonnet-4-5"};
const std::string hello = R"({"role":"user","content":"Hi"})";

provider_request_or ask(const std::string& members, const std::string& messages = hello, provider_terms terms = usual) {
  return anthropic_request(asked(members, messages), terms);
}

/// The body; of a problem its code and parameter.
std::string body(const std::string& members, const std::string& messages = hello, provider_terms terms = usual) {
  auto got = ask(members, messages, terms);
  if (auto wrong = std::get_if<request_problem>(&got)) return wrong->code + " " + wrong->param;
  auto& text = *std::get<provider_request>(got).body;
  BOOST_TEST(json::parse(text).has_value(), text);
  return text;
}

/// What is said besides model, messages and max_tokens.
std::string rest(const std::string& members, provider_terms terms = usual, const std::string& messages = hello) {
  auto text = body(members, messages, terms);
  auto tree = json::parse(text);
  if (!tree) return text;
  for (auto known : {"model", "messages", "max_tokens"}) tree->erase(known);
  return json::to_text(*tree);
}

std::string part(std::string_view name, const std::string& members, const std::string& messages = hello,
                 provider_terms terms = usual) {
  auto text = body(members, messages, terms);
  auto tree = json::parse(text);
  if (!tree) return text;
  auto found = tree->find(name);
  return found ? json::to_text(*found) : "";
}
std::string messages(const std::string& list, provider_terms terms = usual) {
  return part("messages", "", list, terms);
}

/// The body without what may be left out, and what was.
std::string left_out(const std::string& members, provider_terms terms = usual) {
  terms.leave_out = true;
  auto got = ask(members, hello, terms);
  if (auto wrong = std::get_if<request_problem>(&got)) return wrong->code + " " + wrong->param;
  std::string names;
  for (auto& name : std::get<provider_request>(got).left_out) names += name + " ";
  return names + rest(members, terms);
}

const std::string weather =
    R"({"type":"function","function":{"name":"weather","description":"Of a city","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}})";
const std::string weather_there =
    R"({"name":"weather","description":"Of a city","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}})";
const std::string tools = R"(,"tools":[)" + weather + "]";
std::string with_tools(const std::string& more) { return R"({"tools":[)" + weather_there + "]" + more + "}"; }

const std::string called =
    hello +
    R"(,{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"京都 😀\",\"n\":1.50}"}},{"id":"call.2:0","type":"function","function":{"name":"time","arguments":""}}]},{"role":"tool","tool_call_id":"call_1","content":"warm"},{"role":"tool","tool_call_id":"call.2:0","content":"no clock","is_error":true})";

constexpr provider_terms old{.model = "claude-3-5-sonnet-20241022"}, newest{.model = "claude-opus-4-7"};

} // namespace

BOOST_AUTO_TEST_SUITE(net_dialects_anthropic_request)

BOOST_AUTO_TEST_CASE(a_question_is_posted_to_messages_in_the_version_that_is_translated) {
  auto got = std::get<provider_request>(ask(R"(,"max_tokens":12,"stream":true)"));
  BOOST_TEST(got.path == "/messages");
  BOOST_REQUIRE(got.headers.size() == 1u);
  BOOST_TEST(got.headers[0].first == "anthropic-version");
  BOOST_TEST(got.headers[0].second == "2023-06-01");
  BOOST_TEST(
      *got.body ==
      R"({"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"Hi"}],"max_tokens":12,"stream":true})");
  BOOST_TEST(got.left_out.empty());
}

BOOST_AUTO_TEST_CASE(what_the_system_says_stands_apart_wherever_it_was_said) {
  const std::string list =
      R"({"role":"system","content":"Be brief."},{"role":"developer","content":[{"type":"text","text":"Be kind.","cache_control":{"type":"ephemeral"}},{"type":"text","text":" "}]},)" +
      hello + R"(,{"role":"system","content":"Now rhyme."},{"role":"assistant","content":"Yo"},)" + hello;
  BOOST_TEST(
      part("system", "", list) ==
      R"([{"type":"text","text":"Be brief."},{"type":"text","text":"Be kind.","cache_control":{"type":"ephemeral"}},{"type":"text","text":"Now rhyme."}])");
  BOOST_TEST(messages(list) ==
             R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"},{"role":"user","content":"Hi"}])");
  const std::string alone = R"({"role":"system","content":"Speak."})";
  BOOST_TEST(messages(alone) == R"([{"role":"user","content":[{"type":"text","text":"Speak."}]}])");
  BOOST_TEST(part("system", "", alone) == "");
}

BOOST_AUTO_TEST_CASE(texts_without_a_word_are_left_out_for_anthropic_refuses_them) {
  BOOST_TEST(messages(R"({"role":"user","content":""},{"role":"assistant","content":" \n"},)" + hello) ==
             R"([{"role":"user","content":"Hi"}])");
  BOOST_TEST(messages(R"({"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"Hi"}]})") ==
             R"([{"role":"user","content":[{"type":"text","text":"Hi"}]}])");
  BOOST_TEST(body("", R"({"role":"user","content":""})") == "invalid_value messages");
}

BOOST_AUTO_TEST_CASE(the_assistants_last_word_ends_without_blanks) {
  BOOST_TEST(messages(hello + R"(,{"role":"assistant","content":"It is \n"})") ==
             R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"It is"}])");
  BOOST_TEST(
      messages(hello +
               R"(,{"role":"assistant","content":[{"type":"text","text":"It "},{"type":"text","text":"is "}]})") ==
      R"([{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"It "},{"type":"text","text":"is"}]}])");
  BOOST_TEST(messages(R"({"role":"user","content":"Hi "})") == R"([{"role":"user","content":"Hi "}])");
}

BOOST_AUTO_TEST_CASE(calls_and_their_results_keep_their_ids_and_stand_together) {
  BOOST_TEST(
      messages(called) ==
      R"([{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"weather","input":{"city":"京都 😀","n":1.50}},{"type":"tool_use","id":"call_2_0","name":"time","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"warm"},{"type":"tool_result","tool_use_id":"call_2_0","content":"no clock","is_error":true}]}])");
  BOOST_TEST(part("tools", tools, called) == "[" + weather_there + "]");
  // Nobody may be called, but what was called is known.
  BOOST_TEST(
      rest("", usual, called) ==
      R"({"tool_choice":{"type":"none"},"tools":[{"name":"weather","input_schema":{"type":"object"}},{"name":"time","input_schema":{"type":"object"}}]})");
  BOOST_TEST(
      messages(
          hello +
          R"(,{"role":"assistant","content":"Let me see.","tool_calls":[{"id":"a","type":"function","function":{"name":"look","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"this"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aWk="}}],"cache_control":{"type":"ephemeral"}},{"role":"user","content":"And?"})") ==
      R"([{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"Let me see."},{"type":"tool_use","id":"a","name":"look","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"this"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aWk="}}],"cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"And?"}])");
  BOOST_TEST(
      body(
          "",
          hello +
              R"(,{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x"}}]},{"role":"tool","tool_call_id":"a","content":"x"})") ==
      "unsupported_parameter messages[1].tool_calls[0].function.arguments");
}

BOOST_AUTO_TEST_CASE(pictures_and_files_become_blocks) {
  const auto block = [](const std::string& part) {
    auto all = messages(R"({"role":"user","content":[)" + part + "]}");
    const std::string before = R"([{"role":"user","content":[)";
    return all.starts_with(before) ? all.substr(before.size(), all.size() - before.size() - 3) : all;
  };
  BOOST_TEST(block(R"({"type":"image_url","image_url":{"url":"https://x.example/a.png","detail":"auto"}})") ==
             R"({"type":"image","source":{"type":"url","url":"https://x.example/a.png"}})");
  BOOST_TEST(
      block(
          R"({"type":"image_url","image_url":{"url":"data:image/webp;base64,aWk="},"cache_control":{"type":"ephemeral"}})") ==
      R"({"type":"image","source":{"type":"base64","media_type":"image/webp","data":"aWk="},"cache_control":{"type":"ephemeral"}})");
  BOOST_TEST(
      block(R"({"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,aWk="}})") ==
      R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"aWk="},"title":"a.pdf"})");
  BOOST_TEST(block(R"({"type":"file","file":{"filename":"a.txt","file_data":"data:text/plain;base64,5Lqs6YO9"}})") ==
             R"({"type":"document","source":{"type":"text","media_type":"text/plain","data":"京都"},"title":"a.txt"})");
  BOOST_TEST(block(R"({"type":"file","file":{"file_data":"https://x.example/a.pdf"}})") ==
             R"({"type":"document","source":{"type":"url","url":"https://x.example/a.pdf"}})");
  BOOST_TEST(block(R"({"type":"file","file":{"file_data":"https://x.example/a.pdf","filename":"a"}})") ==
             R"({"type":"document","source":{"type":"url","url":"https://x.example/a.pdf"},"title":"a"})");
  for (auto none : {R"({"type":"image_url","image_url":{"url":"http://x.example/a.png"}})",
                    R"({"type":"image_url","image_url":{"url":"data:image/png,ii"}})",
                    R"({"type":"file","file":{"file_id":"file-123"}})",
                    R"({"type":"file","file":{"file_data":"data:application/zip;base64,aWk="}})"})
    BOOST_TEST(block(none) == "unsupported_parameter messages[0].content[0]", none);
  BOOST_TEST(block(R"({"type":"input_audio","input_audio":{"data":"aWk=","format":"wav"}})") ==
             "unsupported_parameter messages[0].content[0].type");
}

BOOST_AUTO_TEST_CASE(thoughts_go_back_with_their_signatures_and_in_front) {
  BOOST_TEST(
      messages(
          hello +
          R"(,{"role":"assistant","content":"So.","reasoning_content":"Hm","thinking_blocks":[{"type":"thinking","thinking":"Hm 🤔","signature":"c2ln"},{"type":"redacted_thinking","data":"eA=="},{"type":"thinking","thinking":"another's"}]},)" +
          hello) ==
      R"([{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm 🤔","signature":"c2ln"},{"type":"redacted_thinking","data":"eA=="},{"type":"text","text":"So."}]},{"role":"user","content":"Hi"}])");
}

BOOST_AUTO_TEST_CASE(a_hint_of_caching_stays_where_it_was) {
  BOOST_TEST(
      messages(R"({"role":"user","content":"Hi","cache_control":{"type":"ephemeral","ttl":"1h"}})") ==
      R"([{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral","ttl":"1h"}}]}])");
  BOOST_TEST(rest(R"(,"cache_control":{"type":"ephemeral"})") == R"({"cache_control":{"type":"ephemeral"}})");
  BOOST_TEST(
      part("tools", R"(,"tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}])") ==
      R"([{"name":"f","input_schema":{"type":"object","properties":{}},"cache_control":{"type":"ephemeral"}}])");
}

BOOST_AUTO_TEST_CASE(tools_may_must_or_must_not_be_called) {
  const auto choice = [](const std::string& c) { return rest(tools + R"(,"tool_choice":)" + c); };
  BOOST_TEST(rest(tools) == with_tools(""));
  BOOST_TEST(choice(R"("auto")") == with_tools(""));
  BOOST_TEST(choice(R"("none")") == with_tools(R"(,"tool_choice":{"type":"none"})"));
  BOOST_TEST(choice(R"("required")") == with_tools(R"(,"tool_choice":{"type":"any"})"));
  BOOST_TEST(choice(R"({"type":"function","function":{"name":"weather"}})") ==
             with_tools(R"(,"tool_choice":{"type":"tool","name":"weather"})"));
  BOOST_TEST(rest(tools + R"(,"parallel_tool_calls":false)") ==
             with_tools(R"(,"tool_choice":{"type":"auto","disable_parallel_tool_use":true})"));
  BOOST_TEST(rest(tools + R"(,"parallel_tool_calls":false,"tool_choice":"required")") ==
             with_tools(R"(,"tool_choice":{"type":"any","disable_parallel_tool_use":true})"));
  BOOST_TEST(rest(R"(,"parallel_tool_calls":false,"tool_choice":"auto")") == "{}");
  BOOST_TEST(choice(R"({"type":"custom"})") == "invalid_value tool_choice");
  BOOST_TEST(
      rest(
          R"(,"tools":[{"type":"function","function":{"name":"other"}},)" + weather +
          R"(],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"weather"}}]}})") ==
      with_tools(R"(,"tool_choice":{"type":"any"})"));
}

BOOST_AUTO_TEST_CASE(members_of_tools_formats_and_streams_are_lost_by_name_or_not_at_all) {
  const std::string tool =
      R"(,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"returns":"x"}}])";
  BOOST_TEST(body(tool) == "unsupported_parameter tools[0].function.returns");
  BOOST_TEST(left_out(tool) == R"(tools[].function.returns {"tools":[{"name":"f","input_schema":{"type":"object"}}]})");
  BOOST_TEST(body(R"(,"stream":true,"stream_options":{"pace":1})") == "unsupported_parameter stream_options.pace");
}

BOOST_AUTO_TEST_CASE(members_of_messages_are_lost_by_name_or_not_at_all) {
  const std::string named =
      R"({"role":"user","name":"ann","content":"Hi"},{"role":"user","name":"bob","content":"Hi"})";
  BOOST_TEST(messages(named) == "unsupported_parameter messages[0].name");
  auto terms = usual;
  terms.leave_out = true;
  const auto dropped = ask("", named, terms);
  BOOST_TEST(std::get<provider_request>(dropped).left_out == std::vector<std::string>{"messages[].name"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(strict_schemas_are_promised_only_by_models_that_keep_them) {
  const std::string strict =
      R"(,"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object"}}}])";
  BOOST_TEST(part("tools", strict) == R"([{"name":"f","input_schema":{"type":"object"},"strict":true}])");
  BOOST_TEST(body(strict, hello, old) == "unsupported_parameter tools[0].function.strict");
  BOOST_TEST(left_out(strict, old) ==
             R"(tools[0].function.strict {"tools":[{"name":"f","input_schema":{"type":"object"}}]})");
  BOOST_TEST(body(R"(,"tools":[{"type":"custom","custom":{"name":"f"}}])") == "unsupported_parameter tools[0].type");
}

BOOST_AUTO_TEST_CASE(json_follows_a_schema_or_is_not_promised) {
  const std::string schema =
      R"(,"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{"a":{"type":"object","properties":{}}},"required":["a"]}}})";
  BOOST_TEST(
      rest(schema) ==
      R"({"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"object","properties":{},"additionalProperties":false}},"required":["a"],"additionalProperties":false}}}})");
  BOOST_TEST(body(schema, hello, old) == "unsupported_parameter response_format");
  BOOST_TEST(body(R"(,"response_format":{"type":"json_object"})") == "unsupported_parameter response_format");
  BOOST_TEST(left_out(R"(,"response_format":{"type":"json_object"})") == "response_format {}");
  BOOST_TEST(rest(R"(,"response_format":{"type":"text"})") == "{}");
  BOOST_TEST(
      rest(
          R"(,"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","schema":{"type":"string"}}})") ==
      R"({"output_config":{"format":{"type":"json_schema","schema":{"type":"string","description":"d"}}}})");
}

BOOST_AUTO_TEST_CASE(a_cap_is_always_given) {
  const auto cap = [](const std::string& members, std::string_view model = "claude-sonnet-4-5") {
    return part("max_tokens", members, hello, {.model = model});
  };
  BOOST_TEST(cap(R"(,"max_tokens":7)") == "7");
  BOOST_TEST(cap(R"(,"max_tokens":7,"max_completion_tokens":9)") == "9");
  BOOST_TEST(cap("") == "32000");
  BOOST_TEST(cap("", "claude-opus-4-20250514") == "32000");
  BOOST_TEST(cap("", "claude-3-7-sonnet-20250219") == "32000");
  BOOST_TEST(cap("", "claude-3-5-haiku-20241022") == "8192");
  BOOST_TEST(cap("", "claude-3-haiku-20240307") == "4096");
  BOOST_TEST(cap("", "MiniMax-M2") == "4096");
}

BOOST_AUTO_TEST_CASE(stops_are_sequences_with_something_in_them) {
  BOOST_TEST(rest(R"(,"stop":"END")") == R"({"stop_sequences":["END"]})");
  BOOST_TEST(rest(R"(,"stop":["a\n","京"])") == R"({"stop_sequences":["a\n","京"]})");
  BOOST_TEST(rest(R"(,"stop":[])") == "{}");
  BOOST_TEST(body(R"(,"stop":["a","\n\n"])") == "unsupported_parameter stop");
  BOOST_TEST(left_out(R"(,"stop":["\n","a","\n\n"])") == R"(stop {"stop_sequences":["a"]})");
}

BOOST_AUTO_TEST_CASE(chance_is_asked_for_as_far_as_the_model_goes) {
  BOOST_TEST(rest(R"(,"temperature":0.20,"top_k":5)") == R"({"temperature":0.20,"top_k":5})");
  BOOST_TEST(rest(R"(,"top_p":0.9)") == R"({"top_p":0.9})");
  BOOST_TEST(rest(R"(,"temperature":1,"top_p":1.0)") == "{}");
  BOOST_TEST(rest(R"(,"temperature":0,"top_p":1)") == R"({"temperature":0})");
  BOOST_TEST(body(R"(,"temperature":1.2)") == "unsupported_parameter temperature");
  BOOST_TEST(left_out(R"(,"temperature":1.2)") == "temperature {}");
  BOOST_TEST(body(R"(,"temperature":0.5,"top_p":0.5)") == "unsupported_parameter top_p");
  BOOST_TEST(rest(R"(,"temperature":0.5,"top_p":0.5)", old) == R"({"temperature":0.5,"top_p":0.5})");
  for (auto chosen : {R"(,"temperature":0.5)", R"(,"top_p":0.5)", R"(,"top_k":3)"})
    BOOST_TEST(body(chosen, hello, newest).starts_with("unsupported_parameter "), chosen);
  BOOST_TEST(rest(R"(,"temperature":1)", newest) == "{}");
  BOOST_TEST(body(R"(,"temperature":"hot")") == "invalid_type temperature");
}

BOOST_AUTO_TEST_CASE(effort_is_tokens_to_think_with_or_a_word_where_the_model_knows_it) {
  const auto effort = [](const std::string& word, const std::string& more = "", provider_terms terms = usual) {
    return rest(R"(,"reasoning_effort":")" + word + "\"" + more, terms);
  };
  BOOST_TEST(effort("low") == R"({"thinking":{"type":"enabled","budget_tokens":1024}})");
  BOOST_TEST(effort("medium") == R"({"thinking":{"type":"enabled","budget_tokens":8192}})");
  BOOST_TEST(effort("high") == R"({"thinking":{"type":"enabled","budget_tokens":24576}})");
  BOOST_TEST(part("max_tokens", R"(,"reasoning_effort":"high")") == "56576");
  BOOST_TEST(effort("none") == "{}");
  BOOST_TEST(effort("high", R"(,"max_tokens":5000)") == R"({"thinking":{"type":"enabled","budget_tokens":2500}})");
  BOOST_TEST(effort("high", R"(,"max_tokens":1500)") == R"({"thinking":{"type":"enabled","budget_tokens":1024}})");
  BOOST_TEST(effort("high", R"(,"max_tokens":1024)") == "unsupported_parameter reasoning_effort");
  BOOST_TEST(effort("low", "", old) == "unsupported_parameter reasoning_effort");
  BOOST_TEST(effort("low", R"(,"temperature":0.5)") == "unsupported_parameter temperature");
  BOOST_TEST(effort("low", R"(,"top_k":5)") == "unsupported_parameter top_k");
  BOOST_TEST(effort("low", R"(,"top_p":0.97)") ==
             R"({"thinking":{"type":"enabled","budget_tokens":1024},"top_p":0.97})");
  BOOST_TEST(effort("low", tools + R"(,"tool_choice":"required")") == "unsupported_parameter reasoning_effort");
  BOOST_TEST(effort("much") == "invalid_value reasoning_effort");
  BOOST_TEST(effort("medium", "", newest) == R"({"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}})");
  BOOST_TEST(effort("xhigh", "", newest) == R"({"thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"}})");
  BOOST_TEST(effort("xhigh", "", {.model = "claude-opus-4-6"}) ==
             R"({"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}})");
  BOOST_TEST(effort("none", "", newest) == R"({"thinking":{"type":"disabled"}})");
  BOOST_TEST(effort("low", tools + R"(,"tool_choice":"required")", newest) ==
             with_tools(R"(,"tool_choice":{"type":"any"},"output_config":{"effort":"low"})"));
}

BOOST_AUTO_TEST_CASE(anthropics_own_word_for_thinking_goes_as_it_is) {
  BOOST_TEST(rest(R"(,"thinking":{"type":"enabled","budget_tokens":2000})") ==
             R"({"thinking":{"type":"enabled","budget_tokens":2000}})");
  BOOST_TEST(part("max_tokens", R"(,"thinking":{"type":"enabled","budget_tokens":20000})") == "52000");
  BOOST_TEST(rest(R"(,"thinking":{"type":"adaptive"},"reasoning_effort":"high")", newest) ==
             R"({"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}})");
  BOOST_TEST(body(R"(,"thinking":{"type":"enabled","budget_tokens":2000})" + tools + R"(,"tool_choice":"required")") ==
             "unsupported_parameter thinking");
  BOOST_TEST(body(R"(,"thinking":{"type":"hard"})") == "invalid_value thinking");
  // Anthropic wants a thought of its own before calls whose results it is given.
  BOOST_TEST(body(tools + R"(,"reasoning_effort":"low")", called) == "unsupported_parameter reasoning_effort");
  BOOST_TEST(part("thinking", tools + R"(,"reasoning_effort":"low")", called, newest) == R"({"type":"adaptive"})");
}

BOOST_AUTO_TEST_CASE(a_user_is_named_unless_it_is_by_an_address) {
  BOOST_TEST(rest(R"(,"user":"u-1")") == R"({"metadata":{"user_id":"u-1"}})");
  BOOST_TEST(rest(R"(,"safety_identifier":"s","metadata":{"topic":"x"})") == R"({"metadata":{"user_id":"s"}})");
  BOOST_TEST(rest(R"(,"user":"u","metadata":{"user_id":"theirs"})") == R"({"metadata":{"user_id":"theirs"}})");
  BOOST_TEST(rest(R"(,"user":"a@x.example")") == "{}");
  BOOST_TEST(rest(R"(,"user":")" + std::string(257, 'u') + "\"") == "{}");
  BOOST_TEST(rest(R"(,"service_tier":"default","prompt_cache_key":"k")") == R"({"service_tier":"standard_only"})");
}

BOOST_AUTO_TEST_CASE(what_has_no_counterpart_is_named_or_left_out) {
  for (auto& [name, value] : {std::pair{"seed", "1"},
                              {"logprobs", "true"},
                              {"presence_penalty", "0.5"},
                              {"logit_bias", R"({"5":1})"},
                              {"store", "true"},
                              {"audio", R"({"voice":"x"})"},
                              {"modalities", R"(["text","audio"])"},
                              {"prediction", R"({"type":"content"})"},
                              {"web_search_options", "{}"},
                              {"verbosity", R"("low")"},
                              {"unheard_of", "1"}}) {
    const auto members = std::string(",\"") + name + "\":" + value;
    BOOST_TEST(body(members) == std::string("unsupported_parameter ") + name);
    BOOST_TEST(left_out(members) == std::string(name) + " {}");
  }
  BOOST_TEST(body(R"(,"n":2)") == "unsupported_parameter n");
  BOOST_TEST(left_out(R"(,"n":2)") == "unsupported_parameter n"); // one answer is not two
  BOOST_TEST(
      rest(
          R"(,"n":1,"logprobs":false,"store":false,"presence_penalty":0,"frequency_penalty":0.0,"logit_bias":{},"seed":null,"modalities":["text"],"service_tier":"auto","tools":[],"stream":false)") ==
      "{}");
}

BOOST_AUTO_TEST_CASE(what_was_begun_is_the_assistants_last_word) {
  const prefill begun{"It is \n", 5};
  const provider_terms terms{.model = "claude-sonnet-4-5", .begun = &begun};
  BOOST_TEST(
      body(R"(,"max_tokens":12)", hello, terms) ==
      R"({"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"It is"}],"max_tokens":7})");
  BOOST_TEST(part("max_tokens", R"(,"max_tokens":4)", hello, terms) == "1");
  BOOST_TEST(rest(R"(,"reasoning_effort":"high")", terms) == "{}");
  BOOST_TEST(body("", hello, {.model = "claude-opus-4-6", .begun = &begun}) == "unsupported_parameter messages");
  BOOST_TEST(anthropic_takes_prefill("claude-sonnet-4-5-20250929"));
  BOOST_TEST(anthropic_takes_prefill("deepseek-chat"));
  BOOST_TEST(!anthropic_takes_prefill("claude-sonnet-4-6"));
  BOOST_TEST(!anthropic_takes_prefill("claude-mythos-preview"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace anthropic_request_test
