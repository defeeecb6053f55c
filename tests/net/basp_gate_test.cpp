#include "net/basp_gate.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace basp_gate_test {

using namespace mainstay;

namespace {

basp_gate::header header(unsigned operation, std::uint64_t receiver, std::uint32_t size = 0, unsigned flags = 0) {
  basp_gate::header h{};
  h[0] = static_cast<unsigned char>(operation);
  h[3] = static_cast<unsigned char>(flags);
  for (int i = 0; i < 4; ++i) h[4 + i] = static_cast<unsigned char>(size >> (24 - 8 * i));
  for (int i = 0; i < 8; ++i) h[24 + i] = static_cast<unsigned char>(receiver >> (56 - 8 * i));
  return h;
}

const basp_gate gate(300, 1000, basp_gate::of::consoles);

} // namespace

BOOST_AUTO_TEST_SUITE(basp_gates)

BOOST_AUTO_TEST_CASE(messages_to_the_one_actor_go_through_as_they_are) {
  for (auto operation : {2u, 4u}) {
    auto h = header(operation, 300, 1000);
    const auto as_it_was = h;
    BOOST_TEST(gate.admit(h));
    BOOST_TEST((h == as_it_was));
  }
}

BOOST_AUTO_TEST_CASE(messages_to_any_other_actor_are_for_nobody) {
  for (auto operation : {2u, 4u})
    for (std::uint64_t other : {1ull, 299ull, 301ull, 300ull << 8, 300ull << 32}) {
      auto h = header(operation, other, 10);
      BOOST_TEST(gate.admit(h));
      BOOST_TEST((h == header(operation, ~0ull, 10)));
    }
}

BOOST_AUTO_TEST_CASE(names_are_no_way_in_even_if_they_spell_its_number) {
  auto h = header(2, 300, 10, 1);
  BOOST_TEST(gate.admit(h));
  BOOST_TEST((h == header(2, ~0ull, 10)));
}

BOOST_AUTO_TEST_CASE(what_is_for_other_nodes_or_is_too_large_ends_the_connection) {
  auto routed = header(3, 300, 10), large = header(2, 300, 1001), huge = header(1, 0, ~0u);
  BOOST_TEST(!gate.admit(routed));
  BOOST_TEST(!gate.admit(large));
  BOOST_TEST(!gate.admit(huge));
}

BOOST_AUTO_TEST_CASE(only_messages_to_actors_may_be_large) {
  const basp_gate wide(300, 1u << 20, basp_gate::of::nodes);
  for (auto operation : {0u, 1u, 2u, 4u, 5u}) {
    auto h = header(operation, 300, (64u << 10) + 1);
    BOOST_TEST(wide.admit(h) == (operation == 2));
  }
}

BOOST_AUTO_TEST_CASE(news_of_deaths_from_nodes_is_for_nobody_and_asks_nothing) {
  const basp_gate nodes(300, 1000, basp_gate::of::nodes);
  auto h = header(5, 0, 10);
  std::fill(h.begin() + 8, h.begin() + 24, 7);
  BOOST_TEST(nodes.admit(h));
  BOOST_TEST((h == header(2, ~0ull, 10)));
}

BOOST_AUTO_TEST_CASE(somebody_has_spoken_who_said_something_to_the_one_actor) {
  BOOST_TEST(gate.is_for_us(header(2, 300, 10)));
  for (auto& other : {header(2, 301, 10), header(2, 300, 10, 1), header(0, 300, 10), header(4, 300, 10)})
    BOOST_TEST(!gate.is_for_us(other));
}

BOOST_AUTO_TEST_CASE(handshakes_goodbyes_and_heartbeats_are_for_the_node) {
  for (auto operation : {0u, 1u, 5u, 6u}) {
    auto h = header(operation, 7, 10);
    BOOST_TEST(gate.admit(h));
    BOOST_TEST((h == header(operation, 7, 10)));
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace basp_gate_test
