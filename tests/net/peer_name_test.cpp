// What of a caller's address tells it from others.
#include "net/peer_name.hpp"

#include <boost/test/unit_test.hpp>

namespace peer_name_test {

using namespace mainstay;

BOOST_AUTO_TEST_SUITE(peer_name_suite)

BOOST_AUTO_TEST_CASE(connections_of_one_address_have_it_in_common) {
  BOOST_TEST(address_of("192.0.2.1:51234") == "192.0.2.1");
  BOOST_TEST(address_of("192.0.2.1:9") == "192.0.2.1");
  BOOST_TEST(address_of("") == "local");
}

BOOST_AUTO_TEST_CASE(of_an_ipv6_address_its_network_counts) {
  BOOST_TEST(address_of("[2001:db8:0:1::5]:443") == "2001:db8:0:1::/64");
  BOOST_TEST(address_of("[2001:db8:0:1:ffff::9]:80") == "2001:db8:0:1::/64");
  BOOST_TEST(address_of("[2001:db8:0:2::5]:443") == "2001:db8:0:2::/64");
  BOOST_TEST(address_of("[::1]:1") == "::/64");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace peer_name_test
