#include "core/peer_room.hpp"

#include <boost/test/unit_test.hpp>

namespace peer_room_test {

using namespace mainstay;

namespace {

constexpr instant start{1h};
const std::vector<std::string> at_openai{"openai"};

node_room with(std::uint32_t slots, std::uint64_t places = 100) { return {false, {{"openai", slots}}, places}; }

peer_room two(std::uint32_t slots_of_a, std::uint32_t slots_of_b) {
  peer_room r;
  r.heard("a", with(slots_of_a), 0, start);
  r.heard("b", with(slots_of_b), 0, start);
  return r;
}

} // namespace

BOOST_AUTO_TEST_SUITE(peer_rooms)

BOOST_AUTO_TEST_CASE(the_peer_with_most_free_calls_is_chosen_and_its_calls_are_used_up_by_what_goes_there) {
  auto r = two(3, 2);
  std::map<std::string, int> went;
  while (const auto peer = r.choose(at_openai, move_reason::waiting, start)) ++went[*peer];
  BOOST_TEST(went["a"] == 3);
  BOOST_TEST(went["b"] == 2);
}

BOOST_AUTO_TEST_CASE(ten_thousand_at_once_do_not_all_go_to_the_one_that_was_free_a_moment_ago) {
  peer_room r;
  for (auto* peer : {"a", "b", "c", "d"}) r.heard(peer, with(20, 1000), 0, start);
  std::map<std::string, int> went;
  for (int i = 0; i < 10'000; ++i)
    if (const auto peer = r.choose(at_openai, move_reason::overloaded, start)) ++went[*peer];
  for (auto& [peer, n] : went) BOOST_TEST(n == 1000, peer << " got " << n);
  BOOST_TEST(went.size() == 4u);
}

BOOST_AUTO_TEST_CASE(a_new_word_says_which_of_them_it_knows_of) {
  auto r = two(2, 0);
  r.choose(at_openai, move_reason::waiting, start);
  r.choose(at_openai, move_reason::waiting, start);
  r.heard("a", with(1), 1, start); // it has had one of the two
  BOOST_TEST(!r.choose(at_openai, move_reason::waiting, start));
  r.heard("a", with(1), 2, start);
  BOOST_TEST(r.choose(at_openai, move_reason::waiting, start).value_or("") == "a");
}

BOOST_AUTO_TEST_CASE(a_call_that_is_over_is_free_again_before_its_peer_says_so) {
  auto r = two(1, 0);
  r.choose(at_openai, move_reason::waiting, start);
  BOOST_TEST(!r.choose(at_openai, move_reason::waiting, start));
  r.over("a");
  BOOST_TEST(r.choose(at_openai, move_reason::waiting, start).has_value());
  BOOST_TEST(!r.choose(at_openai, move_reason::waiting, start));
}

BOOST_AUTO_TEST_CASE(what_did_not_go_there_after_all_uses_nothing_up) {
  auto r = two(1, 0);
  BOOST_TEST(r.choose(at_openai, move_reason::waiting, start).has_value());
  BOOST_TEST(!r.choose(at_openai, move_reason::waiting, start));
  r.give_back("a");
  BOOST_TEST(r.choose(at_openai, move_reason::waiting, start).has_value());
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_call_goes_only_where_one_is_free_at_a_provider_it_needs) {
  auto r = two(0, 0);
  BOOST_TEST(!r.choose(at_openai, move_reason::waiting, start));
  BOOST_TEST(r.choose(at_openai, move_reason::overloaded, start).has_value());
  r.heard("a", with(5), 0, start);
  BOOST_TEST(!r.choose({"anthropic"}, move_reason::waiting, start));
}

BOOST_AUTO_TEST_CASE(a_free_call_is_better_than_any_place_in_a_queue) {
  peer_room r;
  r.heard("a", with(0, 10'000), 0, start);
  r.heard("b", with(1, 5), 0, start);
  BOOST_TEST(r.choose(at_openai, move_reason::overloaded, start).value_or("") == "b");
  BOOST_TEST(r.choose(at_openai, move_reason::overloaded, start).value_or("") == "a");
}

BOOST_AUTO_TEST_CASE(a_word_counts_for_a_second_and_nothing_goes_to_who_drains_is_full_or_gone) {
  auto r = two(1, 0);
  BOOST_TEST(r.any(start + peer_room::word_counts));
  BOOST_TEST(!r.any(start + peer_room::word_counts + 1ms));
  BOOST_TEST(!r.choose(at_openai, move_reason::draining, start + 2s));
  r.heard("a", {true, {{"openai", 9}}, 100}, 0, start);
  r.heard("b", with(9, 0), 0, start);
  BOOST_TEST(!r.any(start));
  BOOST_TEST(!r.choose(at_openai, move_reason::draining, start));
  r.heard("a", with(9), 0, start);
  r.lost("a");
  BOOST_TEST(!r.choose(at_openai, move_reason::draining, start));
}

BOOST_AUTO_TEST_CASE(a_peer_that_was_away_begins_anew) {
  auto r = two(1, 0);
  r.choose(at_openai, move_reason::waiting, start);
  r.lost("a");
  r.heard("a", with(1), 0, start);
  BOOST_TEST(r.choose(at_openai, move_reason::waiting, start).has_value());
}

BOOST_AUTO_TEST_CASE(reasons_have_names) {
  for (auto why : {move_reason::draining, move_reason::overloaded, move_reason::queue, move_reason::waiting})
    BOOST_TEST((move_reason_named(to_string(why)) == why));
  BOOST_TEST(!move_reason_named("whim"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace peer_room_test
