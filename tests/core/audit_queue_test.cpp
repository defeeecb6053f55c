// What waits for the audit's file: its bound, and the costs of calls that several requests shared.
#include "core/audit_queue.hpp"

#include <boost/test/unit_test.hpp>

namespace audit_queue_test {

using namespace mainstay;

namespace {

const instant start{1h};

audit_entry named(const std::string& id) {
  audit_entry e;
  e.request_id = id;
  e.cost_usd = 0;
  return e;
}
audit_entry call(double usd) {
  audit_entry e;
  e.provider = "openai";
  e.input_tokens = 10;
  e.output_tokens = 20;
  e.cost_usd = usd;
  return e;
}
std::vector<std::string> names(const std::vector<audit_entry>& all) {
  std::vector<std::string> out;
  for (auto& e : all) out.push_back(e.request_id);
  return out;
}
using ids = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_CASE(entries_come_out_as_they_came_in) {
  audit_queue q;
  for (auto* id : {"a", "b", "c"}) q.add(named(id), 0, start);
  auto some = q.take(2);
  BOOST_TEST(names(some) == (ids{"a", "b"}), boost::test_tools::per_element());
  q.put_back(std::move(some));
  BOOST_TEST(names(q.take(9)) == (ids{"a", "b", "c"}), boost::test_tools::per_element());
  BOOST_TEST(q.empty());
}

BOOST_AUTO_TEST_CASE(texts_of_requests_have_a_bound_of_their_own) {
  audit_queue q;
  auto large = named("x");
  large.request = std::string(1u << 20, 'a');
  for (std::size_t i = 0; i < 70; ++i) q.add(large, 0, start);
  BOOST_TEST((q.size() == audit_queue::most_bytes >> 20 && q.lost() == 6u));
  auto some = q.take(10);
  q.put_back(std::move(some));
  q.add(large, 0, start);
  BOOST_TEST(q.lost() == 7u);
  q.take(1);
  q.add(large, 0, start);
  BOOST_TEST((q.lost() == 7u && q.lost_untold() == 0u));
  q.take(100);
  for (std::size_t i = 0; i < 64; ++i) q.add(large, 0, start);
  BOOST_TEST(q.lost() == 7u);
}

BOOST_AUTO_TEST_CASE(what_finds_no_room_is_counted_and_the_next_one_says_so) {
  audit_queue q;
  for (std::size_t i = 0; i < audit_queue::most_waiting + 3; ++i) q.add(named("x"), 0, start);
  BOOST_TEST(q.size() == audit_queue::most_waiting);
  BOOST_TEST(q.lost() == 3u);
  BOOST_TEST(q.lost_untold() == 3u);
  q.take(1);
  q.add(named("next"), 0, start);
  BOOST_TEST(q.lost() == 3u);
  BOOST_TEST(q.lost_untold() == 0u);
  const auto all = q.take(audit_queue::most_waiting);
  BOOST_TEST(all.back().request_id == "next");
  BOOST_TEST(all.back().lost == 3u);
  BOOST_TEST(all.front().lost == 0u);
}

BOOST_AUTO_TEST_CASE(who_shared_a_call_waits_for_it_and_the_first_has_its_cost) {
  audit_queue q;
  q.add(named("a"), 7, start);
  q.add(named("b"), 7, start);
  q.add(named("alone"), 0, start);
  BOOST_TEST(names(q.take(9)) == ids{"alone"}, boost::test_tools::per_element());
  q.add_call(7, call(0.5));
  q.add_call(7, call(0.5)); // its letter came again
  q.add(named("late"), 7, start + 1min);
  const auto all = q.take(9);
  BOOST_TEST(names(all) == (ids{"a", "b", "late"}), boost::test_tools::per_element());
  double sum = 0;
  for (auto& e : all) {
    BOOST_TEST(e.provider == "openai");
    BOOST_TEST(e.output_tokens == 20u);
    sum += e.cost_usd.value();
  }
  BOOST_TEST(sum == 0.5);
}

BOOST_AUTO_TEST_CASE(a_call_without_a_price_leaves_the_cost_unknown_where_it_counts) {
  audit_queue q;
  auto unpriced = call(0);
  unpriced.cost_usd.reset();
  q.add_call(7, unpriced);
  q.add(named("a"), 7, start);
  q.add(named("b"), 7, start);
  const auto all = q.take(9);
  BOOST_TEST(!all[0].cost_usd);
  BOOST_TEST(all[1].cost_usd.value() == 0);
}

BOOST_AUTO_TEST_CASE(a_call_that_nobody_hears_of_holds_no_line_back_for_long) {
  audit_queue q;
  q.add(named("a"), 7, start);
  q.add(named("b"), 8, start + 1s);
  q.settle(start + audit_queue::patience - 1ms);
  BOOST_TEST(q.take(9).empty());
  q.settle(start + audit_queue::patience);
  BOOST_TEST(names(q.take(9)) == ids{"a"}, boost::test_tools::per_element());
  q.add_call(7, call(1)); // too late for `a`
  q.settle(start, true);
  BOOST_TEST(names(q.take(9)) == ids{"b"}, boost::test_tools::per_element());
  BOOST_TEST(q.empty());
}

BOOST_AUTO_TEST_CASE(calls_that_are_over_are_kept_in_a_bounded_number) {
  audit_queue q;
  for (request_id n = 1; n <= audit_queue::most_calls + 1; ++n) q.add_call(n, call(1));
  q.add(named("of the first"), 1, start);
  BOOST_TEST(q.take(9).empty());
  q.add(named("of the second"), 2, start);
  BOOST_TEST(q.take(9).size() == 1u);
}

} // namespace audit_queue_test
