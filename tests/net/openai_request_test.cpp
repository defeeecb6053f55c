// What a provider of OpenAI's dialect is sent: its caller's bytes, or what a caller of another dialect meant by them.
#include "net/dialects/provider_dialect.hpp"

#include <boost/test/unit_test.hpp>

namespace openai_request_test {

using namespace mainstay;

namespace {

chat_request asked(std::string body) {
  auto got = parse_chat_request(make_bytes(std::move(body)));
  if (auto* problem = std::get_if<request_problem>(&got)) BOOST_FAIL(problem->message);
  return std::get<chat_request>(got);
}
std::string sent(const std::string& body, bool foreign) { return *openai_request(asked(body), {"m"}, foreign).body; }

} // namespace

BOOST_AUTO_TEST_SUITE(openai_requests)

BOOST_AUTO_TEST_CASE(what_a_caller_of_the_same_dialect_wrote_is_untouched) {
  const std::string body =
      R"({"model":"m", "thinking":{"type":"enabled"}, "messages":[{"role":"user","content":"x","cache_control":1}]})";
  const auto request = asked(body);
  BOOST_TEST(openai_request(request, {"m"}, false).body == request.bytes);
}

BOOST_AUTO_TEST_CASE(of_another_dialects_request_nothing_is_sent_that_openai_refuses) {
  BOOST_TEST(
      sent(
          R"({"model":"m","thinking":{"type":"enabled","budget_tokens":1024},"top_k":5,"cache_control":{"type":"ephemeral"},)"
          R"("tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}],)"
          R"("messages":[{"role":"user","content":[{"type":"text","text":"thinking","cache_control":{"type":"ephemeral"}}]},)"
          R"({"role":"assistant","content":"a","thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"}],)"
          R"("reasoning_content":"t","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"},"cache_control":1}]},)"
          R"({"role":"tool","tool_call_id":"1","content":"no","is_error":true,"cache_control":1}]})",
          true) ==
      R"({"model":"m","top_k":5,"tools":[{"type":"function","function":{"name":"f"}}],)"
      R"("messages":[{"role":"user","content":[{"type":"text","text":"thinking"}]},)"
      R"({"role":"assistant","content":"a","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
      R"({"role":"tool","tool_call_id":"1","content":"no"}],"reasoning_effort":"low"})");
}

BOOST_AUTO_TEST_CASE(a_name_of_the_user_that_is_too_long_is_left_out) {
  const auto body = [](std::size_t length) {
    return R"({"model":"m","messages":[{"role":"user","content":"x"}],"user":")" + std::string(length, 'u') + "\"}";
  };
  BOOST_TEST(sent(body(64), true) == body(64));
  BOOST_TEST(sent(body(65), true) == R"({"model":"m","messages":[{"role":"user","content":"x"}]})");
  BOOST_TEST(sent(body(65), false) == body(65));
}

BOOST_AUTO_TEST_CASE(how_long_to_think_is_said_in_its_words) {
  const auto effort = [](const std::string& thinking, const std::string& more = "") {
    const auto body =
        sent(R"({"model":"m","messages":[{"role":"user","content":"x"}],"thinking":)" + thinking + more + "}", true);
    const auto at = body.find("reasoning_effort");
    return at == body.npos ? std::string() : body.substr(at + 19, body.find('"', at + 19) - at - 19);
  };
  BOOST_TEST(effort(R"({"type":"disabled"})") == "");
  BOOST_TEST(effort(R"({"type":"enabled","budget_tokens":2048})") == "low");
  BOOST_TEST(effort(R"({"type":"enabled","budget_tokens":2049})") == "medium");
  BOOST_TEST(effort(R"({"type":"enabled","budget_tokens":20000})") == "high");
  BOOST_TEST(effort(R"({"type":"adaptive"})") == "medium");
  BOOST_TEST(effort(R"({"type":"enabled","budget_tokens":20000})", R"(,"reasoning_effort":"low")") == "low");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace openai_request_test
