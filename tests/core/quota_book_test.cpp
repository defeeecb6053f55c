#include "core/quota_book.hpp"

#include <boost/test/unit_test.hpp>

namespace mainstay {
namespace {

constexpr instant start{1000s};

struct two_books {
  two_books() {
    a.on_peer(1, true, 20, start);
    b.on_peer(0, true, 10, start);
  }
  /// Everything that is due is asked and answered.
  void exchange(instant now) {
    const auto each = [&](quota_book& from, quota_book& to, node_index self) {
      for (const auto& m : from.tick(now))
        if (const auto g = to.on_ask(self, m.name, m.ask, now)) from.on_grant(m.to, m.name, *g, now);
    };
    each(a, b, 0);
    each(b, a, 1);
  }
  static std::optional<quota_terms> find(std::string_view name) {
    if (name == "unknown") return {};
    return quota_terms{10, 60s, false};
  }
  quota_book a{quota_cluster({"a", "b"}, 0, 10), true, start, find},
      b{quota_cluster({"a", "b"}, 1, 20), true, start, find};
};

BOOST_AUTO_TEST_SUITE(quota_book_suite)

BOOST_AUTO_TEST_CASE(a_node_lends_of_a_limit_that_it_has_not_used_itself) {
  two_books x;
  const auto s = x.a.share("key", {10, 60s, false});
  s->set_demand(10, 10, start);
  for (auto now = start; now < start + 3s; now += 100ms) x.exchange(now);
  BOOST_TEST(x.b.size() == 1u);
  BOOST_TEST(s->room(start + 3s) == 10u);
}

BOOST_AUTO_TEST_CASE(of_a_limit_that_does_not_exist_nothing_is_lent) {
  two_books x;
  BOOST_TEST(!x.b.on_ask(0, "unknown", {.incarnation = 10, .seq = 1, .want = 1}, start));
  BOOST_TEST(x.b.size() == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_idle_and_held_by_nobody_is_forgotten) {
  two_books x;
  auto s = x.a.share("key", {10, 60s, false});
  s->set_demand(10, 10, start);
  x.exchange(start);
  x.exchange(start + 1s);
  s->set_demand(0, 0, start + 2s);
  for (auto now = start + 2s; now < start + 100s; now += 500ms) x.exchange(now);
  BOOST_TEST(x.a.size() == 1u);
  BOOST_TEST(x.b.size() == 0u);
  s.reset();
  x.exchange(start + 111s);
  BOOST_TEST(x.a.size() == 0u);
  BOOST_TEST((x.a.next_wake() == instant::max()));
}

BOOST_AUTO_TEST_CASE(a_limit_that_changed_is_shared_anew) {
  two_books x;
  BOOST_TEST(x.a.share("key", {10, 60s, false})->room(start) == 5u);
  BOOST_TEST(x.a.share("key", {20, 60s, false})->room(start) == 10u);
}

BOOST_AUTO_TEST_CASE(what_is_due_comes_in_the_order_of_those_to_be_asked) {
  quota_book book(quota_cluster({"a", "b", "c"}, 0, 1), true, start, two_books::find);
  book.on_peer(1, true, 2, start);
  book.on_peer(2, true, 3, start);
  for (auto i = 0; i < 20; ++i) book.share("key" + std::to_string(i), {30, 60s, false})->set_demand(20, 1, start);
  BOOST_TEST((book.next_wake() <= start));
  const auto all = book.tick(start);
  BOOST_TEST(all.size() >= 20u);
  BOOST_TEST(std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.to < b.to; }));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay
