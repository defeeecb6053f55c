// Seeded walks of whole clusters: what may go wrong does, and no window ever holds more than the limit. A walk that
// fails names its seed. MAINSTAY_FULL walks many more.
#include "tests/core/quota_world.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdlib>

namespace mainstay::test::quota_walk_test {
namespace {

BOOST_AUTO_TEST_SUITE(quota_walk_suite)

unsigned seeds(unsigned ordinary) { return rounds(std::getenv("MAINSTAY_FULL") ? ordinary * 30 : ordinary); }

quota_world::plan some_plan(std::mt19937_64& random, bool held) {
  const auto pick = [&](std::initializer_list<std::uint64_t> from) { return from.begin()[random() % from.size()]; };
  quota_world::plan p;
  p.nodes = static_cast<node_index>(2 + random() % 6);
  p.terms.limit = pick({1, 2, 3, 7, 20, 100, 600, 1000});
  p.terms.held = held;
  p.terms.window = held ? 60s : std::chrono::seconds(pick({1, 5, 15, 60}));
  p.drift = 0.002;
  p.window = p.terms.window - p.terms.window / 400;
  p.lost = pick({0, 2, 10, 30}) / 100.0;
  p.doubled = pick({0, 10, 30}) / 100.0;
  p.late = pick({1, 10, 30}) / 100.0;
  p.slow = std::chrono::milliseconds(pick({5, 50, 300, 1000}));
  p.hesitant = pick({0, 10, 50}) / 100.0;
  p.largest = held || random() % 2 ? 1 : std::max<std::uint64_t>(1, p.terms.limit / pick({1, 3, 10, 50}));
  p.longest_call = std::chrono::seconds(pick({1, 5, 30}));
  return p;
}

void want_some(quota_world& w, const quota_world::plan& p, node_index n) { // demand comes and goes
  const auto windows = std::chrono::duration<double>(p.terms.held ? p.longest_call : p.terms.window).count();
  w.demand(n, w.whole(0, 2) == 0 ? 0 : 3 * w.real() * static_cast<double>(p.terms.limit) / windows);
}

void mishap(quota_world& w, const quota_world::plan& p) {
  const auto n = static_cast<node_index>(w.whole(0, p.nodes - 1)), m = static_cast<node_index>(w.whole(0, p.nodes - 1));
  switch (w.whole(0, 11)) {
  case 0: return w.crash(n);
  case 10: return w.stop(n, w.whole(0, 2) > 0);
  case 11: // all at once, and nobody is left who knew anything
    for (node_index k = 0; k < p.nodes; ++k) w.stop(k, w.whole(0, 1) > 0);
    for (node_index k = 0; k < p.nodes; ++k)
      if (w.whole(0, 4) > 0) w.restart(k);
    return;
  case 1:
  case 2: return w.restart(n);
  case 3: return w.freeze(n, std::chrono::duration_cast<duration>(20s * w.real() * w.real()));
  case 4: return w.cut(n, m, true);
  case 5:
    for (node_index k = 0; k < p.nodes; ++k) w.cut(n, k, true), w.cut(k, n, true);
    return;
  case 6:
  case 7:
    for (node_index a = 0; a < p.nodes; ++a)
      for (node_index b = 0; b < p.nodes; ++b) w.cut(a, b, false);
    return;
  case 8:
    if (n != m) w.believe(n, m, w.whole(0, 2) > 0);
    return;
  default: return want_some(w, p, n);
  }
}

std::string walk(std::uint64_t seed, bool held) {
  std::mt19937_64 random(seed);
  const auto p = some_plan(random, held);
  quota_world w(p, seed);
  const auto length = std::max<duration>(60s, std::min<duration>(p.terms.window * 6, 240s));
  const auto each = std::max<duration>(10ms, p.terms.window / 1000);
  const auto rough =
      0.02 * std::pow(0.1, 2 * w.real()); // from quiet ones, where all of the limit is used, to wild ones
  for (node_index n = 0; n < p.nodes; ++n) want_some(w, p, n);
  while (w.now() < instant{length} && w.failure().empty()) {
    w.step(std::chrono::duration_cast<duration>(each * (0.2 + 1.6 * w.real())));
    if (w.real() < rough) mishap(w, p);
  }
  if (w.failure().empty()) return {};
  return "seed " + std::to_string(seed) + ": " + w.failure() + ", limit " + std::to_string(p.terms.limit) + ", " +
         std::to_string(p.nodes) + " nodes, at " + std::to_string(w.now().time_since_epoch() / 1ms) + " ms";
}

BOOST_AUTO_TEST_CASE(no_window_ever_holds_more_than_the_limit) {
  for (unsigned seed = 1; seed <= seeds(120); ++seed) {
    const auto failure = walk(seed, false);
    BOOST_TEST(failure == "");
  }
}

// Whatever happened before: two minutes after everything works again, nine tenths of the limit are used.
std::string recovery(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  auto p = some_plan(random, false);
  p.terms.limit = std::max<std::uint64_t>(p.terms.limit, 50);
  p.terms.window = 60s;
  p.window = p.terms.window - p.terms.window / 400;
  p.largest = 1;
  quota_world w(p, seed);
  for (node_index n = 0; n < p.nodes; ++n) want_some(w, p, n);
  while (w.now() < instant{100s} && w.failure().empty()) {
    w.step(std::chrono::duration_cast<duration>(100ms * w.real()));
    if (w.real() < 0.01) mishap(w, p);
  }
  w.mend();
  const auto few = w.whole(1, p.nodes); // so many want all of it
  for (node_index n = 0; n < p.nodes; ++n) w.demand(n, n < few ? static_cast<double>(p.terms.limit) / 20 : 0);
  w.run(120s, 50ms);
  auto used = 0.0; // of all windows that end in the next minute, for sends come in bursts
  for (auto i = 0; i < 60; ++i) {
    w.run(1s, 50ms);
    used += static_cast<double>(w.in_window()) / static_cast<double>(p.terms.limit) / 60;
  }
  if (w.failure().empty() && used >= 0.9) return {};
  return "seed " + std::to_string(seed) + ": " + w.failure() + ", used " + std::to_string(used) + " of " +
         std::to_string(p.terms.limit) + ", " + std::to_string(p.nodes) + " nodes, " + std::to_string(few) + " want";
}

BOOST_AUTO_TEST_CASE(two_minutes_after_the_last_failure_is_mended_the_limit_is_used_again) {
  for (unsigned seed = 1; seed <= seeds(20); ++seed) {
    const auto failure = recovery(seed);
    BOOST_TEST(failure == "");
  }
}

BOOST_AUTO_TEST_CASE(never_are_more_calls_held_than_the_limit) {
  for (unsigned seed = 1; seed <= seeds(60); ++seed) {
    const auto failure = walk(seed, true);
    BOOST_TEST(failure == "");
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::test::quota_walk_test
