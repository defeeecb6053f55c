// The loop's promises: order, one wake-up, nobody called after leaving, timers, followers, forgiveness, the stop.
#include "net/event_loop.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <stdexcept>
#include <sys/epoll.h>
#include <unistd.h>

namespace event_loop_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

struct pipe_ends {
  int ends[2];
  pipe_ends() { BOOST_REQUIRE(::pipe(ends) == 0); }
  ~pipe_ends() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void fill() { BOOST_REQUIRE(::write(ends[1], "x", 1) == 1); }
};

struct told : event_loop::watcher {
  std::function<void(int)> then;
  void on_events(int fd, std::uint32_t) override { then(fd); }
};

struct worker : event_loop::follower {
  int left = 0, worked = 0;
  instant wants = instant::max();
  bool work() override {
    if (wants <= clock::now()) wants = instant::max(), ++left;
    if (left == 0) return false;
    --left;
    ++worked;
    return true;
  }
  bool pending() const override { return left > 0; }
  instant due() const override { return wants; }
};

/// Waits for a promise that something on the loop keeps.
void await(std::future<void> done) { BOOST_REQUIRE(done.wait_for(10s) == std::future_status::ready); }

} // namespace

BOOST_AUTO_TEST_SUITE(event_loop_)

BOOST_AUTO_TEST_CASE(tasks_run_on_the_loops_thread_in_the_order_they_were_posted) {
  event_loop loop("test");
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) loop.post([&order, i] { order.push_back(i); });
  bool there = false;
  loop.run([&] { there = loop.on_thread(); });
  BOOST_TEST(there);
  BOOST_TEST(!loop.on_thread());
  BOOST_REQUIRE(order.size() == 100u);
  BOOST_TEST(std::is_sorted(order.begin(), order.end()));
}

BOOST_AUTO_TEST_CASE(what_is_posted_on_the_thread_runs_before_the_next_wait) {
  event_loop loop("test");
  std::promise<void> done;
  loop.post([&] { loop.post([&] { loop.post([&] { done.set_value(); }); }); });
  await(done.get_future());
}

BOOST_AUTO_TEST_CASE(a_watcher_that_left_is_not_called_for_events_of_the_same_round) {
  event_loop loop("test");
  pipe_ends a, b;
  told first, second;
  int calls = 0;
  auto only_one = [&](int fd) { // whichever is told first takes the other away
    ++calls;
    loop.unwatch(a.ends[0]);
    loop.unwatch(b.ends[0]);
    BOOST_TEST((fd == a.ends[0] || fd == b.ends[0]));
  };
  first.then = second.then = only_one;
  loop.run([&] {
    a.fill();
    b.fill();
    loop.watch(a.ends[0], EPOLLIN, first);
    loop.watch(b.ends[0], EPOLLIN, second);
  });
  for (int i = 0; i < 3; ++i) loop.run([] {}); // rounds pass
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(a_descriptor_can_be_watched_again_after_it_was_given_up) {
  event_loop loop("test");
  pipe_ends a;
  told by;
  std::promise<void> heard;
  by.then = [&](int fd) {
    loop.unwatch(fd);
    heard.set_value();
  };
  loop.run([&] {
    loop.watch(a.ends[0], EPOLLIN, by);
    loop.unwatch(a.ends[0]);
    loop.watch(a.ends[0], 0, by);
    loop.rewatch(a.ends[0], EPOLLIN);
  });
  a.fill();
  await(heard.get_future());
}

BOOST_AUTO_TEST_CASE(timers_fire_in_their_order_and_not_before_their_time) {
  event_loop loop("test");
  auto began = clock::now();
  std::vector<std::pair<int, duration>> fired;
  std::promise<void> done;
  loop.run([&] {
    loop.at(began + 30ms, [&] {
      fired.emplace_back(2, clock::now() - began);
      done.set_value();
    });
    loop.at(began + 10ms, [&] { fired.emplace_back(1, clock::now() - began); });
    loop.at(began, [&] { fired.emplace_back(0, clock::now() - began); });
  });
  await(done.get_future());
  BOOST_REQUIRE(fired.size() == 3u);
  for (int i = 0; i < 3; ++i) BOOST_TEST(fired[i].first == i);
  BOOST_TEST((fired[1].second >= 10ms && fired[2].second >= 30ms));
}

BOOST_AUTO_TEST_CASE(followers_are_asked_until_nobody_has_anything_left_and_when_they_are_due) {
  event_loop loop("test");
  worker w;
  loop.run([&] {
    w.left = 5;
    loop.follow(w);
  });
  loop.run([] {});
  loop.run([&] {
    BOOST_TEST(w.worked == 5);
    w.wants = clock::now() + 10ms;
  });
  std::promise<void> later;
  loop.run([&] { loop.at(clock::now() + 50ms, [&] { later.set_value(); }); });
  await(later.get_future());
  loop.run([&] {
    BOOST_TEST(w.worked == 6);
    loop.unfollow(w);
    w.left = 1;
  });
  loop.run([&] { BOOST_TEST(w.worked == 6); });
}

BOOST_AUTO_TEST_CASE(whoever_throws_harms_nobody_else) {
  event_loop loop("test");
  loop.post([] { throw std::runtime_error("a task's fault"); });
  bool reached = false;
  loop.run([&] { reached = true; });
  BOOST_TEST(reached);
  BOOST_CHECK_THROW(loop.run([] { throw std::runtime_error("the asker's own"); }), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_stop_does_what_was_posted_before_and_takes_nothing_more) {
  event_loop loop("test");
  int done = 0;
  for (int i = 0; i < 10; ++i) loop.post([&] { ++done; });
  loop.stop();
  loop.stop();
  BOOST_TEST(done == 10);
  BOOST_TEST(!loop.post([&] { ++done; }));
  loop.run([&] { ++done; }); // in our own thread: there is no other any more
  BOOST_TEST(done == 11);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace event_loop_test
