// What the tests of the way out share: calls, one-call runs, and scripts for the server at the other end.
#pragma once

#include "net/http_client.hpp"

#include "tests/support/call_recorder.hpp"
#include "tests/support/scripted_server.hpp"

#include <boost/test/unit_test.hpp>

namespace mainstay::test {

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

inline http::call a_call(std::string url, std::vector<std::string> body = {"{}"}) {
  http::call c;
  c.url = std::move(url);
  c.header_lines = {"content-type: application/json"};
  for (auto& piece : body) c.body.push_back(make_bytes(std::move(piece)));
  c.pool = "provider";
  return c;
}

/// Makes one call and waits for its end.
inline std::shared_ptr<call_recorder> run(http::client& client, http::call what) {
  auto observer = std::make_shared<call_recorder>();
  client.start(std::move(what), observer);
  BOOST_TEST(observer->wait_end());
  BOOST_TEST(observer->in_order());
  return observer;
}

/// Answers every request of every connection with the same bytes.
inline scripted_server::script always(std::string_view answer) {
  return [answer](scripted_connection& c) {
    while (c.read_request() && c.send(answer)) {}
  };
}

inline scripted_server::script sends(std::string bytes) {
  return [bytes = std::move(bytes)](scripted_connection& c) { c.send(bytes); };
}

/// The outcome of one call whose connection, after the request, is treated as `then` says.
inline std::string outcome_of_one(scripted_server::script then, http::call_timeouts limits = {}) {
  scripted_server server([&](scripted_connection& c) {
    if (c.read_request()) then(c);
  });
  http::client client(std::make_shared<event_loop>("test"));
  auto what = a_call(server.url());
  what.timeouts = limits;
  return run(client, std::move(what))->outcome();
}

} // namespace mainstay::test
