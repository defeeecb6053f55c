// Answers, plain and streamed: what is whole, what is broken, what is wrong.
#include "tools/load/answer.hpp"

#include <boost/test/unit_test.hpp>

namespace answer_test {

using namespace mainstay::load;

namespace {

std::string event(std::string_view text) {
  return R"({"id":"c","choices":[{"index":0,"delta":{"content":")" + std::string(text) +
         R"("},"finish_reason":null}]})";
}
constexpr std::string_view role = R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})";
constexpr std::string_view stop = R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
std::string line(std::string_view json) { return "data: " + std::string(json) + "\n\n"; }
constexpr std::string_view done = "data: [DONE]\n\n";

std::string plain(std::string_view text) {
  return R"({"choices":[{"index":0,"message":{"role":"assistant","content":")" + std::string(text) +
         R"("},"finish_reason":"stop"}]})";
}

fault judged(bool streamed, std::string_view body, const std::string* expected, int status = 200) {
  answer a;
  a.begin(streamed, expected != nullptr);
  a.take_status(status, "primary");
  a.take_body(body);
  return a.judge(expected);
}

const std::string hello = "hello you";

} // namespace

BOOST_AUTO_TEST_SUITE(answers)

BOOST_AUTO_TEST_CASE(a_plain_answer_with_its_text_is_well) {
  BOOST_TEST((judged(false, plain("hello you"), &hello) == fault::none));
  BOOST_TEST((judged(false, plain("something else"), nullptr) == fault::none)); // nobody asked
}

BOOST_AUTO_TEST_CASE(a_stream_with_its_text_is_well_however_it_is_cut) {
  auto whole = line(role) + ": a comment\n\n" + line(event("hello")) + line(event(" you")) + line(stop) +
               R"(data: {"choices":[],"usage":{"total_tokens":3}})" + "\r\n\r\n" + std::string(done);
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    for (auto expected : {static_cast<const std::string*>(nullptr), &hello}) {
      answer a;
      a.begin(true, expected != nullptr);
      a.take_status(200, "primary");
      auto texts = a.take_body(whole.substr(0, cut)) + a.take_body(whole.substr(cut));
      BOOST_TEST(texts == 2u);
      BOOST_TEST((a.judge(expected) == fault::none));
    }
  }
}

BOOST_AUTO_TEST_CASE(another_status_than_2xx_is_a_fault_with_its_words) {
  answer a;
  a.begin(true, false);
  a.take_status(429, "");
  a.take_body("slow down");
  BOOST_TEST((a.judge(nullptr) == fault::status));
  BOOST_TEST(a.complaint() == "slow down");
  a.begin(false, false);
  BOOST_TEST(a.complaint().empty());
}

BOOST_AUTO_TEST_CASE(a_stream_without_its_end_is_broken_even_if_nobody_verifies) {
  BOOST_TEST((judged(true, line(role) + line(event("hello you")) + line(stop), nullptr) == fault::broken));
  BOOST_TEST((judged(true, line(event("hello")) + line(R"({"error":{"message":"x"}})"), nullptr) == fault::broken));
  BOOST_TEST(
      (judged(true, line(event("hello")) + line(R"({"error":{}})") + std::string(done), nullptr) == fault::broken));
  BOOST_TEST((judged(true, plain("hello you"), &hello) == fault::broken)); // no stream at all
}

BOOST_AUTO_TEST_CASE(wrong_texts_are_found) {
  auto end = line(stop) + std::string(done);
  for (auto body : {
           line(event("hello")) + end,                                              // a piece is missing
           line(event(" you")) + line(event("hello")) + end,                        // in the wrong order
           line(event("hello")) + line(event("hello")) + line(event(" you")) + end, // one came twice
           line(event("hello")) + line(event(" them")) + end,                       // another's
           line(event("hello you")) + std::string(done),                            // no finish reason
           line(event("hello")) + line(stop) + line(event(" you")) + std::string(done),
           line(event("hello you")) + end + line(stop),
           line(event("hello you")) + end + std::string(done),
           line("{\"choices\":[{}") + line(event("hello you")) + end,
           line(R"({"choices":[{},{}]})") + line(event("hello you")) + end,
       })
    BOOST_TEST((judged(true, body, &hello) == fault::wrong), body);
  for (auto body : {plain("hello"), std::string("no JSON"), std::string("{}"), std::string("[]"), std::string()})
    BOOST_TEST((judged(false, body, &hello) == fault::wrong), body);
}

BOOST_AUTO_TEST_CASE(events_of_the_message_queue_count_like_lines) {
  answer a;
  a.begin(true, true);
  a.take_status(200, "fallback");
  BOOST_TEST(!a.take_event(role));
  BOOST_TEST(a.take_event(event("hello")));
  BOOST_TEST(a.take_event(event(" you")));
  BOOST_TEST(!a.take_event(stop));
  BOOST_TEST((a.judge(&hello) == fault::broken));
  a.take_end();
  BOOST_TEST((a.judge(&hello) == fault::none));
  BOOST_TEST(a.source() == "fallback");
}

BOOST_AUTO_TEST_CASE(spaces_in_an_event_do_not_hide_its_text) {
  answer a;
  a.begin(true, false);
  BOOST_TEST(a.take_event(R"({"choices": [{"delta": {"content": "x"}}]})"));
  BOOST_TEST(!a.take_event(R"({"choices": [{"delta": {"content": ""}}]})"));
  BOOST_TEST(!a.take_event(R"({"choices": [{"delta": {"content": null}}]})"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace answer_test
