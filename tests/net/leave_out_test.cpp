// What a request can do without, and what is left of it then.
#include "net/leave_out.hpp"

#include <boost/test/unit_test.hpp>

namespace leave_out_test {

using namespace mainstay;

namespace {

chat_request request(const std::string& members, const std::string& messages = R"({"role":"user","content":"tools"})") {
  auto parsed = parse_chat_request(
      make_bytes(R"({"model":"m","messages":[)" + messages + "]" + (members.empty() ? "" : "," + members) + "}"));
  return std::get<chat_request>(std::move(parsed));
}

constexpr auto tool = R"({"type":"function","function":{"name":"f","parameters":{"response_format":{"type":"json"}}}})";
const std::string tools = std::string(R"("tools":[)") + tool + "]";

feature_set set(std::initializer_list<feature> list) {
  feature_set out;
  for (auto f : list) out.add(f);
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(leaving_out)

BOOST_AUTO_TEST_CASE(what_is_asked_for_can_be_dispensed_with) {
  const auto of = [](auto... args) { return dispensable_features(request(args...)); };
  BOOST_TEST((of("") == feature_set{}));
  BOOST_TEST((of(tools) == set({feature::tools})));
  BOOST_TEST((of(R"("functions":[{"name":"f"}])") == set({feature::tools})));
  BOOST_TEST((of(R"("tools":[])") == feature_set{}));
  BOOST_TEST((of(R"("tools":null,"tool_choice":"none")") == feature_set{}));
  BOOST_TEST((of(R"("response_format":{"type":"json_object"})") == set({feature::json})));
  BOOST_TEST((of(R"("response_format":{"json_schema":{"type":"text"},"type":"json_schema"})") == set({feature::json})));
  BOOST_TEST((of(R"("response_format":{"type":"text"})") == feature_set{}));
  BOOST_TEST((of(tools + R"(,"response_format":{"type":"json_object"})") == set({feature::tools, feature::json})));
}

BOOST_AUTO_TEST_CASE(tools_that_are_part_of_the_conversation_cannot) {
  const std::string user = R"({"role":"user","content":"q"})";
  for (std::string used :
       {R"({"role":"assistant","content":null,"tool_calls":[{"id":"1"}]})",
        R"({"role":"assistant","content":null,"function_call":{"name":"f"}})",
        R"({"role":"tool","tool_call_id":"1","content":"x"})", R"({"role":"function","content":"x"})"}) {
    const auto whole = request(tools + R"(,"response_format":{"type":"json_object"})", user + "," + used);
    BOOST_TEST((dispensable_features(whole) == set({feature::json})), used);
  }
  for (std::string not_used : {R"({"role":"assistant","content":"tool","tool_calls":null})",
                               R"({"role":"assistant","content":"tool","tool_calls":[]})"})
    BOOST_TEST((dispensable_features(request(tools, user + "," + not_used)) == set({feature::tools})), not_used);
}

BOOST_AUTO_TEST_CASE(only_the_members_that_ask_for_it_go_and_the_rest_stays_as_it_was_written) {
  const auto whole = request(tools + R"(, "tool_choice" : "auto","temperature":1.0, "parallel_tool_calls":false,)" +
                             R"("response_format":{"type":"json_object"},"x":{"tools":[1]})");
  const std::string head = R"({"model":"m","messages":[{"role":"user","content":"tools"}],)";
  BOOST_TEST(*leave_out(whole, set({feature::tools})) ==
             head + R"("temperature":1.0,"response_format":{"type":"json_object"},"x":{"tools":[1]}})");
  BOOST_TEST(*leave_out(whole, set({feature::tools, feature::json})) ==
             head + R"("temperature":1.0,"x":{"tools":[1]}})");
  BOOST_TEST(*leave_out(whole, set({feature::json})) ==
             head + tools +
                 R"(,"tool_choice" : "auto","temperature":1.0,"parallel_tool_calls":false,"x":{"tools":[1]}})");
  const auto left = std::get<chat_request>(parse_chat_request(leave_out(whole, set({feature::tools, feature::json}))));
  BOOST_TEST(left.plain_text);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace leave_out_test
