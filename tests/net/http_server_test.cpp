// The server over real sockets: requests, limits, time limits, the life of connections.
#include "tests/net/http_door.hpp"

#include <ctime>
#include <sys/resource.h>
#include <system_error>
#include <thread>

namespace http_server_test {

using namespace mainstay;
using namespace mainstay::http;
using namespace mainstay::http::test;
using namespace std::string_literals;

BOOST_AUTO_TEST_SUITE(http_server)

BOOST_AUTO_TEST_CASE(a_request_reaches_the_handler_as_sent) {
  door d;
  auto c = d.call();
  c.send("POST /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nX-Key: v\r\nContent-Length: 4\r\n\r\nbody");
  auto a = d.script->next();
  BOOST_TEST(a.what.method == "POST");
  BOOST_TEST(a.what.path == "/a%20b");
  BOOST_TEST(a.what.query == "x=1");
  BOOST_TEST(*find_header(a.what.headers, "x-key") == "v");
  BOOST_TEST(a.what.peer.substr(0, 10) == "127.0.0.1:");
  BOOST_TEST(a.what.peer_is_loopback);
  BOOST_TEST(*a.body == "body");
  a.answer->reply(201, {{"x-request-id", "7"}}, make_bytes("{}"));
  auto reply = c.reply();
  BOOST_TEST(reply.head ==
             "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 2\r\nx-request-id: "
             "7\r\n\r\n");
  BOOST_TEST(reply.body == "{}");
}

BOOST_AUTO_TEST_CASE(a_connection_is_kept_for_the_next_request) {
  door d;
  d.echo_paths();
  auto c = d.call();
  for (int i = 0; i < 20; ++i) BOOST_TEST(c.ask(get("/" + std::to_string(i))).body == "/" + std::to_string(i));
  BOOST_TEST(d.it.connections() == 1u);
  BOOST_TEST(c.ask(get("/", "Connection: close\r\n")).has("connection: close"));
  BOOST_TEST(c.closed());
}

BOOST_AUTO_TEST_CASE(http_1_0_closes_unless_asked_to_keep_alive) {
  door d;
  d.echo_paths();
  auto c = d.call();
  BOOST_TEST(c.ask("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").has("connection: keep-alive"));
  BOOST_TEST(c.ask("GET /b HTTP/1.0\r\n\r\n").body == "/b");
  BOOST_TEST(c.closed());
}

BOOST_AUTO_TEST_CASE(ten_pipelined_requests_are_answered_in_order) {
  door d;
  std::string all;
  for (int i = 0; i < 10; ++i) all += get("/" + std::to_string(i));
  auto c = d.call();
  c.send(all);
  for (int i = 0; i < 10; ++i) { // answered from this thread, one at a time
    auto a = d.script->next();
    BOOST_TEST(a.what.path == "/" + std::to_string(i));
    BOOST_TEST(d.script->handled.value() == static_cast<std::size_t>(i) + 1);
    a.answer->reply(200, {}, make_bytes(a.what.path));
  }
  for (int i = 0; i < 10; ++i) BOOST_TEST(c.reply().body == "/" + std::to_string(i));

  door at_once;
  at_once.echo_paths();
  auto e = at_once.call();
  e.send(all);
  for (int i = 0; i < 10; ++i) BOOST_TEST(e.reply().body == "/" + std::to_string(i));
}

BOOST_AUTO_TEST_CASE(a_long_pipeline_neither_recurses_nor_loses_any) {
  door d;
  d.echo_paths();
  auto c = d.call();
  std::thread sender([&] {
    std::string all;
    for (int i = 0; i < 20000; ++i) all += get("/" + std::to_string(i));
    c.send(all);
  });
  int wrong = 0;
  for (int i = 0; i < 20000; ++i) wrong += c.reply().body != "/" + std::to_string(i);
  sender.join();
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(bodies_in_one_byte_pieces_arrive_whole) {
  door d;
  d.script->answering = [](asked a) { a.answer->reply(200, {}, a.body); };
  auto c = d.call();
  auto in_bytes = [&](const std::string& all) {
    for (char byte : all) c.send({&byte, 1});
    return c.reply().body;
  };
  BOOST_TEST(in_bytes(post("hello world")) == "hello world");
  auto chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"s;
  BOOST_TEST(in_bytes(chunked + "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n") == "hello!");
  BOOST_TEST(in_bytes(chunked + "0\r\n\r\n") == "");
  BOOST_TEST(in_bytes("\r\n" + get()) == ""); // one stray line end is forgiven
}

BOOST_AUTO_TEST_CASE(large_bodies_go_in_and_out_unchanged) {
  door d;
  d.script->answering = [](asked a) { a.answer->reply(200, {}, a.body); };
  std::string body(5'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); i += 97) body[i] = static_cast<char>('a' + i % 26);
  auto c = d.call();
  BOOST_TEST((c.ask(post(body)).body == body));
  std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 0x10001)
    chunked += (at + 0x10001 > body.size() ? "" : "10001\r\n" + body.substr(at, 0x10001) + "\r\n");
  auto whole = body.substr(0, body.size() / 0x10001 * 0x10001);
  BOOST_TEST((c.ask(chunked + "0\r\n\r\n").body == whole));
}

BOOST_AUTO_TEST_CASE(ambiguous_framing_is_refused_and_the_connection_closed) {
  door d;
  const std::pair<int, std::string> cases[] = {
      {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / "
            "HTTP/1.1\r\n"},
      {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456"},
      {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
      {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {400, "GET / HTTP/1.1\nHost: a\n\n"},
      {400, "GET / HTTP/1.1\r\n\r\n"},
      {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"},
      {400, "\x16\x03\x01\x02\n"},
      {431, "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(40000, 'x')},
      {414, "GET /" + std::string(40000, 'x')},
  };
  for (auto& [status, bytes] : cases) {
    auto c = d.call();
    auto reply = c.ask(bytes);
    BOOST_TEST(reply.status == status, bytes.substr(0, 100));
    BOOST_TEST(reply.has("connection: close"));
    BOOST_TEST(reply.body.substr(0, 10) == "{\"error\":{");
    BOOST_TEST(c.closed());
  }
  BOOST_TEST(d.script->handled.value() == 0u);
}

BOOST_AUTO_TEST_CASE(a_body_over_the_limit_is_refused_unread) {
  server_settings s;
  s.body_limit = 1000;
  door d(s);
  d.script->answering = [](asked a) { a.answer->reply(200, {}, a.body); };
  auto c = d.call();
  BOOST_TEST(c.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n").status == 413);
  BOOST_TEST(c.closed());
  auto chunked = d.call();
  BOOST_TEST(chunked.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3E9\r\n").status == 413);
  BOOST_TEST(d.call().ask(post(std::string(1000, 'x'))).status == 200);
  // One who sends everything before reading still gets to read the refusal.
  auto eager = d.call();
  BOOST_TEST(eager.send(post(std::string(4'000'000, 'x'))));
  BOOST_TEST(eager.reply().status == 413);
  BOOST_TEST(d.script->handled.value() == 1u);

  s.body_limit = 2000;
  d.it.reconfigure(s);
  BOOST_TEST(d.call().ask(post(std::string(2000, 'x'))).status == 200);
}

BOOST_AUTO_TEST_CASE(the_handler_may_refuse_by_the_head_alone) {
  door d;
  d.script->checking = [](const request& r) {
    return find_header(r.headers, "x-key") ? handler::refusal{}
                                           : handler::refusal{401, {{"www-authenticate", "Bearer"}}, "{\"e\":1}"};
  };
  d.echo_paths();
  auto c = d.call();
  auto reply = c.ask(get());
  BOOST_TEST(reply.status == 401);
  BOOST_TEST(reply.has("www-authenticate: Bearer"));
  BOOST_TEST(reply.body == "{\"e\":1}");
  BOOST_TEST(c.ask(get("/k", "X-Key: 1\r\n")).body == "/k"); // without a body the connection is still good
  reply = c.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  BOOST_TEST(reply.status == 401);
  BOOST_TEST(reply.has("connection: close"));
  BOOST_TEST(c.closed());
}

BOOST_AUTO_TEST_CASE(one_who_expects_100_gets_it_before_sending_the_body) {
  door d;
  d.script->answering = [](asked a) { a.answer->reply(200, {}, a.body); };
  auto c = d.call();
  c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  BOOST_TEST(c.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  BOOST_TEST(c.ask("ok").body == "ok");
  BOOST_TEST(c.ask(post("no wait", "Expect: 100-continue\r\n")).body == "no wait");
}

BOOST_AUTO_TEST_CASE(head_requests_get_the_head_alone) {
  door d;
  d.echo_paths();
  auto c = d.call();
  c.send("HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n" + get("/next"));
  BOOST_TEST(c.until("\r\n\r\n").find("content-length: 4\r\n") != std::string::npos);
  BOOST_TEST(c.reply().body == "/next");
}

BOOST_AUTO_TEST_CASE(answers_may_have_a_content_type_of_their_own_and_end_the_connection) {
  door d;
  d.script->answering = [](asked a) {
    a.answer->close_after();
    a.answer->reply_as(200, "text/plain", {{"x", "a\r\nb: c"}}, make_bytes("m 1\n"));
  };
  auto c = d.call();
  auto reply = c.ask(get());
  BOOST_TEST(reply.has("content-type: text/plain\r\n"));
  BOOST_TEST(reply.has("x: a  b: c\r\n"));
  BOOST_TEST(reply.has("connection: close\r\n"));
  BOOST_TEST(c.closed());
}

BOOST_AUTO_TEST_CASE(a_dropped_response_and_a_throwing_handler_become_a_500) {
  door d;
  d.script->checking = [](const request& r) -> handler::refusal {
    if (r.path == "/check") throw std::runtime_error("x");
    return {};
  };
  d.script->answering = [](asked a) {
    if (a.what.path == "/throw") throw std::runtime_error("x");
  };
  auto c = d.call();
  for (auto path : {"/drop", "/throw", "/check", "/drop"}) BOOST_TEST(c.ask(get(path)).status == 500, path);

  door later;
  auto l = later.call();
  l.send(get());
  later.script->next(); // dropped here, on another thread
  BOOST_TEST(l.reply().status == 500);
}

// --- time limits ---

BOOST_AUTO_TEST_CASE(a_head_that_never_completes_is_a_408_however_it_trickles) {
  server_settings s;
  s.header_timeout = 300ms;
  door d(s);
  auto c = d.call();
  c.send("GET / HTTP/1.1\r\nX: ");
  auto began = clock::now();
  while (!c.receive(20ms) && clock::now() - began < patience) c.send("x"); // a byte every 20 ms buys no time
  BOOST_TEST(c.reply().status == 408);
  BOOST_TEST((clock::now() - began < 3s));
  BOOST_TEST(c.closed());
}

BOOST_AUTO_TEST_CASE(a_silent_caller_is_closed_without_a_word) {
  server_settings s;
  s.header_timeout = 100ms;
  s.idle_timeout = 100ms;
  door d(s);
  d.echo_paths();
  BOOST_TEST(d.call().closed());
  auto c = d.call();
  BOOST_TEST(c.ask(get("/a")).body == "/a");
  BOOST_TEST(c.closed());
}

BOOST_AUTO_TEST_CASE(a_body_that_stops_is_a_408) {
  server_settings s;
  s.body_timeout = 100ms;
  door d(s);
  for (auto fields : {"Content-Length: 5\r\n\r\nhe", "Transfer-Encoding: chunked\r\n\r\n5\r\nhe"}) {
    auto c = d.call();
    BOOST_TEST(c.ask("POST / HTTP/1.1\r\nHost: a\r\n"s + fields).status == 408);
    BOOST_TEST(c.closed());
  }
  BOOST_TEST(d.script->handled.value() == 0u);
}

BOOST_AUTO_TEST_CASE(a_body_that_trickles_for_ever_is_a_408) {
  server_settings s;
  s.body_timeout = 150ms;
  door d(s);
  auto c = d.call();
  c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  auto began = clock::now();
  while (!c.receive(20ms) && clock::now() - began < patience) c.send("x");
  BOOST_TEST(c.reply().status == 408);
  BOOST_TEST((clock::now() - began < 3s));
}

BOOST_AUTO_TEST_CASE(many_large_bodies_that_stall_make_room_for_others) {
  server_settings settings;
  settings.body_limit = 1 << 20;
  door d(settings);
  d.script->answering = [](asked a) { a.answer->reply(200, {}, make_bytes(std::to_string(a.body->size()))); };
  auto whole = post(std::string(1'000'000, ' '));
  std::vector<caller> stalled;
  for (int i = 0; i < 20; ++i) { // sixteen have room
    stalled.push_back(d.call());
    BOOST_TEST(stalled.back().send(std::string_view(whole).substr(0, whole.size() - 1000)));
  }
  std::size_t refused = 0;
  for (auto end = clock::now() + patience; refused < 4 && clock::now() < end;)
    for (auto& c : stalled)
      if (c.receive(1ms)) {
        auto refusal = c.reply();
        BOOST_TEST(refusal.status == 503);
        BOOST_TEST(refusal.has("connection: close"));
        ++refused;
      }
  BOOST_TEST(refused == 4u);
  BOOST_TEST(d.call().ask(whole).body == "1000000");
}

BOOST_AUTO_TEST_CASE(an_answer_may_take_longer_than_every_time_limit) {
  server_settings s;
  s.header_timeout = s.body_timeout = s.idle_timeout = s.write_timeout = 100ms;
  door d(s);
  auto c = d.call();
  c.send(post("x"));
  auto a = d.script->next();
  BOOST_TEST(!c.receive(500ms));
  a.answer->reply(200, {}, make_bytes("late"));
  BOOST_TEST(c.reply().body == "late");
}

// --- the door itself ---

BOOST_AUTO_TEST_CASE(an_address_in_use_is_named_in_the_error) {
  door d;
  server_settings s;
  s.port = d.it.port();
  auto names_it = [&](const std::system_error& e) {
    return e.code() == std::errc::address_in_use &&
           std::string(e.what()).find("127.0.0.1:" + std::to_string(s.port)) != std::string::npos;
  };
  BOOST_CHECK_EXCEPTION(server(std::make_shared<event_loop>("test"), s, d.script), std::system_error, names_it);
  s.address = "no such host";
  BOOST_CHECK_THROW(server(std::make_shared<event_loop>("test"), s, d.script), std::system_error);
}

BOOST_AUTO_TEST_CASE(callers_before_start_wait_and_are_served) {
  door d({}, false);
  d.echo_paths();
  auto c = d.call();
  c.send(get("/early"));
  BOOST_TEST(!c.receive(50ms));
  d.it.start();
  BOOST_TEST(c.reply().body == "/early");
}

BOOST_AUTO_TEST_CASE(a_loopback_address_of_the_other_family_works_too) {
  server_settings s;
  s.address = "[::1]";
  std::unique_ptr<door> d;
  try {
    d = std::make_unique<door>(s);
  } catch (const std::system_error& e) { // a machine without IPv6 says so
    BOOST_TEST((e.code() == std::errc::address_not_available || e.code() == std::errc::address_family_not_supported));
    return;
  }
  d->script->answering = [](asked a) {
    a.answer->reply(200, {}, make_bytes(a.what.peer + (a.what.peer_is_loopback ? " loopback" : "")));
  };
  int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(d->it.port());
  to.sin6_addr = in6addr_loopback;
  BOOST_TEST(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  auto ask = get();
  BOOST_TEST(::send(fd, ask.data(), ask.size(), 0) > 0);
  pollfd p{fd, POLLIN, 0};
  BOOST_TEST(::poll(&p, 1, 10000) == 1);
  char buffer[4096];
  auto n = ::recv(fd, buffer, sizeof buffer, 0);
  std::string got(buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  BOOST_TEST(got.find("[::1]:") != std::string::npos);
  BOOST_TEST(got.find(" loopback") != std::string::npos);
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(beyond_max_connections_callers_wait_for_a_place) {
  server_settings s;
  s.max_connections = 2;
  door d(s);
  d.echo_paths();
  auto a = d.call(), b = d.call();
  BOOST_TEST(a.ask(get("/a")).body == "/a");
  BOOST_TEST(b.ask(get("/b")).body == "/b");
  auto c = d.call();
  c.send(get("/c"));
  auto cpu = std::clock();
  BOOST_TEST(!c.receive(200ms));
  BOOST_TEST((std::clock() - cpu) * 1000 / CLOCKS_PER_SEC < 35); // it waits, it does not spin
  BOOST_TEST(d.it.connections() == 2u);
  a.leave();
  BOOST_TEST(c.reply().body == "/c");
}

BOOST_AUTO_TEST_CASE(running_out_of_file_descriptors_only_delays_new_callers) {
  door d;
  d.echo_paths();
  auto old = d.call();
  BOOST_TEST(old.ask(get("/old")).body == "/old");
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  auto late = std::make_unique<caller>(d.it.port());
  BOOST_TEST(late->ask(get("/late")).body == "/late");
  late.reset();
  BOOST_TEST((d.it.connections() <= 2));
  // Descriptors up to the last one in use stay usable, none can be added: the new caller's own is made first.
  int spare = ::dup(0);
  ::close(spare);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(spare) + 1;
  ::setrlimit(RLIMIT_NOFILE, &tight);
  caller c(d.it.port());
  bool connected = c.connected();
  c.send(get("/c"));
  auto cpu = std::clock();
  bool answered_too_early = c.receive(300ms);
  auto busy_ms = (std::clock() - cpu) * 1000 / CLOCKS_PER_SEC;
  auto old_reply = old.ask(get("/old")).body;
  ::setrlimit(RLIMIT_NOFILE, &before);
  BOOST_TEST(connected);
  BOOST_TEST(!answered_too_early);
  BOOST_TEST(busy_ms < 50); // it pauses, it does not spin
  BOOST_TEST(old_reply == "/old");
  BOOST_TEST(c.reply().body == "/c");
}

BOOST_AUTO_TEST_CASE(draining_closes_the_idle_and_lets_the_others_finish) {
  door d;
  auto idle = d.call(), busy = d.call(), fresh = d.call(), streaming = d.call();
  idle.send(get());
  d.script->next().answer->reply(200, {}, make_bytes("x"));
  BOOST_TEST(idle.reply().body == "x");
  busy.send(get("/busy"));
  auto a = d.script->next();
  streaming.send(get("/stream"));
  auto s = d.script->next();
  s.answer->stream_event(make_bytes("1"));
  BOOST_TEST(streaming.until("data: 1\n\n\r\n").size() > 0u);
  auto arriving = d.call();
  arriving.send("GET /arriving HTTP/1.1\r\nHost: a\r\n"); // not complete yet
  while (d.it.connections() < 5) BOOST_REQUIRE(!idle.receive(1ms));
  d.it.drain();
  BOOST_TEST(idle.closed());
  BOOST_TEST(fresh.closed());
  BOOST_TEST(!caller(d.it.port()).connected());
  a.answer->reply(200, {}, make_bytes("done"));
  auto reply = busy.reply();
  BOOST_TEST(reply.body == "done");
  BOOST_TEST(reply.has("connection: close"));
  BOOST_TEST(busy.closed());
  s.answer->stream_end(nullptr, {});
  BOOST_TEST(streaming.rest() == "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
  arriving.send("\r\n");
  d.script->next().answer->reply(200, {}, make_bytes("in time"));
  BOOST_TEST(arriving.reply().body == "in time");
  BOOST_TEST(d.empties());
}

BOOST_AUTO_TEST_CASE(a_request_on_its_way_when_draining_begins_is_answered) {
  for (int round = 0; round < 50; ++round) {
    door d;
    d.echo_paths();
    auto c = d.call();
    BOOST_REQUIRE(c.ask(get("/a")).body == "/a");
    c.send(get("/b")); // in the kernel before drain() is asked for
    d.it.drain();
    BOOST_REQUIRE(c.reply().body == "/b");
    BOOST_REQUIRE(c.closed());
  }
}

BOOST_AUTO_TEST_CASE(callers_whom_the_kernel_let_in_before_draining_are_answered) {
  door d;
  counter entered, go;
  d.script->answering = [&](asked a) {
    entered.raise();
    go.reaches(1); // holds the server's thread, so that the next caller arrives unseen
    a.answer->reply(200, {}, make_bytes(a.what.path));
  };
  auto first = d.call();
  first.send(get("/first"));
  BOOST_TEST(entered.reaches(1));
  auto second = d.call();
  second.send(get("/second"));
  d.it.drain();
  go.raise();
  BOOST_TEST(first.reply().body == "/first");
  BOOST_TEST(second.reply().body == "/second");
  BOOST_TEST(second.closed());
}

BOOST_AUTO_TEST_CASE(stopping_closes_everything_and_responses_may_outlive_it) {
  auto d = std::make_unique<door>();
  auto c = d->call(), idle = d->call();
  c.send(get());
  auto a = d->script->next();
  int left = 0;
  a.answer->on_caller_left([&] { ++left; });
  d->it.stop();
  d->it.stop();
  BOOST_TEST(left == 1);
  BOOST_TEST(c.closed());
  BOOST_TEST(d->it.connections() == 0u);
  d.reset();
  a.answer->reply(200, {}, make_bytes("x"));
  a.answer->stream_event(make_bytes("x"));
  a.answer->observe_progress(1, [](std::size_t) {});
  a.answer->on_caller_left([&] { ++left; });
  BOOST_TEST(left == 1);
}

BOOST_AUTO_TEST_CASE(a_handler_may_stop_the_server_it_serves) {
  door d;
  d.script->answering = [&](asked) { d.it.stop(); };
  auto c = d.call();
  c.send(get());
  BOOST_TEST(!c.rest().empty()); // the 500 of the dropped response, then the end
  BOOST_TEST(d.empties());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace http_server_test
