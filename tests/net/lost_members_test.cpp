#include "net/dialects/lost_members.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>

namespace lost_members_test {

using namespace mainstay;

namespace {

/// What a request loses: its first place, and all such.
std::string lost_of(const std::string& request) {
  std::string out;
  for (auto& one : members_without_counterpart(*json::parse("{" + request + "}")))
    (((out += out.empty() ? "" : " ") += one.place) += '=') += one.what;
  return out;
}
std::string lost(const std::string& messages) { return lost_of(R"("messages":[)" + messages + "]"); }

} // namespace

BOOST_AUTO_TEST_SUITE(lost_members)

BOOST_AUTO_TEST_CASE(what_every_dialect_has_a_place_for_is_not_lost) {
  BOOST_TEST(lost(R"({"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]})") ==
             "");
  BOOST_TEST(lost(R"({"role":"tool","tool_call_id":"a","name":"f","content":"y","is_error":true})") == "");
}

BOOST_AUTO_TEST_CASE(a_models_own_message_comes_back_without_a_loss) {
  BOOST_TEST(
      lost(
          R"({"role":"assistant","content":"x","refusal":null,"annotations":[],"audio":null,"function_call":null,"tool_calls":[],"reasoning_content":"r"})") ==
      "");
}

BOOST_AUTO_TEST_CASE(each_kind_is_named_once_with_its_first_place) {
  BOOST_TEST(lost(R"({"role":"system","content":"s"},{"role":"user","name":"a","content":"x"},)"
                  R"({"role":"user","name":"b","content":"y","weight":1})") ==
             "messages[1].name=messages[].name messages[2].weight=messages[].weight");
}

BOOST_AUTO_TEST_CASE(parts_too) {
  const auto part = [](const std::string& p) { return lost(R"({"role":"user","content":[)" + p + "]}"); };
  BOOST_TEST(part(R"({"type":"image_url","image_url":{"url":"u","detail":"auto"}})") == "");
  BOOST_TEST(part(R"({"type":"image_url","image_url":{"url":"u","detail":"high"}})") ==
             "messages[0].content[0].image_url.detail=messages[].content[].image_url.detail");
  BOOST_TEST(part(R"({"type":"text","text":"t","speed":2})") ==
             "messages[0].content[0].speed=messages[].content[].speed");
}

BOOST_AUTO_TEST_CASE(what_is_no_part_at_all_is_somebody_elses_to_refuse) {
  BOOST_TEST(lost(R"({"role":"user","content":[{"type":"hologram","hologram":{"a":1}},{"text":"x"},7]})") == "");
  BOOST_TEST(lost_of(R"("messages":7,"tools":[{"type":"custom","custom":{"a":1}},7],"response_format":"x")") == "");
}

BOOST_AUTO_TEST_CASE(calls_too) {
  const auto call = [](const std::string& c) { return lost(R"({"role":"assistant","tool_calls":[)" + c + "]}"); };
  BOOST_TEST(call(R"({"id":"a","type":"function","index":0,"function":{"name":"f","arguments":"{}"},)"
                  R"("extra_content":{"google":{"thought_signature":"c"}}})") == "");
  BOOST_TEST(call(R"({"id":"a"},{"id":"b","caller":"x","function":{"name":"f","arguments":"{}","strict":true}})") ==
             "messages[0].tool_calls[1].caller=messages[].tool_calls[].caller "
             "messages[0].tool_calls[1].function.strict=messages[].tool_calls[].function.strict");
}

BOOST_AUTO_TEST_CASE(tools_formats_and_what_is_said_of_streams_too) {
  BOOST_TEST(lost_of(R"("tools":[{"type":"function","cache_control":{"type":"ephemeral"},"function":{"name":"f",)"
                     R"("description":"d","strict":true,"parameters":{"any":"thing"}}}],)"
                     R"("stream_options":{"include_usage":true,"include_obfuscation":false},"response_format":)"
                     R"({"type":"json_schema","json_schema":{"name":"n","description":"d","strict":true,)"
                     R"("schema":{"any":"thing"}}})") == "");
  BOOST_TEST(lost_of(R"("tools":[{"type":"function","eager":1,"function":{"name":"f","returns":"x"}}])") ==
             "tools[0].eager=tools[].eager tools[0].function.returns=tools[].function.returns");
  BOOST_TEST(lost_of(R"("response_format":{"type":"json_schema","json_schema":{"name":"n","depth":1}})") ==
             "response_format.json_schema.depth=response_format.json_schema.depth");
  BOOST_TEST(lost_of(R"("stream_options":{"pace":1})") == "stream_options.pace=stream_options.pace");
}

BOOST_AUTO_TEST_CASE(what_is_refused_asks_for_nothing) {
  BOOST_TEST(lost(R"({"role":"assistant","content":"x","prefix":false,"name":null,"audio":{}})") == "");
  BOOST_TEST(lost(R"({"role":"assistant","content":"x","prefix":true})") == "messages[0].prefix=messages[].prefix");
}

BOOST_AUTO_TEST_CASE(many_kinds_are_gathered_in_linear_time) {
  std::string message = R"({"role":"user","content":"x")";
  for (int i = 0; i < 50'000; ++i) message += ",\"k" + std::to_string(i) + "\":1";
  const auto request = json::parse(R"({"messages":[)" + message + "}]}");
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(members_without_counterpart(*request).size() == 50'000u);
  BOOST_TEST((std::chrono::steady_clock::now() - began < std::chrono::seconds(10)), "quadratic takes longer");
}

BOOST_AUTO_TEST_CASE(a_schema_says_what_was_said_of_it_unless_it_says_something_itself) {
  const auto schema = [](const std::string& format) {
    const auto got = schema_asked_for(*json::parse(R"({"type":"json_schema",)" + format + "}"));
    return got ? json::to_text(*got) : "none";
  };
  BOOST_TEST(schema(R"("json_schema":{"name":"n","description":"d","schema":{"type":"object"}})") ==
             R"({"type":"object","description":"d"})");
  BOOST_TEST(schema(R"("json_schema":{"description":"d","schema":{"description":"own"}})") ==
             R"({"description":"own"})");
  BOOST_TEST(schema(R"("json_schema":{"name":"n","schema":null})") == "none");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace lost_members_test
