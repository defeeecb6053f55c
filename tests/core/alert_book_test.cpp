// When an alert begins and when it ends.
#include "core/alert_book.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace alert_book_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

struct fixture {
  alert_book book;
  instant now{1000s};

  fixture() {
    book.reconfigure(
        {{"latency", {10, 30, false, 60s}}, {"success", {0.98, 0.95, true, 60s}}, {"down", {{}, 1, false, {}}}});
  }
  /// "latency warning on; ..." after that time
  std::string after(duration d, const alert_book::values& values) {
    now += d;
    std::string out;
    for (auto& a : book.judge(values, now))
      out += a.signal + " " + std::string(to_string(a.severity)) + (a.on ? " on; " : " off; ");
    return out;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(alerts, fixture)

BOOST_AUTO_TEST_CASE(begins_after_it_was_beyond_for_long_enough_in_one_go) {
  BOOST_TEST(after(0s, {{"latency", 11}}) == "");
  BOOST_TEST(after(59s, {{"latency", 11}}) == "");
  BOOST_TEST(after(1s, {{"latency", 11}}) == "latency warning on; ");
  BOOST_TEST(after(1s, {{"latency", 11}}) == "");
  BOOST_TEST(after(0s, {{"latency", 31}}) == "");
  BOOST_TEST(after(30s, {{"latency", 29}}) == "", "it was interrupted");
  BOOST_TEST(after(40s, {{"latency", 31}}) == "");
  BOOST_TEST(after(60s, {{"latency", 31}}) == "latency critical on; ");
}

BOOST_AUTO_TEST_CASE(ends_only_after_it_was_well_within_for_as_long) {
  after(0s, {{"latency", 11}});
  after(60s, {{"latency", 11}});
  BOOST_TEST(after(1s, {{"latency", 9.5}}) == "");
  BOOST_TEST(after(600s, {{"latency", 9.5}}) == "", "too near");
  BOOST_TEST(after(1s, {{"latency", 9}}) == "");
  BOOST_TEST(after(60s, {{"latency", 9}}) == "latency warning off; ");
}

BOOST_AUTO_TEST_CASE(what_is_bad_below_goes_the_other_way) {
  after(0s, {{"success", 0.94}});
  BOOST_TEST(after(60s, {{"success", 0.94}}) == "success warning on; success critical on; ");
  after(1s, {{"success", 0.9549}});
  BOOST_TEST(after(60s, {{"success", 0.9549}}) == "");
  after(1s, {{"success", 0.956}});
  BOOST_TEST(after(60s, {{"success", 0.956}}) == "success critical off; ");
  after(1s, {{"success", 1}});
  BOOST_TEST(after(60s, {{"success", 1}}) == "success warning off; ");
}

BOOST_AUTO_TEST_CASE(without_a_hold_it_tells_at_once) {
  BOOST_TEST(after(0s, {{"down", 1}}) == "down critical on; ");
  BOOST_TEST(after(0s, {{"down", 0}}) == "down critical off; ");
}

BOOST_AUTO_TEST_CASE(what_nobody_knows_changes_nothing) {
  after(0s, {{"latency", 11}});
  BOOST_TEST(after(60s, {{"latency", std::nullopt}}) == "");
  BOOST_TEST(after(1s, {{"latency", 11}}) == "", "it begins anew");
  BOOST_TEST(after(60s, {{"latency", 11}}) == "latency warning on; ");
  BOOST_TEST(after(600s, {}) == "");
  BOOST_TEST(book.all()[1].signal == "latency");
  BOOST_TEST(book.all()[1].on);
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_what_is_on_and_forgets_what_went) {
  after(0s, {{"latency", 11}, {"down", 1}});
  after(60s, {{"latency", 11}, {"down", 1}});
  book.reconfigure({{"latency", {8, {}, false, 60s}}});
  const auto all = book.all();
  BOOST_REQUIRE(all.size() == 1u);
  BOOST_TEST((all[0].on && all[0].threshold == 8));
}

BOOST_AUTO_TEST_CASE(however_the_value_walks_on_and_off_take_turns_with_a_hold_between_them) {
  std::mt19937 random(3);
  double value = 10;
  bool on = false;
  instant last{};
  for (int i = 0; i < 50'000; ++i) {
    value = std::max(0.0, value + std::normal_distribution<double>(0, 1)(random) + (10 - value) * 0.02);
    now += 1s;
    for (auto& a : book.judge({{"latency", value}}, now)) {
      if (a.severity != alert_severity::warning) continue;
      BOOST_REQUIRE(a.on != on);
      BOOST_REQUIRE(now - last >= 60s);
      BOOST_REQUIRE((a.on ? value >= 10 : value <= 9));
      on = a.on;
      last = now;
    }
  }
  BOOST_TEST((last > instant{2000s}), "it rang more than once");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace alert_book_test
