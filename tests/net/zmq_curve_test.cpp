// The message-queue door with CURVE: libzmq's own clients, strangers, who speaks in the clear, and frames that no
// library would send.
#include "core/z85.hpp"
#include "tests/net/curve_peer.hpp"
#include "tests/net/zmq_door.hpp"

#include <random>

namespace zmq_curve_test {

using namespace mainstay;
using namespace mainstay::mq::test;
using namespace std::string_literals;
using event = mainstay::mq::wire_reader::event;

namespace {

struct curve_fixture : fixture {
  key_pair own, app;
  std::string endpoint;

  curve_fixture() {
    auto s = settings();
    s.curve = mq::make_curve_keys(own.secret_key, {app.public_key});
    s.heartbeat = 200ms;
    door->act = echo;
    endpoint = serve(s);
  }

  struct boxed_client : client {
    boxed_client(const std::string& where, const std::string& server, const key_pair& own,
                 zmq::socket_type type = zmq::socket_type::dealer)
      : client("", type) {
      socket.set(zmq::sockopt::curve_serverkey, z85_encode(server));
      socket.set(zmq::sockopt::curve_publickey, z85_encode(own.public_key));
      socket.set(zmq::sockopt::curve_secretkey, z85_encode(own.secret_key));
      if (!where.empty()) socket.connect(where);
    }
  };
  boxed_client call(zmq::socket_type type = zmq::socket_type::dealer) { return {endpoint, own.public_key, app, type}; }

  /// One that is not let in: libzmq may have given its connection up before it sends.
  static void gets_nothing(client& c) {
    c.socket.set(zmq::sockopt::sndtimeo, 300);
    c.socket.set(zmq::sockopt::rcvtimeo, 300);
    c.ask("1");
    BOOST_TEST(c.receive()[0] == "nothing came");
  }

  /// The first event of that kind at a client's socket; 0: none came.
  static int heard(client& c, const std::string& where) {
    zmq::socket_t monitor(c.context, zmq::socket_type::pair);
    monitor.set(zmq::sockopt::rcvtimeo, 10000);
    monitor.connect(where);
    zmq::message_t what, from;
    for (int i = 0; i < 20; ++i) {
      if (!monitor.recv(what) || !monitor.recv(from)) return 0;
      std::uint16_t kind = 0;
      std::memcpy(&kind, what.data(), sizeof kind);
      if (kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH || kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ||
          kind == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL || kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
        return kind;
    }
    return 0;
  }
};

/// A reader behind CURVE, and the peer it talks to.
struct boxed_reader {
  key_pair own, app;
  mq::wire_reader reader;
  curve_peer peer;

  explicit boxed_reader(mq::wire_limits limits = {})
    : reader(limits, std::make_unique<mq::curve_session>(mq::make_curve_keys(own.secret_key, {app.public_key}))),
      peer(own.public_key, app) {}

  static std::string command(const std::string& body) {
    return (body.size() > 255 ? "\6"s + std::string(6, '\0') + char(body.size() >> 8) : "\4"s) + char(body.size()) +
           body;
  }
  static std::string frame(const std::string& body) {
    std::string out;
    mq::append_frame(out, body, false);
    return out;
  }
  std::vector<event> feed(std::string bytes, std::size_t piece = std::string::npos) {
    std::vector<event> events;
    std::string_view all(bytes);
    while (!all.empty()) {
      auto part = all.substr(0, piece);
      all.remove_prefix(part.size());
      while (!part.empty()) {
        const auto e = reader.feed(part);
        if (e != event::more) events.push_back(e);
        if (e == event::fault) return events;
      }
    }
    return events;
  }
  void shake_hands(std::size_t piece = std::string::npos) {
    BOOST_TEST_REQUIRE((feed(std::string(mq::greeting(true)), piece) == std::vector{event::greeted}));
    BOOST_TEST_REQUIRE((feed(command(peer.hello()), piece) == std::vector{event::welcome}));
    BOOST_TEST_REQUIRE(peer.take_welcome(reader.reply().substr(2)));
    BOOST_TEST_REQUIRE((feed(command(peer.initiate(dealer_properties)), piece) == std::vector{event::ready}));
    BOOST_TEST(peer.take_ready(reader.reply().substr(2)).find("ROUTER") != std::string::npos);
  }
  bool refuses(const std::string& bytes) {
    const auto events = feed(bytes);
    return !events.empty() && events.back() == event::fault;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(zmq_curve, curve_fixture)

BOOST_AUTO_TEST_CASE(a_listed_client_is_answered_and_a_large_body_passes_both_ways) {
  auto c = call();
  c.ask("1", "{\"a\":1}");
  auto answer = c.receive();
  BOOST_TEST_REQUIRE(answer.size() == 4u);
  BOOST_TEST(answer[0] == "1");
  BOOST_TEST(answer[3] == "{\"a\":1}");
  const std::string large(3'000'000, 'x');
  c.ask("2", large);
  answer = c.receive();
  BOOST_TEST_REQUIRE(answer.size() == 4u);
  BOOST_TEST((answer[3] == large));
}

BOOST_AUTO_TEST_CASE(a_req_client_gets_its_delimiter_back) {
  auto c = call(zmq::socket_type::req);
  for (int i = 0; i < 3; ++i) {
    c.ask(std::to_string(i));
    BOOST_TEST(c.receive()[0] == std::to_string(i));
  }
}

BOOST_AUTO_TEST_CASE(many_answers_leave_in_their_order_and_a_client_that_is_asked_whether_it_is_there_stays) {
  auto c = call();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) c.ask(std::to_string(i));
    for (int i = 0; i < 500; ++i) BOOST_TEST_REQUIRE(c.receive()[0] == std::to_string(i));
    zmq::poll(static_cast<zmq::pollitem_t*>(nullptr), 0, 500ms); // heartbeats go by, in boxes as well
  }
  BOOST_TEST(server->peers() == 1u);
}

BOOST_AUTO_TEST_CASE(strangers_are_told_that_they_are_and_who_speaks_in_the_clear_gets_nowhere) {
  auto honest = call();
  boxed_client stranger("", own.public_key, key_pair());
  BOOST_TEST_REQUIRE(zmq_socket_monitor(stranger.socket.handle(), "inproc://events", ZMQ_EVENT_ALL) == 0);
  stranger.socket.connect(endpoint);
  BOOST_TEST(heard(stranger, "inproc://events") == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
  client clear(endpoint);
  boxed_client lost(endpoint, key_pair().public_key, app);
  gets_nothing(clear);
  gets_nothing(lost);
  honest.ask("1");
  BOOST_TEST(honest.receive()[0] == "1");
  BOOST_TEST(server->peers() == 1u);
}

BOOST_AUTO_TEST_CASE(a_client_in_boxes_gets_nowhere_at_a_door_in_the_clear) {
  fixture plain;
  plain.door->act = echo;
  boxed_client c(plain.serve(), own.public_key, app);
  gets_nothing(c);
}

BOOST_AUTO_TEST_CASE(a_client_that_is_no_longer_listed_ends_and_the_others_go_on) {
  const key_pair second;
  server->use_keys(mq::make_curve_keys(own.secret_key, {app.public_key, second.public_key}));
  auto first = call();
  boxed_client other(endpoint, own.public_key, second);
  for (client* c : {static_cast<client*>(&first), static_cast<client*>(&other)}) {
    c->ask("1");
    BOOST_TEST(c->receive()[0] == "1");
  }
  BOOST_TEST(server->peers() == 2u);
  server->use_keys(mq::make_curve_keys(own.secret_key, {second.public_key}));
  BOOST_TEST(server->peers() == 1u);
  other.ask("2");
  BOOST_TEST(other.receive()[0] == "2");
  gets_nothing(first);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(zmtp_wire_curve)

BOOST_AUTO_TEST_CASE(messages_come_out_of_their_boxes_however_they_are_cut) {
  for (std::size_t piece : {1, 7, 64, 100'000}) {
    boxed_reader r;
    r.shake_hands(piece);
    auto bytes = r.frame(r.peer.message("id", 1)); // one after the other: they are numbered
    bytes += r.frame(r.peer.message(std::string(70'000, 'x')));
    bytes += r.command(r.peer.message("\4PING\0\1hello"s, 2));
    bytes += r.command(r.peer.message("alone"));
    BOOST_TEST((r.feed(bytes.substr(0, 80), piece).empty()));
    BOOST_TEST(r.reader.in_message());
    std::vector<std::vector<std::string>> messages;
    std::string_view rest(bytes);
    rest.remove_prefix(80);
    std::vector<event> events;
    while (!rest.empty()) {
      const auto e = r.reader.feed(rest);
      BOOST_TEST_REQUIRE((e != event::fault));
      if (e == event::message) messages.push_back(r.reader.take_frames());
      if (e != event::more) events.push_back(e);
    }
    BOOST_TEST((events == std::vector{event::message, event::ping, event::message}));
    BOOST_TEST(r.reader.ping_context() == "hello");
    BOOST_TEST((messages == std::vector<std::vector<std::string>>{{"id", std::string(70'000, 'x')}, {"alone"}}));
    BOOST_TEST(!r.reader.in_message());
  }
}

BOOST_AUTO_TEST_CASE(limits_hold_for_what_is_in_the_boxes) {
  const mq::wire_limits limits{.message_bytes = 1000, .frames = 5, .kept_frames = 2};
  {
    boxed_reader r(limits);
    r.shake_hands();
    BOOST_TEST(r.refuses(r.frame(std::string(1034, 'x')).substr(0, 9))); // when it is announced
    BOOST_TEST(r.reader.fault().status == 413);
  }
  {
    boxed_reader r(limits);
    r.shake_hands();
    BOOST_TEST(r.feed(r.frame(r.peer.message(std::string(600, 'x'), 1))).empty());
    BOOST_TEST(r.reader.held() == 600u);
    BOOST_TEST(r.refuses(r.frame(r.peer.message(std::string(401, 'x')))));
    BOOST_TEST(r.reader.fault().status == 413);
  }
  {
    boxed_reader r(limits);
    r.shake_hands();
    for (int i = 0; i < 5; ++i) BOOST_TEST(r.feed(r.frame(r.peer.message("x", 1))).empty());
    BOOST_TEST(r.refuses(r.frame(r.peer.message("x"))));
    BOOST_TEST(r.reader.give_up().size() == 2u);
  }
}

BOOST_AUTO_TEST_CASE(what_is_in_no_box_or_in_a_bad_one_is_refused) {
  for (int kind = 0; kind < 7; ++kind) {
    boxed_reader r;
    r.shake_hands();
    const auto good = r.peer.message("x");
    auto bent = good;
    bent.back() ^= 1;
    const std::string bytes[] = {r.frame("id"),
                                 r.command("\4PING\0\0"s),
                                 r.frame(bent),
                                 r.frame(good) + r.frame(good),
                                 r.frame(r.peer.message("x", 4)),
                                 r.frame(r.peer.message("x", 3)),
                                 "\1"s + r.frame(good).substr(1)};
    BOOST_TEST(r.refuses(bytes[kind]), kind);
    BOOST_TEST(r.reader.reply().empty());
  }
}

BOOST_AUTO_TEST_CASE(nothing_but_the_handshake_is_heard_before_its_end) {
  const auto greeted = [](boxed_reader& r) {
    return r.feed(std::string(mq::greeting(true))) == std::vector{event::greeted};
  };
  {
    boxed_reader r;
    BOOST_TEST(r.refuses(std::string(mq::greeting())));
    BOOST_TEST(r.reader.fault().text.find("CURVE") != std::string::npos);
  }
  for (const auto& first : {"\5READY"s + dealer_properties, "\10INITIATE"s + std::string(200, 'x'),
                            "\7MESSAGE"s + std::string(60, 'x'), ""s}) {
    boxed_reader r;
    BOOST_TEST(greeted(r));
    BOOST_TEST(r.refuses(r.command(first)));
  }
  boxed_reader r;
  BOOST_TEST(greeted(r));
  BOOST_TEST(r.refuses(r.frame(r.peer.hello()))); // a message, not a command
}

BOOST_AUTO_TEST_CASE(a_stranger_is_owed_an_error_and_a_publisher_is_not_let_in) {
  boxed_reader r;
  curve_peer stranger(r.own.public_key, key_pair());
  r.feed(std::string(mq::greeting(true)) + r.command(stranger.hello()));
  BOOST_TEST_REQUIRE(stranger.take_welcome(r.reader.reply().substr(2)));
  BOOST_TEST(r.refuses(r.command(stranger.initiate(dealer_properties))));
  BOOST_TEST(r.reader.reply() == "\4\12\5ERROR\003400"s);
  boxed_reader other;
  other.feed(std::string(mq::greeting(true)) + other.command(other.peer.hello()));
  BOOST_TEST_REQUIRE(other.peer.take_welcome(other.reader.reply().substr(2)));
  BOOST_TEST(other.refuses(other.command(other.peer.initiate("\13Socket-Type\0\0\0\3PUB"s))));
  BOOST_TEST(other.reader.reply().empty());
}

BOOST_AUTO_TEST_CASE(a_random_walk_of_bent_and_cut_handshakes_is_never_let_in) {
  std::mt19937 draw(5);
  for (int i = 0; i < 400; ++i) {
    boxed_reader r;
    auto first = std::string(mq::greeting(true)) + r.command(r.peer.hello());
    const auto bend = [&](std::string& bytes, std::size_t from) {
      if (draw() % 2 == 0) return false;
      bytes[from + draw() % (bytes.size() - from)] ^= static_cast<char>(1 + draw() % 255);
      return true;
    };
    const bool bent = bend(first, 66 + 80); // behind what says nothing
    const auto events = r.feed(first, 1 + draw() % 50);
    if (bent || events.back() != event::welcome) {
      BOOST_TEST_REQUIRE((events.back() == event::fault));
      continue;
    }
    BOOST_TEST_REQUIRE(r.peer.take_welcome(r.reader.reply().substr(2)));
    auto second = r.command(r.peer.initiate(dealer_properties));
    const bool bent_later = bend(second, 9);
    const auto last = r.feed(second, 1 + draw() % 50);
    BOOST_TEST_REQUIRE(r.reader.is_ready() == !bent_later);
    BOOST_TEST_REQUIRE((last.back() == (bent_later ? event::fault : event::ready)));
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace zmq_curve_test
