// The way out under control: credit and back-pressure, cancelling in every phase, the pools' caps, and a random walk
// over all of it.
#include "tests/net/http_calls.hpp"

#include <atomic>
#include <map>
#include <random>
#include <semaphore>

namespace http_client_flow_test {

using namespace mainstay;
using namespace mainstay::http;
using namespace mainstay::test;

namespace {

/// On an idle machine a cancelled call ends within a millisecond; the slack is for machines under load.
constexpr auto promptly = 250ms;

/// Cancels and waits; how long the end took.
duration time_to_cancel(client& http, call_handle handle, call_recorder& observer) {
  auto asked = clock::now();
  http.cancel(handle);
  BOOST_TEST(observer.wait_end());
  BOOST_TEST(observer.in_order());
  BOOST_TEST(observer.outcome() == "cancelled");
  return observer.ended_at() - asked;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_client_flow)

BOOST_AUTO_TEST_CASE(used_up_credit_is_felt_by_the_server_and_stops_the_idle_timer) {
  constexpr std::size_t total = 64u << 20; // far more than the socket buffers hold
  constexpr std::size_t credit = 100'000;
  std::atomic<std::size_t> sent{0};
  std::binary_semaphore stuck(0);
  scripted_server server([&](scripted_connection& c) {
    c.read_request();
    c.send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(total) + "\r\n\r\n");
    sent = c.send_until_stuck(total, 500ms);
    stuck.release();
    c.send(std::string(total - sent, 'x'));
    c.wait_until_left();
  });
  client http(std::make_shared<event_loop>("test"));
  auto what = a_call(server.url());
  what.credit = credit;
  what.timeouts.idle = 200ms;
  auto observer = std::make_shared<call_recorder>();
  auto handle = http.start(what, observer);
  stuck.acquire(); // the server could not send for longer than the idle timer runs
  BOOST_TEST(sent < total / 2);
  BOOST_TEST(!observer->ended());
  BOOST_TEST(observer->received() >= credit);
  BOOST_TEST(observer->received() < credit + (16u << 10) + 1); // at most one of curl's buffers more
  http.add_credit(handle, 1'000'000);
  BOOST_TEST(observer->wait_body(credit + 1'000'000));
  BOOST_TEST(observer->received() < credit + 1'000'000 + (16u << 10) + 1);
  http.add_credit(handle, total);
  BOOST_TEST(observer->wait_end());
  BOOST_TEST(observer->outcome() == "");
  BOOST_TEST(observer->received() == total);
  BOOST_TEST(observer->in_order());
}

BOOST_AUTO_TEST_CASE(the_idle_timer_runs_again_after_a_pause) {
  scripted_server server([&](scripted_connection& c) {
    c.read_request();
    c.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it");
    c.wait_until_left();
  });
  client http(std::make_shared<event_loop>("test"));
  auto what = a_call(server.url());
  what.credit = 10;
  what.timeouts.idle = 100ms;
  what.timeouts.first_byte = 100ms;
  auto observer = std::make_shared<call_recorder>();
  auto handle = http.start(what, observer);
  BOOST_TEST(observer->wait_body(10));
  auto others = run(http, [&] { // takes longer than the idle timer, which does not run meanwhile
    auto other = a_call(server.url());
    other.timeouts.idle = 300ms;
    return other;
  }());
  BOOST_TEST(others->outcome() == "idle_timeout");
  BOOST_TEST(!observer->ended());
  auto resumed = clock::now();
  http.add_credit(handle, 1);
  BOOST_TEST(observer->wait_end());
  BOOST_TEST(observer->outcome() == "idle_timeout");
  BOOST_TEST((observer->ended_at() - resumed >= 100ms));
}

BOOST_AUTO_TEST_CASE(credit_may_come_in_single_bytes_and_start_at_none) {
  std::string body;
  for (int i = 0; i < 300'000; ++i) body += static_cast<char>('a' + i % 26);
  const auto answer = "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  scripted_server server(always(answer));
  client http(std::make_shared<event_loop>("test"));
  auto what = a_call(server.url());
  what.credit = 0;
  auto observer = std::make_shared<call_recorder>();
  auto handle = http.start(what, observer);
  BOOST_TEST(observer->wait_head());
  BOOST_TEST(observer->received() == 0u);
  for (std::size_t granted = 1; granted <= body.size(); ++granted) {
    BOOST_REQUIRE(observer->received() < granted + (16u << 10));
    http.add_credit(handle, 1);
  }
  BOOST_TEST(observer->wait_end());
  BOOST_TEST((observer->body() == body));
  http.add_credit(handle, 1); // after the end: ignored
}

BOOST_AUTO_TEST_CASE(a_paused_call_does_not_hold_up_the_others) {
  scripted_server server([&](scripted_connection& c) {
    while (c.read_request() &&
           c.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + std::string(1'000'000, 'x')))
      ;
  });
  client http(std::make_shared<event_loop>("test"));
  auto what = a_call(server.url());
  what.credit = 1;
  auto paused = std::make_shared<call_recorder>();
  auto handle = http.start(what, paused);
  BOOST_TEST(paused->wait_body(1));
  for (int i = 0; i < 20; ++i) {
    auto other = a_call(server.url());
    other.credit = 10u << 20;
    BOOST_TEST(run(http, other)->received() == 1'000'000u);
  }
  http.add_credit(handle, 10u << 20);
  BOOST_TEST(paused->wait_end());
  BOOST_TEST(paused->received() == 1'000'000u);
}

BOOST_AUTO_TEST_CASE(a_call_can_be_cancelled_in_every_phase) {
  std::counting_semaphore<> requests(0);
  scripted_server silent([&](scripted_connection& c) {
    c.read_request();
    requests.release();
    c.wait_until_left();
  });
  scripted_server unread([](scripted_connection& c) { c.pass(10s); }, 4096);
  scripted_server handshake([](scripted_connection& c) { c.wait_until_left(); });
  scripted_server streaming([](scripted_connection& c) {
    c.read_request();
    c.send("HTTP/1.1 200 OK\r\n\r\nsome");
    c.wait_until_left();
  });
  client http(std::make_shared<event_loop>("test"));
  http.configure({{"narrow", 1, 1}});
  auto fresh = [] { return std::make_shared<call_recorder>(); };

  auto waiting_for_answer = a_call(silent.url());
  waiting_for_answer.pool = "narrow";
  auto first = fresh(), second = fresh();
  auto first_handle = http.start(waiting_for_answer, first);
  auto second_handle = http.start(waiting_for_answer, second);
  requests.acquire();
  BOOST_TEST((time_to_cancel(http, second_handle, *second) < promptly)); // was waiting for the pool
  BOOST_TEST((time_to_cancel(http, first_handle, *first) < promptly));   // was waiting for the answer
  BOOST_TEST(silent.accepted() == 1u);

  auto at_once = fresh();
  auto handle = http.start(a_call(silent.url()), at_once);
  BOOST_TEST((time_to_cancel(http, handle, *at_once) < promptly));

  auto connecting = fresh();
  handle = http.start(a_call("https://127.0.0.1:" + std::to_string(handshake.port())), connecting);
  BOOST_TEST((time_to_cancel(http, handle, *connecting) < promptly));

  auto uploading = fresh();
  handle = http.start(a_call(unread.url(), {std::string(8u << 20, 'u'), "x"}), uploading);
  BOOST_TEST((time_to_cancel(http, handle, *uploading) < promptly));

  auto reading = fresh();
  handle = http.start(a_call(streaming.url()), reading);
  BOOST_TEST(reading->wait_body(4));
  BOOST_TEST((time_to_cancel(http, handle, *reading) < promptly));
  BOOST_TEST(reading->body() == "some");

  auto paused = fresh();
  auto thirsty = a_call(streaming.url());
  thirsty.credit = 0;
  handle = http.start(thirsty, paused);
  BOOST_TEST(paused->wait_head());
  BOOST_TEST((time_to_cancel(http, handle, *paused) < promptly));

  http.cancel(handle); // over already
  http.cancel(123456);
  BOOST_TEST(http.open_calls() == 0u);
}

BOOST_AUTO_TEST_CASE(cancelling_closes_the_connection) {
  std::binary_semaphore asked(0), left(0);
  scripted_server server([&](scripted_connection& c) {
    c.read_request();
    asked.release();
    c.wait_until_left();
    left.release();
  });
  client http(std::make_shared<event_loop>("test"));
  auto observer = std::make_shared<call_recorder>();
  auto handle = http.start(a_call(server.url()), observer);
  asked.acquire();
  http.cancel(handle);
  BOOST_TEST(left.try_acquire_for(5s));
}

BOOST_AUTO_TEST_CASE(the_end_of_the_client_cancels_every_call_even_those_started_then) {
  scripted_server server([](scripted_connection& c) { c.wait_until_left(); });
  std::vector<std::shared_ptr<call_recorder>> calls;
  auto late = std::make_shared<call_recorder>();
  {
    client http(std::make_shared<event_loop>("test"));
    http.configure({{"provider", 5, 5}});
    for (int i = 0; i < 20; ++i) {
      calls.push_back(std::make_shared<call_recorder>());
      if (i == 0) calls.back()->then([&] { http.start(a_call(server.url()), late); });
      http.start(a_call(server.url()), calls.back());
    }
  }
  calls.push_back(late);
  for (auto& c : calls) {
    BOOST_TEST(c->ended());
    BOOST_TEST(c->outcome() == "cancelled");
  }
}

BOOST_AUTO_TEST_CASE(the_caps_hold_per_host_and_per_pool_and_nobody_waits_forever) {
  std::mutex mutex;
  std::map<int, int> now, most;
  int now_all = 0, most_all = 0;
  auto counting = [&](int host) {
    return [&, host](scripted_connection& c) {
      while (c.read_request()) {
        {
          std::lock_guard lock(mutex);
          most[host] = std::max(most[host], ++now[host]);
          most_all = std::max(most_all, ++now_all);
        }
        c.pass(5ms); // long enough for others to come if they could
        {
          std::lock_guard lock(mutex);
          --now[host], --now_all;
        }
        if (!c.send(ok)) return;
      }
    };
  };
  scripted_server a(counting(0)), b(counting(1)), c(counting(2));
  client http(std::make_shared<event_loop>("test"));
  http.configure({{"provider", 4, 2}});
  std::vector<std::shared_ptr<call_recorder>> calls;
  for (int i = 0; i < 60; ++i) {
    calls.push_back(std::make_shared<call_recorder>());
    auto& server = i < 30 ? a : i % 2 ? b : c; // thirty of one host in front: the others pass them
    http.start(a_call(server.url()), calls.back());
  }
  for (auto& call : calls) {
    BOOST_TEST(call->wait_end());
    BOOST_TEST(call->outcome() == "");
  }
  std::lock_guard lock(mutex);
  BOOST_TEST(most_all == 4);
  for (auto& [host, count] : most) BOOST_TEST(count <= 2);
}

BOOST_AUTO_TEST_CASE(a_call_that_waits_for_a_connection_ends_with_its_total_time) {
  scripted_server server([](scripted_connection& c) { c.wait_until_left(); });
  client http(std::make_shared<event_loop>("test"));
  http.configure({{"provider", 1, 1}});
  auto first = std::make_shared<call_recorder>();
  auto handle = http.start(a_call(server.url()), first);
  auto what = a_call(server.url());
  what.timeouts = {.connect = 50ms, .first_byte = 50ms, .idle = 50ms, .total = 200ms};
  BOOST_TEST(run(http, what)->outcome() == "total_timeout");
  http.configure({{"provider", 2, 2}}); // more room: the next one is not kept waiting
  what.timeouts.total = 10s;
  BOOST_TEST(run(http, what)->outcome() == "first_byte_timeout");
  http.cancel(handle);
}

// Whatever the peers do and whenever calls are cancelled or fed: every call ends exactly once, its reports come in
// order, an answer reported complete is complete, and afterwards nothing is left open.
BOOST_AUTO_TEST_CASE(a_random_walk_over_peers_credit_and_cancelling) {
  for (unsigned seed : {1u, 2u, 3u}) {
    const std::string body(50'000, 'b');
    scripted_server server([&](scripted_connection& c) {
      std::mt19937 random(seed * 1000 + c.number());
      while (c.read_request()) {
        const auto head = "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n";
        switch (random() % 10) {
        case 0: return c.reset();
        case 1: return c.close();
        case 2: return c.wait_until_left();
        case 3: c.send("garbage\r\n\r\n"); return;
        case 4: c.send(head.substr(0, random() % head.size())); return;
        case 5: c.send(head + body.substr(0, random() % body.size())); return;
        case 6: c.send(head + body.substr(0, random() % body.size())); return c.wait_until_left();
        case 7:
          if (!c.send(head + body)) return;
          return c.close(); // a reused connection would now be a dead one
        default:
          if (!c.send(head + body)) return;
        }
      }
    });
    std::mt19937 random(seed);
    client http(std::make_shared<event_loop>("test"));
    http.configure({{"provider", 16, 16}});
    std::vector<std::pair<call_handle, std::shared_ptr<call_recorder>>> calls;
    for (int i = 0; i < 150; ++i) {
      auto what =
          a_call(server.url(), random() % 2 ? std::vector<std::string>{"a"} : std::vector<std::string>{"a", "b"});
      what.credit = random() % 3 ? 1u << 20 : random() % 20'000;
      what.timeouts = {.connect = 5s, .first_byte = 60ms, .idle = 60ms, .total = 600ms};
      auto observer = std::make_shared<call_recorder>();
      calls.emplace_back(http.start(what, observer), observer);
      auto& [other, its_observer] = calls[random() % calls.size()];
      if (random() % 4 == 0) http.cancel(other);
      if (random() % 2) http.add_credit(other, random() % 100'000);
      if (random() % 8 == 0) its_observer->wait_end();
    }
    for (auto& [handle, observer] : calls) http.add_credit(handle, 1u << 20);
    std::map<std::string, int> outcomes;
    for (auto& [handle, observer] : calls) {
      BOOST_TEST(observer->wait_end());
      BOOST_TEST(observer->in_order());
      if (observer->outcome() == "") BOOST_TEST((observer->body() == body));
      ++outcomes[observer->outcome()];
    }
    BOOST_TEST(http.open_calls() == 0u);
    for (auto expected : {"", "cancelled", "first_byte_timeout", "malformed", "reset", "truncated", "idle_timeout"})
      BOOST_TEST(outcomes[expected] > 0, expected << " never happened");
    BOOST_TEST(outcomes.size() <= 8u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace http_client_flow_test
