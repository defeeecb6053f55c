// The cache actor before a file that hangs: nobody waits for it for longer than its deadline, and while it owes an
// answer nobody asks it.
#include "actors/cache.hpp"
#include "actors/supervised.hpp"

#include <boost/test/unit_test.hpp>

namespace cache_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

/// Keeps the questions it is asked until it is told to answer them.
struct slow_keeper_state {
  std::vector<caf::typed_response_promise<disk_reply>> open;
};

struct fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  std::shared_ptr<answer_keeper_store> disk = std::make_shared<answer_keeper_store>();
  std::shared_ptr<cache_store> store;
  std::shared_ptr<slow_keeper_state> held = std::make_shared<slow_keeper_state>();
  answer_keeper_actor keeper;
  cache_actor cache;

  fixture() {
    config::settings s;
    s.cache.emplace();
    s.cache->sqlite.emplace();
    store = std::make_shared<cache_store>(s, disk, nullptr);
    disk->up = true;
    keeper = system.spawn([held = held](answer_keeper_actor::pointer self) -> answer_keeper_actor::behavior_type {
      return {
          [held](const writes_wait&) { // the sign to answer everything
            for (auto& p : held->open) p.deliver(disk_reply{{make_bytes("late"), std::chrono::system_clock::now(), 0}});
            held->open.clear();
          },
          [held, self](const disk_ask&) -> caf::result<disk_reply> {
            held->open.push_back(self->make_response_promise<caf::typed_response_promise<disk_reply>>());
            return held->open.back();
          },
          [](const cache_clear&) { return false; },
          [](const keeper_due&) {},
          [](const inject_fault& f) { fail_as_told(f); },
          [](const take_settings&) {},
          [self](const ask_backlog&) { return waiting_messages(self); },
      };
    });
    auto names = std::make_shared<directory>();
    names->answer_keeper = keeper;
    cache = caf::actor_cast<cache_actor>(spawn_cache(system, store, names));
  }
  ~fixture() {
    caf::anon_send_exit(cache, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(keeper, caf::exit_reason::user_shutdown);
    system.await_all_actors_done();
  }

  template <class Reply, class Message>
  Reply ask(Message m) {
    caf::scoped_actor self{system};
    Reply out;
    self->request(cache, 10s, std::move(m))
        .receive([&](const Reply& r) { out = r; }, [](const caf::error& e) { BOOST_ERROR(to_string(e)); });
    return out;
  }
  cache_reply question(const std::string& key) { return ask<cache_reply>(cache_ask{key}); }
  cache_tier_view file() { return ask<cache_view>(look{}).tiers.at(1); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cache_suite, fixture)

BOOST_AUTO_TEST_CASE(a_disk_that_hangs_costs_one_deadline_and_is_asked_again_when_it_has_answered) {
  BOOST_TEST(!question("a").completion);
  BOOST_TEST(file().timeouts == 1u);
  BOOST_TEST(file().state == "down");
  for (int i = 0; i < 100; ++i) BOOST_TEST(!question("b").completion);
  BOOST_TEST(file().timeouts == 1u); // nobody else waited
  caf::anon_send(keeper, writes_wait{});
  for (auto end = clock::now() + 10s; file().state != "up" && clock::now() < end;) {}
  BOOST_TEST(file().state == "up");
  BOOST_TEST(!question("c").completion); // it was asked, and hangs again
  BOOST_TEST(file().timeouts == 2u);
}

BOOST_AUTO_TEST_CASE(writes_that_find_no_room_are_dropped_and_counted) {
  const auto big = make_bytes(std::string(1u << 20, 'x'));
  const auto add = [&](int n) { return disk->writes.add("k" + std::to_string(n), {big, {}, 0}); };
  BOOST_TEST(add(0)); // whoever put the first one tells the keeper
  for (int i = 1; i < 40; ++i) BOOST_TEST(!add(i));
  BOOST_TEST(disk->writes.dropped() > 0u);
  BOOST_TEST(disk->writes.dropped() < 20u);
  std::size_t taken = 0, rounds = 0;
  for (auto some = disk->writes.take(1000, 4u << 20); !some.empty(); some = disk->writes.take(1000, 4u << 20)) {
    taken += some.size();
    ++rounds;
  }
  BOOST_TEST(taken + disk->writes.dropped() == 40u);
  BOOST_TEST(rounds > 5u); // of four MiB each
  BOOST_TEST(add(0));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace cache_test
