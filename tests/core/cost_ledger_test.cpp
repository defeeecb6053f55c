// Where the money went: groups, days, bounds, and what is to be written down.
#include "core/cost_ledger.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <random>

namespace cost_ledger_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

const utc_time noon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 4) + 12h;

cost_ledger::place at(utc_time t, std::string client, std::string model = "smart", std::string provider = "p") {
  return {std::chrono::floor<std::chrono::hours>(t), std::move(client), std::move(model), std::move(provider)};
}
cost_ledger::amounts call(double usd, std::uint64_t input = 10) {
  cost_ledger::amounts a;
  a.usd = usd;
  a.calls = 1;
  a.tokens.input = input;
  return a;
}
std::vector<std::string> names(const std::vector<std::pair<std::string, cost_ledger::amounts>>& groups) {
  std::vector<std::string> out;
  for (auto& [name, a] : groups) out.push_back(name);
  return out;
}
using list = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(the_cost_ledger)

BOOST_AUTO_TEST_CASE(sums_by_whatever_is_asked_the_dearest_first_and_hours_in_order) {
  cost_ledger l;
  l.add(at(noon, "shop", "smart", "p"), call(1));
  l.add(at(noon, "shop", "cheap", "p"), call(2));
  l.add(at(noon + 1h, "bot", "cheap", "q"), call(4));
  l.add(at(noon + 1h, "bot", "cheap", "q"), call(4));
  const auto from = noon - 1h;
  BOOST_TEST(names(l.sums(cost_ledger::by::client, from)) == (list{"bot", "shop"}));
  BOOST_TEST(names(l.sums(cost_ledger::by::model, from)) == (list{"cheap", "smart"}));
  BOOST_TEST(names(l.sums(cost_ledger::by::provider, from)) == (list{"q", "p"}));
  BOOST_TEST(names(l.sums(cost_ledger::by::hour, from)) == (list{"2026-03-04 12:00", "2026-03-04 13:00"}));
  const auto cheap = l.sums(cost_ledger::by::model, from)[0].second;
  BOOST_TEST((cheap.usd == 10 && cheap.calls == 3 && cheap.tokens.input == 30));
  BOOST_TEST(l.total(from).usd == 11);
  BOOST_TEST(l.total(noon + 1h).usd == 8, "hours before are left out");
}

BOOST_AUTO_TEST_CASE(a_day_ends_at_midnight_utc) {
  cost_ledger l;
  const auto midnight = cost_ledger::end_of_day(noon);
  BOOST_TEST((midnight == noon + 12h));
  BOOST_TEST((cost_ledger::end_of_day(midnight) == midnight + 24h));
  l.add(at(midnight - 1s, "shop"), call(3));
  l.add(at(midnight, "shop"), call(5));
  BOOST_TEST(l.spent_today("shop", midnight - 1s) == 3);
  BOOST_TEST(l.spent_today("shop", midnight) == 5);
  BOOST_TEST(l.spent_today("bot", midnight) == 0);
}

BOOST_AUTO_TEST_CASE(only_what_changed_is_written_and_read_again_it_counts_as_before) {
  cost_ledger l;
  l.add(at(noon, "shop"), call(1));
  l.add(at(noon, "bot"), call(2));
  const auto first = l.changes();
  BOOST_TEST(first.size() == 2u);
  BOOST_TEST(l.changes().empty());
  l.add(at(noon, "shop"), call(1));
  auto rows = l.changes();
  BOOST_REQUIRE(rows.size() == 1u);
  BOOST_TEST((rows[0].where.client == "shop" && rows[0].what.usd == 2));
  l.changed_still(first);
  rows = l.changes();
  BOOST_TEST(rows.size() == 2u);
  cost_ledger next;
  next.restore(rows);
  BOOST_TEST(next.changes().empty());
  BOOST_TEST(next.spent_today("shop", noon) == 2);
  BOOST_TEST(next.total(noon).usd == 4);
  next.add(at(noon, "shop"), call(1));
  BOOST_TEST(next.changes()[0].what.usd == 3);
}

BOOST_AUTO_TEST_CASE(the_oldest_hours_go) {
  cost_ledger l;
  l.add(at(noon, "shop"), call(1));
  l.add(at(noon + cost_ledger::kept_for, "shop"), call(1));
  BOOST_TEST(l.size() == 2u);
  l.add(at(noon + cost_ledger::kept_for + 1h, "shop"), call(1));
  BOOST_TEST(l.size() == 2u);
  BOOST_TEST(l.total(noon).usd == 2);
  BOOST_TEST(l.changes().size() == 2u, "what is gone is not written");
}

BOOST_AUTO_TEST_CASE(however_many_they_are_they_stay_bounded) {
  cost_ledger l;
  for (std::size_t i = 0; i < cost_ledger::most_rows + 500; ++i)
    l.add(at(noon + std::chrono::hours(i % 24), "c" + std::to_string(i / 24)), call(1));
  BOOST_TEST(l.size() == cost_ledger::most_rows);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace cost_ledger_test
