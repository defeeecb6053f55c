// The ways to a provider: who is preferred, who is avoided and for how long, and that no way is lost or flooded.
#include "core/endpoint_choice.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>
#include <set>

namespace endpoint_choice_test {

using namespace mainstay;
using kind = endpoint_choice::outcome::kind;

namespace {

const instant start = instant{} + 1000h;

std::vector<way_settings> two() { return {{"near", "near:443", "eu", 1}, {"far", "far:443", "us", 1}}; }

/// A provider whose ways answer when the test says so, in their own time.
struct world {
  endpoint_choice ways{circuit_settings{}};
  std::mt19937 random{7};
  instant now = start;
  std::map<std::string, duration> takes;
  std::map<std::string, kind> fails;

  explicit world(std::vector<way_settings> of, std::uint32_t per_host = 1000) {
    ways.reconfigure({}, std::move(of), per_host);
  }
  double draw() { return std::uniform_real_distribution<double>()(random); }
  endpoint_choice::permit ask(const endpoint_choice::wish& how = {}) { return ways.ask(how, now, draw()); }
  std::string call(const endpoint_choice::wish& how = {}) {
    const auto p = ask(how);
    if (!p.by) return "";
    const auto name = ways.name_of(p);
    end(p, name);
    return name;
  }
  void end(const endpoint_choice::permit& p, const std::string& name) {
    const auto failing = fails.find(name);
    const auto took = takes.count(name) ? takes[name] : duration(20ms);
    if (failing == fails.end())
      ways.settle(p, {kind::answered, took}, now, draw());
    else
      ways.settle(p, {failing->second, {}}, now, draw());
  }
  std::map<std::string, int> calls(int n, duration apart = 10ms) {
    std::map<std::string, int> out;
    for (int i = 0; i < n; ++i) {
      ++out[call()];
      now += apart;
    }
    return out;
  }
  endpoint_choice::view of(const std::string& name) const {
    for (const auto& v : ways.views(now))
      if (v.name == name) return v;
    return {};
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(choice_of_endpoints)

BOOST_AUTO_TEST_CASE(the_nearer_of_two_gets_all_but_a_few_calls) {
  world w(two());
  w.takes = {{"near", 5ms}, {"far", 80ms}};
  auto calls = w.calls(1000, 100ms);
  BOOST_TEST(calls["near"] > 950);
  BOOST_TEST(calls["far"] >= 1); // who was not asked is not known
}

BOOST_AUTO_TEST_CASE(one_that_has_come_nearer_is_found_out) {
  world w(two());
  w.takes = {{"near", 50ms}, {"far", 200ms}};
  w.calls(100, 100ms);
  w.takes["far"] = 5ms;
  w.calls(2000, 100ms);
  BOOST_TEST(w.calls(100, 100ms)["far"] >= 98); // the other one is looked at now and then
}

BOOST_AUTO_TEST_CASE(among_equals_the_weights_decide) {
  world w({{"a", "a", "", 3}, {"b", "b", "", 1}});
  w.takes = {{"a", 20ms}, {"b", 24ms}}; // as good as equal
  const auto calls = w.calls(4000);
  BOOST_TEST(calls.at("a") > 2850);
  BOOST_TEST(calls.at("a") < 3150);
}

BOOST_AUTO_TEST_CASE(of_many_two_are_compared_so_that_the_nearest_is_not_flooded) {
  world w({{"a", "a", "", 1}, {"b", "b", "", 1}, {"c", "c", "", 1}});
  w.takes = {{"a", 10ms}, {"b", 50ms}, {"c", 100ms}};
  const auto calls = w.calls(3000);
  BOOST_TEST(calls.at("a") > 1900);
  BOOST_TEST(calls.at("b") > 900);
  BOOST_TEST(calls.at("c") < 50);
}

BOOST_AUTO_TEST_CASE(streams_and_plain_answers_are_measured_apart) {
  world w(two());
  w.takes = {{"near", 5ms}, {"far", 80ms}};
  w.calls(50);
  std::set<std::string> asked; // of a kind nobody has answered yet
  std::vector<endpoint_choice::permit> open;
  for (int i = 0; i < 2; ++i) {
    open.push_back(w.ask({.streamed = true}));
    asked.insert(w.ways.name_of(open.back()));
  }
  BOOST_TEST(asked.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_fault_of_the_network_sends_the_next_call_elsewhere_and_this_one_too) {
  world w(two());
  w.takes = {{"near", 5ms}, {"far", 80ms}};
  w.calls(50);
  const auto first = w.ask();
  BOOST_TEST(w.ways.name_of(first) == "near");
  BOOST_TEST(first.other_way);
  w.ways.settle(first, {kind::unreachable, {}}, w.now, 0.5);
  const auto again = w.ask({.not_by = {"near"}});
  BOOST_TEST(w.ways.name_of(again) == "far");
  BOOST_TEST(!again.other_way);
  w.ways.settle(again, {kind::unreachable, {}}, w.now, 0.5);
  BOOST_TEST(!w.ask({.not_by = {"near", "far"}}).by);
  BOOST_TEST((w.of("near").state == way_state::resting));
}

BOOST_AUTO_TEST_CASE(one_that_failed_is_looked_at_by_one_call_at_a_time_and_comes_back) {
  world w(two());
  w.takes = {{"near", 5ms}, {"far", 80ms}};
  w.calls(50);
  w.fails["near"] = kind::unreachable;
  w.call();
  BOOST_TEST(w.calls(50, 1ms)["near"] == 0);
  w.now += 4s;
  const auto trial = w.ask();
  BOOST_TEST(w.ways.name_of(trial) == "near");
  BOOST_TEST(trial.other_way);
  BOOST_TEST(w.calls(20, 1ms)["near"] == 0);
  w.fails.clear();
  w.end(trial, "near");
  BOOST_TEST(w.calls(100)["near"] == 100);
  BOOST_TEST((w.of("near").state == way_state::healthy));
}

BOOST_AUTO_TEST_CASE(the_rests_of_one_that_stays_away_grow_up_to_the_recovery_timeout) {
  world w(two());
  w.takes = {{"near", 5ms}, {"far", 80ms}};
  w.calls(50);
  w.fails["near"] = kind::silent;
  const auto calls = w.calls(60 * 60 * 10, 100ms); // an hour
  BOOST_TEST(calls.at("near") < 3600 / 15 + 5);
  BOOST_TEST(calls.at("near") > 3600 / 30 - 5);
  BOOST_TEST((w.of("near").state == way_state::resting)); // silence opens no circuit of the endpoint
}

BOOST_AUTO_TEST_CASE(a_trial_that_was_called_off_is_followed_by_another) {
  world w(two());
  w.calls(50);
  w.fails["near"] = kind::unreachable;
  while (w.call() != "near") {}
  w.now += 4s;
  for (int i = 0; i < 3; ++i) {
    const auto trial = w.ask();
    BOOST_TEST(w.ways.name_of(trial) == "near");
    w.ways.settle(trial, {kind::neutral, {}}, w.now, 0.5);
  }
}

BOOST_AUTO_TEST_CASE(a_single_5xx_moves_nobody_and_a_second_in_a_row_does) {
  world w(two());
  w.takes = {{"near", 5ms}, {"far", 80ms}};
  w.calls(50);
  w.fails["near"] = kind::failing;
  w.call();
  BOOST_TEST((w.of("near").state == way_state::healthy));
  w.call();
  BOOST_TEST((w.of("near").state == way_state::resting));
  BOOST_TEST(w.call() == "far");
}

BOOST_AUTO_TEST_CASE(a_refusal_for_the_keys_sake_is_a_sign_of_life) {
  world w(two());
  w.calls(50);
  w.fails["near"] = kind::silent;
  while (w.call() != "near") {}
  w.now += 4s;
  w.fails["near"] = kind::refused;
  BOOST_TEST(w.call() == "near");
  BOOST_TEST((w.of("near").state == way_state::healthy));
}

BOOST_AUTO_TEST_CASE(calls_that_began_before_it_failed_say_nothing_of_it_now) {
  world w(two());
  std::vector<endpoint_choice::permit> open;
  for (int i = 0; i < 20; ++i) open.push_back(w.ask());
  std::vector<endpoint_choice::permit> near;
  for (auto& p : open) {
    if (w.ways.name_of(p) == "near")
      near.push_back(p);
    else
      w.end(p, "far");
  }
  BOOST_REQUIRE(near.size() > 3u);
  for (std::size_t i = 1; i < near.size(); ++i) w.ways.settle(near[i], {kind::silent, {}}, w.now, 0.5);
  BOOST_TEST((w.of("near").rests_until <= w.now + 3s)); // one failure, however many calls it ended
  w.ways.settle(near[0], {kind::answered, 5ms}, w.now, 0.5);
  BOOST_TEST((w.of("near").state == way_state::resting));
}

BOOST_AUTO_TEST_CASE(when_all_fail_the_provider_is_out_after_as_many_failures_as_with_one_way) {
  world w(two());
  w.fails = {{"near", kind::unreachable}, {"far", kind::unreachable}};
  int made = 0;
  while (!w.call().empty()) BOOST_REQUIRE(++made < 20);
  BOOST_TEST(made <= 6); // five, and what does not divide
  BOOST_TEST((w.ways.sum(w.now).state == circuit_state::open));
  const auto refused = w.ask();
  BOOST_TEST((refused.retry_at == w.ways.sum(w.now).open_until));
  w.now = refused.retry_at;
  w.fails.clear();
  BOOST_TEST(!w.call().empty());
}

BOOST_AUTO_TEST_CASE(one_that_is_out_does_not_make_the_provider_so) {
  world w(two());
  w.fails["near"] = kind::unreachable;
  w.calls(2000, 100ms);
  BOOST_TEST((w.of("near").state != way_state::healthy));
  BOOST_TEST((w.ways.sum(w.now).state == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(what_must_stay_in_a_region_stays_there_whatever_becomes_of_it) {
  world w(two());
  w.takes = {{"near", 500ms}, {"far", 5ms}};
  w.calls(50);
  w.fails["near"] = kind::unreachable;
  for (int i = 0; i < 500; ++i) {
    const auto by = w.call({.region = "eu"});
    BOOST_TEST((by == "near" || by.empty()));
    w.now += 100ms;
  }
  const auto nowhere = w.ask({.region = "moon"});
  BOOST_TEST(!nowhere.by);
  BOOST_TEST((nowhere.retry_at == instant::max()));
  world single({{"only", "only", "eu", 1}});
  BOOST_TEST(!single.ask({.region = "us"}).by);
  BOOST_TEST(bool(single.ask({.region = "eu"}).by));
}

BOOST_AUTO_TEST_CASE(who_is_full_leaves_the_rest_to_the_next_nearest) {
  world w(two(), 5);
  w.takes = {{"near", 5ms}, {"far", 80ms}};
  w.calls(50);
  std::map<std::string, int> open;
  for (int i = 0; i < 12; ++i) ++open[w.ways.name_of(w.ask())];
  BOOST_TEST(open["near"] >= 5);
  BOOST_TEST(open["far"] >= 5);
  world shared({{"a via x", "a", "", 1}, {"a via y", "a", "", 1}, {"b", "b", "", 0.001}}, 4);
  shared.calls(100);
  std::map<std::string, int> at;
  for (int i = 0; i < 8; ++i) ++at[shared.ways.name_of(shared.ask())];
  BOOST_TEST(at["b"] == 4); // both proxies lead to one host, and that is full
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_what_is_known_of_those_that_stay) {
  world w(two());
  w.takes = {{"near", 5ms}, {"far", 80ms}};
  w.calls(50);
  w.fails["near"] = kind::unreachable;
  w.call();
  w.ways.reconfigure({}, {{"new", "new", "", 1}, {"near", "near:443", "eu", 1}}, 1000);
  BOOST_TEST((w.of("near").state == way_state::resting));
  BOOST_TEST(w.of("far").name == "");
  BOOST_TEST(w.call() == "new");
}

BOOST_AUTO_TEST_CASE(a_call_by_a_way_that_left_ends_without_harm) {
  world w(two());
  const auto open = w.ask();
  w.ways.reconfigure({}, {{"new", "new", "", 1}}, 1000);
  w.ways.settle(open, {kind::unreachable, {}}, w.now, 0.5);
  BOOST_TEST((w.ways.sum(w.now).consecutive_failures == 0));
}

BOOST_AUTO_TEST_CASE(an_operators_word_holds_for_all_of_them) {
  world w(two());
  w.ways.force(circuit_state::open, w.now);
  BOOST_TEST(w.call() == "");
  BOOST_TEST(w.ways.sum(w.now).forced);
  w.ways.automatic(w.now);
  BOOST_TEST(w.call() != "");
}

/// Ways that break, freeze and recover at random, under calls of random length.
BOOST_AUTO_TEST_CASE(a_random_walk_never_leaves_a_region_never_strands_a_healthy_way_and_counts_what_is_open) {
  for (unsigned seed = 0; seed < test::rounds(30); ++seed) {
    const std::vector<way_settings> all{
        {"a", "h1", "eu", 1}, {"b", "h1", "eu", 2}, {"c", "h2", "us", 1}, {"d", "h3", "", 5}};
    world w(all, 8);
    w.random.seed(seed);
    std::vector<std::pair<endpoint_choice::permit, std::string>> open;
    const auto dice = [&](unsigned n) { return w.random() % n; };
    const std::map<std::string, std::string> region{{"a", "eu"}, {"b", "eu"}, {"c", "us"}, {"d", ""}};
    for (int step = 0; step < 4000; ++step) {
      w.now += std::chrono::milliseconds(dice(200));
      if (dice(60) == 0) w.fails[all[dice(4)].name] = static_cast<kind>(dice(6));
      if (dice(40) == 0) w.fails.erase(all[dice(4)].name);
      if (dice(100) == 0) w.takes[all[dice(4)].name] = std::chrono::milliseconds(dice(300));
      if (dice(2) == 0 && open.size() < 40) {
        endpoint_choice::wish how;
        if (dice(3) == 0) how.region = dice(2) ? "eu" : "us";
        if (dice(5) == 0) how.not_by = {all[dice(4)].name};
        const bool any_healthy = [&] {
          for (const auto& v : w.ways.views(w.now)) {
            const bool barred = !how.not_by.empty() && how.not_by[0] == v.name;
            if (v.state == way_state::healthy && !barred && (how.region.empty() || v.region == how.region)) return true;
          }
          return false;
        }();
        auto p = w.ask(how);
        if (p.by) {
          const auto name = w.ways.name_of(p);
          BOOST_TEST((how.region.empty() || region.at(name) == how.region));
          BOOST_TEST((how.not_by.empty() || name != how.not_by[0]));
          BOOST_TEST((how.not_by.empty() || any_healthy));
          open.emplace_back(std::move(p), name);
        } else {
          BOOST_TEST((p.retry_at >= w.now));
          if (how.not_by.empty()) BOOST_TEST((!any_healthy || w.ways.sum(w.now).state == circuit_state::closed));
        }
      } else if (!open.empty()) {
        const auto at = dice(static_cast<unsigned>(open.size()));
        w.end(open[at].first, open[at].second);
        open.erase(open.begin() + at);
      }
      std::map<std::string, std::uint32_t> counted;
      for (auto& [p, name] : open) ++counted[name];
      for (const auto& v : w.ways.views(w.now)) BOOST_TEST(v.under_way == counted[v.name]);
    }
    w.fails.clear();
    for (auto& [p, name] : open) w.end(p, name);
    w.calls(200, 1s); // all is well again: so are they all, soon
    for (const auto& v : w.ways.views(w.now))
      BOOST_TEST((v.state == way_state::healthy), v.name << " of seed " << seed);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace endpoint_choice_test
