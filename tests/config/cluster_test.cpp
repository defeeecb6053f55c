#include "tests/config/sample.hpp"

namespace cluster_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

loaded cluster(const std::string& members) { return load(with("cluster: { " + members + " }\n")); }

bool says(const loaded& result, const std::string& text) { return all(result).find(text) != std::string::npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(clusters)

BOOST_AUTO_TEST_CASE(a_node_knows_itself_and_its_peers_by_address) {
  const auto result = cluster("listen: 127.0.0.1:4300, peers: [ 127.0.0.1:4301, 127.0.0.1:4302 ]");
  expect_fine(result);
  BOOST_TEST(result.value->cluster->address == "127.0.0.1:4300");
  BOOST_TEST(result.value->cluster->peers == (std::vector<std::string>{"127.0.0.1:4301", "127.0.0.1:4302"}),
             boost::test_tools::per_element());
  BOOST_TEST(!load(with("")).value->cluster.has_value());
}

BOOST_AUTO_TEST_CASE(what_peers_cannot_name_needs_a_name) {
  const std::string rest = ", cleartext: true, peers: [ 10.0.0.2:4300 ]";
  BOOST_TEST(says(cluster("listen: 0.0.0.0:4300" + rest), "add advertise"));
  BOOST_TEST(says(cluster("listen: 127.0.0.1:0" + rest), "add advertise"));
  BOOST_TEST(says(cluster("listen: localhost:4300, peers: [ 127.0.0.1:4301 ]"), "add advertise"));
  const auto named =
      load("cluster: { listen: 0.0.0.0:4300, advertise: 10.0.0.1:4300" + rest + " }\n" + doors + providers + models);
  expect_fine(named);
  BOOST_TEST(named.value->cluster->address == "10.0.0.1:4300");
}

BOOST_AUTO_TEST_CASE(each_peer_is_another_node_once) {
  const auto with_peer = [](const std::string& peer) {
    return cluster("listen: 127.0.0.1:4300, peers: [ 127.0.0.1:4301, '" + peer + "' ]");
  };
  BOOST_TEST(says(with_peer("127.0.0.1:4300"), "is this node itself"));
  BOOST_TEST(says(with_peer("127.0.0.1:4301"), "is listed twice"));
  for (auto none :
       {"here", "127.0.0.1", "127.0.0.1:0", "0.0.0.0:4301", "node.example:4301", "localhost:4301", "[::]:1"})
    BOOST_TEST(says(with_peer(none), "cluster.peers[1]: must be an IP address"), none);
  BOOST_TEST(says(with_peer("127.0.0.1:04301"), "is listed twice"), "however it is spelled");
  BOOST_TEST(with_peer("[0:0::1]:4302").value->cluster->peers[1] == "[::1]:4302");
  BOOST_TEST(says(cluster("listen: 127.0.0.1:4300, peers: []"), "a cluster of one node is none"));
  BOOST_TEST(says(cluster("listen: 127.0.0.1:4300"), "peers"));
  BOOST_TEST(says(cluster("peers: [ 127.0.0.1:4301 ]"), "listen"));
}

BOOST_AUTO_TEST_CASE(off_loopback_it_is_encrypted_or_says_that_it_is_not) {
  const std::string at = "listen: 10.0.0.1:4300, peers: [ 10.0.0.2:4300 ]";
  BOOST_TEST(says(cluster(at), "add the section tls"));
  BOOST_TEST(says(cluster("listen: 127.0.0.1:4300, peers: [ 10.0.0.2:4300 ]"), "add the section tls"));
  const auto told = cluster(at + ", cleartext: true");
  expect_fine(told);
  BOOST_TEST(says(told, "whoever reaches it can be a node"));
}

BOOST_AUTO_TEST_CASE(names_are_of_certificates) {
  const std::string at = "listen: 127.0.0.1:4300, peers: [ 127.0.0.1:4301 ], names: ";
  BOOST_TEST(says(cluster(at + "[ node.example ]"), "none without the section tls"));
  BOOST_TEST(says(cluster(at + "[ '*.example' ]"), "is a pattern"));
  BOOST_TEST(says(cluster(at + "[ a, a ]"), "in this list already"));
  BOOST_TEST(says(cluster(at + "[ a ], cleartext: true"), "none with cleartext"));
}

BOOST_AUTO_TEST_CASE(more_than_a_thousand_peers_are_too_many) {
  std::string peers;
  for (int i = 0; i < 1001; ++i) peers += (i ? ", " : "") + ("127.0.1.1:" + std::to_string(1000 + i));
  BOOST_TEST(says(cluster("listen: 127.0.0.1:4300, peers: [ " + peers + " ]"), "more than 1000 peers"));
}

BOOST_AUTO_TEST_CASE(what_is_each_nodes_own_is_not_among_what_they_have_in_common) {
  const auto hash = [](const std::string& text) {
    const auto result = load(text);
    expect_fine(result);
    return result.value->common_hash;
  };
  const auto rest = std::string(providers) + models;
  const auto a =
      hash("node: { name: a }\n" + (doors + rest) + "cluster: { listen: 127.0.0.1:1, peers: [ 127.0.0.1:2 ] }\n");
  BOOST_TEST(
      a == hash("node: { name: b }\n" + (doors + rest) + "cluster: { listen: 127.0.0.1:2, peers: [ 127.0.0.1:1 ] }\n"));
  BOOST_TEST(a == hash("doors: { http: { listen: 127.0.0.1:1 } }\n" + rest));
  BOOST_TEST(a != hash(doors + rest + "drain: 7s\n"));
}

BOOST_AUTO_TEST_CASE(the_console_has_another_port_whatever_the_addresses) {
  const auto both = [](const std::string& admin, const std::string& cluster) {
    return load("doors: { http: { listen: 127.0.0.1:1 }, admin: { listen: " + admin + " } }\ncluster: { listen: " +
                cluster + ", advertise: 127.0.0.3:1, peers: [ 127.0.0.1:4301 ] }\n" + providers + models);
  };
  BOOST_TEST(says(both("127.0.0.1:4242", "127.0.0.2:4242"), "cluster.listen: has the port of the door admin"));
  expect_fine(both("127.0.0.1:4242", "127.0.0.2:4243"));
  expect_fine(both("127.0.0.1:0", "127.0.0.2:0"));
}

BOOST_AUTO_TEST_CASE(no_other_door_stands_there) {
  BOOST_TEST(says(cluster("listen: 127.0.0.1:8080, peers: [ 127.0.0.1:4301 ]"), "same address as the door http"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace cluster_test
