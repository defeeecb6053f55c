// Embeddings asked of Gemini in OpenAI's words.
#include "net/dialects/gemini_embeddings.hpp"
#include "net/embeddings.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

namespace gemini_embeddings_test {

using namespace mainstay;

namespace {

std::string asked(std::string_view body, bool leave_out = false, std::string_view model = "gemini-embedding-001") {
  auto got = gemini_embeddings_request(body, model, leave_out);
  if (auto wrong = std::get_if<request_problem>(&got)) return wrong->code + " " + wrong->param;
  return *std::get<provider_request>(got).body;
}

} // namespace

BOOST_AUTO_TEST_SUITE(gemini_embeddings)

BOOST_AUTO_TEST_CASE(each_text_is_a_request_of_one_batch) {
  auto got = gemini_embeddings_request(
      R"({"model":"e","input":["a","漢 \"q\""],"dimensions":256,"encoding_format":"base64","user":"u"})",
      "gemini-embedding-001", false);
  auto& made = std::get<provider_request>(got);
  BOOST_TEST(made.path == "/models/gemini-embedding-001:batchEmbedContents");
  BOOST_TEST(
      *made.body ==
      R"({"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"outputDimensionality":256},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"漢 \"q\""}]},"outputDimensionality":256}]})");
  BOOST_TEST(asked(R"({"input":"one"})", false, "models/e") ==
             R"({"requests":[{"model":"models/e","content":{"parts":[{"text":"one"}]}}]})");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_asked_is_named) {
  BOOST_TEST(asked(R"({"input":[1,2]})") == "unsupported_parameter input");
  BOOST_TEST(asked(R"({"input":[[1,2]]})", true) == "unsupported_parameter input");
  BOOST_TEST(asked(R"({"input":[]})") == "invalid_value input");
  BOOST_TEST(asked(R"({"input":{}})") == "invalid_value input");
  BOOST_TEST(asked(R"({"model":"e"})") == "missing_required_parameter input");
  BOOST_TEST(asked(R"({"input":"a","dimensions":"many"})") == "invalid_type dimensions");
  BOOST_TEST(asked(R"({"input":"a","truncate":true})") == "unsupported_parameter truncate");
  auto got = gemini_embeddings_request(R"({"input":"a","truncate":true})", "e", true);
  BOOST_TEST(std::get<provider_request>(got).left_out == std::vector<std::string>{"truncate"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_vectors_are_openais_list) {
  const auto answer =
      "{\n \"embeddings\": [ { \"values\": [ 0.5, -1e-3 ] }, { \"values\": [ 1, 2 ], \"shape\": [2] } ]\n}";
  BOOST_TEST(
      *gemini_embeddings_answer(answer, "e", false, 7) ==
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1e-3]},{"object":"embedding","index":1,"embedding":[1,2]}],"model":"e","usage":{"prompt_tokens":7,"total_tokens":7}})");
  auto one = read_embedding(*gemini_embeddings_answer(
      R"({"embeddings":[{"values":[3,4]}],"usageMetadata":{"promptTokenCount":9}})", "e", false, 7));
  BOOST_REQUIRE(one.has_value());
  BOOST_TEST(one->tokens == 9);
}

BOOST_AUTO_TEST_CASE(base64_is_little_endian_float32) {
  // Python: base64.b64encode(struct.pack("<2f", 0.5, -1e-3)), and of 3f and 1f
  const auto letters = [](const std::string& values) {
    return json::parse(*gemini_embeddings_answer(R"({"embeddings":[{"values":[)" + values + "]}]}", "e", true, 0))
        ->find("data")
        ->items[0]
        .find("embedding")
        ->text;
  };
  BOOST_TEST(letters("0.5,-1e-3") == "AAAAP28Sg7o=");
  BOOST_TEST(letters("1,2,3") == "AACAPwAAAEAAAEBA");
  BOOST_TEST(letters("1") == "AACAPw==");
}

BOOST_AUTO_TEST_CASE(what_is_no_list_of_vectors_is_no_answer) {
  for (auto body :
       {"", "{}", "[]", R"({"embeddings":[]})", R"({"embeddings":[{"values":["a"]}]})",
        R"({"embeddings":[{"values":[[1]]}]})", R"({"embeddings":[{"values":[1]}]", R"({"error":{"code":400}})"})
    BOOST_TEST(!gemini_embeddings_answer(body, "e", false, 0), body);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gemini_embeddings_test
