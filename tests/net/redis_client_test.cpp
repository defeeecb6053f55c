// The Redis client against a real redis-server that is killed, frozen and restarted, and against servers that talk
// nonsense.
#include "net/redis_client.hpp"

#include "tests/support/redis_process.hpp"

#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <future>
#include <hiredis/hiredis.h>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

namespace redis_client_test {

using namespace mainstay;
using mainstay::test::redis_process;

namespace {

/// Collects what on_state says, and waits for the next change.
struct states {
  std::mutex guard;
  std::condition_variable changed;
  std::vector<std::pair<bool, std::string>> seen;

  void add(bool up, const std::string& why) {
    std::lock_guard lock(guard);
    seen.emplace_back(up, why);
    changed.notify_all();
  }
  /// The change number `n` (from 0).
  std::pair<bool, std::string> wait_for(std::size_t n) {
    std::unique_lock lock(guard);
    if (!changed.wait_for(lock, 60s, [&] { return seen.size() > n; })) throw std::runtime_error("no change of state");
    return seen[n];
  }
  /// Until the last change was to this state.
  void wait_until(bool up) {
    std::unique_lock lock(guard);
    if (!changed.wait_for(lock, 60s, [&] { return !seen.empty() && seen.back().first == up; }))
      throw std::runtime_error("the state does not change");
  }
  std::size_t count() {
    std::lock_guard lock(guard);
    return seen.size();
  }
  bool alternate() {
    std::lock_guard lock(guard);
    for (std::size_t i = 1; i < seen.size(); ++i)
      if (seen[i].first == seen[i - 1].first) return false;
    return true;
  }
};

struct fixture {
  std::shared_ptr<states> state = std::make_shared<states>();

  redis_settings settings_for(std::uint16_t port, duration deadline = 2s) {
    redis_settings s;
    s.port = port;
    s.command_deadline = deadline;
    s.reconnect_max = 200ms;
    s.on_state = [seen = state](bool up, const std::string& why) { seen->add(up, why); };
    return s;
  }
};

struct got {
  redis_result result;
  std::string value;
};

got get(redis_client& c, const std::string& key) {
  auto answer = std::make_shared<std::promise<got>>();
  auto future = answer->get_future();
  c.get(key, [answer](redis_result r, bytes_ptr v) { answer->set_value({r, v ? *v : ""}); });
  if (future.wait_for(20s) != std::future_status::ready) throw std::runtime_error("no callback");
  return future.get();
}

long clear(redis_client& c, const std::string& prefix) {
  auto answer = std::make_shared<std::promise<long>>();
  auto future = answer->get_future();
  c.clear(prefix, [answer](long n) { answer->set_value(n); });
  return future.wait_for(20s) == std::future_status::ready ? future.get() : -2;
}

long long ask_directly(std::uint16_t port, const char* command, const std::string& key) {
  redisContext* c = redisConnect("127.0.0.1", port);
  auto* r = static_cast<redisReply*>(redisCommand(c, command, key.data(), key.size()));
  const long long n = r ? r->integer : -99;
  freeReplyObject(r);
  redisFree(c);
  return n;
}

/// Accepts connections one after another and greets each with `said`, whatever is asked.
struct talking_server {
  explicit talking_server(std::string said) : said(std::move(said)) {
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("listen");
    port = ntohs(address.sin_port);
    thread = std::thread([this] { serve(); });
  }
  ~talking_server() {
    shutdown(listener, SHUT_RDWR);
    thread.join();
    close(listener);
  }
  void serve() {
    for (;;) {
      const int fd = accept(listener, nullptr, nullptr);
      if (fd < 0) return;
      char request[512];
      std::string_view rest = said;
      bool first = true;
      while (read(fd, request, sizeof request) > 0) {     // until the client has had enough
        const auto part = rest.substr(0, rest.find('|')); // to each command its own
        rest.remove_prefix(std::min(part.size() + 1, rest.size()));
        if (!part.empty() && send(fd, part.data(), part.size(), MSG_NOSIGNAL) > 0 && std::exchange(first, false))
          ++greeted;
      }
      close(fd);
      ++left;
    }
  }
  std::string said;
  int listener = -1;
  std::uint16_t port = 0;
  std::atomic<int> greeted{0}, left{0};
  std::thread thread;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(redis, fixture)

BOOST_AUTO_TEST_CASE(a_url_says_host_port_user_password_and_database) {
  const auto full = parse_redis_url("redis://me:p%40ss:w@cache.example:6380/7");
  BOOST_TEST(full.host == "cache.example");
  BOOST_TEST(full.port == 6380);
  BOOST_TEST(full.user == "me");
  BOOST_TEST(full.password.reveal() == "p@ss:w");
  BOOST_TEST(full.database == 7);
  const auto bare = parse_redis_url("redis://localhost");
  BOOST_TEST(bare.host == "localhost");
  BOOST_TEST(bare.port == 6379);
  BOOST_TEST(bare.database == 0);
  BOOST_TEST(bare.password.empty());
  BOOST_TEST(parse_redis_url("redis://:pw@h").password.reveal() == "pw");
  BOOST_TEST(parse_redis_url("redis://:pw@h").user == "");
  BOOST_TEST(parse_redis_url("redis://[::1]:7000/").host == "::1");
  BOOST_TEST(parse_redis_url("redis://[::1]:7000/").port == 7000);
}

BOOST_AUTO_TEST_CASE(a_wrong_url_is_refused_without_repeating_the_password) {
  for (auto url : {"", "http://h", "rediss://h", "redis://", "redis://:hunter2@", "redis://:hunter2@h:0",
                   "redis://:hunter2@h:65536", "redis://:hunter2@h:x", "redis://:hunter2@h/x", "redis://:hunter2@h/-1",
                   "redis://:hunter2%4@h", "redis://:hunter2@[::1", "redis://:hunter2@h:1:2", "redis://h?x=1",
                   "redis://:hunter2@[::1]x"}) {
    BOOST_TEST_CONTEXT(url) {
      BOOST_CHECK_EXCEPTION(parse_redis_url(url), std::invalid_argument, [](const std::invalid_argument& e) {
        return std::string(e.what()).find("hunter2") == std::string::npos && std::string(e.what()).size() > 12;
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(values_and_keys_come_back_byte_for_byte) {
  redis_process server;
  redis_client client(settings_for(server.port()));
  BOOST_TEST(state->wait_for(0).first);
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += char(i);
  const std::string large(3 << 20, 'x');
  client.set("k\0\r\n" + every_byte, make_bytes(every_byte), 1min);
  client.set("empty", make_bytes(""), 1min);
  client.set("large", make_bytes(large), 1min);
  BOOST_TEST((get(client, "k\0\r\n" + every_byte).value == every_byte));
  BOOST_TEST((get(client, "empty").result == redis_result::hit));
  BOOST_TEST((get(client, "large").value == large));
  BOOST_TEST((get(client, "absent").result == redis_result::miss));
  BOOST_TEST(client.look().connected);
  BOOST_TEST(client.look().pending == 0u);
  BOOST_TEST(client.look().failures == 0u);
}

BOOST_AUTO_TEST_CASE(a_value_lives_as_long_as_was_said_and_never_for_ever) {
  redis_process server;
  redis_client client(settings_for(server.port()));
  state->wait_for(0);
  client.set("long", make_bytes("x"), 90s);
  client.set("short", make_bytes("x"), 10us); // less than Redis can express
  client.set("over", make_bytes("x"), 0s);
  get(client, "any");
  const auto left = ask_directly(server.port(), "PTTL %b", "long");
  BOOST_TEST(left > 80'000);
  BOOST_TEST(left <= 90'000);
  BOOST_TEST(ask_directly(server.port(), "PTTL %b", "short") != -1);
  BOOST_TEST(ask_directly(server.port(), "EXISTS %b", "over") == 0);
}

BOOST_AUTO_TEST_CASE(a_value_above_64_MiB_is_not_sent) {
  redis_process server;
  redis_client client(settings_for(server.port()));
  state->wait_for(0);
  client.set("huge", make_bytes(std::string((64u << 20) + 1, 'x')), 1min);
  BOOST_TEST((get(client, "huge").result == redis_result::miss));
  BOOST_TEST(client.look().failures == 1u);
  BOOST_TEST(client.look().commands == 1u);
}

BOOST_AUTO_TEST_CASE(clear_removes_exactly_the_keys_with_the_prefix) {
  redis_process server;
  redis_client client(settings_for(server.port()));
  state->wait_for(0);
  for (int i = 0; i < 1500; ++i) client.set("a*[1]?" + std::to_string(i), make_bytes("x"), 1min);
  client.set("a-1-x", make_bytes("kept"), 1min); // what the prefix would match as a pattern
  client.set("ab1z", make_bytes("kept"), 1min);
  BOOST_TEST(clear(client, "a*[1]?") == 1500);
  BOOST_TEST(get(client, "a-1-x").value == "kept");
  BOOST_TEST(get(client, "ab1z").value == "kept");
  BOOST_TEST(clear(client, "a*[1]?") == 0);
  BOOST_TEST(client.look().pending == 0u);
}

BOOST_AUTO_TEST_CASE(password_and_database_are_used_and_a_wrong_password_is_said_without_showing_it) {
  redis_process server({"--requirepass", "correct-horse"});
  auto s = settings_for(server.port());
  s.password = secret("correct-horse");
  s.database = 3;
  {
    redis_client client(s);
    BOOST_TEST(state->wait_for(0).first);
    client.set("k", make_bytes("v"), 1min);
    BOOST_TEST(get(client, "k").value == "v");
  }
  s.password = secret("battery-staple");
  redis_client wrong(s);
  const auto [up, why] = state->wait_for(1);
  BOOST_TEST(!up);
  BOOST_TEST(why.find("AUTH") != std::string::npos);
  BOOST_TEST(why.find("battery") == std::string::npos);
  BOOST_TEST((get(wrong, "k").result == redis_result::unavailable));
}

BOOST_AUTO_TEST_CASE(with_nobody_listening_every_call_is_answered_at_once_on_the_calling_thread) {
  redis_client client(settings_for(mainstay::test::free_port()));
  const auto [up, why] = state->wait_for(0);
  BOOST_TEST(!up);
  BOOST_TEST(why.find("refused") != std::string::npos);
  int called = 0;
  std::thread::id on;
  client.get("k", [&](redis_result r, bytes_ptr) {
    BOOST_TEST((r == redis_result::unavailable));
    on = std::this_thread::get_id();
    ++called;
  });
  BOOST_TEST(called == 1); // no waiting: it has already happened
  BOOST_TEST((on == std::this_thread::get_id()));
  BOOST_TEST(clear(client, "x") == -1);
  BOOST_TEST(state->count() == 1u);
}

BOOST_AUTO_TEST_CASE(a_killed_server_is_one_line_down_and_a_restarted_one_is_one_line_up) {
  redis_process server;
  redis_client client(settings_for(server.port()));
  BOOST_TEST(state->wait_for(0).first);
  server.kill_hard();
  const auto [up, why] = state->wait_for(1);
  BOOST_TEST(!up);
  BOOST_TEST(!why.empty());
  BOOST_TEST(!client.look().connected);
  BOOST_TEST((get(client, "k").result == redis_result::unavailable));
  server.restart();
  BOOST_TEST(state->wait_for(2).first);
  client.set("k", make_bytes("again"), 1min);
  BOOST_TEST(get(client, "k").value == "again");
  BOOST_TEST(state->count() == 3u);
}

BOOST_AUTO_TEST_CASE(a_frozen_server_costs_three_deadlines_and_then_nobody_any_time) {
  redis_process server;
  redis_client client(settings_for(server.port(), 100ms));
  BOOST_TEST(state->wait_for(0).first);
  client.set("k", make_bytes("v"), 1min);
  BOOST_TEST(get(client, "k").value == "v");
  server.freeze();
  for (int i = 0; i < 3; ++i) {
    const auto began = clock::now();
    BOOST_TEST((get(client, "k").result == redis_result::unavailable));
    BOOST_TEST((clock::now() - began >= 100ms)); // it was asked
  }
  const auto [up, why] = state->wait_for(1);
  BOOST_TEST(!up);
  BOOST_TEST(why.find("in time") != std::string::npos);
  BOOST_TEST(client.look().timeouts == 3u);
  const auto commands = client.look().commands;
  bool answered = false;
  client.get("k", [&](redis_result, bytes_ptr) { answered = true; });
  BOOST_TEST(answered); // from this thread, at once
  BOOST_TEST(state->count() == 2u);
  BOOST_TEST(client.look().commands <= commands + 1); // a PING at most
  server.thaw();
  BOOST_TEST(state->wait_for(2).first);
  BOOST_TEST(get(client, "k").value == "v"); // and not the late reply to something else
  BOOST_TEST((client.look().breaker == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(a_drill_freezes_it_as_a_server_would_until_its_time_is_over) {
  redis_process server;
  redis_client client(settings_for(server.port(), 100ms));
  BOOST_TEST(state->wait_for(0).first);
  client.set("k", make_bytes("v"), 1min);
  BOOST_TEST(get(client, "k").value == "v");
  client.freeze_until(clock::now() + 600ms);
  for (int i = 0; i < 3; ++i) {
    const auto began = clock::now();
    BOOST_TEST((get(client, "k").result == redis_result::unavailable));
    BOOST_TEST((clock::now() - began >= 100ms));
  }
  BOOST_TEST(!state->wait_for(1).first);
  BOOST_TEST(state->wait_for(2).first); // nobody has ended it
  BOOST_TEST(get(client, "k").value == "v");
  BOOST_TEST(client.look().pending == 0u);
  client.freeze_until(clock::now() + 1h);
  BOOST_TEST((get(client, "k").result == redis_result::unavailable));
  client.freeze_until({});
  BOOST_TEST(get(client, "k").value == "v");
}

BOOST_AUTO_TEST_CASE(what_a_drill_keeps_back_ends_with_the_client) {
  redis_process server;
  std::atomic<int> unavailable{0};
  {
    redis_client client(settings_for(server.port(), 60s));
    state->wait_for(0);
    client.freeze_until(clock::now() + 1h);
    for (int i = 0; i < 100; ++i)
      client.get("k", [&](redis_result r, bytes_ptr) { unavailable += r == redis_result::unavailable; });
  }
  BOOST_TEST(unavailable == 100);
}

BOOST_AUTO_TEST_CASE(a_late_reply_is_never_given_to_a_later_question) {
  redis_process server;
  auto s = settings_for(server.port(), 150ms);
  s.breaker.failure_threshold = 1000; // the circuit stays closed: only lateness is tested
  s.breaker.min_calls = 1000;
  redis_client client(s);
  state->wait_for(0);
  client.set("early", make_bytes("early"), 1min);
  client.set("later", make_bytes("later"), 1min);
  BOOST_TEST(get(client, "later").value == "later");
  server.freeze();
  BOOST_TEST((get(client, "early").result == redis_result::unavailable));
  std::promise<std::string> answer;
  client.get("later", [&](redis_result, bytes_ptr v) { answer.set_value(v ? *v : ""); });
  server.thaw(); // both replies come now, one of them too late
  BOOST_TEST(answer.get_future().get() == "later");
  BOOST_TEST(client.look().timeouts == 1u);
}

BOOST_AUTO_TEST_CASE(pending_calls_end_when_the_connection_does_or_the_client_is_destroyed) {
  redis_process server;
  std::atomic<int> unavailable{0};
  const auto count = [&](redis_result r, bytes_ptr) { unavailable += r == redis_result::unavailable; };
  {
    redis_client client(settings_for(server.port(), 60s));
    state->wait_for(0);
    server.freeze();
    for (int i = 0; i < 100; ++i) client.get("k", count);
    server.kill_hard();
    BOOST_TEST(!state->wait_for(1).first);
    BOOST_TEST(unavailable == 100);
    server.restart();
    BOOST_TEST(state->wait_for(2).first);
    server.freeze();
    for (int i = 0; i < 100; ++i) client.get("k", count);
  }
  BOOST_TEST(unavailable == 200);
}

BOOST_AUTO_TEST_CASE(more_than_max_pending_fail_at_once) {
  redis_process server;
  auto s = settings_for(server.port(), 60s);
  s.max_pending = 10;
  std::atomic<int> answered{0};
  redis_client client(s);
  state->wait_for(0);
  server.freeze();
  for (int i = 0; i < 30; ++i) client.get("k", [&](redis_result, bytes_ptr) { ++answered; });
  BOOST_TEST(answered == 20);
}

BOOST_AUTO_TEST_CASE(a_server_that_talks_nonsense_is_down_and_harms_nobody) {
  for (auto said :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", "+PONG\r\n+PONG\r\n", "-ERR no\r\n", "$-1\r\n", "*-1\r\n", ":1\r\n",
        "+PONG\r\n:1\r\n+", "\x01\x02\x03", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"}) {
    BOOST_TEST_CONTEXT(said) {
      state = std::make_shared<states>();
      talking_server server(said);
      auto s = settings_for(server.port);
      redis_client client(s);
      bool down = false;
      for (std::size_t i = 0; !down; ++i) down = !state->wait_for(i).first; // it may have looked up for a moment
      BOOST_TEST(down);
      // On a busy machine a first attempt may be given up before it is heard; another follows.
      for (auto end = clock::now() + 20s; server.greeted < 1 && clock::now() < end;) std::this_thread::yield();
      BOOST_TEST(server.greeted >= 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_count_of_deleted_keys_that_cannot_be_is_no_answer) {
  const std::string one_key = "+PONG\r\n|*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n|";
  for (const auto& [count, deleted] : {std::pair(":1\r\n", 1), {":2\r\n", -1}, {":-5\r\n", -1}}) {
    state = std::make_shared<states>();
    talking_server server(one_key + count);
    redis_client client(settings_for(server.port));
    state->wait_until(true);
    BOOST_TEST(clear(client, "a") == deleted, count);
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_accepts_and_says_nothing_is_given_up_after_the_connect_deadline) {
  talking_server server("");
  auto s = settings_for(server.port);
  s.connect_deadline = 100ms;
  redis_client client(s);
  const auto [up, why] = state->wait_for(0);
  BOOST_TEST(!up);
  BOOST_TEST(why == "no connection in time");
}

BOOST_AUTO_TEST_CASE(a_name_is_looked_up_and_one_that_does_not_resolve_is_said) {
  redis_process server;
  auto s = settings_for(server.port());
  s.host = "localhost";
  s.connect_deadline = 5s;
  {
    redis_client client(s);
    for (std::size_t i = 0; !state->wait_for(i).first;) ++i; // ::1 may come first, where nobody listens
    BOOST_TEST((get(client, "k").result == redis_result::miss));
  }
  state = std::make_shared<states>();
  s = settings_for(server.port());
  s.host = "no such host";
  redis_client client(s);
  BOOST_TEST(!state->wait_for(0).first);
}

BOOST_AUTO_TEST_CASE(the_client_may_be_destroyed_by_its_own_callback) {
  redis_process server;
  auto client =
      std::make_shared<std::unique_ptr<redis_client>>(std::make_unique<redis_client>(settings_for(server.port())));
  state->wait_for(0);
  std::promise<void> gone;
  (*client)->get("k", [client, &gone](redis_result, bytes_ptr) {
    client->reset();
    gone.set_value();
  });
  BOOST_TEST((gone.get_future().wait_for(20s) == std::future_status::ready));
}

// Invariants: every callback runs exactly once; a hit is the value that was stored under that key; on_state alternates.
BOOST_AUTO_TEST_CASE(whatever_happens_to_the_server_each_call_is_answered_once_and_truly) {
  std::mt19937 random(7);
  redis_process server;
  std::atomic<int> asked{0}, answered{0}, lies{0}, hits{0};
  {
    auto s = settings_for(server.port(), 25ms);
    s.reconnect_max = 50ms;
    s.breaker.recovery_timeout = 200ms;
    s.connect_deadline = 50ms;
    redis_client client(s);
    state->wait_for(0);
    for (int round = 0; round < 40; ++round) {
      const auto what = random() % 4;
      if (what == 0)
        server.kill_hard();
      else if (what == 1)
        server.freeze();
      for (int i = 0; i < 50; ++i) {
        const auto key = "k" + std::to_string(random() % 10);
        if (random() % 3 == 0)
          client.set(key, make_bytes("value of " + key), 1min);
        else {
          ++asked;
          client.get(key, [&, key](redis_result r, bytes_ptr v) {
            ++answered;
            if (r == redis_result::hit) ++hits;
            if (r == redis_result::hit ? !v || *v != "value of " + key : v != nullptr) ++lies;
          });
        }
      }
      if (what > 1) { // a quiet round; the question behind all others is answered last
        get(client, "k0");
        continue;
      }
      state->wait_until(false);
      if (what == 0)
        server.restart();
      else
        server.thaw();
      state->wait_until(true);
    }
  }
  BOOST_TEST(asked == answered);
  BOOST_TEST(lies == 0);
  BOOST_TEST(hits > 100);
  BOOST_TEST(state->alternate());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace redis_client_test
