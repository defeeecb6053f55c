// Limits of each caller address of a client: counted apart, bounded in number, given back.
#include "core/address_meters.hpp"
#include "tests/core/governor_world.hpp"

namespace address_meters_test {

using namespace mainstay;
using namespace mainstay::testing;

namespace {

struct fixture {
  address_meters all{3};
  instant now = t0;
  fixture() { all.limit_to({2, {}}); }
  address_meters::taken take(std::string_view who) {
    BOOST_REQUIRE(!all.refuses(who, now).limit);
    return all.take(who, now);
  }
  void ask(std::string_view who) { address_meters::give_back(take(who), true, now); }
  std::string refused(std::string_view who) {
    const auto no = all.refuses(who, now);
    return no.limit ? no.limit : "";
  }
};

struct client_fixture : world {
  client_fixture() : world({key("k")}) {
    settings.clients = {{"app", {}, {2, 1}}, {"other", {}, {}}};
    settings.clients[0].limits.rpm = 3;
    gov.reconfigure(settings);
  }
  client_admission admit(request_id r, const std::string& address, const std::string& client = "app") {
    return gov.admit({r, 0}, client, 10, now + 10min, now, address);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(address_meters_suite)

BOOST_FIXTURE_TEST_CASE(each_address_has_its_own_window, fixture) {
  ask("a"), ask("a");
  BOOST_TEST(refused("a") == "requests");
  BOOST_TEST((all.refuses("a", now).fits_at == now + 60s));
  BOOST_TEST(refused("b") == "");
  now += 60s;
  BOOST_TEST(refused("a") == "");
}

BOOST_FIXTURE_TEST_CASE(a_place_comes_back_when_its_request_ends, fixture) {
  all.limit_to({{}, 1});
  const auto open = take("a");
  BOOST_TEST(refused("a") == "concurrency");
  address_meters::give_back(open, true, now);
  BOOST_TEST(refused("a") == "");
}

BOOST_FIXTURE_TEST_CASE(an_address_that_nothing_counts_for_is_forgotten, fixture) {
  ask("a"), ask("b");
  now += 61s;
  ask("c");
  BOOST_TEST(all.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(the_table_is_bounded_and_the_longest_silent_goes_first, fixture) {
  ask("a"), ask("a"), ask("b"), ask("c");
  BOOST_TEST(refused("d") == "");
  ask("d");
  BOOST_TEST(all.size() == 3u);
  BOOST_TEST(refused("a") == "", "it was forgotten");
}

BOOST_FIXTURE_TEST_CASE(an_address_with_a_request_open_is_not_forgotten, fixture) {
  std::vector<address_meters::taken> open;
  for (auto* who : {"a", "b", "c"}) open.push_back(take(who));
  BOOST_TEST(refused("d") == "concurrency");
  BOOST_TEST(all.size() == 3u);
  address_meters::give_back(open[1], true, now);
  BOOST_TEST(refused("d") == "");
  BOOST_TEST(all.size() == 2u);
  all.limit_to({});
  BOOST_TEST(all.size() == 0u);
  for (auto* one : {&open[0], &open[2]}) address_meters::give_back(*one, true, now); // whose entries are gone
}

BOOST_FIXTURE_TEST_CASE(a_callers_unknown_address_has_no_limit, fixture) {
  for (int i = 0; i < 10; ++i) ask("");
  BOOST_TEST(all.size() == 0u);
}

BOOST_FIXTURE_TEST_CASE(the_governor_refuses_an_address_before_its_clients_limit_is_touched, client_fixture) {
  BOOST_TEST(admit(1, "a").admitted);
  auto no = admit(2, "a");
  BOOST_TEST(!no.admitted);
  BOOST_TEST((no.of_address && no.limit == "concurrency" && no.retry_after == 1s));
  BOOST_TEST(admit(3, "b").admitted);
  gov.settle({1, 0}, {}, now);
  BOOST_TEST(admit(4, "a").admitted);
  gov.settle({4, 0}, {}, now);
  no = admit(5, "a");
  BOOST_TEST((!no.admitted && !no.of_address && no.limit == "requests"), "the client's three a minute are used up");
}

BOOST_FIXTURE_TEST_CASE(a_client_without_limits_of_its_own_may_limit_its_addresses, client_fixture) {
  settings.clients[0].limits = {};
  gov.reconfigure(settings);
  for (request_id r = 1; r <= 2; ++r) {
    BOOST_TEST(admit(r, "a").admitted);
    gov.settle({r, 0}, {}, now);
  }
  const auto no = admit(3, "a");
  BOOST_TEST((!no.admitted && no.of_address && no.limit == "requests" && no.retry_after == 60s));
  BOOST_TEST(admit(4, "b").admitted);
  BOOST_TEST(admit(5, "a", "other").admitted);
}

BOOST_FIXTURE_TEST_CASE(asked_again_under_its_lease_an_address_is_counted_once, client_fixture) {
  for (int i = 0; i < 3; ++i) BOOST_TEST(admit(1, "a").admitted);
  gov.release_owner(1, now);
  BOOST_TEST(admit(2, "a").admitted, "the place came back, and one of two requests is left");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace address_meters_test
