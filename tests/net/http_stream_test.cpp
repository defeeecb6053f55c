// Server-sent events over real sockets: their bytes, callers who leave, callers who read slowly, very many at once.
#include "tests/net/http_door.hpp"

#include <atomic>
#include <random>
#include <sys/resource.h>
#include <thread>

namespace http_stream_test {

using namespace mainstay;
using namespace mainstay::http;
using namespace mainstay::http::test;

namespace {

const bytes_ptr one = make_bytes("{\"n\":1}");

/// Everything that can be read of a request's end: how often it was told that its caller left.
struct leaving {
  explicit leaving(const asked& a) {
    a.answer->on_caller_left([count = count] { count->raise(); });
  }
  /// Told once, and not again by anything that happens to the answer afterwards.
  bool once(const asked& a) {
    if (!count->reaches(1)) return false;
    a.answer->stream_event(one);
    a.answer->stream_end(nullptr, {});
    return !count->reaches(2, 20ms);
  }
  std::shared_ptr<counter> count = std::make_shared<counter>();
};

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_stream)

BOOST_AUTO_TEST_CASE(a_stream_is_chunked_events_up_to_done_and_the_connection_lives_on) {
  door d;
  auto c = d.call();
  c.send(get());
  auto a = d.script->next();
  a.answer->stream_head({{"x-mainstay-source", "primary"}});
  BOOST_TEST(!c.receive(50ms)); // the head waits for the first event
  a.answer->stream_event(one);
  BOOST_TEST(c.receive());
  BOOST_TEST(c.buffered() == "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
                             "x-mainstay-source: primary\r\ncache-control: no-cache\r\n\r\n"
                             "f\r\ndata: {\"n\":1}\n\n\r\n");
  c.take(c.buffered().size());
  a.answer->stream_comment("still here");
  BOOST_TEST(c.until("\n\n\r\n") == "e\r\n: still here\n\n\r\n");
  a.answer->stream_end(make_bytes("{}"), {{"x", "y"}});
  BOOST_TEST(c.until("0\r\n\r\n") == "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
  c.send(get("/next"));
  d.script->next().answer->reply(200, {}, make_bytes("next"));
  BOOST_TEST(c.reply().body == "next");
}

BOOST_AUTO_TEST_CASE(on_http_1_0_a_stream_ends_with_the_connection) {
  door d;
  auto c = d.call();
  c.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  auto a = d.script->next();
  a.answer->stream_head({});
  a.answer->stream_event(one);
  a.answer->stream_end(nullptr, {});
  auto all = c.rest();
  BOOST_TEST(all.find("transfer-encoding") == std::string::npos);
  BOOST_TEST(all.find("connection: close\r\n") != std::string::npos);
  BOOST_TEST(all.substr(all.find("\r\n\r\n") + 4) == "data: {\"n\":1}\n\ndata: [DONE]\n\n");
}

BOOST_AUTO_TEST_CASE(a_broken_stream_ends_cleanly_with_an_error_and_no_done) {
  door d;
  auto c = d.call();
  c.send(get());
  auto a = d.script->next();
  a.answer->stream_head({});
  a.answer->stream_event(one);
  a.answer->stream_error(502, make_bytes("{\"error\":{}}"), {});
  auto all = c.until("0\r\n\r\n");
  BOOST_TEST(all.find("data: {\"error\":{}}\n\n\r\n0\r\n\r\n") != std::string::npos);
  BOOST_TEST(all.find("[DONE]") == std::string::npos);

  c.send(get());
  d.script->next().answer->stream_error(429, make_bytes("{\"error\":{}}"), {{"retry-after", "1"}});
  auto reply = c.reply();
  BOOST_TEST(reply.status == 429); // nothing was promised yet, so the true status
  BOOST_TEST(reply.has("retry-after: 1"));

  c.send(get());
  auto dropped = d.script->next();
  dropped.answer->stream_event(one);
  dropped.answer.reset();
  all = c.until("0\r\n\r\n");
  BOOST_TEST(all.find("\"code\":\"internal_error\"") != std::string::npos);
  BOOST_TEST(all.find("[DONE]") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(head_of_a_stream_has_no_body) {
  door d;
  auto c = d.call();
  c.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/next"));
  auto a = d.script->next();
  a.answer->stream_event(one);
  a.answer->stream_end(nullptr, {});
  BOOST_TEST(c.until("\r\n\r\n").find("text/event-stream") != std::string::npos);
  d.script->next().answer->reply(200, {}, one);
  BOOST_TEST(c.reply().body == *one);
}

// --- callers who leave ---

BOOST_AUTO_TEST_CASE(a_caller_who_leaves_is_noticed_once_in_each_phase) {
  using go = void (caller::*)();
  for (go way : {&caller::leave, &caller::reset, &caller::half_close}) {
    for (int phase = 0; phase < 4; ++phase) {
      BOOST_TEST_CONTEXT("phase " << phase) {
        door d;
        auto c = d.call();
        c.send(get());
        auto a = d.script->next();
        leaving told(a);
        if (phase >= 1) a.answer->stream_head({});
        if (phase >= 2) {
          a.answer->stream_event(one);
          BOOST_TEST(c.until("{\"n\":1}").size() > 0u);
        }
        if (phase >= 3) // more than the kernel takes: bytes wait for the caller
          for (int i = 0; i < 16; ++i) a.answer->stream_event(make_bytes(std::string(1 << 20, 'x')));
        BOOST_TEST(!told.count->reaches(1, 10ms));
        (c.*way)();
        BOOST_TEST(told.once(a));
        BOOST_TEST(d.empties());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(leaving_during_the_body_never_reaches_the_handler) {
  door d;
  {
    auto c = d.call();
    c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    while (d.it.connections() == 0) BOOST_REQUIRE(!c.receive(1ms));
  }
  BOOST_TEST(d.empties());
  BOOST_TEST(d.script->handled.value() == 0u);
}

BOOST_AUTO_TEST_CASE(leaving_is_noticed_behind_a_flood_of_early_input) {
  for (bool polite : {true, false}) {
    door d;
    auto c = d.call();
    c.send(get());
    auto a = d.script->next();
    leaving told(a);
    c.send(std::string(80'000, 'x')); // reading pauses at about half of it: the end of input hides behind unread bytes
    BOOST_TEST(!told.count->reaches(1, 20ms));
    if (polite)
      c.leave();
    else
      c.reset();
    BOOST_TEST(told.once(a));
    BOOST_TEST(d.empties());
  }
}

BOOST_AUTO_TEST_CASE(one_who_asks_after_the_caller_left_is_told_at_once) {
  door d;
  auto c = d.call();
  c.send(get());
  auto a = d.script->next();
  c.leave();
  BOOST_TEST(d.empties());
  int told = 0;
  a.answer->on_caller_left([&] { ++told; });
  BOOST_TEST(told == 1);
}

BOOST_AUTO_TEST_CASE(after_a_complete_answer_nobody_has_left) {
  door d;
  auto c = d.call();
  c.send(get());
  auto a = d.script->next();
  leaving told(a);
  a.answer->reply(200, {}, one);
  BOOST_TEST(c.reply().body == *one);
  c.leave();
  BOOST_TEST(d.empties());
  a.answer.reset();
  BOOST_TEST(told.count->value() == 0u);
}

// --- callers who read slowly ---

BOOST_AUTO_TEST_CASE(a_reader_that_takes_nothing_is_disconnected_and_others_are_unharmed) {
  server_settings s;
  s.write_timeout = 1s;
  door d(s);
  auto slow = d.call(4096), fast = d.call();
  slow.send(get("/slow"));
  auto a = d.script->next();
  leaving told(a);
  auto began = clock::now();
  for (int i = 0; i < 16; ++i) a.answer->stream_event(make_bytes(std::string(1 << 20, 'x')));
  std::size_t answered = 0;
  while (told.count->value() == 0 && clock::now() - began < patience) {
    a.answer->stream_event(one); // more to say does not buy the reader more time
    fast.send(get("/fast"));
    d.script->next().answer->reply(200, {}, one);
    answered += fast.reply().body == *one;
  }
  BOOST_TEST((clock::now() - began >= 1s));
  BOOST_TEST((clock::now() - began < 6s));
  BOOST_TEST(answered > 10u);
  BOOST_TEST(told.once(a));
}

BOOST_AUTO_TEST_CASE(a_reader_that_takes_a_little_again_and_again_gets_everything) {
  server_settings s;
  s.write_timeout = 1s;
  door d(s);
  auto c = d.call(128 << 10);
  c.send(get());
  auto a = d.script->next();
  leaving told(a);
  auto piece = make_bytes(std::string(100'000, 'x'));
  auto began = clock::now();
  for (int i = 0; i < 200; ++i) a.answer->stream_event(piece);
  a.answer->stream_end(nullptr, {});
  std::size_t xs = 0;
  for (int i = 0; i < 55; ++i) { // far slower than the server writes, yet never still for the whole time limit
    auto some = c.take(256 << 10);
    xs += static_cast<std::size_t>(std::count(some.begin(), some.end(), 'x'));
    c.receive_nothing_for(20ms);
  }
  BOOST_TEST((clock::now() - began > s.write_timeout));
  auto all = c.until("0\r\n\r\n");
  xs += static_cast<std::size_t>(std::count(all.begin(), all.end(), 'x'));
  BOOST_TEST(xs >= 200u * 100'000u);
  BOOST_TEST(told.count->value() == 0u);
}

BOOST_AUTO_TEST_CASE(whoever_produces_without_watching_progress_ends_at_the_limit) {
  door d;
  auto c = d.call(4096);
  c.send(get());
  auto a = d.script->next();
  leaving told(a);
  auto piece = make_bytes(std::string(1 << 20, 'x')); // shared: the test itself holds it once
  for (int i = 0; i < 100 && !told.count->reaches(1, 0ms); ++i) a.answer->stream_event(piece);
  BOOST_TEST(told.once(a));
}

BOOST_AUTO_TEST_CASE(progress_is_told_in_steps_and_adds_up_once_a_backlog_has_gone) {
  constexpr std::size_t piece = 10'000, pieces = 1600; // far more than kernel buffers hold
  for (std::size_t step : {64 << 10, 8 << 20}) {       // the second leaves a rest that is no step
    door d;
    auto c = d.call(4096);
    c.send(get());
    auto a = d.script->next();
    counter gone;
    std::atomic<bool> small_step{false};
    a.answer->observe_progress(step, [&](std::size_t n) {
      if (n < step && gone.value() + n != piece * pieces) small_step = true;
      gone.raise(n);
    });
    auto body = make_bytes(std::string(piece, 'x'));
    for (std::size_t i = 0; i < pieces; ++i) a.answer->stream_event(body);
    BOOST_TEST(!gone.reaches(piece * pieces, 100ms)); // nobody reads yet
    std::size_t xs = 0;
    while (xs < piece * pieces && c.receive()) {
      xs += static_cast<std::size_t>(std::count(c.buffered().begin(), c.buffered().end(), 'x'));
      c.take(c.buffered().size());
    }
    BOOST_TEST(gone.reaches(piece * pieces));
    BOOST_TEST(gone.value() == piece * pieces);
    BOOST_TEST(!small_step);
    a.answer->observe_progress(step, nullptr);
  }
}

// --- very many ---

BOOST_AUTO_TEST_CASE(a_thousand_concurrent_streams_get_their_own_events) {
  raise_descriptor_limit();
  constexpr int streams = 1000, events = 10;
  door d;
  std::vector<caller> callers;
  std::vector<asked> requests;
  for (int i = 0; i < streams; ++i) {
    callers.push_back(d.call());
    BOOST_REQUIRE(callers.back().send(get("/" + std::to_string(i))));
  }
  for (int i = 0; i < streams; ++i) requests.push_back(d.script->next());
  BOOST_TEST(d.it.connections() == static_cast<std::size_t>(streams));
  std::thread producer([&] {
    for (int e = 0; e < events; ++e)
      for (auto& r : requests) r.answer->stream_event(make_bytes(r.what.path + "#" + std::to_string(e)));
    for (auto& r : requests) r.answer->stream_end(nullptr, {});
  });
  int wrong = 0;
  for (int i = 0; i < streams; ++i) {
    auto all = callers[static_cast<std::size_t>(i)].until("0\r\n\r\n");
    std::size_t at = 0;
    for (int e = 0; e < events && at != std::string::npos; ++e)
      at = all.find("data: /" + std::to_string(i) + "#" + std::to_string(e) + "\n\n", at);
    wrong += at == std::string::npos || all.find("[DONE]") == std::string::npos;
  }
  producer.join();
  BOOST_TEST(wrong == 0);
}

// Seeded chaos: callers who send whole, half, garbage or too much, and leave in every way; handlers who answer at once,
// late, in streams, or never. Invariants: nobody is told twice; no callback and no connection stays; the door still
// opens.
BOOST_AUTO_TEST_CASE(random_callers_and_handlers_leave_nothing_behind) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    std::mt19937 random(seed);
    server_settings s;
    s.header_timeout = s.body_timeout = s.write_timeout = 300ms;
    door d(s);
    auto told_twice = std::make_shared<std::atomic<int>>(0);
    std::atomic<bool> calm{false};
    std::mutex mutex;
    std::deque<asked> late;
    std::mt19937 mood(seed + 100); // used on the server's thread alone
    d.script->answering = [&](asked a) {
      if (calm) return a.answer->reply(200, {}, one);
      auto times = std::make_shared<std::atomic<int>>(0);
      a.answer->on_caller_left([times, told_twice] {
        if (++*times > 1) ++*told_twice;
      });
      switch (mood() % 4) {
      case 0: return a.answer->reply(200, {}, make_bytes(std::string(mood() % 3000, 'r')));
      case 1: return; // dropped
      default: break;
      }
      std::lock_guard lock(mutex);
      late.push_back(std::move(a));
    };
    std::atomic<bool> done{false};
    std::thread answering([&] {
      std::mt19937 dice(seed + 200);
      for (;;) {
        asked a;
        {
          std::lock_guard lock(mutex);
          if (late.empty() && done) return;
          if (!late.empty()) {
            a = std::move(late.front());
            late.pop_front();
          }
        }
        if (!a.answer) {
          std::this_thread::yield();
          continue;
        }
        if (dice() % 3 == 0) {
          a.answer->reply(200, {}, one);
        } else {
          for (auto n = dice() % 20; n-- > 0;) a.answer->stream_event(make_bytes(std::string(dice() % 20000, 's')));
          if (dice() % 2) a.answer->stream_end(nullptr, {});
        }
      }
    });
    std::vector<caller> callers;
    for (int step = 0; step < 1500; ++step) {
      if (callers.empty() || (callers.size() < 40 && random() % 4 == 0)) {
        callers.push_back(d.call(random() % 3 ? 0 : 4096));
        continue;
      }
      auto at = random() % callers.size();
      auto& c = callers[at];
      switch (random() % 9) {
      case 0: c.send(get()); break;
      case 1: c.send(get() + post("body") + get()); break;
      case 2: c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"); break;
      case 3: c.send("c\r\n0\r\n\r\n"); break;
      case 4: c.send("garbage\r\n\r\n"); break;
      case 5: c.receive(0ms); break;
      case 6: c.half_close(); break;
      case 7: c.leave(), std::swap(c, callers.back()), callers.pop_back(); break;
      default: c.reset(), std::swap(c, callers.back()), callers.pop_back(); break;
      }
    }
    callers.clear();
    calm = true;
    BOOST_TEST(d.call().ask(get()).body == *one);
    BOOST_TEST(d.empties());
    d.it.stop();
    done = true;
    answering.join();
    BOOST_TEST(d.it.connections() == 0u);
    BOOST_TEST(*told_twice == 0);
    d.script->answering = nullptr; // holds one reference itself
    BOOST_TEST(told_twice.use_count() == 1);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace http_stream_test
