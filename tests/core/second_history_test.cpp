// The last five minutes, second by second.
#include "core/second_history.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace second_history_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

run_report report(std::string outcome, std::string source, duration took = 1s) {
  run_report r;
  r.outcome = std::move(outcome);
  r.source = std::move(source);
  r.took = took;
  return r;
}

const utc_time noon{1'000'000s};

} // namespace

BOOST_AUTO_TEST_SUITE(second_histories)

BOOST_AUTO_TEST_CASE(a_second_is_told_when_it_is_over) {
  second_history h;
  auto answered = report("ok", "fallback", 2s);
  answered.charged_tokens = 30;
  answered.attempts.resize(2);
  answered.attempts[0].failed = failure_class::rate_limited;
  answered.attempts[1].usd = 0.25;
  h.count(answered, noon);
  h.count(report("server_error", ""), noon + 900ms);
  h.count(report("cancelled", ""), noon + 950ms);
  auto own = report("rate_limited", "");
  own.own_limit = true;
  h.count(own, noon + 960ms);
  BOOST_TEST(h.since(0, noon + 999ms).empty());
  const auto cells = h.since(0, noon + 1s);
  BOOST_REQUIRE(cells.size() == 1u);
  const auto& c = cells[0];
  BOOST_TEST((c.at == 1'000'000 && c.requests == 4 && c.failed == 1 && c.calls == 2 && c.failed_calls == 1));
  BOOST_TEST((c.tokens == 30 && c.usd == 0.25));
  BOOST_TEST((c.from[static_cast<std::size_t>(answer_source::fallback)] == 1));
  BOOST_TEST((std::abs(c.p99 - 2) < 0.03 && std::abs(c.p50 - 1) < 0.02));
}

BOOST_AUTO_TEST_CASE(a_flight_counts_with_its_calls_only) {
  second_history h;
  auto flight = report("ok", "primary");
  flight.flight = true;
  flight.attempts.resize(1);
  h.count(flight, noon);
  const auto c = h.since(0, noon + 1s).front();
  BOOST_TEST((c.requests == 0 && c.calls == 1 && c.p50 == 0));
}

BOOST_AUTO_TEST_CASE(silent_seconds_are_there_and_old_ones_go) {
  second_history h;
  h.count(report("ok", "primary"), noon);
  auto cells = h.since(0, noon + 10s);
  BOOST_TEST(cells.size() == 10u);
  BOOST_TEST((cells[9].at == 1'000'009 && cells[9].requests == 0));
  BOOST_TEST(h.since(1'000'005, noon + 10s).size() == 5u);
  cells = h.since(0, noon + 24h);
  BOOST_TEST(cells.size() == second_history::kept);
  BOOST_TEST((cells.back().at == 1'000'000 + 24 * 3600 - 1 && cells.front().requests == 0));
  h.count(report("ok", "primary"), noon + 24h - 3s); // the clock was set back a little
  BOOST_TEST((h.since(0, noon + 24h + 1s).back().requests == 1));
  h.count(report("ok", "primary"), noon); // and by a day
  cells = h.since(0, noon + 1s);
  BOOST_TEST((cells.back().at == 1'000'000 && cells.back().requests == 1 && cells.size() == second_history::kept));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace second_history_test
