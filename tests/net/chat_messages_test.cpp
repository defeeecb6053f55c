// The second pass over a request: where its messages stand, what they weigh, what the user said last.
#include "net/canned_completion.hpp"
#include "net/chat_answer.hpp"
#include "net/chat_messages.hpp"

#include <boost/test/unit_test.hpp>

namespace chat_messages_test {

using namespace mainstay;

namespace {

chat_request parsed(const std::string& messages, const std::string& more = "") {
  auto result = parse_chat_request(make_bytes(R"({"model":"m", "messages": )" + messages + more + "}"));
  BOOST_REQUIRE(std::holds_alternative<chat_request>(result));
  return std::get<chat_request>(std::move(result));
}

std::string at(const chat_request& r, chat_request::span s) { return r.bytes->substr(s.begin, s.end - s.begin); }

} // namespace

BOOST_AUTO_TEST_SUITE(messages_of_a_request)

BOOST_AUTO_TEST_CASE(each_message_is_found_with_its_role_place_and_text) {
  auto r =
      parsed(R"([ {"role":"developer","content":"be brief"} ,{"content":[{"type":"text","text":"a"}],"role":"user"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"1","content":"é\n"}, {"role":"critic","content":"x","content":"y"} ])",
             R"(,"tools":[{"type":"function","function":{"name":"f"}}])");
  auto m = read_messages(r);
  BOOST_TEST(at(r, m.list).front() == '[');
  BOOST_TEST(at(r, m.list).back() == ']');
  BOOST_REQUIRE(m.all.size() == 5u);
  const chat_role roles[] = {chat_role::system, chat_role::user, chat_role::assistant, chat_role::tool,
                             chat_role::other};
  for (std::size_t i = 0; i < 5; ++i) BOOST_TEST((m.all[i].role == roles[i]), i);
  BOOST_TEST(at(r, m.all[0].where) == R"({"role":"developer","content":"be brief"})");
  BOOST_TEST(at(r, *m.all[0].text) == R"("be brief")");
  BOOST_TEST(!m.all[1].text);
  BOOST_TEST(!m.all[2].text);
  BOOST_TEST(at(r, *m.all[3].text) == R"("é\n")");
  BOOST_TEST(!m.all[4].text); // given twice: nobody knows which one counts
  auto sum = m.other_tokens;
  for (auto& one : m.all) sum += one.tokens;
  BOOST_TEST(m.other_tokens > 0u);
  BOOST_TEST(sum >= r.prompt_tokens);
  BOOST_TEST(sum <= r.prompt_tokens + 12);
}

BOOST_AUTO_TEST_CASE(pictures_weigh_what_the_first_pass_says) {
  auto r = parsed(R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,AAAA"}},
                     {"type":"text","text":"what is it"}]}])");
  BOOST_TEST(read_messages(r).all[0].tokens == r.prompt_tokens);
  BOOST_TEST(r.prompt_tokens > 1000u);
}

BOOST_AUTO_TEST_CASE(the_last_user_message_is_read_whatever_follows_it) {
  BOOST_TEST(last_user_text(parsed(R"([{"role":"user","content":"one"},{"role":"user","content":"t\u00fcr \"2\""},
                                      {"role":"assistant","content":"three"}])")) == "tür \"2\"");
  BOOST_TEST(last_user_text(parsed(R"([{"role":"user","content":[{"type":"text","text":"a"},
             {"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"b"}]}])")) == "a\nb");
  BOOST_TEST(last_user_text(parsed(R"([{"role":"system","content":"s"}])")) == "");
  BOOST_TEST(last_user_text(parsed(R"([{"role":"user"}])")) == "");
  BOOST_TEST(last_user_text(parsed(R"([{"role":"user","content":"ab€d"}])"), 4) == "ab"); // never half a character
}

BOOST_AUTO_TEST_CASE(a_canned_completion_is_a_whole_one_and_can_be_told_as_a_stream) {
  auto text =
      canned_completion("We are \"back\" soon: 你好\n", "smart", "req_1", utc_time(std::chrono::seconds(1700000000)));
  auto facts = read_completion(text);
  BOOST_TEST(facts.valid);
  BOOST_TEST(facts.model == "smart");
  BOOST_TEST(facts.id == "chatcmpl-req_1");
  BOOST_TEST(facts.finish_reason == "stop");
  BOOST_REQUIRE(facts.usage.has_value());
  BOOST_TEST(facts.usage->input + facts.usage->output == 0u);
  std::string told;
  auto chunks = chunks_of(text, true);
  for (auto& c : chunks) {
    auto chunk = read_chunk(c);
    BOOST_TEST(chunk.valid);
    told += chunk.text;
  }
  BOOST_TEST(told == "We are \"back\" soon: 你好\n");
  BOOST_TEST(text.find(R"("created":1700000000)") != text.npos);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_messages_test
