// How targets did with the same question.
#include "core/comparison.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace comparison_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

run_report answered(duration took, duration first_token, std::uint64_t tokens, std::optional<double> usd) {
  run_report r;
  r.outcome = "ok";
  r.took = took + 1h; // in a queue, which is nobody's time
  r.output_tokens = tokens;
  attempt_report a;
  a.took = took;
  a.first_token = first_token;
  a.usd = usd;
  r.attempts.push_back(a);
  return r;
}

bool near(double a, double b) { return std::abs(a - b) < 1e-9; }

} // namespace

BOOST_AUTO_TEST_SUITE(comparisons)

BOOST_AUTO_TEST_CASE(means_and_percentiles_are_of_the_answered_calls) {
  comparison c;
  for (int i = 1; i <= 20; ++i) c.add(answered(i * 1s, 500ms, 101, 0.01));
  run_report failed;
  failed.outcome = "rate_limited";
  c.add(failed);
  c.add(failed);
  const auto v = c.look();
  BOOST_TEST((v.calls == 22u && v.answered == 20u && v.errors.at("rate_limited") == 2u));
  BOOST_TEST((near(v.mean, 10.5) && near(v.p50, 10) && near(v.p95, 19) && near(v.first_token, 0.5)));
  BOOST_TEST((near(v.output_tokens, 101) && near(v.usd, 0.2) && v.priced));
  BOOST_TEST(near(v.tokens_per_second, 2000 / (210 - 10.0)));
}

BOOST_AUTO_TEST_CASE(of_nothing_there_is_nothing_to_say) {
  comparison c;
  BOOST_TEST((c.look().calls == 0u && c.look().p95 == 0 && c.look().tokens_per_second == 0));
  c.add(answered(1s, 1s, 1, {}));
  BOOST_TEST((c.look().p95 == 1 && c.look().tokens_per_second == 0 && !c.look().priced));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace comparison_test
