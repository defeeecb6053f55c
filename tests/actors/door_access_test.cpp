#include "actors/door_access.hpp"

#include <boost/test/unit_test.hpp>

namespace door_access_test {

namespace {

using namespace mainstay;

const secret token("sesame-sesame-sesame");

bool with(const std::string& authorization) { return brings_token({{"authorization", authorization}}, token); }
bool at(const std::string& host, const std::string& listens_at = "127.0.0.1") {
  return names_this_machine({{"host", host}}, listens_at);
}

} // namespace

BOOST_AUTO_TEST_SUITE(actors_door_access)

BOOST_AUTO_TEST_CASE(a_token_comes_as_a_bearers_or_as_anybodys_password) {
  BOOST_TEST(with("Bearer sesame-sesame-sesame"));
  BOOST_TEST(with("bearer  sesame-sesame-sesame"));
  BOOST_TEST(with("Basic YW55Ym9keTpzZXNhbWUtc2VzYW1lLXNlc2FtZQ==")); // anybody:...
  BOOST_TEST(with("basic OnNlc2FtZS1zZXNhbWUtc2VzYW1l"));             // :...
}

BOOST_AUTO_TEST_CASE(anything_else_does_not_open) {
  BOOST_TEST(!brings_token({}, token));
  for (auto wrong :
       {"", "Bearer", "Bearer ", "Bearer sesame-sesame-sesam", "Bearer sesame-sesame-sesame2", "sesame-sesame-sesame",
        "Digest sesame-sesame-sesame", "Basic", "Basic ====", "Basic c2VzYW1lLXNlc2FtZS1zZXNhbWU=", // no colon
        "Basic YTpzZXNhbWU=", "Basic YTpzZXNhbWUtc2VzYW1lLXNlc2FtZQ", "Basic A", "Basic %%%%"})
    BOOST_TEST(!with(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(addresses_localhost_and_the_configured_name_are_ours) {
  for (auto ours : {"127.0.0.1", "127.0.0.1:9464", "10.1.2.3:80", "[::1]:9464", "[::1]", "localhost", "LocalHost:9464"})
    BOOST_TEST(at(ours), ours);
  BOOST_TEST(at("gate.example:9464", "Gate.example"));
  BOOST_TEST(names_this_machine({}, "127.0.0.1"));
}

BOOST_AUTO_TEST_CASE(a_name_that_a_stranger_can_point_here_is_not) {
  for (auto theirs : {"evil.example", "evil.example:9464", "127.0.0.1.evil.example", "localhost.evil.example", "127.1",
                      "2130706433", "", ":9464", "..."})
    BOOST_TEST(!at(theirs), theirs);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace door_access_test
