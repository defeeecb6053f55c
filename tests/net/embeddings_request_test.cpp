// What is read of a request for embeddings, what is refused, and what is read of the answer.
#include "net/chat_answer.hpp"

#include <boost/test/unit_test.hpp>

namespace embeddings_request_test {

using namespace mainstay;

namespace {

std::variant<chat_request, request_problem> read(std::string body) {
  return parse_embeddings_request(make_bytes(std::move(body)));
}
chat_request good(std::string body) {
  auto got = read(std::move(body));
  if (auto* problem = std::get_if<request_problem>(&got)) BOOST_FAIL(problem->message);
  return std::get<chat_request>(got);
}
std::string param_of(std::string body) {
  auto got = read(body);
  BOOST_TEST_REQUIRE(std::holds_alternative<request_problem>(got), body);
  return std::get<request_problem>(got).param;
}

} // namespace

BOOST_AUTO_TEST_SUITE(embeddings_request)

BOOST_AUTO_TEST_CASE(texts_and_tokens_are_counted) {
  BOOST_TEST(good(R"({"model":"e","input":"one two three"})").prompt_tokens > 1u);
  const auto two = good(R"({"input":["one two three","one two three"],"model":"e","encoding_format":"base64"})");
  BOOST_TEST(two.prompt_tokens > good(R"({"model":"e","input":"one two three"})").prompt_tokens);
  BOOST_TEST((two.kind == request_kind::embeddings));
  BOOST_TEST(!two.plain_text);
  BOOST_TEST(two.base64);
  BOOST_TEST(good(R"({"model":"e","input":[1,2,3]})").prompt_tokens == 3u);
  BOOST_TEST(good(R"({"model":"e","input":[[1,2,3],[4]]})").prompt_tokens == 4u);
}

BOOST_AUTO_TEST_CASE(the_models_name_is_replaced_and_nothing_else) {
  const auto asked = good(R"({"model": "e", "input": "x", "dimensions": 3, "new": {"a":[1]}})");
  BOOST_TEST(*upstream_body(asked, "text-embedding-3-small") ==
             R"({"model": "text-embedding-3-small", "input": "x", "dimensions": 3, "new": {"a":[1]}})");
  BOOST_TEST(upstream_body(asked, "e") == asked.bytes, "no copy");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named) {
  BOOST_TEST(param_of(R"({"input":"x"})") == "model");
  BOOST_TEST(param_of(R"({"model":"e"})") == "input");
  BOOST_TEST(param_of(R"({"model":"","input":"x"})") == "model");
  BOOST_TEST(param_of(R"({"model":7,"input":"x"})") == "model");
  BOOST_TEST(param_of(R"({"model":"e","input":[]})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":[[]]})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":7})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":null})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":{"a":1}})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":["a",1]})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":[1,"a"]})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":[["a"]]})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":[[[1]]]})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":["a",true]})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","model":"f","input":"x"})") == "model");
  BOOST_TEST(param_of(R"({"model":"e","Model":"f","input":"x"})") == "model");
  BOOST_TEST(param_of(R"({"model":"e","input":"x","input":"y"})") == "input");
  BOOST_TEST(param_of(R"({"model":"e","input":"x","encoding_format":"hex"})") == "encoding_format");
  for (const char* body :
       {"", "[]", "7", "\"x\"", "null", R"({"model":"e","input":"x")", "{\"model\":\"e\",\"input\":\"\\ud800\"}"})
    BOOST_TEST(param_of(body) == "");
  std::string many = R"({"model":"e","input":["x")";
  for (int i = 0; i < 2048; ++i) many += R"(,"x")";
  BOOST_TEST(param_of(many + "]}") == "input");
}

BOOST_AUTO_TEST_CASE(an_answer_holds_a_list_of_objects) {
  const auto kind = request_kind::embeddings;
  const auto good = read_answer(
      kind,
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,2]}],"model":"e-1","usage":{"prompt_tokens":7,"total_tokens":7}})");
  BOOST_TEST(good.valid);
  BOOST_TEST(good.model == "e-1");
  BOOST_TEST(good.usage->input == 7u);
  BOOST_TEST(read_answer(kind, R"({"data":[{"embedding":"AAAA","index":0}]})").valid);
  BOOST_TEST(!read_answer(kind, R"({"data":[]})").valid);
  BOOST_TEST(!read_answer(kind, R"({"data":[1]})").valid);
  BOOST_TEST(!read_answer(kind, R"({"choices":[{"message":{}}]})").valid);
  BOOST_TEST(!read_answer(request_kind::chat, R"({"data":[{"embedding":[1]}]})").valid);
  BOOST_TEST(!!read_answer(kind, R"({"error":{"message":"no"}})").error);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace embeddings_request_test
