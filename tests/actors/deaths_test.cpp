// What is asked of, or posted to, actors that die under it: every question is answered, no letter vanishes, and what
// was called off stays called off, also where they take their turns on a loop and are spoken to from many threads.
#include "actors/letter.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "actors/upstream.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

namespace deaths_test {

namespace {

struct chore {
  int number = 0;
  std::shared_ptr<std::atomic<int>> lost;
  void on_lost() { ++*lost; }
};

} // namespace

} // namespace deaths_test

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(mainstay::letter<deaths_test::chore>)

namespace deaths_test {

namespace {

using namespace mainstay;
using namespace std::chrono_literals;

struct fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> turns = std::make_unique<turn>(system, loop);
  std::mutex guard;
  std::set<int> done; // chores; what the actors leave to their successors

  ~fixture() {
    system.await_all_actors_done();
    turns.reset();
  }

  /// Answers a number with its double; dies of 13, and of inject_fault.
  caf::strong_actor_ptr spawn_doubler() {
    auto a = system.spawn([this](caf::event_based_actor* self) -> caf::behavior {
      live_supervised(self);
      return {[](int n) {
                if (n == 13) throw injected_failure();
                return n * 2;
              },
              [this](const letter<chore>& mail) {
                std::lock_guard lock(guard);
                done.insert(mail.content().number);
                mail.opened();
              },
              [](const inject_fault& f) { fail_as_told(f); }};
    });
    return caf::actor_cast<caf::strong_actor_ptr>(a);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(deaths, fixture)

BOOST_AUTO_TEST_CASE(a_question_its_receiver_dies_of_is_answered_with_an_error) {
  caf::scoped_actor self{system};
  auto victim = caf::actor_cast<caf::actor>(spawn_doubler());
  caf::error why;
  self->request(victim, 10s, 13).receive([](int) {}, [&](const caf::error& e) { why = e; });
  BOOST_TEST((why == caf::sec::request_receiver_down), to_string(why));
}

BOOST_AUTO_TEST_CASE(an_actor_that_dies_of_a_mere_message_takes_its_sender_not_along) {
  auto victim = caf::actor_cast<caf::actor>(spawn_doubler());
  std::promise<std::string> heard;
  auto sender = system.spawn([&](caf::event_based_actor* me) -> caf::behavior {
    me->monitor(victim);
    me->set_down_handler([&, me](caf::down_msg& down) { // what came before it would have ended us by now
      heard.set_value(to_string(down.reason));
      me->quit();
    });
    me->send(victim, 13);
    return {[](const std::string&) {}};
  });
  caf::scoped_actor self{system};
  self->wait_for(sender);
  auto reason = heard.get_future();
  BOOST_REQUIRE(reason.wait_for(0s) == std::future_status::ready);
  BOOST_TEST(reason.get().find("injected fault") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(under_deaths_every_question_is_answered_and_every_letter_opened_or_reported_lost) {
  constexpr int askers = 3, questions = 1500, kills = 300;
  auto front = stable_front::make(system, *turns);
  auto named = caf::actor_cast<caf::actor>(front);
  auto lost = std::make_shared<std::atomic<int>>(0);
  std::atomic<int> unanswered{0}, wrong{0};
  // As the supervisor does it, from a thread of its own.
  std::thread killer([&] {
    caf::scoped_actor self{system};
    for (int i = 0; i <= kills; ++i) {
      auto child = spawn_doubler();
      self->monitor(caf::actor_cast<caf::actor>(child));
      stable_front::point_to(front, child);
      if (i == kills) break;
      child.reset();
      caf::anon_send(named, inject_fault{});
      self->receive([](const caf::down_msg&) {});
      stable_front::point_to(front, nullptr);
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < askers; ++t)
    threads.emplace_back([&, t] {
      caf::scoped_actor self{system};
      for (int i = 0; i < questions; ++i) {
        auto n = 100 + t * questions + i;
        letter<chore>::post(front, {n, lost});
        self->request(named, 60s, n)
            .receive([&](int twice) { wrong += twice != 2 * n; },
                     [&](const caf::error& e) { unanswered += e != caf::sec::request_receiver_down; });
      }
    });
  for (auto& t : threads) t.join();
  killer.join();
  caf::scoped_actor self{system};
  auto settled = [&] {
    std::lock_guard lock(guard);
    return static_cast<int>(done.size()) + *lost == askers * questions;
  };
  for (auto end = clock::now() + 60s; !settled() && clock::now() < end;) {
    int answer = 0;
    self->request(named, 60s, 1).receive([&](int x) { answer = x; }, [](const caf::error&) {});
    BOOST_REQUIRE(answer == 2);
  }
  BOOST_TEST(settled());
  BOOST_TEST(unanswered == 0);
  BOOST_TEST(wrong == 0);
  caf::anon_send(named, inject_fault{});
  stable_front::close(front);
}

BOOST_AUTO_TEST_CASE(a_call_that_was_cancelled_first_is_not_placed_after) {
  auto store = std::make_shared<upstream_store>();
  store->client = std::make_shared<http::client>(loop);
  store->client->configure({{"p", 4, 4}});
  auto front = stable_front::make(system, *turns);
  auto named = caf::actor_cast<upstream_actor>(front);
  stable_front::point_to(front, spawn_upstream(system, store, named));
  caf::scoped_actor self{system};
  auto place = [&](lease_id id) {
    auto call = std::make_shared<http::call>();
    call->url = "http://127.0.0.1:1/nobody";
    call->pool = "p";
    letter<place_call>::post(front, place_call{id, std::move(call), caf::actor_cast<caf::actor_addr>(self)});
  };
  letter<cancel_call>::post(front, cancel_call{{1, 7}});
  letter<owner_gone>::post(front, owner_gone{2, {1, 9}});
  place({1, 7});
  place({2, 8});
  place({1, 8});
  place({2, 9}); // of the run that goes on with the same request
  std::uint64_t placed = 0;
  self->request(named, 10s, look{})
      .receive([&](const upstream_view& v) { placed = v.placed; }, [](const caf::error&) {});
  BOOST_TEST(placed == 2);
  caf::anon_send_exit(caf::actor_cast<caf::actor>(front), caf::exit_reason::user_shutdown);
  stable_front::close(front);
}

BOOST_AUTO_TEST_CASE(a_call_that_a_drill_holds_back_outlives_the_upstream_but_not_its_run) {
  auto store = std::make_shared<upstream_store>();
  store->client = std::make_shared<http::client>(loop);
  store->client->configure({{"p", 4, 4}});
  auto front = stable_front::make(system, *turns);
  auto named = caf::actor_cast<upstream_actor>(front);
  stable_front::point_to(front, spawn_upstream(system, store, named));
  caf::scoped_actor self{system};
  auto place = [&](lease_id id) {
    auto call = std::make_shared<http::call>();
    call->url = "http://127.0.0.1:1/nobody";
    call->pool = "p";
    letter<place_call>::post(front, place_call{id, std::move(call), caf::actor_cast<caf::actor_addr>(self)});
  };
  const auto look_at = [&] {
    upstream_view seen;
    self->request(named, 10s, look{}).receive([&](const upstream_view& v) { seen = v; }, [](const caf::error&) {});
    return seen;
  };
  drill_order slow;
  slow.what = drill_kind::slow;
  slow.by = 50ms;
  caf::anon_send(named, drill_effect{slow, clock::now() + 1h});
  place({1, 7});
  place({1, 8});
  place({2, 9});
  letter<cancel_call>::post(front, cancel_call{{1, 7}});
  letter<owner_gone>::post(front, owner_gone{2, {1, 10}});
  BOOST_TEST(look_at().open_calls == 1u);
  BOOST_TEST(look_at().placed == 0u);
  caf::anon_send(named, inject_fault{});
  stable_front::point_to(front, spawn_upstream(system, store, named));
  place({1, 10});
  const auto over = [](const upstream_view& v) { return v.placed >= 2 && v.open_calls == 0; };
  auto seen = look_at();
  for (const auto end = clock::now() + 60s; !over(seen) && clock::now() < end; seen = look_at())
    std::this_thread::yield();
  BOOST_TEST(seen.placed == 2u);
  BOOST_TEST(seen.cancelled == 2u);
  caf::anon_send_exit(caf::actor_cast<caf::actor>(front), caf::exit_reason::user_shutdown);
  stable_front::close(front);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace deaths_test
