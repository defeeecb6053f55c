// The file as YAML: syntax, shape, unknown and repeated keys, places; and that nothing it holds gets out as an
// exception or a secret.
#include "tests/config/sample.hpp"

#include <cstdio>
#include <fstream>
#include <random>

#include <unistd.h>

namespace yaml_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

struct temporary_file {
  std::string path = "/tmp/mainstay-config-test-" + std::to_string(::getpid()) + ".yaml";
  explicit temporary_file(const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
  ~temporary_file() { std::remove(path.c_str()); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(yaml)

BOOST_AUTO_TEST_CASE(the_sample_is_fine_and_warns_of_nothing) {
  const auto result = load(with(""));
  expect_fine(result);
  BOOST_TEST(all(result) == "");
  const auto& s = *result.value;
  BOOST_TEST(s.node == "mainstay");
  BOOST_TEST((s.deadline == duration(120s)));
  BOOST_TEST((s.drain == duration(30s)));
  BOOST_TEST(s.queue_capacity == 10000u);
  BOOST_TEST(!s.cache);
  BOOST_TEST(s.clients.empty());
}

BOOST_AUTO_TEST_CASE(a_file_is_read_and_named_in_its_problems) {
  const temporary_file good(with("")), bad(with("x: 1\n"));
  const auto result = load_file(bad.path, fake({}));
  BOOST_TEST_REQUIRE(result.errors.size() == 1u);
  BOOST_TEST(to_string(result.errors[0]) == bad.path + ":1:1: x: unknown key");
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_an_error) {
  expect_error(load_file("/nowhere/m.yaml", fake({})),
               "/nowhere/m.yaml:0:0: cannot be read: No such file or directory");
  expect_error(load_file("/tmp", fake({})), "/tmp:0:0: cannot be read: it is not a regular file");
  expect_error(load_file("/dev/zero", fake({})), "/dev/zero:0:0: cannot be read: it is not a regular file");
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_an_error) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "~\n"})
    expect_error(load(text), "m.yaml:0:0: the file is empty");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_mapping_is_an_error) {
  for (const char* text : {"hello\n", "[ 1, 2 ]\n", "- a\n"})
    expect_error(load(text), "m.yaml:1:1: must be a mapping (key: value)");
}

BOOST_AUTO_TEST_CASE(a_file_too_large_is_refused_before_it_is_parsed) {
  expect_error(load(std::string(9u << 20, '[')), "m.yaml:0:0: the file is larger than 8MiB");
}

BOOST_AUTO_TEST_CASE(wrong_syntax_is_told_with_the_parsers_place) {
  const auto result = load("doors:\n  http: [ 1, 2\n");
  BOOST_TEST_REQUIRE(result.errors.size() == 1u);
  BOOST_TEST(result.errors[0].line == 3);
  BOOST_TEST(result.errors[0].what == "is not valid YAML: end of sequence flow not found");
}

BOOST_AUTO_TEST_CASE(a_variable_without_quotes_in_braces_gets_a_hint) {
  const auto result = load("a: 1\nkeys: [ { secret: ${OPENAI_API_KEY} } ]\n");
  BOOST_TEST_REQUIRE(result.errors.size() == 1u);
  BOOST_TEST(result.errors[0].line == 2);
  BOOST_TEST(result.errors[0].what.find("need double quotes") != std::string::npos, result.errors[0].what);
}

BOOST_AUTO_TEST_CASE(the_parsers_words_come_without_what_they_quote) {
  expect_error(load("secret: \"\\qhunter2\"\n"), "m.yaml:1:12: is not valid YAML: unknown escape character");
}

BOOST_AUTO_TEST_CASE(a_second_document_is_an_error) {
  expect_error(load(with("") + "---\nnode: { name: x }\n"),
               "m.yaml:7:1: a second document (---) begins: one file holds one");
}

BOOST_AUTO_TEST_CASE(a_comma_or_bracket_where_nothing_can_begin_ends_the_reading) {
  expect_error(load(","), "m.yaml:1:1: is not valid YAML: no value can begin here");
  expect_error(load("}"), "m.yaml:1:1: is not valid YAML: illegal flow end");
  expect_error(load(with("") + "...\n,"), "m.yaml:8:1: is not valid YAML: no value can begin here");
  expect_error(load(", stale: 7m\ndeadline: 1s } }\n"), "m.yaml:1:1: is not valid YAML: no value can begin here");
}

BOOST_AUTO_TEST_CASE(missing_sections_are_named_all_at_once) {
  const auto result = load("node: { name: a }\n");
  const auto found = lines(result.errors);
  BOOST_TEST_REQUIRE(found.size() == 3u);
  BOOST_TEST(found[0] == "m.yaml:1:1: doors: is missing");
  BOOST_TEST(found[1] == "m.yaml:1:1: providers: is missing");
  BOOST_TEST(found[2] == "m.yaml:1:1: models: is missing");
}

BOOST_AUTO_TEST_CASE(an_unknown_key_is_an_error_with_the_nearest_known_one) {
  expect_error(load(with("queue: { capcity: 5 }\n")),
               "m.yaml:1:10: queue.capcity: unknown key; did you mean capacity?");
  expect_error(load(with("dealine: 5s\n")), "m.yaml:1:1: dealine: unknown key; did you mean deadline?");
  expect_error(load(with("retry: { abckoff: linear }\n")),
               "m.yaml:1:10: retry.abckoff: unknown key; did you mean backoff?");
  expect_error(load(with("telemetry: true\n")), "m.yaml:1:1: telemetry: unknown key");
}

BOOST_AUTO_TEST_CASE(a_section_of_later_versions_is_an_unknown_key) {
  expect_error(load(with("federation: { }\n")), "m.yaml:1:1: federation: unknown key");
}

BOOST_AUTO_TEST_CASE(a_key_written_twice_is_an_error_at_the_second) {
  expect_error(load(with("drain: 5s\ndrain: 6s\n")), "m.yaml:2:1: drain: is given twice");
  expect_error(load(with("queue: { capacity: 5, capacity: 6 }\n")), "m.yaml:1:23: queue.capacity: is given twice");
}

BOOST_AUTO_TEST_CASE(a_value_of_another_shape_is_an_error) {
  expect_error(load(with("deadline: [ 5s ]\n")), "m.yaml:1:11: deadline: must be a single value, not a list");
  expect_error(load(with("deadline: { s: 5 }\n")), "m.yaml:1:11: deadline: must be a single value, not a mapping");
  expect_error(load(with("queue: 5\n")), "m.yaml:1:8: queue: must be a mapping (key: value)");
  expect_error(load(with("queue:\n")), "m.yaml:1:1: queue: is empty: fill it, or leave it out");
  expect_error(load(with("deadline:\n")), "m.yaml:1:1: deadline: has no value");
  expect_error(load(with("clients: x\n")), "m.yaml:1:10: clients: must be a list");
  expect_error(load(with("clients: []\n")),
               "m.yaml:1:10: clients: is an empty list: give at least one entry, or leave it out");
  expect_error(
      load(with("node: { name: !env NODE }\n")),
      "m.yaml:1:15: node.name: has a YAML tag that is not served here; write \"${NAME}\" to read the environment");
  expect_error(load(with("? [ a, b ]\n: c\n")), "m.yaml:1:3: a key must be a plain word");
}

BOOST_AUTO_TEST_CASE(every_error_is_told_at_once_and_in_file_order) {
  const auto result = load("deadline: 5\n"
                           "queue: { capacity: 0 }\n"
                           "providers:\n"
                           "  - name: one\n"
                           "    base_url: one.example\n"
                           "    keys: [ { name: k, weight: 0 } ]\n"
                           "models: [ { name: m, targets: [ { provider: oen } ] } ]\n"
                           "doors: { http: { listen: 8080 } }\n");
  const std::vector<std::string> expected = {
      "m.yaml:1:11: deadline: is not a duration: write a number and its unit, such as 250ms, 5s, 2m, 1h or 1d",
      "m.yaml:2:20: queue.capacity: must be a whole number from 1 to 1000000",
      "m.yaml:5:15: providers[0].base_url: must begin with https:// or http://",
      "m.yaml:6:13: providers[0].keys[0].secret: is missing",
      "m.yaml:6:32: providers[0].keys[0].weight: a weight must be a number above 0, at most 1e+06",
      "m.yaml:7:45: models[0].targets[0].provider: there is no provider named oen; did you mean one?",
      "m.yaml:8:26: doors.http.listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080"};
  BOOST_TEST(lines(result.errors) == expected, boost::test_tools::per_element());
  BOOST_TEST(!result.value);
}

BOOST_AUTO_TEST_CASE(a_secret_that_ran_into_a_key_or_an_anchor_is_not_repeated) {
  for (const std::string wrong :
       {"{ name: a, secret sk-hunter2 }", "{ name: a, sk-hunter2 }", "{ name: a, secret: *sk-hunter2 }",
        "{ name: a, secret: \"\\qhunter2\" }", "{ name: a, secret: [ hunter2 ] }", "hunter2",
        "{ name: a, secret: { hunter2hunter2: } }", "{ name: a, secret: \"hunter2\thunter2\" }",
        "{ name: a, secret: hunter2-hunter2, weight: hunter2-hunter2, hunter2-hunter2: 1 }",
        "{ name: hunter2-hunter2, secret: hunter2-hunter2, weight: 0 }",
        "{ name: hunter2-hunter2, secret: hunter2-hunter2 }, { name: hunter2-hunter2, secret: x }"}) {
    const auto result =
        load("providers: [ { name: one, base_url: http://h, keys: [ " + wrong + " ] } ]\n" + doors + models);
    BOOST_TEST(!result.value, wrong);
    BOOST_TEST(!result.errors.empty());
    BOOST_TEST(all(result).find("hunter2") == std::string::npos, all(result));
  }
}

BOOST_AUTO_TEST_CASE(a_problem_is_one_line_whatever_the_file_holds) {
  const auto result = load(with("\"a\\nb\\u001b[2J\": 1\nclients: [ { name: \"x\\ny\", key: 0123456789abcdef } ]\n"));
  BOOST_TEST(result.errors.size() == 2u);
  const auto path = load(
      "providers: [ { name: one, base_url: http://h, keys: [ { name: k, secret: s, models: { \"a\\nb\": { rmp: 1 } } } "
      "] } ]\n" +
      doors + models);
  BOOST_TEST_REQUIRE(path.errors.size() >= 1u);
  BOOST_TEST(path.errors[0].key == "providers[0].keys[0].models[\"a?b\"].rmp");
  for (const auto& line : lines(result.errors))
    BOOST_TEST((std::none_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x20; })), line);
}

BOOST_AUTO_TEST_CASE(depth_aliases_and_cycles_in_the_yaml_do_no_harm) {
  BOOST_TEST(!load(std::string(100000, '[')).value);
  BOOST_TEST(!load(std::string(100000, '{')).value);
  BOOST_TEST(!load("a: &a [ *a, *a ]\n" + with("")).value);
  const auto shared = load("doors: { http: &d { listen: 127.0.0.1:8080 }, metrics: *d }\n" + providers + models);
  BOOST_TEST_REQUIRE(shared.errors.size() == 1u);
  BOOST_TEST(shared.errors[0].key == "doors.metrics.listen");
}

// Bytes changed, cut out and doubled at random: always an answer, never an exception, never the secret.
BOOST_AUTO_TEST_CASE(no_damage_to_the_file_brings_out_an_exception_or_a_secret) {
  const std::string secret = "Zq9Zq9Zq9Zq9Zq9Z";
  const std::string whole = with("clients: [ { name: app, key: Zq9Zq9Zq9Zq9Zq9Z, models: [ m ] } ]\n"
                                 "retry: { statuses: [ 429 ], budget: { ratio: 0.1 } }\n"
                                 "cache: { redis: { url: \"redis://:Zq9Zq9Zq9Zq9Zq9Z@h:1/0\" } }\n");
  expect_fine(load(whole));
  std::mt19937 random(20240607);
  const std::string bytes = "{}[]:,-#&*!|>'\"%@`\n\t $0aA\\\x01\xff";
  int fine = 0, wrong = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = whole;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      const auto at = random() % text.size();
      switch (random() % 3) {
      case 0: text[at] = bytes[random() % bytes.size()]; break;
      case 1: text.erase(at, random() % 8); break;
      default: text.insert(at, text.substr(random() % text.size(), random() % 16)); break;
      }
    }
    const auto result = load(text);
    BOOST_TEST_REQUIRE(!!result.value == result.errors.empty(), text);
    // A secret cut in two is two other secrets; whole, it stays inside.
    BOOST_TEST_REQUIRE(all(result).find(secret) == std::string::npos, all(result));
    result.value ? ++fine : ++wrong;
  }
  BOOST_TEST(fine > 50);
  BOOST_TEST(wrong > 500);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace yaml_test
