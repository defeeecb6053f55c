// "${NAME}" and "${NAME:-default}", alone and inside a whole file.
#include "config/environment.hpp"
#include "tests/config/sample.hpp"

#include <cstdlib>

namespace environment_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

BOOST_AUTO_TEST_SUITE(environment_variables)

BOOST_AUTO_TEST_CASE(a_variable_is_replaced_wherever_it_stands) {
  const auto env = fake({{"HOST", "api.example"}, {"PORT", "81"}});
  const auto out = expand("http://${HOST}:${PORT}/v1", env);
  BOOST_TEST(out.errors.empty());
  BOOST_TEST(out.text == "http://api.example:81/v1");
  BOOST_TEST(out.changed);
  BOOST_TEST(!expand("plain $HOME {x} $", env).changed);
  BOOST_TEST(expand("plain $HOME {x} $", env).text == "plain $HOME {x} $");
}

BOOST_AUTO_TEST_CASE(every_missing_variable_is_named) {
  const auto out = expand("${A}${B}${C:-c}", fake({}));
  BOOST_TEST_REQUIRE(out.errors.size() == 2u);
  BOOST_TEST(out.errors[0] == "the environment variable A is not set");
  BOOST_TEST(out.errors[1] == "the environment variable B is not set");
}

BOOST_AUTO_TEST_CASE(a_default_stands_in_for_an_unset_or_empty_variable) {
  BOOST_TEST(expand("${A:-x}", fake({})).text == "x");
  BOOST_TEST(expand("${A:-x}", fake({{"A", ""}})).text == "x");
  BOOST_TEST(expand("${A:-x}", fake({{"A", "y"}})).text == "y");
  BOOST_TEST(expand("${A:-https://h:1/v1}", fake({})).text == "https://h:1/v1");
  const auto empty = expand("${A:-}", fake({}));
  BOOST_TEST(empty.text == "");
  BOOST_TEST(empty.defaulted == "A");
  BOOST_TEST(expand("${A:-}", fake({{"A", "y"}})).defaulted == "");
}

BOOST_AUTO_TEST_CASE(what_a_variable_holds_is_not_expanded_again) {
  BOOST_TEST(expand("${A}", fake({{"A", "${B}"}, {"B", "b"}})).text == "${B}");
}

BOOST_AUTO_TEST_CASE(a_brace_left_open_or_a_name_that_is_none_is_an_error_without_the_value) {
  for (const char* written : {"${A", "${}", "${:-x}", "${1A}", "${sk-hunter2}", "${A B}", "x${A:-y"}) {
    const auto out = expand(written, fake({{"A", "a"}}));
    BOOST_TEST_REQUIRE(out.errors.size() == 1u, written);
    BOOST_TEST(out.errors[0].find("hunter2") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(no_error_repeats_a_variable_that_is_named_as_a_secret_wherever_it_was_put) {
  for (const char* name : {"OPENAI_API_KEY", "My_Secret", "TOKEN_2", "DB_PASSWORD"}) {
    const auto yaml = std::string("models: [ { name: m, targets: [ { provider: \"x${") + name + "}\" } ] } ]\n";
    const auto result = load(doors + providers + yaml, {{name, "sk-hunter2-hunter2"}});
    BOOST_TEST_REQUIRE(!result.errors.empty());
    BOOST_TEST(all(result).find("hunter2") == std::string::npos, all(result));
    BOOST_TEST(all(result).find("x[redacted]") != std::string::npos, all(result));
  }
}

BOOST_AUTO_TEST_CASE(a_missing_variable_names_the_key_and_its_place) {
  expect_error(load(with("node: { name: \"${NODE}\" }\n")),
               "m.yaml:1:15: node.name: the environment variable NODE is not set");
}

BOOST_AUTO_TEST_CASE(numbers_durations_and_addresses_read_the_environment_too) {
  const auto result = load(with_doors("doors: { http: { listen: \"127.0.0.1:${PORT}\" } }\n"
                                      "deadline: \"${DEADLINE:-7s}\"\n"
                                      "queue: { capacity: \"${CAPACITY}\" }\n"),
                           {{"PORT", "81"}, {"CAPACITY", "12"}});
  expect_fine(result);
  BOOST_TEST(result.value->doors.http->listen.port == 81);
  BOOST_TEST((result.value->deadline == duration(7s)));
  BOOST_TEST(result.value->queue_capacity == 12u);
}

BOOST_AUTO_TEST_CASE(without_an_environment_every_variable_is_unset) {
  const auto result = load_text(with("node: { name: \"${NODE}\" }\n"), "m.yaml", environment());
  BOOST_TEST(result.errors.size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_environment_that_throws_is_a_problem_and_no_exception) {
  const auto result =
      load_text(with("node: { name: \"${NODE}\" }\n"), "m.yaml",
                [](const std::string&) -> std::optional<std::string> { throw std::runtime_error("no"); });
  BOOST_TEST(!result.value);
  BOOST_TEST(result.errors.size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_process_environment_is_the_processs) {
  BOOST_TEST_REQUIRE(::setenv("MAINSTAY_TEST_VARIABLE", "v", 1) == 0);
  const auto env = process_environment();
  BOOST_TEST(env("MAINSTAY_TEST_VARIABLE").value() == "v");
  ::unsetenv("MAINSTAY_TEST_VARIABLE");
  BOOST_TEST(!env("MAINSTAY_TEST_VARIABLE"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace environment_test
