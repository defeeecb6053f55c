// The way out and a server that behaves: requests as given, answers whole, connections reused.
#include "tests/net/http_calls.hpp"

#include <atomic>
#include <latch>
#include <semaphore>

namespace http_client_test {

using namespace mainstay;
using namespace mainstay::http;
using namespace mainstay::test;

BOOST_AUTO_TEST_SUITE(http_client)

BOOST_AUTO_TEST_CASE(a_request_goes_out_as_given_and_the_answer_comes_back_whole) {
  std::optional<test::scripted_request> seen;
  scripted_server server([&](scripted_connection& c) {
    seen = c.read_request();
    c.send("HTTP/1.1 201 Created\r\nX-Thing: Some Value\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nhello\r\n6\r\n world\r\n0\r\ntrailer: x\r\n\r\n");
  });
  client http(std::make_shared<event_loop>("test"));
  auto what = a_call(server.url("/v1/chat?x=1"), {"{\"a\":", std::string(300'000, 'b'), "", "}"});
  what.authorization = secret{"authorization: Bearer very-secret"};
  auto before = clock::now();
  auto answer = run(http, std::move(what));
  BOOST_TEST(answer->outcome() == "");
  BOOST_TEST(answer->status() == 201);
  BOOST_TEST(*find_header(answer->headers(), "x-thing") == "Some Value");
  BOOST_TEST(answer->body() == "hello world");
  BOOST_TEST(answer->summary().received_bytes == 11u);
  BOOST_TEST(answer->summary().http_version == "1.1");
  BOOST_TEST(answer->summary().new_connection);
  BOOST_TEST((answer->summary().sent_at > before && answer->summary().sent_at < answer->ended_at()));
  BOOST_TEST(http.open_calls() == 0u);

  BOOST_REQUIRE(seen);
  BOOST_TEST(seen->head.substr(0, 27) == "POST /v1/chat?x=1 HTTP/1.1\r");
  BOOST_TEST(seen->field("authorization").value_or("") == "Bearer very-secret");
  BOOST_TEST(seen->field("content-type").value_or("") == "application/json");
  BOOST_TEST(seen->field("content-length").value_or("") == "300006");
  for (auto unwanted : {"expect", "accept-encoding", "cookie", "transfer-encoding"}) BOOST_TEST(!seen->field(unwanted));
  BOOST_TEST(seen->body == "{\"a\":" + std::string(300'000, 'b') + "}");
}

BOOST_AUTO_TEST_CASE(bodies_of_no_one_and_many_pieces_and_gets_take_turns_on_one_connection) {
  std::vector<std::string> bodies, types;
  scripted_server server([&](scripted_connection& c) {
    while (auto r = c.read_request()) {
      bodies.push_back(r->head.substr(0, r->head.find(' ')) + " " + r->body);
      types.push_back(r->field("content-type").value_or("none"));
      if (!c.send(ok)) return;
    }
  });
  client http(std::make_shared<event_loop>("test"));
  auto get = a_call(server.url());
  get.get = true;
  auto untyped = a_call(server.url(), {"u"});
  untyped.header_lines.clear();
  for (auto& what : {a_call(server.url(), {}), a_call(server.url(), {"one"}), get, a_call(server.url(), {"t", "wo"}),
                     get, a_call(server.url(), {}), untyped})
    BOOST_TEST(run(http, what)->outcome() == "");
  std::vector<std::string> wanted{"POST ", "POST one", "GET ", "POST two", "GET ", "POST ", "POST u"};
  BOOST_CHECK_EQUAL_COLLECTIONS(bodies.begin(), bodies.end(), wanted.begin(), wanted.end());
  BOOST_TEST(types.back() == "none");
  BOOST_TEST(server.accepted() == 1u);
}

BOOST_AUTO_TEST_CASE(fifty_calls_one_after_the_other_use_one_connection) {
  scripted_server server(always(ok));
  client http(std::make_shared<event_loop>("test"));
  for (int i = 0; i < 50; ++i) {
    auto answer = run(http, a_call(server.url()));
    BOOST_TEST(answer->outcome() == "");
    BOOST_TEST(answer->summary().new_connection == (i == 0));
  }
  BOOST_TEST(server.accepted() == 1u);
  BOOST_TEST(http.pools().at(0).connections_made == 1u);
  BOOST_TEST(http.pools().at(0).active_calls == 0u);
}

BOOST_AUTO_TEST_CASE(five_hundred_calls_are_in_flight_at_once_and_their_connections_are_kept) {
  constexpr int many = 500;
  std::latch all_came(many);
  scripted_server server([&](scripted_connection& c) {
    if (!c.read_request()) return;
    all_came.count_down(); // nobody is answered before everybody has asked
    all_came.wait();
    c.send(ok);
    while (c.read_request() && c.send(ok)) {}
  });
  client http(std::make_shared<event_loop>("test"));
  http.configure({{"provider", many, many}});
  for (int round = 0; round < 2; ++round) {
    std::vector<std::shared_ptr<call_recorder>> calls;
    for (int i = 0; i < many; ++i) {
      calls.push_back(std::make_shared<call_recorder>());
      http.start(a_call(server.url()), calls.back());
    }
    for (auto& c : calls) {
      BOOST_REQUIRE(c->wait_end());
      BOOST_TEST(c->outcome() == "");
    }
  }
  BOOST_TEST(server.accepted() == static_cast<std::size_t>(many));
  BOOST_TEST(http.open_calls() == 0u);
}

BOOST_AUTO_TEST_CASE(a_server_that_closes_idle_connections_never_surfaces) {
  std::binary_semaphore answered(0), closed(0);
  scripted_server server([&](scripted_connection& c) {
    c.read_request();
    c.send(ok); // no "connection: close": it just closes, hard or soft
    answered.acquire();
    if (c.number() % 2) {
      c.reset();
    } else {
      c.close();
    }
    closed.release();
  });
  client http(std::make_shared<event_loop>("test"));
  for (int i = 0; i < 50; ++i) {
    auto answer = run(http, a_call(server.url(), {"a", "b"}));
    BOOST_REQUIRE_MESSAGE(answer->outcome() == "", i << ": " << answer->error()->detail);
    answered.release();
    closed.acquire();
  }
  BOOST_TEST(server.accepted() == 50u);
}

BOOST_AUTO_TEST_CASE(a_request_that_met_a_closing_connection_is_sent_again_whole) {
  const std::string first(8'000'000, 'f'), second(8'000'000, 's'); // no kernel's buffers take it all: it is never out
  std::atomic<int> whole{0};
  scripted_server server([&](scripted_connection& c) {
    auto r = c.read_request();
    if (!r) return;
    if (r->body == first + second) ++whole;
    c.send(ok);
    c.read_more(); // the next request has begun to arrive: too late
  });
  client http(std::make_shared<event_loop>("test"));
  for (int i = 0; i < 10; ++i) {
    auto answer = run(http, a_call(server.url(), {first, second}));
    BOOST_REQUIRE_MESSAGE(answer->outcome() == "", i << ": " << answer->error()->detail);
    BOOST_TEST(answer->summary().new_connection);
  }
  BOOST_TEST(whole == 10);
  BOOST_TEST(server.accepted() == 10u);
}

BOOST_AUTO_TEST_CASE(a_redirect_is_an_answer_like_any_other) {
  scripted_server server(always("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"));
  client http(std::make_shared<event_loop>("test"));
  auto answer = run(http, a_call(server.url()));
  BOOST_TEST(answer->outcome() == "");
  BOOST_TEST(answer->status() == 302);
}

BOOST_AUTO_TEST_CASE(interim_heads_are_skipped) {
  scripted_server server(always("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
                                "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\ny"));
  client http(std::make_shared<event_loop>("test"));
  auto answer = run(http, a_call(server.url()));
  BOOST_TEST(answer->status() == 200);
  BOOST_TEST(!find_header(answer->headers(), "link"));
  BOOST_TEST(answer->body() == "y");
}

BOOST_AUTO_TEST_CASE(the_environments_proxies_are_not_used) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  scripted_server server(always(ok));
  client http(std::make_shared<event_loop>("test"));
  BOOST_TEST(run(http, a_call(server.url()))->outcome() == "");
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
}

BOOST_AUTO_TEST_CASE(a_given_proxy_is_used_and_its_refusal_is_a_failed_connection) {
  std::string asked;
  scripted_server proxy([&](scripted_connection& c) {
    if (auto r = c.read_request()) asked = r->head.substr(0, r->head.find('\r'));
    c.send("HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n");
  });
  client http(std::make_shared<event_loop>("test"));
  auto what = a_call("https://nowhere.invalid/");
  what.proxy = proxy.url();
  auto answer = run(http, what);
  BOOST_TEST(answer->outcome() == "connect_failed");
  BOOST_TEST(answer->status() == 0);
  BOOST_TEST(asked == "CONNECT nowhere.invalid:443 HTTP/1.1");
}

BOOST_AUTO_TEST_CASE(a_header_line_cannot_smuggle_another) {
  scripted_server server(always(ok));
  client http(std::make_shared<event_loop>("test"));
  auto what = a_call(server.url());
  what.header_lines.push_back("x: y\r\nevil: 1");
  BOOST_TEST(run(http, what)->outcome() == "caller_fault");
  auto secretive = a_call(server.url());
  secretive.authorization = secret{"authorization: Bearer s3cr3t\n"};
  auto refused = run(http, secretive);
  BOOST_TEST(refused->outcome() == "caller_fault");
  BOOST_TEST(refused->error()->detail.find("s3cr3t") == std::string::npos);
  BOOST_TEST(server.accepted() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace http_client_test
