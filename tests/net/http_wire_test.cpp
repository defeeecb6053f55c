// Heads, events and the outgoing queue, without a socket.
#include "net/http_server.hpp"
#include "net/http_wire.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace http_wire_test {

using namespace mainstay;
using namespace mainstay::http;

namespace {

std::string text(const wire_piece& p) { return p.lead + (p.body ? *p.body : "") + std::string(p.tail); }

/// What the socket would have seen if it took at most `most` bytes at a time.
std::string send(wire_queue& queue, std::size_t most, std::size_t& progress) {
  std::string wire;
  while (!queue.empty()) {
    iovec parts[5];
    std::size_t offered = 0, left = most;
    auto n = queue.gather(parts, 5, offered);
    std::size_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += parts[i].iov_len;
    BOOST_REQUIRE(n > 0);
    BOOST_REQUIRE_EQUAL(sum, offered);
    for (std::size_t i = 0; i < n && left > 0; ++i) {
      auto take = std::min(left, parts[i].iov_len);
      wire.append(static_cast<const char*>(parts[i].iov_base), take);
      left -= take;
    }
    progress += queue.consume(most - left);
  }
  return wire;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_wire)

BOOST_AUTO_TEST_CASE(an_event_is_one_chunk_around_shared_bytes) {
  auto json = make_bytes(R"({"a":1})");
  auto piece = event_piece(json, stream_framing::chunked);
  BOOST_TEST(text(piece) == "f\r\ndata: {\"a\":1}\n\n\r\n");
  BOOST_TEST(piece.body.get() == json.get());
  BOOST_TEST(text(event_piece(json, stream_framing::until_close)) == "data: {\"a\":1}\n\n");
}

BOOST_AUTO_TEST_CASE(line_ends_inside_an_event_cannot_forge_another_one) {
  auto piece = event_piece(make_bytes("{\n\"a\":\r\n1\r}\n\ndata: evil"), stream_framing::until_close);
  BOOST_TEST(text(piece) == "data: {\ndata: \"a\":\ndata: 1\ndata: }\ndata: \ndata: data: evil\n\n");
  BOOST_TEST(text(comment_piece("a\r\nb\nc", stream_framing::until_close)) == ": a  b c\n\n");
}

BOOST_AUTO_TEST_CASE(a_typed_event_says_its_type_first_and_cannot_forge_another_one) {
  BOOST_TEST(text(event_piece(make_bytes("{}"), stream_framing::until_close, "ping")) == "event: ping\ndata: {}\n\n");
  BOOST_TEST(text(event_piece(make_bytes("{}"), stream_framing::chunked, "ping")) ==
             "16\r\nevent: ping\ndata: {}\n\n\r\n");
  BOOST_TEST(text(event_piece(make_bytes("{}"), stream_framing::until_close, "a\ndata: evil")) == "data: {}\n\n");
}

BOOST_AUTO_TEST_CASE(the_end_of_a_stream_ends_its_chunks) {
  BOOST_TEST(text(done_piece(stream_framing::chunked)) == "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
  BOOST_TEST(text(end_piece(stream_framing::chunked)) == "0\r\n\r\n");
  BOOST_TEST(text(end_piece(stream_framing::until_close)) == "");
}

BOOST_AUTO_TEST_CASE(header_values_cannot_end_a_line_and_framing_cannot_be_overridden) {
  header_list headers{{"X-Id", "a\r\nset-cookie: b"},
                      {"bad name", "x"},
                      {"", "x"},
                      {"a\r\nb", "x"},
                      {"Content-Length", "7"},
                      {"connection", "x"},
                      {"transfer-encoding", "chunked"},
                      {"content-type", "x"}};
  auto head = head_text({200, "text/plain\r\nx: y", 3}, headers);
  BOOST_TEST(
      head ==
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain  x: y\r\ncontent-length: 3\r\nx-id: a  set-cookie: b\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(connection_is_told_by_version) {
  auto head = [](bool http11, bool keep_alive) { return head_text({200, "", 0, false, http11, keep_alive}, {}); };
  BOOST_TEST(head(true, true) == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  BOOST_TEST(head(true, false) == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  BOOST_TEST(head(false, true) == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n");
  BOOST_TEST(head_text({204, "a/b", 3}, {}) == "HTTP/1.1 204 No Content\r\n\r\n");
  BOOST_TEST(head_text({100, "", 0}, {}).substr(0, 12) == "HTTP/1.1 500");
}

BOOST_AUTO_TEST_CASE(error_json_is_valid_whatever_the_message_is) {
  BOOST_TEST(error_json("a\"\\\n\x01", "t", "c") ==
             R"({"error":{"message":"a\"\\\n\u0001","type":"t","param":null,"code":"c"}})");
  BOOST_TEST(error_json("\xc3\xa9\xff\xe0\x80\xc3", "t", "", "p") ==
             "{\"error\":{\"message\":\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"type\":\"t\","
             "\"param\":\"p\",\"code\":null}}");
}

// Random pieces through random socket sizes: the bytes arrive whole and in order, and progress is the sum of the
// events' bodies.
BOOST_AUTO_TEST_CASE(the_queue_loses_and_repeats_nothing) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    wire_queue queue;
    std::string expected, wire;
    std::size_t events = 0, progress = 0;
    for (int batch = 0; batch < 4; ++batch) {
      std::vector<wire_piece> pieces;
      for (auto n = random() % 120; n-- > 0;) {
        auto body = std::string(random() % 50, static_cast<char>('a' + random() % 26));
        events += body.size();
        pieces.push_back(event_piece(make_bytes(body), stream_framing::chunked));
        if (random() % 4 == 0) pieces.push_back(comment_piece("c", stream_framing::chunked));
        if (random() % 9 == 0)
          pieces.push_back(end_piece(stream_framing::until_close)); // empty: must not get in the way
      }
      for (auto& p : pieces) expected += text(p);
      queue.push(std::move(pieces));
      iovec parts[3];
      std::size_t offered = 0;
      if (auto n = queue.gather(parts, 3, offered); n > 0 && batch < 3) { // some leaves between the batches
        auto take = 1 + random() % offered;
        std::string all;
        for (std::size_t i = 0; i < n; ++i) all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
        wire += all.substr(0, take);
        progress += queue.consume(take);
      }
      BOOST_REQUIRE_EQUAL(queue.bytes() + wire.size(), expected.size());
    }
    wire += send(queue, 1 + random() % 200, progress);
    BOOST_REQUIRE(wire == expected);
    BOOST_REQUIRE_EQUAL(progress, events);
    BOOST_REQUIRE_EQUAL(queue.event_bytes(), 0u);
    BOOST_REQUIRE_EQUAL(queue.bytes(), 0u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace http_wire_test
