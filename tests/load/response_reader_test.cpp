// HTTP answers, whole and cut anywhere.
#include "tools/load/response_reader.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

namespace response_reader_test {

using namespace mainstay::load;
using state = response_reader::state;

namespace {

struct seen final : response_sink {
  std::vector<int> statuses;
  std::string sources, body;
  bool event_stream = false;

  void on_head(const response_head& h) override {
    statuses.push_back(h.status);
    sources += h.source;
    event_stream = h.event_stream;
  }
  void on_body(std::string_view piece) override {
    BOOST_TEST(!piece.empty());
    body += piece;
  }
};

constexpr std::string_view sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Mainstay-Source: primary\r\n\r\nhello";
constexpr std::string_view chunked =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream; "
    "charset=utf-8\r\nx-mainstay-source:backup \r\n\r\n"
    "6\r\nhello \r\nA;x=y\r\n0123456789\r\n0\r\ntrailer: t\r\n\r\n";

state feed(response_reader& reader, std::string_view bytes, seen& to) {
  auto s = reader.feed(bytes, to);
  BOOST_TEST((s == state::malformed || bytes.empty()));
  return s;
}

} // namespace

BOOST_AUTO_TEST_SUITE(response_readers)

BOOST_AUTO_TEST_CASE(a_sized_answer_is_complete_with_its_last_byte) {
  response_reader reader;
  seen got;
  BOOST_TEST(reader.idle());
  BOOST_TEST((feed(reader, sized, got) == state::complete));
  BOOST_TEST(got.body == "hello");
  BOOST_TEST(got.sources == "primary");
  BOOST_TEST(!got.event_stream);
  BOOST_TEST(reader.keep_alive());
  BOOST_TEST(reader.idle());
}

BOOST_AUTO_TEST_CASE(bytes_may_be_cut_anywhere) {
  for (auto [bytes, body] : {std::pair{sized, "hello"}, {chunked, "hello 0123456789"}}) {
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
      response_reader reader;
      seen got;
      BOOST_TEST((feed(reader, bytes.substr(0, cut), got) == state::more));
      BOOST_TEST(!reader.idle());
      BOOST_TEST((feed(reader, bytes.substr(cut), got) == state::complete));
      BOOST_TEST(got.body == body);
    }
    response_reader reader;
    seen got;
    for (auto c : bytes.substr(0, bytes.size() - 1)) BOOST_TEST((feed(reader, {&c, 1}, got) == state::more));
    BOOST_TEST((feed(reader, bytes.substr(bytes.size() - 1), got) == state::complete));
    BOOST_TEST(got.body == body);
  }
}

BOOST_AUTO_TEST_CASE(what_follows_an_answer_is_left) {
  response_reader reader;
  seen got;
  auto bytes = std::string(chunked) + std::string(sized);
  std::string_view rest = bytes;
  BOOST_TEST((reader.feed(rest, got) == state::complete));
  BOOST_TEST(rest == sized);
  BOOST_TEST(got.event_stream);
  BOOST_TEST(got.sources == "backup");
  BOOST_TEST((reader.feed(rest, got) == state::complete));
  BOOST_TEST(rest.empty());
}

BOOST_AUTO_TEST_CASE(interim_answers_do_not_count) {
  response_reader reader;
  seen got;
  BOOST_TEST((feed(reader, "HTTP/1.1 100 Continue\r\n\r\n" + std::string(sized), got) == state::complete));
  BOOST_TEST(got.statuses == std::vector{200});
}

BOOST_AUTO_TEST_CASE(an_empty_body_is_complete_with_the_head) {
  for (auto head : {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"}) {
    response_reader reader;
    seen got;
    BOOST_TEST((feed(reader, head, got) == state::complete));
    BOOST_TEST(got.body.empty());
  }
}

BOOST_AUTO_TEST_CASE(without_a_length_the_end_of_the_connection_is_the_end) {
  response_reader reader;
  seen got;
  BOOST_TEST((feed(reader, "HTTP/1.1 200 OK\r\n\r\nsome", got) == state::more));
  BOOST_TEST((feed(reader, " text", got) == state::more));
  BOOST_TEST((reader.end() == state::complete));
  BOOST_TEST(!reader.keep_alive());
  BOOST_TEST(got.body == "some text");
  response_reader cut;
  BOOST_TEST((feed(cut, sized.substr(0, sized.size() - 1), got) == state::more));
  BOOST_TEST((cut.end() == state::malformed));
}

BOOST_AUTO_TEST_CASE(a_connection_is_kept_as_the_answer_says) {
  for (auto [head, kept] : {std::pair{"HTTP/1.1 200 OK\r\nConnection: Close\r\n", false},
                            {"HTTP/1.1 200 OK\r\n", true},
                            {"HTTP/1.0 200 OK\r\n", false},
                            {"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n", true}}) {
    response_reader reader;
    seen got;
    BOOST_TEST((feed(reader, std::string(head) + "content-length: 0\r\n\r\n", got) == state::complete));
    BOOST_TEST(reader.keep_alive() == kept, head);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_http_is_malformed) {
  for (auto bytes :
       {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n"}) {
    response_reader reader;
    seen got;
    BOOST_TEST((feed(reader, bytes, got) == state::malformed), bytes);
  }
  response_reader reader;
  seen got;
  BOOST_TEST((feed(reader, std::string(100'000, 'a'), got) == state::malformed));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace response_reader_test
