// What the tests of the message-queue door share: ZeroMQ clients, a handler that hands its requests to the test, and a
// server with it.
#pragma once

#include "net/zmq_server.hpp"

#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <map>
#include <mutex>
#include <rapidjson/document.h>
#include <zmq.hpp>
#include <zmq_addon.hpp>

namespace mainstay::mq::test {

using namespace std::chrono_literals;

using frames = std::vector<std::string>;

/// Waits for what other threads do, without a guess how long that takes.
struct tally {
  std::mutex guard;
  std::condition_variable changed;
  int count = 0;
  void raise() {
    std::lock_guard lock(guard);
    ++count;
    changed.notify_all();
  }
  bool wait(int n = 1, std::chrono::milliseconds longest = 20s) {
    std::unique_lock lock(guard);
    return changed.wait_for(lock, longest, [&] { return count >= n; });
  }
};

/// Keeps every request, and answers as the test says.
struct scripted : mq::handler {
  std::function<void(mq::request, std::shared_ptr<mq::response>)> act;
  std::mutex guard;
  std::map<std::string, std::shared_ptr<mq::response>> kept;
  tally arrived, left;

  void handle(mq::request r, std::shared_ptr<mq::response> way) override {
    way->on_caller_left([this] { left.raise(); });
    if (act)
      act(std::move(r), std::move(way));
    else {
      std::lock_guard lock(guard);
      kept[r.id] = std::move(way);
    }
    arrived.raise();
  }
  void cancel(mq::request, std::shared_ptr<mq::response> way) override { mq::refuse_cancel(*way); }
  std::shared_ptr<mq::response> take(const std::string& id) {
    std::lock_guard lock(guard);
    auto node = kept.extract(id);
    return node ? node.mapped() : nullptr;
  }
};

inline void echo(mq::request r, std::shared_ptr<mq::response> way) { way->reply(200, {{"x-verb", r.verb}}, r.body); }

struct client {
  explicit client(const std::string& endpoint, zmq::socket_type type = zmq::socket_type::dealer,
                  const std::string& name = "", int receive_limit = 0)
    : socket(context, type) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, 20000);
    if (receive_limit) {
      socket.set(zmq::sockopt::rcvhwm, receive_limit);
      socket.set(zmq::sockopt::rcvbuf, 4096);
    }
    if (!name.empty()) socket.set(zmq::sockopt::routing_id, name);
    if (!endpoint.empty()) socket.connect(endpoint);
  }
  void send(const frames& f) {
    std::vector<zmq::const_buffer> parts;
    for (auto& part : f) parts.push_back(zmq::buffer(part));
    zmq::send_multipart(socket, parts);
  }
  void ask(const std::string& id, const std::string& body = "{}") { send({id, "chat", "{}", body}); }
  frames receive() {
    std::vector<zmq::message_t> parts;
    if (!zmq::recv_multipart(socket, std::back_inserter(parts))) return {"nothing came", "", "{}", ""};
    frames out;
    for (auto& p : parts) out.push_back(p.to_string());
    return out;
  }
  zmq::context_t context;
  zmq::socket_t socket;
};

inline rapidjson::Document json_of(const std::string& text) {
  rapidjson::Document d;
  d.Parse(text.data(), text.size());
  BOOST_REQUIRE(d.IsObject());
  return d;
}
inline int status_of(const frames& f) {
  BOOST_REQUIRE(f.size() == 4u);
  return json_of(f[2])["status"].GetInt();
}
inline bool is_error(const frames& f, const std::string& id, int status) {
  return f.size() == 4 && f[0] == id && f[1] == "error" && status_of(f) == status &&
         json_of(f[3])["error"]["message"].IsString();
}

struct fixture {
  std::shared_ptr<scripted> door = std::make_shared<scripted>();
  std::shared_ptr<event_loop> loop = std::make_shared<event_loop>("test");
  std::unique_ptr<mq::server> server;

  mq::server_settings settings() {
    mq::server_settings s;
    s.listen = {"tcp://127.0.0.1:0"};
    return s;
  }
  std::string serve(mq::server_settings s) {
    server = std::make_unique<mq::server>(loop, std::move(s), door);
    server->start();
    return server->endpoints().at(0);
  }
  std::string serve() { return serve(settings()); }

  /// A round trip: what was sent before it on this connection has been seen by the server.
  void sync(client& c) {
    c.send({"sync", "cancel"});
    BOOST_TEST(is_error(c.receive(), "sync", 404));
  }
};

} // namespace mainstay::mq::test
