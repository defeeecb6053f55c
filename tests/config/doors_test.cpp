// Doors and clients: where they listen, and that nothing open to others goes without a key.
#include "config/client_keys.hpp"
#include "tests/config/sample.hpp"

namespace doors_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

const std::string client = "clients: [ { name: app, key: 0123456789abcdef } ]\n";

/// So said, off loopback the clear is only a warning.
std::string in_the_clear(const std::string& door) {
  auto said = door;
  return said.insert(said.rfind('}'), ", cleartext: true ");
}

} // namespace

BOOST_AUTO_TEST_SUITE(doors_and_clients)

BOOST_AUTO_TEST_CASE(all_four_doors_are_read) {
  const auto result = load(with_doors("doors:\n"
                                      "  http: { listen: 127.0.0.1:8080, body_limit: 1MiB }\n"
                                      "  zmq: { listen: tcp://127.0.0.1:5555 }\n"
                                      "  admin: { listen: \"[::1]:4242\" }\n"
                                      "  metrics: { listen: localhost:9464 }\n"));
  expect_fine(result);
  const auto& d = result.value->doors;
  BOOST_TEST(d.http->listen.host == "127.0.0.1");
  BOOST_TEST(d.http->listen.port == 8080);
  BOOST_TEST(d.http->body_limit == 1u << 20);
  BOOST_TEST(d.zmq->listen == "tcp://127.0.0.1:5555");
  BOOST_TEST(d.admin->host == "::1");
  BOOST_TEST(d.metrics->host == "localhost");
}

BOOST_AUTO_TEST_CASE(doors_left_out_stay_shut_and_the_body_limit_has_a_default) {
  const auto result = load(with(""));
  expect_fine(result);
  BOOST_TEST(result.value->doors.http->body_limit == 32u << 20);
  BOOST_TEST(!result.value->doors.zmq);
  BOOST_TEST(!result.value->doors.admin);
  BOOST_TEST(!result.value->doors.metrics);
}

BOOST_AUTO_TEST_CASE(without_a_door_for_requests_there_is_no_gateway) {
  expect_error(load(with_doors("doors: { metrics: { listen: 127.0.0.1:9464 } }\n")),
               "m.yaml:1:8: doors: needs at least one of the doors http and zmq: nobody could send a request");
}

BOOST_AUTO_TEST_CASE(a_door_needs_a_valid_address_and_a_sane_body_limit) {
  expect_error(load(with_doors("doors: { http: { } }\n")), "m.yaml:1:16: doors.http.listen: is missing");
  expect_error(load(with_doors("doors: { zmq: { listen: 127.0.0.1:5555 } }\n")),
               "m.yaml:1:25: doors.zmq.listen: must be tcp://ADDRESS:PORT or ipc://PATH, such as tcp://127.0.0.1:5555");
  expect_error(
      load(with_doors("doors: { http: { listen: 127.0.0.1:1, body_limit: 32 } }\n")),
      "m.yaml:1:51: doors.http.body_limit: is not a size: write a whole number and its unit, such as 512B, 64KiB, "
      "32MiB or 10MB");
  expect_error(load(with_doors("doors: { http: { listen: 127.0.0.1:1, body_limit: 2GiB } }\n")),
               "m.yaml:1:51: doors.http.body_limit: must be from 1KiB to 1GiB");
}

BOOST_AUTO_TEST_CASE(two_doors_at_one_address_are_an_error) {
  expect_error(load(with_doors("doors: { http: { listen: 127.0.0.1:8080 }, zmq: { listen: tcp://127.0.0.1:8080 } }\n")),
               "m.yaml:1:59: doors.zmq.listen: listens at the same address as the door http");
  expect_error(load(with_doors(
                   "doors: { http: { cleartext: true, listen: 0.0.0.0:8080 }, metrics: { listen: 127.0.0.1:8080 } }\n" +
                   client)),
               "m.yaml:1:78: doors.metrics.listen: listens at the same address as the door http");
  expect_fine(load(with_doors("doors: { http: { listen: 127.0.0.1:0 }, metrics: { listen: 127.0.0.1:0 } }\n")));
}

BOOST_AUTO_TEST_CASE(off_loopback_a_door_without_clients_is_an_error) {
  for (const std::string door : {"http: { listen: 0.0.0.0:8080 }", "http: { listen: \"[::]:8080\" }",
                                 "http: { listen: gateway.example:8080 }", "zmq: { listen: \"tcp://*:5555\" }"}) {
    const auto result = load(with_doors("doors: { " + in_the_clear(door) + " }\n"));
    BOOST_TEST_REQUIRE(result.errors.size() == 1u, door);
    BOOST_TEST(result.errors[0].what.find("add clients") != std::string::npos);
    expect_fine(load(with_doors("doors: { " + in_the_clear(door) + " }\n" + client)));
  }
  expect_fine(load(with_doors("doors: { zmq: { listen: \"ipc:///run/m.sock\" } }\n")));
}

BOOST_AUTO_TEST_CASE(without_certificates_the_console_stays_on_loopback_and_so_do_metrics_without_a_token) {
  const auto result =
      load(with_doors("doors: { http: { listen: 127.0.0.1:1 }, admin: { listen: 0.0.0.0:2 }, metrics: { listen: "
                      "10.0.0.1:3, cleartext: true } }\n" +
                      client));
  BOOST_TEST_REQUIRE(result.errors.size() == 2u);
  BOOST_TEST(result.errors[0].key == "doors.admin.listen");
  BOOST_TEST(result.errors[1].key == "doors.metrics.listen");
}

BOOST_AUTO_TEST_CASE(with_a_token_that_cannot_be_guessed_the_metrics_may_listen_anywhere) {
  const auto with_token = [](const std::string& token) {
    return load(with_doors("doors: { http: { listen: 127.0.0.1:1 }, metrics: { listen: 0.0.0.0:3, token: " + token +
                           ", cleartext: true } }\n"),
                {{"METRICS_TOKEN", "0123456789abcdef"}});
  };
  const auto result = with_token("\"${METRICS_TOKEN}\"");
  expect_fine(result);
  BOOST_TEST(result.value->doors.metrics_token->reveal() == "0123456789abcdef");
  expect_error(with_token("0123456789abcde"),
               "m.yaml:1:78: doors.metrics.token: is shorter than 16 characters and can be guessed");
  expect_error(with_token("\"${NO_TOKEN:-}\""),
               "m.yaml:1:78: doors.metrics.token: is empty: set NO_TOKEN, or take the token out");
}

BOOST_AUTO_TEST_CASE(a_client_is_read_whole) {
  const auto result =
      load(with("clients:\n"
                "  - { name: app, key: \"${APP_KEY}\", rpm: 600, rps: 5, tpm: 200000, concurrency: 50, models: [ m, "
                "\"gpt-*\" ], priority: low }\n"
                "  - { name: other, key: fedcba9876543210 }\n"),
           {{"APP_KEY", "0123456789abcdef"}});
  expect_fine(result);
  const auto& c = result.value->clients;
  BOOST_TEST_REQUIRE(c.size() == 2u);
  BOOST_TEST(c[0].name == "app");
  BOOST_TEST(result.value->ring->find("0123456789abcdef", utc_time{}).value() == 0u);
  BOOST_TEST(*c[0].limits.rpm == 600u);
  BOOST_TEST(*c[0].limits.rps == 5u);
  BOOST_TEST(*c[0].limits.tpm == 200000u);
  BOOST_TEST(*c[0].limits.concurrency == 50u);
  BOOST_TEST(c[0].models.size() == 2u);
  BOOST_TEST((c[0].level == priority::low));
  BOOST_TEST((c[1].level == priority::normal));
  BOOST_TEST(c[1].limits.none());
}

BOOST_AUTO_TEST_CASE(a_client_without_a_usable_key_is_an_error_and_never_an_open_door) {
  expect_error(load(with("clients: [ { name: app } ]\n")), "m.yaml:1:12: clients[0].key: is missing");
  expect_error(load(with("clients: [ { name: app, key: \"\" } ]\n")), "m.yaml:1:30: clients[0].key: is empty");
  expect_error(load(with("clients: [ { name: app, key: \"${K:-}\" } ]\n")),
               "m.yaml:1:30: clients[0].key: is empty: set K, or take the client out");
  expect_error(load(with("clients: [ { name: app, key: \"${K}\" } ]\n"), {{"K", ""}}),
               "m.yaml:1:30: clients[0].key: is empty: the environment variable is set, but to nothing");
}

BOOST_AUTO_TEST_CASE(two_clients_cannot_share_a_name_or_a_key) {
  expect_error(load(with("clients:\n  - { name: a, key: 0123456789abcdef }\n  - { name: b, key: 0123456789abcdef }\n")),
               "m.yaml:3:21: clients[1].key: is the same key as in line 2: callers could not be told apart");
  expect_error(load(with("clients:\n  - { name: a, key: 0123456789abcdef }\n  - { name: a, key: fedcba9876543210 }\n")),
               "m.yaml:3:13: clients[1].name: the client a is already defined in line 2");
}

BOOST_AUTO_TEST_CASE(a_short_key_is_a_warning_on_loopback_and_an_error_off_it) {
  const auto inside = load(with("clients: [ { name: app, key: short } ]\n"));
  expect_fine(inside);
  BOOST_TEST_REQUIRE(inside.warnings.size() == 1u);
  BOOST_TEST(
      to_string(inside.warnings[0]) ==
      "m.yaml:1:30: clients[0].key: is shorter than 16 characters and can be guessed; choose a longer one before "
      "listening off loopback");
  expect_error(
      load(with_doors("clients: [ { name: app, key: short } ]\n"
                      "doors: { http: { listen: 0.0.0.0:80, cleartext: true } }\n")),
      "m.yaml:1:30: clients[0].key: is shorter than 16 characters and can be guessed; a door listens off loopback");
}

BOOST_AUTO_TEST_CASE(a_clients_models_must_exist_and_its_limits_be_in_range) {
  expect_error(load(with("clients: [ { name: app, key: 0123456789abcdef, models: [ n ] } ]\n")),
               "m.yaml:1:58: clients[0].models[0]: there is no model named n");
  expect_error(load(with("clients: [ { name: app, key: 0123456789abcdef, models: [ ] } ]\n")),
               "m.yaml:1:56: clients[0].models: is an empty list: give at least one entry, or leave it out");
  expect_error(load(with("clients: [ { name: app, key: 0123456789abcdef, rpm: 0 } ]\n")),
               "m.yaml:1:53: clients[0].rpm: must be a whole number from 1 to 1000000000");
  expect_error(load(with("clients: [ { name: app, key: 0123456789abcdef, priority: urgent } ]\n")),
               "m.yaml:1:58: clients[0].priority: must be high, normal or low");
}

BOOST_AUTO_TEST_CASE(a_client_may_do_without_tools_or_json) {
  const auto result = load(with("clients: [ { name: a, key: 0123456789abcdef, partial: [ json, tools ] },\n"
                                "           { name: b, key: fedcba9876543210 } ]\n"));
  BOOST_REQUIRE_EQUAL(all(result), "");
  BOOST_TEST(to_string(result.value->clients[0].partial) == "tools, json");
  BOOST_TEST(result.value->clients[1].partial.none());
  expect_error(load(with("clients: [ { name: a, key: 0123456789abcdef, partial: [ vision ] } ]\n")),
               "m.yaml:1:57: clients[0].partial[0]: must be tools or json");
  expect_error(load(with("clients: [ { name: a, key: 0123456789abcdef, partial: [ json, json ] } ]\n")),
               "m.yaml:1:63: clients[0].partial[1]: is in this list already");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace doors_test
