// The way out and a peer that does everything wrong a peer can do: each failure has its class, and each ends in time.
#include "tests/net/http_calls.hpp"

#include <semaphore>

namespace http_client_failures_test {

using namespace mainstay;
using namespace mainstay::http;
using namespace mainstay::test;

BOOST_AUTO_TEST_SUITE(http_client_failures)

// ---- connections that do not come to be

BOOST_AUTO_TEST_CASE(an_unknown_name_is_dns_failed) {
  client http(std::make_shared<event_loop>("test"));
  auto answer = run(http, a_call("http://nowhere.invalid/"));
  BOOST_TEST(answer->outcome() == "dns_failed");
  BOOST_TEST((answer->summary().sent_at == instant{}));
}

BOOST_AUTO_TEST_CASE(a_refused_port_is_connect_failed) {
  std::string url = scripted_server(always(ok)).url(); // closed again by the end of this line
  client http(std::make_shared<event_loop>("test"));
  auto answer = run(http, a_call(url));
  BOOST_TEST(answer->outcome() == "connect_failed");
  BOOST_TEST(answer->error()->detail != "");
}

BOOST_AUTO_TEST_CASE(other_protocols_and_broken_urls_are_connect_failed) {
  client http(std::make_shared<event_loop>("test"));
  for (auto url : {"ftp://127.0.0.1/", "file:///etc/hostname", "http://", "", "http://[::1", "gopher://127.0.0.1:1/x"})
    BOOST_TEST(run(http, a_call(url))->outcome() == "connect_failed", url);
}

BOOST_AUTO_TEST_CASE(a_silent_tls_handshake_is_a_connect_timeout_and_a_garbled_one_connect_failed) {
  scripted_server silent([](scripted_connection& c) { c.wait_until_left(); });
  scripted_server garbled([](scripted_connection& c) {
    c.read_more();
    c.send("this is no TLS\r\n");
    c.wait_until_left();
  });
  client http(std::make_shared<event_loop>("test"));
  auto what = a_call("https://127.0.0.1:" + std::to_string(silent.port()) + "/");
  what.timeouts.connect = 100ms;
  BOOST_TEST(run(http, what)->outcome() == "connect_timeout");
  what.url = "https://127.0.0.1:" + std::to_string(garbled.port()) + "/";
  what.timeouts.connect = 5s;
  BOOST_TEST(run(http, what)->outcome() == "connect_failed");
}

// ---- answers that break off

BOOST_AUTO_TEST_CASE(a_connection_that_dies_before_the_head_is_whole_is_reset) {
  BOOST_TEST(outcome_of_one([](auto& c) { c.reset(); }) == "reset");
  BOOST_TEST(outcome_of_one([](auto& c) { c.close(); }) == "reset");
  BOOST_TEST(outcome_of_one(sends("HTTP/1.1 200 OK\r\ncontent-le")) == "reset");
  BOOST_TEST(outcome_of_one(sends("HTTP/1.1 2")) == "reset");
  BOOST_TEST(outcome_of_one(sends("HTTP/1.1 100 Continue\r\n\r\n")) == "reset");
}

BOOST_AUTO_TEST_CASE(a_connection_that_dies_in_the_body_is_truncated_and_what_came_is_handed_on) {
  for (std::string answer : {"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart",
                             "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\npart",
                             "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n"}) {
    scripted_server server([&](scripted_connection& c) {
      c.read_request();
      c.send(answer);
    });
    client http(std::make_shared<event_loop>("test"));
    auto got = run(http, a_call(server.url()));
    BOOST_TEST(got->outcome() == "truncated", answer);
    BOOST_TEST(got->status() == 200);
    BOOST_TEST(got->body() == "part");
  }
}

BOOST_AUTO_TEST_CASE(a_reset_in_the_body_is_truncated_even_where_only_the_end_delimits_it) {
  std::binary_semaphore seen(0);
  scripted_server server([&](scripted_connection& c) {
    c.read_request();
    c.send("HTTP/1.1 200 OK\r\n\r\npart");
    seen.acquire(); // a reset destroys what the peer has not read yet
    c.reset();
  });
  client http(std::make_shared<event_loop>("test"));
  auto observer = std::make_shared<call_recorder>();
  http.start(a_call(server.url()), observer);
  BOOST_TEST(observer->wait_body(4));
  seen.release();
  BOOST_TEST(observer->wait_end());
  BOOST_TEST(observer->outcome() == "truncated");
}

BOOST_AUTO_TEST_CASE(what_is_no_http_is_malformed) {
  BOOST_TEST(outcome_of_one(sends("SSH-2.0-OpenSSH_9.2\r\nand more of it\r\n\r\n")) == "malformed");
  BOOST_TEST(outcome_of_one(sends("HTTP/1.1 abc\r\n\r\n")) == "malformed");
  BOOST_TEST(outcome_of_one(sends("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nxx")) == "malformed");
  BOOST_TEST(outcome_of_one(sends("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n")) ==
             "malformed");
  BOOST_TEST(outcome_of_one(sends("HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n")) == "malformed");
}

BOOST_AUTO_TEST_CASE(endless_headers_an_endless_line_and_endless_trailers_are_malformed) {
  auto forever = [](std::string begin, std::string piece) {
    return [=](scripted_connection& c) {
      for (bool going = c.send(begin); going;) going = c.send(piece);
    };
  };
  BOOST_TEST(outcome_of_one(forever("HTTP/1.1 200 OK\r\n", "x-more: and more\r\n")) == "malformed");
  BOOST_TEST(outcome_of_one(forever("HTTP/1.1 200 OK\r\nx-more: ", "and more ")) == "malformed");
  BOOST_TEST(outcome_of_one(forever("", "HTTP/1.1 100 Continue\r\n\r\n")) == "malformed");
  BOOST_TEST(outcome_of_one(forever("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", "t: more\r\n")) ==
             "malformed");
}

// ---- answers that do not come

BOOST_AUTO_TEST_CASE(silence_after_the_request_is_a_first_byte_timeout) {
  auto silent = [](scripted_connection& c) { c.wait_until_left(); };
  BOOST_TEST(outcome_of_one(silent, {.first_byte = 100ms}) == "first_byte_timeout");
}

BOOST_AUTO_TEST_CASE(a_head_without_a_body_is_a_first_byte_timeout_too) {
  auto only_head = [](scripted_connection& c) {
    c.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
    c.wait_until_left();
  };
  BOOST_TEST(outcome_of_one(only_head, {.first_byte = 150ms, .idle = 20ms}) == "first_byte_timeout");
}

BOOST_AUTO_TEST_CASE(a_body_that_stalls_is_an_idle_timeout_and_one_that_drips_is_not) {
  auto stall = [](scripted_connection& c) {
    c.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome");
    c.wait_until_left();
  };
  BOOST_TEST(outcome_of_one(stall, {.idle = 100ms}) == "idle_timeout");
  auto drip = [](scripted_connection& c) {
    c.send("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n");
    for (int i = 0; i < 20 && c.send("x"); ++i) c.pass(50ms); // a second altogether
  };
  BOOST_TEST(outcome_of_one(drip, {.first_byte = 400ms, .idle = 400ms}) == "");
  BOOST_TEST(outcome_of_one(drip, {.idle = 400ms, .total = 300ms}) == "total_timeout");
}

BOOST_AUTO_TEST_CASE(the_first_byte_timer_waits_for_the_upload_but_the_total_does_not) {
  const std::string large(8u << 20, 'u'); // more than the buffers between hold
  scripted_server slow(
      [](scripted_connection& c) {
        c.pass(300ms);
        c.read_request();
        c.send(ok);
      },
      4096);
  scripted_server never([](scripted_connection& c) { c.pass(10s); }, 4096);
  client http(std::make_shared<event_loop>("test"));
  for (auto pieces : {std::vector<std::string>{large}, {large, "and", "more"}}) {
    auto what = a_call(slow.url(), pieces);
    what.timeouts.first_byte = 150ms;
    auto answered = run(http, what);
    BOOST_TEST(answered->outcome() == "");
    BOOST_TEST((answered->ended_at() - answered->summary().sent_at < 150ms));
    what.url = never.url();
    what.timeouts.total = 400ms;
    auto stuck = run(http, what);
    BOOST_TEST(stuck->outcome() == "total_timeout");
    BOOST_TEST((stuck->summary().sent_at == instant{}));
  }
}

BOOST_AUTO_TEST_CASE(an_answer_before_the_request_was_heard_out_is_an_answer) {
  scripted_server server(
      [](scripted_connection& c) {
        c.send("HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig");
        c.pass(10s);
      },
      4096);
  client http(std::make_shared<event_loop>("test"));
  auto what = a_call(server.url(), {std::string(8u << 20, 'u')});
  what.timeouts.total = 2s;
  auto answer = run(http, what);
  BOOST_TEST(answer->status() == 413);
  BOOST_TEST(answer->body() == "big");
  BOOST_TEST(answer->outcome() == "");
}

BOOST_AUTO_TEST_CASE(a_request_that_was_out_on_a_kept_connection_is_not_sent_again_by_itself) {
  for (bool hard : {true, false}) {
    std::atomic<int> requests{0};
    scripted_server server([&](scripted_connection& c) {
      while (c.read_request()) {
        if (++requests == 2) return hard ? c.reset() : c.close(); // read, and perhaps acted on
        c.send(ok);
      }
    });
    client http(std::make_shared<event_loop>("test"));
    BOOST_TEST(run(http, a_call(server.url()))->outcome() == "");
    auto second = run(http, a_call(server.url(), {"{}", "two pieces"}));
    BOOST_TEST(second->outcome() == "reset");
    BOOST_REQUIRE(second->error());
    BOOST_TEST(second->error()->kept_connection);
    BOOST_TEST(requests == 2);
    BOOST_TEST(run(http, a_call(server.url()))->outcome() == "");
  }
}

BOOST_AUTO_TEST_CASE(what_may_not_be_sent_any_more_is_not_sent) {
  std::atomic<int> requests{0};
  scripted_server server([&](scripted_connection& c) {
    while (c.read_request()) {
      ++requests;
      c.send(ok);
    }
  });
  client http(std::make_shared<event_loop>("test"));
  auto late = a_call(server.url()), early = a_call(server.url());
  late.send_by = clock::now() - 1ms;
  early.send_by = clock::now() + 1min;
  const auto call = run(http, late);
  BOOST_REQUIRE(call->error());
  BOOST_TEST(call->error()->unsent);
  BOOST_TEST(requests == 0);
  BOOST_TEST(run(http, early)->outcome() == "");
  BOOST_TEST(requests == 1);
}

BOOST_AUTO_TEST_CASE(a_reset_of_a_new_connection_is_no_matter_of_kept_ones) {
  scripted_server server([](scripted_connection& c) {
    if (c.read_request()) c.reset();
  });
  client http(std::make_shared<event_loop>("test"));
  auto call = run(http, a_call(server.url()));
  BOOST_TEST(call->outcome() == "reset");
  BOOST_TEST(!call->error()->kept_connection);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace http_client_failures_test
