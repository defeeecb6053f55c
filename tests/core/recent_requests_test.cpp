// Requests that are over, to be asked after: the latest, and for longer those that one asks after.
#include "core/recent_requests.hpp"

#include <boost/test/unit_test.hpp>

namespace recent_requests_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<run_report> report(request_id number, std::string outcome = "ok") {
  auto r = std::make_shared<run_report>();
  r->number = number;
  r->id = "req_" + std::to_string(number);
  r->outcome = std::move(outcome);
  r->took = 1s;
  return r;
}

} // namespace

BOOST_AUTO_TEST_SUITE(recent_requests_suite)

BOOST_AUTO_TEST_CASE(a_flood_of_good_ones_does_not_wash_the_bad_ones_away) {
  recent_requests kept;
  kept.add(report(1, "server_error"), duration::max());
  kept.add(report(2), duration::max());
  auto asked = report(5000);
  asked->trial = true;
  kept.add(asked, duration::max());
  for (request_id n = 3; n < 5000; ++n) kept.add(report(n), duration::max());
  BOOST_TEST((kept.find("req_1").request && kept.find("req_1").request->number == 1u));
  BOOST_TEST(!kept.find("req_2").request);
  BOOST_TEST(!kept.find("req_3999").request);
  BOOST_TEST((kept.find("req_5000").request == asked));
  BOOST_TEST((kept.find("req_4000").request && kept.find("req_4999").request));
  BOOST_TEST(!kept.find("").request);
  BOOST_TEST(kept.latest(10'000).size() == recent_requests::kept);
  BOOST_TEST(kept.latest(3)[0].request->number == 4999u);
  BOOST_TEST(kept.latest(3, true).size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_notable) {
  auto r = report(1);
  BOOST_TEST(!recent_requests::notable(*r, 2s));
  BOOST_TEST(recent_requests::notable(*r, 500ms));
  r->reason = "timeout";
  BOOST_TEST(recent_requests::notable(*r, 2s));
  r = report(1);
  r->attempts.resize(2);
  BOOST_TEST(recent_requests::notable(*r, 2s));
  BOOST_TEST(recent_requests::notable(*report(1, "cancelled"), 2s));
}

BOOST_AUTO_TEST_CASE(who_shared_a_call_is_told_with_it) {
  recent_requests kept;
  auto call = report(7);
  call->flight = true;
  call->id = "req_8"; // it keeps the name of who led it
  auto leader = report(8), other = report(9);
  leader->shared = other->shared = 7;
  other->durable_id = "order-1";
  kept.add(leader, duration::max());
  kept.add(call, duration::max());
  kept.add(other, duration::max());
  BOOST_TEST((kept.find("req_8").request == leader && kept.find("req_8").call == call));
  BOOST_TEST((kept.find("order-1").request == other && kept.find("order-1").call == call));
  const auto latest = kept.latest(5);
  BOOST_TEST((latest.size() == 2u && latest[0].request == other && latest[0].call == call));
  BOOST_TEST((&latest[0].asked() == call.get()));
}

BOOST_AUTO_TEST_CASE(usd_and_what_retries_added) {
  auto r = report(1);
  BOOST_TEST((!r->usd() && r->added_by_retries() == 0s));
  r->attempts.resize(3);
  r->attempts[0].began = 3s; // the reports come in the order in which the attempts ended
  r->attempts[1].began = 1s;
  r->attempts[2].began = 2s;
  r->attempts[1].usd = 0.5;
  r->attempts[2].usd = 0.25;
  BOOST_TEST((r->usd() == 0.75 && r->added_by_retries() == 2s));
}

BOOST_AUTO_TEST_CASE(who_is_lost) {
  BOOST_TEST((report(1, "server_error")->lost() && report(1, "no_such_class")->lost()));
  for (auto* outcome : {"ok", "caller_fault", "cancelled"}) BOOST_TEST(!report(1, outcome)->lost(), outcome);
  auto r = report(1, "rate_limited");
  BOOST_TEST(r->lost());
  r->own_limit = true;
  BOOST_TEST(!r->lost());
  r = report(1, "server_error");
  r->durable = true; // it will be run again
  BOOST_TEST(!r->lost());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace recent_requests_test
