// Questions, the answers the mock gives to them, and the bytes that ask.
#include "tools/load/question.hpp"
#include "tools/load/request_bytes.hpp"

#include <boost/test/unit_test.hpp>
#include <rapidjson/document.h>

namespace question_test {

using namespace mainstay::load;

BOOST_AUTO_TEST_SUITE(questions)

// The wanted texts are a mock's.
BOOST_AUTO_TEST_CASE(the_expected_text_is_the_mocks) {
  BOOST_TEST(expected_text("Say hello to a newcomer.", 24) ==
             "echo: Say hello to a newcomer. | moss mist island falcon anchor stone pebble moss rain pine slate autumn "
             "shore maple shore chalk forest");
  BOOST_TEST(expected_text("a\tb  " + std::string(65, 'x') + " c", 9) == "echo: a b c | heron coral valley thistle");
  BOOST_TEST(expected_text("one two three four", 3) == "echo: one two");
  BOOST_TEST(expected_text("anything", 0) == "");
}

BOOST_AUTO_TEST_CASE(thirty_two_words_are_echoed) {
  std::string question, echo = "echo:";
  for (int i = 0; i < 40; ++i) {
    question += (i ? " " : "") + std::to_string(i);
    if (i < 32) echo += " " + std::to_string(i);
  }
  BOOST_TEST(expected_text(question, 38) == echo + " | reef heron bridge ember");
}

BOOST_AUTO_TEST_CASE(questions_differ_in_their_number_alone) {
  question_text q(200, 42);
  BOOST_TEST(q.of(0) == q.pattern());
  auto a = q.of(7), b = q.of(123456789012);
  BOOST_TEST(a.size() == b.size());
  BOOST_TEST(a.size() >= 200u);
  BOOST_TEST(a.size() < 210u);
  BOOST_TEST(a.substr(q.number_at(), question_text::digits) == "000000000007");
  BOOST_TEST(b.substr(q.number_at(), question_text::digits) == "123456789012");
  a.replace(q.number_at(), question_text::digits, "123456789012");
  BOOST_TEST(a == b);
  BOOST_TEST(question_text(200, 43).of(7) != q.of(7));
  BOOST_TEST(question_text(100'000, 1).of(3).size() >= 100'000u);
}

BOOST_AUTO_TEST_CASE(even_short_answers_tell_questions_apart) {
  question_text q(200, 1);
  BOOST_TEST(expected_text(q.of(1), 3) != expected_text(q.of(2), 3));
}

BOOST_AUTO_TEST_CASE(a_body_is_json_with_its_question) {
  request_shape shape;
  shape.model = "a \"quoted\" model";
  shape.max_tokens = 12;
  question_text q(300, 9);
  auto pattern = chat_body(shape, q, true);
  rapidjson::Document body;
  body.Parse(std::string(pattern.of(77)).c_str());
  BOOST_REQUIRE(!body.HasParseError());
  BOOST_TEST(body["model"].GetString() == shape.model);
  BOOST_TEST(body["max_tokens"].GetInt() == 12);
  BOOST_TEST(body["stream"].GetBool());
  BOOST_TEST(body["messages"].Size() == 1u);
  BOOST_TEST(body["messages"][0]["content"].GetString() == q.of(77));
  BOOST_TEST(chat_body({}, q, false).bytes.find("stream") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_http_request_has_the_length_of_its_body) {
  request_shape shape;
  shape.headers = {{"authorization", "Bearer k"}, {"x-mainstay-cache", "off"}};
  question_text q(50, 9);
  auto pattern = http_request(shape, q, false, "127.0.0.1:1");
  std::string bytes(pattern.of(5));
  auto blank = bytes.find("\r\n\r\n");
  auto body = bytes.substr(blank + 4);
  BOOST_TEST(body == chat_body(shape, q, false).of(5));
  BOOST_TEST(bytes.starts_with("POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:1\r\n"));
  for (auto line : {"\r\ncontent-length: " + std::to_string(body.size()) + "\r\n",
                    std::string("\r\nauthorization: Bearer k\r\n"), std::string("\r\nx-mainstay-cache: off\r\n")})
    BOOST_TEST(bytes.substr(0, blank + 2).find(line) != std::string::npos, line);
  BOOST_TEST(zmq_headers(shape) == R"({"authorization":"Bearer k","x-mainstay-cache":"off"})");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace question_test
