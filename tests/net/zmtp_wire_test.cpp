// The wire protocol as bytes: what a client may send, however it is cut, and what it may not.
#include "net/zmtp_wire.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

namespace boost::test_tools::tt_detail {
template <>
struct print_log_value<mainstay::mq::wire_reader::event> {
  void operator()(std::ostream& out, mainstay::mq::wire_reader::event e) { out << int(e); }
};
} // namespace boost::test_tools::tt_detail

namespace zmtp_wire_test {

using namespace mainstay::mq;
using namespace std::string_literals;
using event = wire_reader::event;
using frames = std::vector<std::string>;

namespace {

std::string command(const std::string& name, const std::string& rest = "") {
  std::string body{char(name.size())};
  body += name + rest;
  return "\4"s + char(body.size()) + body;
}

std::string property(const std::string& name, const std::string& value) {
  return char(name.size()) + name + "\0\0\0"s + char(value.size()) + value;
}

std::string ready_of(const std::string& type) {
  return command("READY", property("Socket-Type", type) + property("Identity", ""));
}

std::string message(const frames& parts) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) append_frame(out, parts[i], i + 1 < parts.size());
  return out;
}

/// Everything a reader makes of the bytes.
struct heard {
  std::vector<event> events;
  std::vector<frames> messages;
  frames pings;
};

heard feed(wire_reader& reader, std::string_view bytes, std::size_t piece = std::string::npos) {
  heard all;
  while (!bytes.empty()) {
    auto part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (!part.empty()) {
      const auto e = reader.feed(part);
      if (e != event::more) all.events.push_back(e);
      if (e == event::message) all.messages.push_back(reader.take_frames());
      if (e == event::ping) all.pings.emplace_back(reader.ping_context());
      if (e == event::fault) return all;
    }
  }
  return all;
}

wire_reader ready_reader(wire_limits limits = {}) {
  wire_reader reader(limits);
  const auto all = feed(reader, std::string(greeting()) + ready_of("DEALER"));
  BOOST_TEST(reader.is_ready());
  return reader;
}

bool refused(wire_reader& reader, std::string_view bytes) {
  const auto all = feed(reader, bytes);
  return !all.events.empty() && all.events.back() == event::fault && !reader.fault().text.empty();
}

} // namespace

BOOST_AUTO_TEST_SUITE(zmtp_wire)

BOOST_AUTO_TEST_CASE(a_greeting_and_a_ready_are_the_handshake_however_they_are_cut) {
  BOOST_TEST(greeting().size() == 64u);
  for (std::size_t piece : {1, 2, 7, 63, 64, 65, 1000})
    for (auto* type : {"DEALER", "REQ", "ROUTER"}) {
      wire_reader reader({});
      const auto all = feed(reader, std::string(greeting()) + ready_of(type) + message({"a"}), piece);
      BOOST_TEST(all.events == (std::vector{event::greeted, event::ready, event::message}),
                 boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(our_own_ready_names_a_router) {
  BOOST_TEST(ready_command() == command("READY", property("Socket-Type", "ROUTER") + property("Identity", "")));
}

BOOST_AUTO_TEST_CASE(another_protocol_is_told_by_its_first_byte) {
  for (auto& other : {"GET / HTTP/1.1\r\n\r\n"s, "\x16\x03\x01"s, "\0"s, "\1\0"s}) {
    wire_reader reader({});
    std::string_view bytes(other);
    BOOST_TEST(reader.feed(bytes) == event::fault);
    BOOST_TEST(bytes.size() == other.size() - 1);
    BOOST_TEST(reader.feed(bytes) == (bytes.empty() ? event::more : event::fault)); // and it stays so
  }
}

BOOST_AUTO_TEST_CASE(older_versions_and_other_mechanisms_are_refused) {
  auto changed = [](std::size_t at, std::string_view with) {
    std::string g(greeting());
    g.replace(at, with.size(), with);
    return g;
  };
  for (auto& g : {changed(9, "\1"), changed(10, "\1"), changed(10, "\2"), changed(12, "CURVE"), changed(12, "PLAIN"),
                  changed(16, "X")}) {
    wire_reader reader({});
    BOOST_TEST(refused(reader, g));
  }
  wire_reader next_minor({});
  feed(next_minor, changed(11, "\1") + ready_of("DEALER"));
  BOOST_TEST(next_minor.is_ready());
}

BOOST_AUTO_TEST_CASE(a_handshake_is_a_ready_of_a_fitting_socket) {
  const auto good = ready_of("DEALER");
  frames bad{ready_of("PUB"),          ready_of(""),      command("READY"), command("PING", "\0\0"s),
             command("ERROR", "\2no"), message({"chat"}), "\4\0"s,          command("READY", "\xff")};
  const auto type_ends = command("READY", property("Socket-Type", "DEALER")).size();
  for (std::size_t cut = 3; cut < type_ends; ++cut) // shorter, and announced as what it is
    bad.push_back("\4"s + char(cut - 2) + good.substr(2, cut - 2));
  for (auto& b : bad) {
    wire_reader reader({});
    BOOST_TEST(refused(reader, std::string(greeting()) + b), b.size());
    BOOST_TEST(!reader.is_ready());
  }
}

BOOST_AUTO_TEST_CASE(messages_come_out_as_they_went_in_however_they_are_cut) {
  std::mt19937 random(7);
  auto reader = ready_reader();
  for (int round = 0; round < 200; ++round) {
    std::vector<frames> sent(1 + random() % 5);
    std::string bytes;
    for (auto& m : sent) {
      m.resize(1 + random() % 6);
      for (auto& f : m) {
        f.resize(random() % 3 ? random() % 20 : random() % 1000);
        for (char& c : f) c = char(random());
      }
      bytes += message(m);
    }
    const auto all = feed(reader, bytes, 1 + random() % 300);
    BOOST_REQUIRE(all.messages == sent);
    BOOST_REQUIRE(!reader.in_message());
  }
}

BOOST_AUTO_TEST_CASE(lengths_are_written_short_where_they_fit) {
  std::string out;
  append_frame_head(out, 255, true);
  BOOST_TEST(out == "\1\xff");
  out.clear();
  append_frame_head(out, 256, false);
  BOOST_TEST(out == "\2\0\0\0\0\0\0\1\0"s);
}

BOOST_AUTO_TEST_CASE(a_message_of_exactly_the_limit_passes_and_a_larger_one_is_refused_when_announced) {
  const wire_limits limits{.message_bytes = 1000};
  auto reader = ready_reader(limits);
  BOOST_TEST(feed(reader, message({std::string(500, 'a'), std::string(500, 'b')})).messages.size() == 1u);
  BOOST_TEST(refused(reader, message({std::string(500, 'a'), std::string(501, 'b')}).substr(0, 9 + 500 + 9)));
  BOOST_TEST(reader.fault().status == 413);
  BOOST_TEST(reader.give_up() == frames{std::string(500, 'a')}, boost::test_tools::per_element());
  auto huge = ready_reader(limits);
  BOOST_TEST(refused(huge, "\2\xff\xff\xff\xff\xff\xff\xff\xff"s));
}

BOOST_AUTO_TEST_CASE(surplus_frames_are_counted_and_forgotten_and_a_message_without_end_is_refused) {
  auto reader = ready_reader({.message_bytes = 1 << 20, .frames = 100, .kept_frames = 6});
  frames twenty(20, "x");
  const auto all = feed(reader, message(twenty));
  BOOST_REQUIRE(all.messages.size() == 1u);
  BOOST_TEST(all.messages[0].size() == 6u);
  std::string endless = message({"id", ""}).substr(0, 4);
  for (int i = 0; i < 200; ++i) append_frame(endless, "", true);
  BOOST_TEST(refused(reader, endless));
  BOOST_TEST(reader.fault().status == 400);
  BOOST_TEST(reader.give_up()[0] == "id"); // so that somebody can be told
}

BOOST_AUTO_TEST_CASE(what_has_come_of_a_message_is_known_byte_by_byte) {
  auto reader = ready_reader();
  std::string bytes = message({"id", "chat"});
  std::size_t came = 0;
  for (char c : bytes.substr(0, bytes.size() - 1)) { // two bytes of head before each frame
    ++came;
    feed(reader, {&c, 1});
    BOOST_TEST(reader.held() == (came <= 4 ? came - std::min<std::size_t>(came, 2) : came <= 6 ? 2 : came - 4));
  }
  feed(reader, bytes.substr(bytes.size() - 1));
  BOOST_TEST(reader.held() == 0u);
  feed(reader, message({"id", "chat"}).substr(0, 4) + "\4\x20\4PI"); // a command that is not whole says nothing
  BOOST_TEST(reader.held() == 2u);
  BOOST_TEST(reader.give_up().size() == 1u);
  BOOST_TEST(reader.held() == 0u);
}

BOOST_AUTO_TEST_CASE(commands_may_come_between_the_frames_of_a_message) {
  auto reader = ready_reader();
  std::string bytes;
  append_frame(bytes, "id", true);
  bytes += command("PING", "\0\12context"s);
  append_frame(bytes, "chat", false);
  bytes += command("PONG") + command("WHATEVER") + command("PING", "\0\0"s);
  const auto all = feed(reader, bytes, 3);
  BOOST_REQUIRE(all.messages.size() == 1u);
  BOOST_TEST(all.messages[0] == (frames{"id", "chat"}), boost::test_tools::per_element());
  BOOST_TEST(all.pings == (frames{"context", ""}), boost::test_tools::per_element());
  BOOST_TEST(pong_command("context") == command("PONG", "context"));
  BOOST_TEST(ping_command() == command("PING", "\0\0"s));
}

BOOST_AUTO_TEST_CASE(what_no_client_sends_is_refused) {
  for (auto& bytes : {"\x08\1x"s, "\xff"s, "\5\1x"s, command("PING"), command("PING", "\0"s), "\6\0\0\0\0\0\1\0\0"s}) {
    auto reader = ready_reader();
    BOOST_TEST(refused(reader, bytes));
  }
}

// Whatever the bytes are: no crash, and what is kept stays within the limits.
BOOST_AUTO_TEST_CASE(random_bytes_are_read_or_refused_within_the_limits) {
  std::mt19937 random(11);
  const wire_limits limits{.message_bytes = 2000, .frames = 20, .kept_frames = 6};
  int messages = 0, faults = 0;
  for (int round = 0; round < 3000; ++round) {
    auto reader = ready_reader(limits);
    std::string bytes;
    for (int i = 0, parts = int(random() % 40); i < parts; ++i) {
      if (random() % 4 == 0) bytes += char(random()); // nonsense between frames
      std::string f(random() % 100, char(random()));
      if (random() % 10 == 0) bytes += command("PING", "\0\0"s);
      append_frame(bytes, f, random() % 2);
    }
    if (random() % 3 == 0 && !bytes.empty()) bytes[random() % bytes.size()] = char(random());
    const auto all = feed(reader, bytes, 1 + random() % 100);
    for (auto& m : all.messages) {
      std::size_t size = 0;
      for (auto& f : m) size += f.size();
      BOOST_REQUIRE(m.size() <= 6u);
      BOOST_REQUIRE(size <= 2000u);
    }
    messages += int(all.messages.size());
    faults += !all.events.empty() && all.events.back() == event::fault;
  }
  BOOST_TEST(messages > 1000);
  BOOST_TEST(faults > 500);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace zmtp_wire_test
