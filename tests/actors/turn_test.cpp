// Actors on a loop: spoken to there, they run there; from elsewhere through a front, too; timers; the end.
#include "actors/stable_front.hpp"
#include "actors/turn.hpp"

#include <boost/test/unit_test.hpp>

#include <future>

namespace turn_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

struct fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> turns = std::make_unique<turn>(system, loop);

  ~fixture() {
    system.await_all_actors_done();
    turns.reset();
  }

  /// Answers 1 where it runs on the loop's thread, else 0; ends at a negative number.
  caf::actor spawn_echo() {
    return system.spawn([this](caf::event_based_actor* self) -> caf::behavior {
      return {[this, self](int n) {
        if (n < 0) self->quit();
        return loop->on_thread() ? 1 : 0;
      }};
    });
  }
  int ask(const caf::actor& who, int n = 0) {
    caf::scoped_actor self{system};
    int got = -1;
    self->request(who, 10s, n).receive([&](int x) { got = x; }, [](const caf::error&) {});
    return got;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(turn_, fixture)

BOOST_AUTO_TEST_CASE(an_actor_behind_a_front_with_a_home_runs_there_whoever_speaks_to_it) {
  auto child = spawn_echo();
  ask(child); // its first step is anywhere
  auto front = stable_front::make(system, *turns);
  stable_front::point_to(front, caf::actor_cast<caf::strong_actor_ptr>(child));
  auto named = caf::actor_cast<caf::actor>(front);
  // One of CAF's workers may still be ending the first step when the next question comes.
  for (auto end = clock::now() + 10s; ask(named) != 1 && clock::now() < end;) {}
  for (int i = 0; i < 20; ++i) BOOST_TEST(ask(named) == 1);
  stable_front::close(front);
  ask(child, -1);
}

BOOST_AUTO_TEST_CASE(actors_that_actors_of_the_loop_speak_to_run_on_the_loop) {
  auto second = spawn_echo();
  ask(second);
  std::promise<void> there;
  auto first = system.spawn([&](caf::event_based_actor* self) -> caf::behavior {
    return {[&, self](const std::string& go) {
      self->request(second, 10s, 0).then([&, self, go](int on_loop) {
        if (!on_loop) { // one of CAF's workers was still ending a first step: once more from the loop
          loop->post([me = caf::actor_cast<caf::actor>(self), go] { tell(me, go); });
          return;
        }
        there.set_value();
        self->quit();
      });
    }};
  });
  loop->run([&] { tell(first, std::string("go")); });
  BOOST_TEST((there.get_future().wait_for(10s) == std::future_status::ready));
  ask(second, -1);
}

BOOST_AUTO_TEST_CASE(a_message_sent_at_a_time_comes_then_and_keeps_nobody_alive) {
  std::promise<duration> came;
  auto began = clock::now();
  auto later = system.spawn([&](caf::event_based_actor* self) -> caf::behavior {
    return {[&, self](int) { send_at(self, began + 20ms, std::string("now")); },
            [&, self](const std::string&) {
              came.set_value(clock::now() - began);
              send_at(self, clock::now() + 1h, 1); // nobody waits an hour for an actor that has ended
              self->quit();
            }};
  });
  loop->run([&] { tell(later, 1); });
  auto after = came.get_future();
  BOOST_REQUIRE(after.wait_for(10s) == std::future_status::ready);
  BOOST_TEST((after.get() >= 20ms));
}

BOOST_AUTO_TEST_CASE(after_the_loop_has_stopped_cafs_workers_do_the_rest) {
  auto child = spawn_echo();
  ask(child);
  auto front = stable_front::make(system, *turns);
  stable_front::point_to(front, caf::actor_cast<caf::strong_actor_ptr>(child));
  loop->stop();
  BOOST_TEST(ask(caf::actor_cast<caf::actor>(front)) == 0);
  stable_front::close(front);
  ask(child, -1);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace turn_test
