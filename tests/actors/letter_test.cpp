#include "actors/letter.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace letter_test {

namespace {

struct errand {
  int number = 0;
  std::shared_ptr<std::atomic<int>> lost;
  void on_lost() { ++*lost; }
};

} // namespace

} // namespace letter_test

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(mainstay::letter<letter_test::errand>)

namespace letter_test {

namespace {

using namespace mainstay;
using receiver_actor = caf::typed_actor<caf::reacts_to<letter<errand>>>;

/// What receivers did, seen from the test.
struct diary {
  std::mutex guard;
  std::condition_variable changed;
  std::vector<int> opened;
  int deliveries = 0;

  void delivered() {
    std::lock_guard lock(guard);
    ++deliveries;
    changed.notify_all();
  }
  void open(int n) {
    std::lock_guard lock(guard);
    opened.push_back(n);
    changed.notify_all();
  }
  template <class Condition>
  bool wait(Condition c) {
    std::unique_lock lock(guard);
    return changed.wait_for(lock, std::chrono::seconds(10), c);
  }
};

/// Opens letters, but dies of the first `deaths` of them.
caf::strong_actor_ptr spawn_receiver(caf::actor_system& sys, diary& d, int deaths) {
  auto a = sys.spawn([&d, deaths](receiver_actor::pointer self) -> receiver_actor::behavior_type {
    live_supervised(self);
    return {[&d, deaths](const letter<errand>& mail) {
      d.delivered();
      if (deaths > 0) throw injected_failure();
      d.open(mail.content().number);
      mail.opened();
    }};
  });
  return caf::actor_cast<caf::strong_actor_ptr>(a);
}

struct world {
  caf::actor_system_config config;
  caf::actor_system system{config};
  diary seen;
  std::shared_ptr<std::atomic<int>> lost = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<turn> turns = std::make_unique<turn>(system, loop);
  caf::strong_actor_ptr front = stable_front::make(system, *turns);

  ~world() {
    stable_front::close(front);
    system.await_actors_before_shutdown(false);
  }
  void put(int deaths) { stable_front::point_to(front, spawn_receiver(system, seen, deaths)); }
  void post(int n) { letter<errand>::post(front, errand{n, lost}); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(letters_and_stable_names)

BOOST_AUTO_TEST_CASE(a_letter_is_delivered_once_to_a_living_receiver) {
  world w;
  w.put(0);
  w.post(1);
  w.post(2);
  BOOST_TEST(w.seen.wait([&] { return w.seen.opened.size() == 2; }));
  BOOST_TEST(w.seen.opened == (std::vector<int>{1, 2}));
  BOOST_TEST(w.seen.deliveries == 2);
}

BOOST_AUTO_TEST_CASE(messages_wait_while_nobody_is_behind_the_name) {
  world w;
  for (int i = 0; i < 100; ++i) w.post(i);
  w.put(0);
  BOOST_TEST(w.seen.wait([&] { return w.seen.opened.size() == 100; }));
  for (int i = 0; i < 100; ++i) BOOST_TEST(w.seen.opened[static_cast<std::size_t>(i)] == i);
}

BOOST_AUTO_TEST_CASE(letters_in_the_mailbox_of_an_actor_that_dies_reach_its_successor) {
  world w;
  w.put(1);
  for (int i = 0; i < 50; ++i) w.post(i);
  BOOST_REQUIRE(w.seen.wait([&] { return w.seen.deliveries >= 1; }));
  w.put(0);
  BOOST_TEST(w.seen.wait([&] { return w.seen.opened.size() == 50; }));
  std::sort(w.seen.opened.begin(), w.seen.opened.end());
  for (int i = 0; i < 50; ++i) BOOST_TEST(w.seen.opened[static_cast<std::size_t>(i)] == i);
  BOOST_TEST(*w.lost == 0);
}

BOOST_AUTO_TEST_CASE(a_letter_that_kills_every_receiver_is_given_up_and_says_so) {
  world w;
  w.put(1);
  w.post(1);
  for (int n = 1; n < letter<errand>::max_deliveries; ++n) {
    BOOST_REQUIRE(w.seen.wait([&] { return w.seen.deliveries >= n; }));
    w.put(1);
  }
  while (*w.lost == 0) std::this_thread::yield();
  BOOST_TEST(w.seen.deliveries <= letter<errand>::max_deliveries);
  BOOST_TEST(w.seen.opened.empty());
}

BOOST_AUTO_TEST_CASE(after_the_close_nothing_is_posted_again) {
  world w;
  stable_front::close(w.front);
  w.post(1);
  BOOST_TEST(*w.lost == 1);
  BOOST_TEST(w.seen.deliveries == 0);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace letter_test
