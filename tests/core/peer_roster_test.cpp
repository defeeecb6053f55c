#include "core/peer_roster.hpp"

#include <boost/test/unit_test.hpp>

namespace peer_roster_test {

using namespace mainstay;

BOOST_AUTO_TEST_SUITE(peer_roster_suite)

BOOST_AUTO_TEST_CASE(whoever_comes_back_as_another_process_was_gone_and_is_up) {
  peer_roster peers;
  BOOST_TEST(!peers.change("a", true, 1));
  BOOST_TEST(!peers.change("a", true, 1));
  BOOST_TEST(peers.change("a", true, 2));
  BOOST_TEST(peers.up("a"));
  BOOST_TEST(!peers.up("b"));
}

BOOST_AUTO_TEST_CASE(whoever_is_down_is_gone_even_if_nobody_had_heard_of_it) {
  peer_roster peers;
  BOOST_TEST(peers.change("a", false, 1));
  peers.change("a", true, 1);
  BOOST_TEST(peers.change("a", false, 1));
  BOOST_TEST(!peers.up("a"));
  BOOST_TEST(!peers.change("a", true, 2));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace peer_roster_test
