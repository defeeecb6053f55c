// The message-queue door against clients that are none: other protocols, half handshakes, messages without an end,
// floods from those who never read, places and paths that are taken.
#include "net/zmq_outbox.hpp"
#include "net/zmtp_wire.hpp"
#include "tests/net/http_door.hpp"
#include "tests/net/zmq_door.hpp"

#include <filesystem>
#include <fstream>
#include <sys/un.h>
#include <unistd.h>

namespace zmq_limits_test {

using namespace mainstay;
using namespace mainstay::mq::test;
using namespace std::string_literals;
using http::test::caller;

namespace {

/// A client that speaks the wire protocol by hand.
struct raw_client {
  explicit raw_client(const std::string& endpoint, int receive_buffer = 0)
    : wire(std::uint16_t(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))), receive_buffer) {}
  raw_client& shake_hands() {
    wire.send(std::string(mq::greeting()) + "\4\x1c\5READY\13Socket-Type\0\0\0\6DEALER"s);
    BOOST_TEST(wire.take(mq::greeting().size()) == mq::greeting());
    BOOST_TEST(wire.take(mq::ready_command().size()) == mq::ready_command());
    return *this;
  }
  static std::string message(const frames& parts) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) mq::append_frame(out, parts[i], i + 1 < parts.size());
    return out;
  }
  /// The next message.
  frames receive() {
    frames out;
    for (bool more = true; more;) {
      const auto head = wire.take(2);
      if (head.size() < 2) return {"nothing came", "", "{}", ""};
      more = head[0] & 1;
      std::size_t size = static_cast<unsigned char>(head[1]);
      if (head[0] & 2)
        for (unsigned char c : wire.take(7)) size = size << 8 | c;
      out.push_back(wire.take(size));
    }
    return out;
  }
  caller wire;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(zmq_limits, fixture)

BOOST_AUTO_TEST_CASE(another_protocol_is_disconnected_at_its_first_byte) {
  const auto endpoint = serve();
  raw_client http(endpoint);
  http.wire.send("GET / HTTP/1.1\r\n\r\n");
  http.wire.rest();
  BOOST_TEST(http.wire.closed());
  BOOST_TEST(server->peers() == 0u);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_does_not_end_is_cut_off_after_its_time) {
  auto s = settings();
  s.handshake_timeout = 200ms;
  const auto endpoint = serve(s);
  raw_client silent(endpoint), half(endpoint), good(endpoint);
  half.wire.send(mq::greeting().substr(0, 40));
  good.shake_hands();
  BOOST_TEST(silent.wire.rest() == mq::greeting());
  BOOST_TEST(half.wire.rest() == mq::greeting());
  BOOST_TEST(silent.wire.closed());
  BOOST_TEST(half.wire.closed());
  good.wire.send(raw_client::message({"x", "nonsense"}));
  BOOST_TEST(is_error(good.receive(), "x", 400));
}

BOOST_AUTO_TEST_CASE(a_message_without_an_end_gets_its_error_and_ends_its_own_connection) {
  const auto endpoint = serve();
  client other(endpoint);
  raw_client bad(endpoint);
  bad.shake_hands();
  bad.wire.send(raw_client::message({"kept", "chat", "{}", "{}"}));
  BOOST_TEST(door->arrived.wait());
  std::string endless;
  mq::append_frame(endless, "endless", true);
  for (int i = 0; i < 2000; ++i) mq::append_frame(endless, "", true);
  bad.wire.send(endless);
  BOOST_TEST(is_error(bad.receive(), "endless", 400));
  BOOST_TEST(bad.wire.closed());
  BOOST_TEST(door->left.wait()); // of what it had in flight
  BOOST_TEST(server->in_flight() == 0u);
  sync(other);
}

BOOST_AUTO_TEST_CASE(a_message_far_over_the_limit_is_a_413_before_it_is_sent) {
  auto s = settings();
  s.body_limit = 1 << 20;
  raw_client bad(serve(s));
  bad.shake_hands();
  std::string announced;
  for (auto* frame : {"large", "chat", "{}"}) mq::append_frame(announced, frame, true);
  mq::append_frame_head(announced, std::size_t{1} << 40, false);
  bad.wire.send(announced);
  BOOST_TEST(is_error(bad.receive(), "large", 413));
  BOOST_TEST(bad.wire.closed());
}

BOOST_AUTO_TEST_CASE(a_message_that_stops_in_the_middle_ends_its_connection_after_the_timeout) {
  auto s = settings();
  s.message_timeout = 200ms;
  const auto endpoint = serve(s);
  raw_client stalled(endpoint), idle(endpoint);
  idle.shake_hands();
  stalled.shake_hands();
  stalled.wire.send(raw_client::message({"id", "chat", "{}", "{}"}).substr(0, 10));
  BOOST_TEST(stalled.wire.closed());
  idle.wire.send(raw_client::message({"x", "nonsense"})); // between messages there is all the time in the world
  BOOST_TEST(is_error(idle.receive(), "x", 400));
}

BOOST_AUTO_TEST_CASE(a_message_that_drips_for_ever_is_cut_off_in_the_end) {
  auto s = settings();
  s.message_timeout = 100ms; // every byte buys that, but twice that is all below 1 KiB/s
  raw_client dripping(serve(s));
  dripping.shake_hands();
  const auto bytes = raw_client::message({"id", "chat", "{}", std::string(1000, ' ')});
  std::size_t sent = 0;
  while (sent < bytes.size() && !dripping.wire.receive(20ms) && dripping.wire.send({&bytes[sent], 1})) ++sent;
  BOOST_TEST(sent < 200u);
}

BOOST_AUTO_TEST_CASE(many_large_messages_that_stall_make_room_for_others) {
  auto s = settings();
  s.body_limit = 1 << 20;
  const auto endpoint = serve(s);
  std::string most;
  for (auto* frame : {"stalled", "chat", "{}"}) mq::append_frame(most, frame, true);
  mq::append_frame_head(most, 1'000'000, false);
  most += std::string(999'000, ' ');
  std::vector<std::unique_ptr<raw_client>> stalled;
  for (int i = 0; i < 20; ++i) { // sixteen have room
    stalled.push_back(std::make_unique<raw_client>(endpoint));
    stalled.back()->shake_hands();
    BOOST_TEST(stalled.back()->wire.send(most));
  }
  std::size_t refused = 0;
  for (auto end = http::test::clock::now() + http::test::patience; refused < 4 && http::test::clock::now() < end;)
    for (auto& c : stalled)
      if (c->wire.receive(1ms)) {
        BOOST_TEST(is_error(c->receive(), "stalled", 503));
        BOOST_TEST(c->wire.closed());
        ++refused;
      }
  BOOST_TEST(refused == 4u);
  client other(endpoint);
  other.ask("large", std::string(1 << 20, ' '));
  BOOST_TEST(door->arrived.wait());
}

BOOST_AUTO_TEST_CASE(pings_are_answered_with_what_they_hold) {
  raw_client c(serve());
  c.shake_hands();
  c.wire.send("\4\x0a\4PING\0\0abc"s);
  BOOST_TEST(c.wire.take(10) == "\4\x08\4PONGabc"s);
}

// The flood stops at the sender's own socket; once it reads, it gets an answer to everything it sent, in order.
BOOST_AUTO_TEST_CASE(who_does_not_read_is_not_listened_to_and_loses_nothing) {
  auto s = settings();
  s.outbox_limit = 64 << 10;
  const auto endpoint = serve(s);
  raw_client flood(endpoint, 4096);
  flood.shake_hands();
  const int all = 200'000; // 60 MB of refusals
  std::atomic<int> sent{0};
  std::thread sender([&] {
    std::string batch;
    for (int i = 0; i < all; i += 100) {
      batch.clear();
      for (int j = 0; j < 100; ++j) batch += raw_client::message({std::to_string(i + j), "nonsense"});
      while (!flood.wire.send(batch)) return;
      sent = i + 100;
    }
  });
  client other(endpoint);
  for (int i = 0; i < 100; ++i) sync(other);
  BOOST_TEST(sent < all);
  for (int i = 0; i < all; ++i) {
    const auto error = flood.receive();
    BOOST_REQUIRE(error[0] == std::to_string(i));
  }
  sender.join();
}

BOOST_AUTO_TEST_CASE(beyond_max_connections_callers_wait_for_a_place) {
  auto s = settings();
  s.max_connections = 2;
  const auto endpoint = serve(s);
  auto first = std::make_unique<client>(endpoint);
  client second(endpoint);
  sync(*first);
  sync(second);
  client third(endpoint); // after the others have their places
  third.send({"patient", "nonsense"});
  sync(second);
  BOOST_TEST(server->peers() == 2u);
  first.reset();
  BOOST_TEST(is_error(third.receive(), "patient", 400));
}

BOOST_AUTO_TEST_CASE(a_path_that_nobody_listens_at_is_taken_over_and_everything_else_is_left_alone) {
  const auto folder = std::filesystem::temp_directory_path() / ("mainstay-paths-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const auto at = [&](const char* name) { return "ipc://" + (folder / name).string(); };
  const auto with = [&](const std::string& endpoint) {
    auto s = settings();
    s.listen = {endpoint};
    return s;
  };
  { // a socket left behind
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    (folder / "stale").string().copy(name.sun_path, sizeof name.sun_path - 1);
    BOOST_REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
    ::close(fd);
  }
  serve(with(at("stale")));
  client c(at("stale"));
  sync(c);
  BOOST_CHECK_THROW(mq::server(loop, with(at("stale")), door), std::runtime_error); // somebody listens now
  sync(c);
  std::ofstream(folder / "file") << "precious";
  BOOST_CHECK_THROW(mq::server(loop, with(at("file")), door), std::runtime_error);
  BOOST_TEST(std::filesystem::file_size(folder / "file") == 8u);
  server.reset();
  BOOST_TEST(!std::filesystem::exists(folder / "stale"));
  std::filesystem::remove_all(folder);
}

BOOST_AUTO_TEST_CASE(what_waits_is_bounded_for_each_client_and_for_all_together) {
  const auto all = std::make_shared<mq::total_flow>(1 << 20);
  mq::flow greedy(all, 200'000);
  BOOST_TEST(greedy.admit(5'000'000)); // a single message always fits
  BOOST_TEST(!greedy.admit(1));
  greedy.release(5'000'000);
  BOOST_TEST(!greedy.crowded());
  for (int i = 0; i < 2; ++i) BOOST_TEST(greedy.admit(100'000));
  BOOST_TEST(!greedy.crowded());
  BOOST_TEST(greedy.admit(1000));
  BOOST_TEST(greedy.crowded());
  BOOST_TEST(!greedy.relieved());
  while (greedy.admit(100'000)) {} // up to the total
  BOOST_TEST(all->waiting <= all->ceiling);
  mq::flow modest(all, 200'000);
  BOOST_TEST(modest.admit(1000));
  BOOST_TEST(modest.admit(60'000)); // a small share is everybody's
  BOOST_TEST(!modest.admit(10'000));
  BOOST_TEST(!modest.crowded());
  {
    mq::flow leaving(all, 200'000);
    BOOST_TEST(leaving.admit(100'000));
  }
  modest.release(61'000);
  greedy.release(1'001'000);
  BOOST_TEST(all->waiting == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace zmq_limits_test
