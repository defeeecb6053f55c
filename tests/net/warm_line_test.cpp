// What a line of a file that fills the cache may look like.
#include "net/warm_line.hpp"

#include <boost/test/unit_test.hpp>

namespace warm_line_test {

using namespace mainstay;

namespace {

std::string problem_of(std::string line) {
  const auto read = read_warm_line(std::move(line));
  const auto* problem = std::get_if<std::string>(&read);
  return problem ? *problem : "";
}

warm_line line_of(std::string line) { return std::get<warm_line>(read_warm_line(std::move(line))); }

} // namespace

BOOST_AUTO_TEST_SUITE(warm_lines)

BOOST_AUTO_TEST_CASE(a_request_is_taken_as_it_is_written) {
  const std::string request = R"({ "model":"m","messages":[{"role":"user","content":"q"}],"top_p":1.0 })";
  BOOST_TEST(*line_of(request).body == request);
  BOOST_TEST(line_of(request).client.empty());
  const std::string odd = R"({"messages":[],"body":{"a":1},"client":"x"})"; // `messages` makes it a request
  BOOST_TEST(*line_of(odd).body == odd);
  BOOST_TEST(line_of(odd).client.empty());
}

BOOST_AUTO_TEST_CASE(a_client_may_be_named_beside_the_body) {
  const auto line = line_of(R"({"client":"app", "body": {"model":"m","messages":[{"content":"{}"}]} })");
  BOOST_TEST(line.client == "app");
  BOOST_TEST(*line.body == R"({"model":"m","messages":[{"content":"{}"}]})");
  const auto batch = line_of(R"({"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}})");
  BOOST_TEST(batch.client.empty());
  BOOST_TEST(*batch.body == R"({"model":"m"})");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said_without_the_lines_own_words) {
  BOOST_TEST(problem_of("") != "");
  BOOST_TEST(problem_of("secret words") != "");
  BOOST_TEST(problem_of("secret words").find("secret") == std::string::npos);
  BOOST_TEST(problem_of("[1]") == "is no JSON object");
  BOOST_TEST(problem_of("7") == "is no JSON object");
  BOOST_TEST(problem_of(R"({"model":"m"})") == "is neither a chat request nor an object with one as its body");
  BOOST_TEST(problem_of(R"({"body":"{}"})") == "is neither a chat request nor an object with one as its body");
  BOOST_TEST(problem_of(R"({"body":{},"body":{}})") == "has two bodies");
  BOOST_TEST(problem_of(R"({"client":"a","client":"b","body":{}})") == "names two clients");
  BOOST_TEST(problem_of(R"({"client":"","body":{}})") == "has a client without a usable name");
  BOOST_TEST(problem_of(R"({"client":5,"body":{}})") == "has a client without a usable name");
  BOOST_TEST(problem_of(R"({"model":"m","messages":[})").starts_with("is no JSON: "));
  BOOST_TEST(problem_of(R"({"messages":[]} {"messages":[]})").starts_with("is no JSON: "));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace warm_line_test
