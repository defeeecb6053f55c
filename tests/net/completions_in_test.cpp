// The legacy completions API at the door.
#include "tests/net/telling.hpp"

namespace completions_in_test {

using namespace mainstay;

namespace {

caller_request_or read(const std::string& more, const std::string& prompt = R"("say")") {
  return read_completions(make_bytes(R"({"model":"m","prompt":)" + prompt + more + "}"));
}
std::unique_ptr<answer_teller> teller() { return std::move(std::get<caller_request>(read("")).teller); }

} // namespace

BOOST_AUTO_TEST_SUITE(completions_in)

BOOST_AUTO_TEST_CASE(a_prompt_is_a_users_message_and_parameters_stay) {
  const std::string chat =
      R"({"model":"m","max_tokens":5,"stop":["x"],"n":2,"stream":true,"messages":[{"role":"user","content":"say"}]})";
  BOOST_TEST(chat_of(read(R"(,"max_tokens":5,"stop":["x"],"n":2,"stream":true)")) == chat);
  BOOST_TEST(chat_of(read("", R"(["sa\ny"])")) == R"({"model":"m","messages":[{"role":"user","content":"sa\ny"}]})");
  BOOST_TEST(chat_of(read(R"(,"echo":false,"suffix":null,"logprobs":null,"best_of":1)")) ==
             R"({"model":"m","messages":[{"role":"user","content":"say"}]})");
}

BOOST_AUTO_TEST_CASE(what_a_chat_cannot_do_is_refused_by_name) {
  BOOST_TEST(refusal_of(read(R"(,"echo":true)")) == "echo unsupported_parameter");
  BOOST_TEST(refusal_of(read(R"(,"suffix":"s")")) == "suffix unsupported_parameter");
  BOOST_TEST(refusal_of(read(R"(,"best_of":2)")) == "best_of unsupported_parameter");
  BOOST_TEST(refusal_of(read(R"(,"logprobs":0)")) == "logprobs unsupported_parameter");
  BOOST_TEST(refusal_of(read(R"(,"tools":[])")) == "tools unknown_parameter");
  BOOST_TEST(refusal_of(read("", R"(["a","b"])")) == "prompt unsupported_parameter");
  BOOST_TEST(refusal_of(read("", "[1,2]")) == "prompt unsupported_parameter");
  BOOST_TEST(refusal_of(read("", "[[1]]")) == "prompt unsupported_parameter");
  BOOST_TEST(refusal_of(read("", "[]")) == "prompt invalid_type");
  BOOST_TEST(refusal_of(read("", "null")) == "prompt missing_required_parameter");
}

BOOST_AUTO_TEST_CASE(a_whole_answer_is_a_text_completion) {
  BOOST_TEST(
      teller()->whole(completion_of(R"("content":"caf\u00e9")", R"("length")")) ==
      R"({"id":"cmpl-7","object":"text_completion","created":1700000000,"model":"m","choices":[)"
      R"({"text":"caf\u00e9","index":0,"logprobs":null,"finish_reason":"length"}],"usage":)"
      R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":3}}})");
  BOOST_TEST(teller()->whole(R"({"choices":[]})").empty());
}

BOOST_AUTO_TEST_CASE(a_stream_is_text_completions_and_ends_with_done) {
  auto t = teller();
  const auto all =
      tell_all(*t, {chunk_of(R"("role":"assistant","content":"")"), chunk_of(R"("content":"a")"),
                    chunk_of(R"("reasoning_content":"hm")"), chunk_of("", R"("stop")"),
                    R"({"id":"chatcmpl-7","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1}})"});
  const std::string head =
      R"({"id":"cmpl-7","object":"text_completion","created":1700000000,"model":"m","choices":[{"text":)";
  const told expected = {
      head + R"("","index":0,"logprobs":null,"finish_reason":null}]})",
      head + R"("a","index":0,"logprobs":null,"finish_reason":null}]})",
      head + R"("","index":0,"logprobs":null,"finish_reason":null}]})",
      head + R"("","index":0,"logprobs":null,"finish_reason":"stop"}]})",
      R"({"id":"cmpl-7","object":"text_completion","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1}})"};
  BOOST_TEST(all == expected, boost::test_tools::per_element());
  BOOST_TEST(t->says_done());
}

BOOST_AUTO_TEST_CASE(every_choice_is_told_under_its_index) {
  const auto tree = tree_of(teller()->whole(
      R"({"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"},{"index":1,"message":{"content":null,"refusal":"no"},"finish_reason":"content_filter"}]})"));
  BOOST_TEST(
      json::to_text(*tree.find("choices")) ==
      R"([{"text":"a","index":0,"logprobs":null,"finish_reason":"stop"},{"text":"no","index":1,"logprobs":null,"finish_reason":"content_filter"}])");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace completions_in_test
