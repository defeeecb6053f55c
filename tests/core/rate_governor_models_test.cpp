// Degraded models: behind their equals, not before others are left to ask, tried now and then.
#include "tests/core/governor_world.hpp"

namespace rate_governor_models_test {

using namespace mainstay;
using namespace mainstay::testing;

namespace {

struct two_models : world {
  two_models() : world({key("k"), key("l", {}, "q")}) {}
  capacity_request among(std::vector<target> targets, bool last_resort = false) {
    auto r = ask();
    r.targets = std::move(targets);
    r.wait_for_circuits = last_resort;
    return r;
  }
  void degrade(bool so = true) { gov.on_model({"p", "m", so ? 0.4 : 1.0, so, 60s}, now); }
  std::string asked(const capacity_request& r) {
    auto g = granted(r);
    done(g.id);
    return r.targets[g.target_index].provider;
  }
};

const target p{"p", "m"}, q{"q", "n"};

} // namespace

BOOST_AUTO_TEST_SUITE(governor_and_degraded_models)

BOOST_AUTO_TEST_CASE(an_equal_is_asked_first_as_long_as_it_can_be) {
  two_models w;
  w.degrade();
  for (int i = 0; i < 20; ++i) BOOST_TEST(w.asked(w.among({p, q})) == "q");
  w.gov.on_circuit({"q", "n", circuit_state::open, w.now + 5s});
  BOOST_TEST(w.asked(w.among({p, q}, true)) == "p");
}

BOOST_AUTO_TEST_CASE(a_sound_key_of_it_is_asked_before_a_resting_key_of_its_equal) {
  two_models w;
  w.degrade();
  w.gov.on_standing({.key = "l", .rest_until = w.now + 60s, .last_failure = w.now});
  for (int i = 0; i < 5; ++i) BOOST_TEST(w.asked(w.among({p, q})) == "p");
}

BOOST_AUTO_TEST_CASE(alone_it_is_passed_over_while_others_are_left_and_asked_as_a_last_resort) {
  two_models w;
  w.degrade();
  BOOST_TEST((w.refused(w.among({p})).why == refusal_reason::resting));
  BOOST_TEST(w.asked(w.among({p}, true)) == "p");
  w.gov.on_circuit({"q", "n", circuit_state::open, w.now + 5s});
  BOOST_TEST((w.refused(w.among({p, q})).why == refusal_reason::resting));
}

BOOST_AUTO_TEST_CASE(one_request_in_each_interval_goes_there_as_ever) {
  two_models w;
  w.degrade();
  w.now += 59s;
  BOOST_TEST((w.refused(w.among({p})).why == refusal_reason::resting));
  w.now += 1s;
  BOOST_TEST(w.asked(w.among({p})) == "p");
  BOOST_TEST((w.refused(w.among({p})).why == refusal_reason::resting));
  w.degrade(); // told again: its next trial is not put off for that
  w.now += 60s;
  BOOST_TEST(w.asked(w.among({p})) == "p");
}

BOOST_AUTO_TEST_CASE(itself_again_it_takes_its_turns) {
  two_models w;
  w.degrade();
  w.degrade(false);
  int there = 0;
  for (int i = 0; i < 20; ++i) there += w.asked(w.among({p, q})) == "p";
  BOOST_TEST(there == 10);
}

BOOST_AUTO_TEST_CASE(a_score_weighs_in_the_choice_among_equals) {
  two_models w;
  w.gov.on_model({"p", "m", 0.5, false, 60s}, w.now);
  int there = 0;
  for (int i = 0; i < 300; ++i) there += w.asked(w.among({p, q})) == "p";
  BOOST_TEST(there == 100);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace rate_governor_models_test
