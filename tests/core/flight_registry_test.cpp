// Which node flies for which question: the first who asks, until it is over, too late or gone.
#include "core/flight_registry.hpp"

#include <boost/test/unit_test.hpp>

namespace flight_registry_test {

using namespace mainstay;

namespace {

instant at(duration d) { return instant{} + 1h + d; }

} // namespace

BOOST_AUTO_TEST_SUITE(flight_registries)

BOOST_AUTO_TEST_CASE(the_first_node_flies_and_the_others_are_sent_there) {
  flight_registry r;
  BOOST_TEST(r.ask("k", "a", 1, at(1min), at(0s)) == "a");
  BOOST_TEST(r.ask("k", "b", 1, at(1min), at(1s)) == "a");
  BOOST_TEST(r.ask("other", "b", 2, at(1min), at(1s)) == "b");
  BOOST_TEST(r.size() == 2u);
}

BOOST_AUTO_TEST_CASE(after_a_landing_nodes_are_sent_there_for_a_moment_and_then_fly_themselves) {
  flight_registry r;
  r.ask("k", "a", 1, at(1min), at(0s));
  r.over("k", "a", 1, true, at(2s));
  BOOST_TEST(r.ask("k", "b", 1, at(1min), at(2s + 249ms)) == "a");
  BOOST_TEST(r.ask("k", "b", 1, at(1min), at(2s + 250ms)) == "b");
  BOOST_TEST(r.ask("k", "a", 2, at(1min), at(3s)) == "b");
}

BOOST_AUTO_TEST_CASE(after_a_failure_the_next_flies_at_once) {
  flight_registry r;
  r.ask("k", "a", 1, at(1min), at(0s));
  r.over("k", "a", 1, false, at(2s));
  BOOST_TEST(r.size() == 0u);
  BOOST_TEST(r.ask("k", "b", 1, at(1min), at(2s)) == "b");
}

BOOST_AUTO_TEST_CASE(who_never_says_that_it_is_over_holds_the_key_until_its_deadline) {
  flight_registry r;
  r.ask("k", "a", 1, at(10s), at(0s));
  BOOST_TEST(r.ask("k", "b", 1, at(1min), at(9s)) == "a");
  BOOST_TEST(r.ask("k", "b", 1, at(1min), at(10s)) == "b");
}

BOOST_AUTO_TEST_CASE(a_second_flight_of_the_same_node_takes_the_place_of_the_first) {
  flight_registry r;
  r.ask("k", "a", 1, at(10s), at(0s));
  BOOST_TEST(r.ask("k", "a", 2, at(20s), at(5s)) == "a");
  r.over("k", "a", 1, false, at(6s)); // the end of the first is not that of the second
  BOOST_TEST(r.ask("k", "b", 1, at(1min), at(15s)) == "a");
  r.over("k", "b", 2, false, at(16s)); // nor is what others say
  BOOST_TEST(r.ask("k", "b", 1, at(1min), at(17s)) == "a");
}

BOOST_AUTO_TEST_CASE(what_a_lost_node_flew_is_free) {
  flight_registry r;
  r.ask("k", "a", 1, at(1min), at(0s));
  r.ask("l", "b", 1, at(1min), at(0s));
  r.lost("a");
  BOOST_TEST(r.ask("k", "c", 1, at(1min), at(1s)) == "c");
  BOOST_TEST(r.ask("l", "c", 1, at(1min), at(1s)) == "b");
}

BOOST_AUTO_TEST_CASE(it_is_bounded_and_beyond_that_everybody_flies) {
  flight_registry r;
  for (std::size_t i = 0; i < flight_registry::most + 10; ++i)
    BOOST_TEST_REQUIRE(r.ask(std::to_string(i), "a", i, at(1min), at(0s)) == "a");
  BOOST_TEST(r.size() == flight_registry::most);
  const auto beyond = std::to_string(flight_registry::most + 1);
  BOOST_TEST(r.ask(beyond, "b", 1, at(1min), at(1s)) == "b");
  BOOST_TEST(r.ask("0", "b", 1, at(1min), at(1s)) == "a");
  r.ask("later", "b", 1, at(3min), at(2min)); // all others are forgotten by then
  BOOST_TEST(r.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_deadline_that_has_passed_holds_nothing) {
  flight_registry r;
  BOOST_TEST(r.ask("k", "a", 1, at(0s), at(0s)) == "a");
  BOOST_TEST(r.size() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace flight_registry_test
