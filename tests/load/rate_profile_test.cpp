// Rates as they are written, and the moments at which requests are due.
#include "tools/load/rate_profile.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace rate_profile_test {

using namespace mainstay;
using load::rate_profile;

namespace {

rate_profile read(std::string_view text) {
  auto reading = rate_profile::parse(text);
  BOOST_REQUIRE_MESSAGE(reading.profile, reading.fault);
  return *reading.profile;
}

double due(const rate_profile& p, std::uint64_t k) { return std::chrono::duration<double>(p.due(k)).count(); }

constexpr auto tight = 1e-6; // relative, in per cent

} // namespace

BOOST_AUTO_TEST_SUITE(rate_profiles)

BOOST_AUTO_TEST_CASE(a_steady_rate_is_evenly_spaced_and_has_no_end) {
  auto p = read("200");
  BOOST_TEST(!p.total());
  BOOST_TEST((p.due(0) == 0s));
  BOOST_TEST((p.due(1) == 5ms));
  BOOST_TEST((p.due(200'000'000) == 1'000'000s));
}

BOOST_AUTO_TEST_CASE(a_phase_with_a_time_has_an_end) {
  BOOST_TEST(*read("200/2s").total() == 400u);
  BOOST_TEST(*read("2.5/2s").total() == 5u);
  BOOST_TEST(*read("0.5/1s").total() == 1u); // the one at the beginning
}

BOOST_AUTO_TEST_CASE(a_ramp_is_due_along_its_area_and_ends) {
  auto p = read("ramp:200..2000/10s");
  BOOST_TEST(*p.total() == 11000u);
  for (std::uint64_t k : {0u, 1u, 399u, 5000u, 10999u}) {
    auto t = due(p, k); // 200 t + 90 t^2 = k
    BOOST_TEST(200 * t + 90 * t * t == static_cast<double>(k), boost::test_tools::tolerance(1e-5));
  }
  BOOST_TEST((p.due(10999) < 10s));
}

BOOST_AUTO_TEST_CASE(a_step_stays_at_its_second_rate) {
  auto p = read("step:200..15000/3s");
  BOOST_TEST(!p.total());
  auto climbed = 22800u; // (200 + 15000) / 2 * 3
  BOOST_CHECK_CLOSE(due(p, climbed), 3.0, 1e-4);
  BOOST_CHECK_CLOSE(due(p, climbed + 15000) - due(p, climbed), 1.0, 1e-4);
}

BOOST_AUTO_TEST_CASE(phases_follow_each_other) {
  auto p = read("200/2s,step:200..1000/1s,1000/500ms,ramp:1000..0/2s");
  BOOST_TEST(*p.total() == 400u + 600u + 500u + 1000u);
  BOOST_CHECK_CLOSE(due(p, 400), 2.0, tight);
  BOOST_CHECK_CLOSE(due(p, 1000), 3.0, tight);
  BOOST_CHECK_CLOSE(due(p, 1500), 3.5, tight);
  BOOST_CHECK_CLOSE(due(p, 2250), 3.5 + 2 - std::sqrt(1.0), tight); // a quarter of the area lies in the last half
}

BOOST_AUTO_TEST_CASE(a_phase_of_rate_zero_is_a_pause) {
  auto p = read("10/1s,0/5s,10/1s");
  BOOST_TEST(*p.total() == 20u);
  BOOST_TEST(due(p, 9) < 1.0);
  BOOST_CHECK_CLOSE(due(p, 10), 6.0, tight);
}

BOOST_AUTO_TEST_CASE(moments_never_go_back) {
  auto p = read("ramp:0..500/1s,ramp:500..0/1s,3/1s,step:1..900/700ms,ramp:5..6/1s");
  auto last = p.due(0);
  for (std::uint64_t k = 1; k < *p.total(); ++k) {
    BOOST_REQUIRE((p.due(k) >= last));
    last = p.due(k);
  }
  BOOST_TEST((last <= 4700ms));
}

BOOST_AUTO_TEST_CASE(mistakes_are_told) {
  for (auto text : {"", "fast", "-5", "200/", "200/5", "ramp:200..300", "ramp:200/3s", "step:5..x/3s", "200,300",
                    "1/1s,", "0", "0/5s", "nan", "inf", "1e99", "200..300/1s"}) {
    auto reading = rate_profile::parse(text);
    BOOST_TEST(!reading.profile, text);
    BOOST_TEST(!reading.fault.empty(), text);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace rate_profile_test
