// When a model is down, when it is looked at and tried, how it returns, and what its outage came to.
#include "core/outage.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>

namespace outage_test {

using namespace mainstay;
using event = outage_book::event;

namespace {

instant at(duration d) { return instant{1h} + d; }

struct world {
  world() { book.reconfigure({60s, 60s}, {{"smart", {{"a", "m", {"k1", "k2"}, 2}, {"b", "n", {"k3"}, 3}}}}, at(0s)); }
  void opens(const std::string& provider, const std::string& circuit, duration now, duration until) {
    book.on_circuit(provider, circuit, circuit_state::open, at(until), at(now));
  }
  void half_opens(const std::string& provider, const std::string& circuit, duration now) {
    book.on_circuit(provider, circuit, circuit_state::half_open, at(now), at(now));
  }
  void closes(const std::string& provider, const std::string& circuit, duration now) {
    book.on_circuit(provider, circuit, circuit_state::closed, {}, at(now));
  }
  /// Both at once, for so long.
  void falls(duration now, duration until) {
    opens("a", "m", now, until);
    opens("b", "", now, until + 1s);
  }
  std::vector<event> events() {
    std::vector<event> out;
    for (auto& h : book.take_happenings()) out.push_back(h.what);
    return out;
  }
  std::vector<event> at_time(duration now) {
    book.tick(at(now));
    return events();
  }
  outage_book::view view(duration now) { return book.views(at(now)).front(); }
  outage_book book;
};

bool is(const std::vector<event>& got, const std::vector<event>& wanted) { return got == wanted; }

} // namespace

BOOST_AUTO_TEST_SUITE(an_outage)

BOOST_AUTO_TEST_CASE(begins_when_the_last_target_is_down_and_not_before) {
  world w;
  w.opens("a", "m", 0s, 10s);
  BOOST_TEST(w.events().empty());
  w.opens("b", "n", 1s, 11s);
  BOOST_TEST(is(w.events(), {event::began}));
  BOOST_TEST((w.view(3s).phase == outage_phase::down));
  BOOST_TEST((w.view(3s).latest->down == 2s));
  BOOST_TEST(w.book.why("smart") == "a/m: open; b/n: open");
}

BOOST_AUTO_TEST_CASE(counts_an_endpoint_a_model_and_disabled_keys_alike) {
  world w;
  w.opens("a", "", 0s, 10s);
  w.book.on_key("k3", true, at(1s));
  BOOST_TEST(is(w.events(), {event::began}));
  BOOST_TEST(w.book.why("smart") == "a/m: endpoint open; b/n: no usable key");
  w.book.on_key("k3", false, at(2s));
  BOOST_TEST(is(w.events(), {event::came_back}));
}

BOOST_AUTO_TEST_CASE(is_not_one_while_a_key_is_left) {
  world w;
  w.book.on_key("k1", true, at(0s));
  w.opens("b", "n", 0s, 10s);
  BOOST_TEST(w.events().empty());
  w.book.on_key("k2", true, at(1s));
  BOOST_TEST(is(w.events(), {event::began}));
}

BOOST_AUTO_TEST_CASE(does_not_end_with_a_circuit_that_is_merely_half_open) {
  world w;
  w.falls(0s, 10s);
  w.half_opens("a", "m", 10s);
  BOOST_TEST((w.view(11s).phase == outage_phase::down));
  w.closes("a", "m", 12s);
  BOOST_TEST((w.view(12s).phase == outage_phase::returning));
}

BOOST_AUTO_TEST_CASE(lets_who_waits_try_when_the_first_circuit_lets_them_once_each_time) {
  world w;
  w.falls(0s, 10s);
  w.events();
  BOOST_TEST((w.book.next_wake() == at(10s)));
  BOOST_TEST(w.at_time(9s).empty());
  w.book.tick(at(10s));
  auto tried = w.book.take_happenings();
  BOOST_TEST_REQUIRE(tried.size() == 1u);
  BOOST_TEST((tried[0].what == event::trial && tried[0].permits == 2));
  w.half_opens("a", "m", 10s); // by its time: that was the trial
  BOOST_TEST(w.at_time(10s).empty());
  w.opens("a", "m", 12s, 20s); // it failed: the other target is next
  BOOST_TEST(is(w.at_time(12s), {event::trial}));
}

BOOST_AUTO_TEST_CASE(a_circuit_that_is_half_open_before_its_time_is_tried_at_once) {
  world w;
  w.falls(0s, 300s);
  w.events();
  w.book.tick(at(1s));
  BOOST_TEST(w.events().empty());
  w.half_opens("b", "", 30s);
  w.book.tick(at(30s));
  auto tried = w.book.take_happenings();
  BOOST_TEST_REQUIRE(tried.size() == 1u);
  BOOST_TEST(tried[0].permits == 3u);
}

BOOST_AUTO_TEST_CASE(is_looked_at_every_so_often_and_only_while_it_lasts) {
  world w;
  w.falls(0s, 1000s);
  BOOST_TEST(is(w.at_time(0s), {event::began}));
  BOOST_TEST((w.book.next_wake() == at(60s)));
  BOOST_TEST(w.at_time(59s).empty());
  BOOST_TEST(is(w.at_time(60s), {event::look}));
  BOOST_TEST(is(w.at_time(120s), {event::look}));
  w.closes("a", "m", 121s);
  BOOST_TEST(is(w.at_time(181s), {event::came_back, event::ended}));
  BOOST_TEST((w.book.next_wake() == instant::max()));
}

BOOST_AUTO_TEST_CASE(suspects_are_providers_with_a_usable_key_that_no_operator_holds) {
  world w;
  w.falls(0s, 10s);
  w.book.on_key("k1", true, at(0s));
  auto all = w.book.suspects("smart");
  BOOST_TEST_REQUIRE(all.size() == 2u);
  BOOST_TEST((all[0].provider == "a" && all[0].key == "k2" && all[0].circuits == std::vector<std::string>{"m"}));
  w.book.on_key("k3", true, at(1s));
  BOOST_TEST(w.book.suspects("smart").size() == 1u);
  w.book.on_circuit("a", "", circuit_state::open, instant::max(), at(1s));
  BOOST_TEST(w.book.suspects("smart").empty());
}

BOOST_AUTO_TEST_CASE(load_returns_from_a_tenth_to_all_of_it) {
  world w;
  w.falls(0s, 10s);
  BOOST_TEST(w.view(5s).share == 0.1);
  w.closes("b", "", 20s);
  BOOST_TEST(w.view(20s).share == 0.1);
  BOOST_TEST(w.view(50s).share == 0.55, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(is(w.at_time(79s), {event::began, event::came_back}));
  BOOST_TEST((w.book.next_wake() == at(80s)));
  BOOST_TEST(is(w.at_time(80s), {event::ended}));
  BOOST_TEST(w.view(80s).share == 1);
}

BOOST_AUTO_TEST_CASE(a_relapse_is_the_same_outage) {
  world w;
  w.falls(0s, 10s);
  w.closes("a", "m", 20s);
  w.opens("a", "m", 30s, 40s);
  w.closes("a", "m", 45s);
  BOOST_TEST(is(w.at_time(105s), {event::began, event::came_back, event::relapsed, event::came_back, event::ended}));
  auto r = *w.view(200s).latest;
  BOOST_TEST((r.down == 35s && r.relapses == 1 && *r.ended == at(105s)));
}

BOOST_AUTO_TEST_CASE(without_a_ramp_it_ends_as_soon_as_one_is_back) {
  world w;
  w.book.reconfigure({60s, 0s}, {{"smart", {{"a", "m", {"k1"}, 2}}}}, at(0s));
  w.opens("a", "m", 0s, 10s);
  w.closes("a", "m", 12s);
  BOOST_TEST(is(w.events(), {event::began, event::came_back, event::ended}));
}

BOOST_AUTO_TEST_CASE(reports_what_was_served_while_it_lasted_and_not_before_or_after) {
  world w;
  w.book.on_served({{"smart", {{"primary", 100}}}});
  w.falls(0s, 10s);
  w.book.on_served({{"smart", {{"primary", 100}, {"stale", 3}}}});
  w.book.on_served({{"smart", {{"primary", 100}, {"stale", 8}, {"error", 2}}}, {"other", {{"stale", 50}}}});
  w.book.on_parked("smart", 7);
  w.closes("a", "m", 20s);
  w.book.on_served({{"smart", {{"primary", 104}, {"stale", 8}, {"error", 2}}}});
  w.at_time(80s);
  w.book.on_served({{"smart", {{"primary", 105}, {"stale", 8}, {"error", 2}}}}); // the last word on it
  w.book.on_served({{"smart", {{"primary", 200}, {"stale", 8}, {"error", 2}}}});
  w.book.on_parked("smart", 9);
  auto r = *w.view(90s).latest;
  BOOST_TEST((r.served == served_counts{{"primary", 5}, {"stale", 5}, {"error", 2}}));
  BOOST_TEST(r.parked == 7u);
}

BOOST_AUTO_TEST_CASE(survives_a_reload_and_ends_where_the_model_leaves_the_configuration) {
  world w;
  w.falls(0s, 10s);
  w.events();
  w.book.reconfigure({5s, 1s}, {{"new", {{"a", "m", {"k1"}, 1}}}, {"smart", {{"a", "m", {"k1"}, 2}}}}, at(1s));
  BOOST_TEST((w.book.views(at(2s))[1].latest->down == 2s));
  auto told = w.book.take_happenings();
  BOOST_TEST_REQUIRE(told.size() == 1u); // the new one asks the same target
  BOOST_TEST((told[0].what == event::began && told[0].model == "new"));
  BOOST_TEST((w.book.next_wake() == at(6s)));
  w.book.reconfigure({5s, 1s}, {{"new", {{"a", "m", {"k1"}, 1}}}}, at(3s));
  told = w.book.take_happenings();
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0].what == event::ended && told[0].model == "smart"));
}

BOOST_AUTO_TEST_CASE(a_walk_through_everything_that_can_happen) {
  const std::vector<std::string> providers{"a", "b"}, circuits{"", "m", "n"}, keys{"k1", "k2", "k3"};
  const std::vector<outage_book::model_setup> models{{"one", {{"a", "m", {"k1"}, 1}}},
                                                     {"two", {{"a", "m", {"k1"}, 1}, {"b", "n", {"k2", "k3"}, 2}}},
                                                     {"three", {{"b", "m", {"k2"}, 1}, {"b", "n", {"k3"}, 1}}}};
  for (unsigned seed = 1; seed <= test::rounds(50); ++seed) {
    std::mt19937 draw(seed);
    const auto any = [&](auto& of) -> auto& { return of[draw() % of.size()]; };
    outage_book book;
    auto now = at(0s);
    book.reconfigure({10s, 7s}, models, now);
    std::map<std::pair<std::string, std::string>, circuit_state> state;
    std::set<std::string> disabled;
    std::map<std::string, int> begun, ended;
    std::size_t outages = 0;
    for (int step = 0; step < 2000; ++step) {
      now += std::chrono::milliseconds(draw() % 4000);
      switch (draw() % 4) {
      case 0: {
        auto& key = any(keys);
        const bool off = draw() % 3 == 0;
        off ? disabled.insert(key).second : disabled.erase(key) > 0;
        book.on_key(key, off, now);
        break;
      }
      case 1: book.tick(now); break;
      default: {
        std::pair<std::string, std::string> c{any(providers), any(circuits)};
        const auto next = static_cast<circuit_state>(draw() % 3);
        state[c] = next;
        book.on_circuit(c.first, c.second, next, next == circuit_state::open ? now + 5s : now, now);
      }
      }
      for (auto& h : book.take_happenings()) {
        begun[h.model] += h.what == event::began;
        ended[h.model] += h.what == event::ended;
        outages += h.what == event::began;
        BOOST_TEST_REQUIRE((h.what != event::trial || h.permits > 0));
      }
      const auto closed = [&](auto& p, auto c) {
        auto found = state.find({p, c});
        return found == state.end() || found->second == circuit_state::closed;
      };
      for (auto& v : book.views(now)) {
        auto& setup = *std::find_if(models.begin(), models.end(), [&](auto& m) { return m.name == v.model; });
        const bool one_is_up = std::any_of(setup.targets.begin(), setup.targets.end(), [&](auto& t) {
          return closed(t.provider, std::string()) && closed(t.provider, t.circuit) &&
                 std::any_of(t.keys.begin(), t.keys.end(), [&](auto& k) { return !disabled.count(k); });
        });
        BOOST_TEST_REQUIRE((v.phase == outage_phase::down) != one_is_up);
        BOOST_TEST_REQUIRE((v.share >= 0.1 && v.share <= 1));
        BOOST_TEST_REQUIRE((v.phase != outage_phase::up || v.share == 1));
        BOOST_TEST_REQUIRE(begun[v.model] - ended[v.model] == (v.phase != outage_phase::up));
        BOOST_TEST_REQUIRE((!v.latest || v.latest->ended.has_value() == (v.phase == outage_phase::up)));
      }
      BOOST_TEST_REQUIRE((book.next_wake() == instant::max()) == !book.any());
    }
    BOOST_TEST(outages > 20u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace outage_test
