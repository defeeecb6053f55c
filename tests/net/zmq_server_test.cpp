// The message-queue socket against real clients: well-behaved, malformed, slow, frozen, killed.
#include "tests/net/zmq_door.hpp"

#include <csignal>
#include <filesystem>
#include <future>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace zmq_server_test {

using namespace mainstay;
using namespace mainstay::mq::test;
using namespace std::chrono_literals;

namespace {

/// A client in a process of its own, which can be killed or frozen: it asks once and then only exists.
struct client_process {
  explicit client_process(const std::string& endpoint) {
    pid = fork();
    if (pid != 0) return;
    client c(endpoint);
    c.ask("from another process");
    for (;;) pause();
  }
  ~client_process() {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  pid_t pid;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(zmq_server, fixture)

BOOST_AUTO_TEST_CASE(a_dealer_gets_id_kind_headers_and_body) {
  door->act = echo;
  client c(serve());
  c.send({"id-1", "embeddings", "{}", "{\"a\":1}"});
  const auto answer = c.receive();
  BOOST_REQUIRE(answer.size() == 4u);
  BOOST_TEST(answer[0] == "id-1");
  BOOST_TEST(answer[1] == "reply");
  BOOST_TEST(status_of(answer) == 200);
  BOOST_TEST(json_of(answer[2])["x-verb"].GetString() == "embeddings");
  BOOST_TEST(answer[3] == "{\"a\":1}");
  BOOST_TEST(server->in_flight() == 0u);
  BOOST_TEST(server->peers() == 1u);
}

BOOST_AUTO_TEST_CASE(a_req_client_gets_one_plain_reply_per_request) {
  door->act = [](mq::request r, std::shared_ptr<mq::response> way) {
    BOOST_TEST(r.req_client);
    if (r.id == "stream") {
      way->stream_head({});
      way->stream_event(make_bytes("{}"));
      way->stream_end(nullptr, {});
    } else if (r.id == "accepted") {
      way->accepted({}, make_bytes("{\"state\":\"pending\"}"));
      way->reply(200, {}, make_bytes("{}"));
    } else
      way->reply(200, {}, r.body);
  };
  client c(serve(), zmq::socket_type::req);
  c.ask("1", "{\"n\":1}");
  BOOST_TEST(c.receive()[3] == "{\"n\":1}");
  c.ask("stream");
  BOOST_TEST(is_error(c.receive(), "stream", 400));
  c.ask("accepted");
  const auto accepted = c.receive();
  BOOST_TEST(accepted[1] == "accepted");
  BOOST_TEST(status_of(accepted) == 202);
  c.send({"bad", "verb", "{}", "{}"});
  BOOST_TEST(is_error(c.receive(), "bad", 400));
  c.ask("2", "{\"n\":2}");
  BOOST_TEST(c.receive()[3] == "{\"n\":2}"); // and not a second reply to something before
}

BOOST_AUTO_TEST_CASE(a_stream_is_chunks_and_an_end_with_the_labels_on_the_first_chunk) {
  door->act = [](mq::request, std::shared_ptr<mq::response> way) {
    way->stream_head({{"x-mainstay-source", "primary"}});
    way->stream_comment("nothing over ZeroMQ");
    way->stream_event(make_bytes("{\"n\":1}"));
    way->stream_event(make_bytes("{\"n\":2}"));
    way->stream_end(make_bytes("{\"total_tokens\":3}"), {{"x-mainstay-attempts", "2"}});
    way->stream_event(make_bytes("{\"late\":true}"));
    way->reply(200, {}, make_bytes("{}"));
  };
  client c(serve());
  c.ask("s");
  const auto first = c.receive(), second = c.receive(), end = c.receive();
  BOOST_TEST(first[1] == "chunk");
  BOOST_TEST(json_of(first[2])["x-mainstay-source"].GetString() == "primary");
  BOOST_TEST(first[3] == "{\"n\":1}");
  BOOST_TEST(second[2] == "{\"status\":200}");
  BOOST_TEST(second[3] == "{\"n\":2}");
  BOOST_TEST(end[1] == "end");
  BOOST_TEST(json_of(end[2])["x-mainstay-attempts"].GetString() == "2");
  BOOST_TEST(end[3] == "{\"usage\":{\"total_tokens\":3}}");
  sync(c);
}

BOOST_AUTO_TEST_CASE(a_stream_that_fails_ends_in_an_error_and_an_accepted_comes_before_its_answer) {
  door->act = [](mq::request r, std::shared_ptr<mq::response> way) {
    if (r.id == "durable") {
      way->accepted({{"x-request-id", "r"}}, make_bytes("{}"));
      return way->reply(200, {}, make_bytes("{\"done\":true}"));
    }
    way->stream_head({});
    way->stream_event(make_bytes("{}"));
    way->stream_error(502, make_bytes("{\"error\":{\"message\":\"cut\"}}"), {});
  };
  client c(serve());
  c.ask("s");
  BOOST_TEST(c.receive()[1] == "chunk");
  BOOST_TEST(is_error(c.receive(), "s", 502));
  c.ask("durable");
  BOOST_TEST(c.receive()[1] == "accepted");
  BOOST_TEST(c.receive()[3] == "{\"done\":true}");
}

BOOST_AUTO_TEST_CASE(an_answer_with_an_error_status_is_of_kind_error) {
  door->act = [](mq::request, std::shared_ptr<mq::response> way) {
    way->reply(404, {}, make_bytes("{\"error\":{\"message\":\"no such model\"}}"));
  };
  client c(serve());
  c.ask("x");
  BOOST_TEST(is_error(c.receive(), "x", 404));
}

BOOST_AUTO_TEST_CASE(a_dropped_or_throwing_request_is_a_500) {
  door->act = [](mq::request r, std::shared_ptr<mq::response> way) {
    if (r.id == "throws") throw std::runtime_error("handler");
    if (r.id == "stream") way->stream_event(make_bytes("{}"));
  };
  client c(serve());
  c.ask("dropped");
  BOOST_TEST(is_error(c.receive(), "dropped", 500));
  c.ask("throws");
  BOOST_TEST(is_error(c.receive(), "throws", 500));
  c.ask("stream");
  BOOST_TEST(c.receive()[1] == "chunk");
  BOOST_TEST(is_error(c.receive(), "stream", 500));
  BOOST_TEST(server->in_flight() == 0u);
}

BOOST_AUTO_TEST_CASE(cancel_ends_a_request_with_499_and_tells_its_handler_once) {
  client c(serve());
  c.ask("x");
  BOOST_TEST(door->arrived.wait());
  c.send({"x", "cancel"});
  BOOST_TEST(is_error(c.receive(), "x", 499));
  BOOST_TEST(door->left.wait());
  c.send({"x", "cancel", "{}", ""});
  BOOST_TEST(is_error(c.receive(), "x", 404));
  door->take("x")->reply(200, {}, make_bytes("{}")); // too late: goes nowhere
  c.ask("x");                                        // the id is free again
  BOOST_TEST(door->arrived.wait(2));
  door->take("x")->reply(200, {}, make_bytes("{\"second\":true}"));
  BOOST_TEST(c.receive()[3] == "{\"second\":true}");
  sync(c);
  BOOST_TEST(door->left.count == 1);
}

BOOST_AUTO_TEST_CASE(who_asked_to_hear_of_a_cancel_says_what_becomes_of_the_request) {
  client c(serve());
  c.ask("x");
  BOOST_TEST(door->arrived.wait());
  const auto way = door->take("x");
  tally asked;
  way->on_cancel([&] { asked.raise(); });
  c.send({"x", "cancel"});
  c.send({"x", "cancel", "not json"});
  BOOST_TEST(asked.wait(2));
  BOOST_TEST(door->left.count == 0);
  way->reply(499, {}, make_bytes(R"({"error":{"message":"ended"}})"));
  BOOST_TEST(is_error(c.receive(), "x", 499));
  sync(c);
  BOOST_TEST(server->in_flight() == 0u);
  BOOST_TEST(door->left.count == 0);
}

BOOST_AUTO_TEST_CASE(a_callback_registered_after_the_caller_left_is_told_so) {
  client c(serve());
  c.ask("x");
  BOOST_TEST(door->arrived.wait());
  const auto way = door->take("x");
  way->on_caller_left(nullptr); // removes the one of the fixture
  c.send({"x", "cancel"});
  BOOST_TEST(is_error(c.receive(), "x", 499));
  tally told;
  way->on_caller_left([&] { told.raise(); });
  BOOST_TEST(told.wait());
  BOOST_TEST(door->left.count == 0);
}

BOOST_AUTO_TEST_CASE(an_id_in_use_is_a_409_for_the_same_client_and_free_for_another) {
  const auto endpoint = serve();
  client a(endpoint), b(endpoint);
  a.ask("x");
  BOOST_TEST(door->arrived.wait());
  a.ask("x");
  BOOST_TEST(is_error(a.receive(), "x", 409));
  const auto of_a = door->take("x");
  b.ask("x");
  BOOST_TEST(door->arrived.wait(2));
  BOOST_TEST(server->in_flight() == 2u);
}

BOOST_AUTO_TEST_CASE(one_client_may_have_ten_thousand_requests_in_flight_and_no_more) {
  const auto endpoint = serve();
  client c(endpoint), other(endpoint);
  c.socket.set(zmq::sockopt::sndhwm, 0);
  for (int i = 0; i < 10001; ++i) c.ask(std::to_string(i));
  BOOST_TEST(is_error(c.receive(), "10000", 429));
  BOOST_TEST(server->in_flight() == 10000u);
  other.ask("mine");
  BOOST_TEST(door->arrived.wait(10001));
  c.send({"5", "cancel"});
  BOOST_TEST(is_error(c.receive(), "5", 499));
  c.ask("10000");
  BOOST_TEST(door->arrived.wait(10002));
}

// Invariants: each malformed message gets exactly one error, with its id where that is usable; the connection and its
// neighbour work on.
BOOST_AUTO_TEST_CASE(malformed_messages_get_one_error_each_and_hurt_nobody) {
  door->act = echo;
  const auto endpoint = serve();
  client bad(endpoint), good(endpoint);
  std::mt19937 random(42);
  for (int round = 0; round < 500; ++round) {
    frames f(1 + random() % 20);
    for (auto& part : f) {
      part.resize(random() % 200);
      for (char& c : part) c = char(random());
    }
    if (random() % 2) f[0] = "usable";
    if (f.size() > 1 && random() % 3 == 0) f[1] = "chat";
    if (f.size() == 1 && f[0].empty()) f[0] = "x";
    bad.send(f);
    bad.ask("after");
    const auto error = bad.receive();
    // A first frame that happens to be empty is a REQ client's delimiter and comes back.
    const bool delimiter = f[0].empty();
    BOOST_REQUIRE(error.size() == (delimiter ? 5u : 4u));
    const frames inner(error.begin() + delimiter, error.end());
    const auto& sent_id = delimiter ? f[1] : f[0];
    BOOST_REQUIRE(is_error(inner, sent_id.empty() || sent_id.size() > 128 ? "" : sent_id, 400));
    BOOST_REQUIRE(bad.receive()[0] == "after");
    if (round % 50 == 0) {
      good.ask("fine");
      BOOST_REQUIRE(good.receive()[0] == "fine");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_body_over_the_limit_is_a_413_and_one_far_over_it_ends_only_its_own_connection) {
  door->act = [this](mq::request r, std::shared_ptr<mq::response> way) {
    if (r.id != "kept") return echo(std::move(r), std::move(way));
    std::lock_guard lock(door->guard);
    door->kept[r.id] = std::move(way);
  };
  auto s = settings();
  s.body_limit = 1 << 20;
  const auto endpoint = serve(s);
  client c(endpoint), other(endpoint);
  other.ask("before");
  BOOST_TEST(other.receive()[0] == "before");
  c.ask("fits", std::string(1 << 20, ' '));
  BOOST_TEST(c.receive()[1] == "reply");
  c.ask("large", std::string((1 << 20) + 1, ' '));
  BOOST_TEST(is_error(c.receive(), "large", 413));
  c.ask("kept");
  c.ask("monstrous", std::string(4 << 20, ' '));
  BOOST_TEST(door->left.wait()); // of what it had in flight
  other.ask("after");
  BOOST_TEST(other.receive()[0] == "after");
}

BOOST_AUTO_TEST_CASE(a_client_that_closes_its_socket_has_left_within_a_second) {
  const auto endpoint = serve();
  auto c = std::make_unique<client>(endpoint);
  for (int i = 0; i < 10; ++i) c->ask(std::to_string(i));
  BOOST_TEST(door->arrived.wait(10));
  c.reset();
  BOOST_TEST(door->left.wait(10, 1s));
  BOOST_TEST(server->in_flight() == 0u);
  BOOST_TEST(server->peers() == 0u);
}

BOOST_AUTO_TEST_CASE(a_client_that_is_killed_has_left_within_a_second) {
  client_process other(serve());
  BOOST_TEST(door->arrived.wait());
  kill(other.pid, SIGKILL);
  BOOST_TEST(door->left.wait(1, 1s));
  door->take("from another process")->reply(200, {}, make_bytes("{}")); // goes nowhere
  BOOST_TEST(server->in_flight() == 0u);
}

BOOST_AUTO_TEST_CASE(a_frozen_client_is_noticed_by_its_missing_heartbeats) {
  auto s = settings();
  s.heartbeat = 50ms;
  s.write_timeout = 300ms;
  client_process other(serve(s));
  BOOST_TEST(door->arrived.wait());
  BOOST_TEST(!door->left.wait(1, 600ms)); // alive and silent is not gone
  kill(other.pid, SIGSTOP);
  BOOST_TEST(door->left.wait(1, 5s));
}

BOOST_AUTO_TEST_CASE(a_request_whose_sender_is_gone_already_is_told_to_its_handler) {
  const auto endpoint = serve();
  for (int i = 1; i <= 20; ++i) {
    {
      client c(endpoint);
      c.socket.set(zmq::sockopt::linger, 5000); // sends what it was given, then leaves without waiting
      c.ask("fire and forget");
    }
    BOOST_TEST(door->arrived.wait(i));
    BOOST_TEST(door->left.wait(i, 1s));
  }
}

BOOST_AUTO_TEST_CASE(answers_of_an_old_connection_never_reach_its_successor_of_the_same_name) {
  const auto endpoint = serve();
  std::shared_ptr<mq::response> old;
  {
    client first(endpoint, zmq::socket_type::dealer, "worker-1");
    first.ask("x");
    BOOST_TEST(door->arrived.wait());
    old = door->take("x");
  }
  BOOST_TEST(door->left.wait());
  client second(endpoint, zmq::socket_type::dealer, "worker-1");
  second.ask("x");
  BOOST_TEST(door->arrived.wait(2));
  old->reply(200, {}, make_bytes("{\"old\":true}"));
  door->take("x")->reply(200, {}, make_bytes("{\"new\":true}"));
  BOOST_TEST(second.receive()[3] == "{\"new\":true}");
  sync(second);
}

BOOST_AUTO_TEST_CASE(a_slow_reader_gets_everything_in_order_and_blocks_nobody) {
  constexpr int events = 8000;
  std::atomic<std::size_t> reported{0};
  std::size_t given = 0;
  const std::string padding(1000, 'x');
  const auto endpoint = serve();
  client slow(endpoint, zmq::socket_type::dealer, "", 1), quick(endpoint);
  slow.ask("stream");
  BOOST_TEST(door->arrived.wait());
  const auto way = door->take("stream");
  tally all_left;
  way->observe_progress(1 << 16, [&](std::size_t n) {
    reported += n;
    all_left.raise();
  });
  for (int i = 0; i < events; ++i) {
    auto event = make_bytes("{\"n\":" + std::to_string(i) + ",\"p\":\"" + padding + "\"}");
    given += event->size();
    way->stream_event(event);
  }
  quick.ask("meanwhile");
  BOOST_TEST(door->arrived.wait(2));
  door->take("meanwhile")->reply(200, {}, make_bytes("{}"));
  BOOST_TEST(quick.receive()[0] == "meanwhile");
  BOOST_TEST(reported < given); // 8 MB do not fit into what is between us
  for (int i = 0; i < events; ++i) {
    const auto chunk = slow.receive();
    BOOST_REQUIRE(chunk[1] == "chunk");
    BOOST_REQUIRE(json_of(chunk[3])["n"].GetInt() == i);
  }
  way->stream_end(nullptr, {});
  BOOST_TEST(slow.receive()[3] == "{\"usage\":null}");
  BOOST_TEST(reported == given); // all was reported before the end was sent
}

BOOST_AUTO_TEST_CASE(small_events_beyond_zeromqs_own_limit_arrive_too) {
  constexpr int events = 30000; // far more messages than a pipe takes, far fewer bytes than its window
  const auto endpoint = serve();
  client slow(endpoint, zmq::socket_type::dealer, "", 1);
  slow.ask("stream");
  BOOST_TEST(door->arrived.wait());
  const auto way = door->take("stream");
  for (int i = 0; i < events; ++i) way->stream_event(make_bytes(std::to_string(i)));
  for (int i = 0; i < events; ++i) BOOST_REQUIRE(slow.receive()[3] == std::to_string(i));
}

BOOST_AUTO_TEST_CASE(a_client_that_never_reads_is_disconnected_after_the_write_timeout) {
  auto s = settings();
  s.outbox_limit = 100 << 10;
  s.write_timeout = 200ms;
  s.heartbeat = 10s;
  const auto endpoint = serve(s);
  client c(endpoint, zmq::socket_type::dealer, "", 1);
  c.ask("stream");
  BOOST_TEST(door->arrived.wait());
  const auto way = door->take("stream");
  const auto event = make_bytes(std::string(16 << 10, 'x'));
  tally left;
  way->on_caller_left([&] { left.raise(); });
  way->observe_progress(1,
                        [&](std::size_t) { way->stream_event(event); }); // as fast as it goes, which is not at all soon
  for (int i = 0; i < 50; ++i) way->stream_event(event);
  BOOST_TEST(left.wait());
  BOOST_TEST(server->in_flight() == 0u);
}

BOOST_AUTO_TEST_CASE(a_flood_beyond_the_ceiling_ends_the_connection_at_once) {
  auto s = settings();
  s.outbox_limit = 1 << 20; // the ceiling is 16 MiB
  const auto endpoint = serve(s);
  client c(endpoint, zmq::socket_type::dealer, "", 1);
  c.ask("stream");
  BOOST_TEST(door->arrived.wait());
  const auto way = door->take("stream");
  tally left;
  way->on_caller_left([&] { left.raise(); });
  const auto event = make_bytes(std::string(1 << 20, 'x'));
  for (int i = 0; i < 64; ++i) way->stream_event(event);
  BOOST_TEST(left.wait(1, 5s)); // long before the write timeout of 30 s
  c.socket.set(zmq::sockopt::rcvhwm, 1000);
  client again(endpoint);
  again.ask("works");
  BOOST_TEST(door->arrived.wait(2));
}

BOOST_AUTO_TEST_CASE(draining_refuses_new_requests_and_finishes_old_ones) {
  client c(serve());
  c.ask("old");
  BOOST_TEST(door->arrived.wait());
  server->drain();
  c.ask("new");
  BOOST_TEST(is_error(c.receive(), "new", 503));
  door->take("old")->reply(200, {}, make_bytes("{}"));
  const auto answer = c.receive();
  BOOST_TEST(answer[0] == "old");
  BOOST_TEST(answer[1] == "reply");
}

BOOST_AUTO_TEST_CASE(stopping_answers_what_is_open_and_tells_the_handlers) {
  client c(serve());
  c.ask("open");
  BOOST_TEST(door->arrived.wait());
  server->stop();
  BOOST_TEST(is_error(c.receive(), "open", 503));
  BOOST_TEST(door->left.count == 1);
  const auto way = door->take("open");
  server.reset();
  way->reply(200, {}, make_bytes("{}")); // a response may outlive its server
}

BOOST_AUTO_TEST_CASE(loopback_callers_are_known_over_tcp_and_ipc) {
  const auto path = std::filesystem::temp_directory_path() / ("mainstay-zmq-" + std::to_string(getpid()));
  door->act = [](mq::request r, std::shared_ptr<mq::response> way) {
    way->reply(200, {{"loopback", r.peer_is_loopback ? "yes" : "no"}}, r.body);
  };
  auto s = settings();
  s.listen.push_back("ipc://" + path.string());
  serve(s);
  for (auto& endpoint : server->endpoints()) {
    client c(endpoint);
    c.ask("x");
    BOOST_TEST(json_of(c.receive()[2])["loopback"].GetString() == "yes");
  }
  {
    client c(server->endpoints()[1]);
    door->act = nullptr;
    c.ask("kept");
    BOOST_TEST(door->arrived.wait(3));
  }
  BOOST_TEST(door->left.wait(1, 1s)); // leaving is noticed over ipc as well
  server.reset();
  std::filesystem::remove(path);
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_cannot_be_bound_is_named) {
  const auto taken = serve();
  auto s = settings();
  s.listen = {taken};
  const auto names_it = [&](const std::runtime_error& e) {
    return std::string(e.what()).find(taken) != std::string::npos;
  };
  BOOST_CHECK_EXCEPTION(mq::server(loop, s, door), std::runtime_error, names_it);
}

BOOST_AUTO_TEST_CASE(answers_may_come_from_any_thread_and_keep_their_order) {
  constexpr int streams = 8, events = 2000;
  client c(serve());
  for (int i = 0; i < streams; ++i) c.ask(std::to_string(i));
  BOOST_TEST(door->arrived.wait(streams));
  std::vector<std::thread> threads;
  for (int i = 0; i < streams; ++i)
    threads.emplace_back([way = door->take(std::to_string(i))] {
      for (int n = 0; n < events; ++n) way->stream_event(make_bytes(std::to_string(n)));
      way->stream_end(nullptr, {});
    });
  std::map<std::string, int> next;
  for (int ended = 0; ended < streams;) {
    const auto part = c.receive();
    BOOST_REQUIRE(part.size() == 4u);
    if (part[1] == "end")
      ++ended;
    else
      BOOST_REQUIRE(part[3] == std::to_string(next[part[0]]++));
  }
  for (auto& t : threads) t.join();
  for (auto& [id, n] : next) BOOST_TEST(n == events);
}

// Invariants: a request ends exactly once, answered or told that its caller left; no id gets two last messages; in the
// end nothing is in flight.
BOOST_AUTO_TEST_CASE(whatever_clients_and_handlers_do_every_request_ends_once) {
  struct tracked {
    std::shared_ptr<mq::response> way;
    std::atomic<int> left{0};
  };
  std::mutex guard;
  std::vector<std::shared_ptr<tracked>> open;
  std::atomic<int> begun{0}, told{0}, told_twice{0};
  door->act = [&](mq::request, std::shared_ptr<mq::response> way) {
    auto t = std::make_shared<tracked>();
    way->on_caller_left([&, t] {
      ++told;
      if (++t->left > 1) ++told_twice;
    });
    t->way = std::move(way);
    ++begun;
    std::lock_guard lock(guard);
    open.push_back(std::move(t));
  };
  const auto endpoint = serve();
  std::mt19937 random(99);
  std::vector<std::unique_ptr<client>> clients(6);
  int serial = 0;
  for (int step = 0; step < 3000; ++step) {
    auto& c = clients[random() % clients.size()];
    switch (random() % 6) {
    case 0:
      if (random() % 10 == 0) c.reset();
      break;
    case 1:
    case 2:
      if (!c) c = std::make_unique<client>(endpoint);
      c->ask(std::to_string(serial++));
      break;
    case 3:
      if (c && serial) c->send({std::to_string(random() % serial), "cancel"});
      break;
    default: {
      std::shared_ptr<tracked> t;
      {
        std::lock_guard lock(guard);
        if (open.empty()) break;
        std::swap(open[random() % open.size()], open.back());
        t = std::move(open.back());
        open.pop_back();
      }
      const auto way = std::exchange(t->way, nullptr);
      if (random() % 3 == 0) way->stream_event(make_bytes("{}"));
      if (random() % 2) way->reply(200, {}, make_bytes("{}")); // else dropped
      break;
    }
    }
  }
  for (auto& c : clients) {
    if (!c) continue;
    c->send({"last", "nonsense"}); // all that came before it has been handled when its answer is here
    std::map<std::string, int> ends;
    for (;;) {
      const auto part = c->receive();
      BOOST_REQUIRE(part.size() == 4u);
      if (part[0] == "last") break;
      if (part[1] != "chunk" && status_of(part) != 404 && ++ends[part[0]] > 1) BOOST_ERROR("two ends for " + part[0]);
    }
  }
  for (auto& t : open) t->way.reset();
  clients.clear();
  server->stop();
  BOOST_TEST(begun > 500);
  BOOST_TEST(told > 0);
  BOOST_TEST(told_twice == 0);
  BOOST_TEST(server->in_flight() == 0u);
  BOOST_TEST(server->peers() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace zmq_server_test
