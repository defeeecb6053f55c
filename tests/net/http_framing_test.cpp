// The guard over request heads and chunked bodies, from bytes alone: what is accepted, and the status of what is not.
#include "net/http_chunked.hpp"
#include "net/http_framing.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace http_framing_test {

using namespace mainstay::http;
using namespace std::string_literals;

namespace {

constexpr head_limits limits{32u << 10, 100};

/// Scans in pieces of `step` bytes, then reads. A status of 0 means accepted, -1 that the head never ended.
struct verdict {
  int status = -1;
  request_head head;
  std::size_t size = 0;
};

verdict judge(std::string_view bytes, std::size_t step = 1, head_limits with = limits) {
  head_scanner scanner;
  for (std::size_t n = std::min(step, bytes.size());; n = std::min(n + step, bytes.size())) {
    auto state = scanner.scan(bytes.substr(0, n), with);
    if (state == head_scanner::state::fault) return {scanner.fault().status, {}, 0};
    if (state == head_scanner::state::complete) break;
    if (n == bytes.size()) return {};
  }
  auto read = read_head(bytes.substr(0, scanner.size()), with);
  if (auto fault = std::get_if<framing_fault>(&read)) return {fault->status, {}, 0};
  return {0, std::get<request_head>(read), scanner.size()};
}

verdict with_fields(const std::string& fields, const std::string& version = "1.1") {
  return judge("POST /x HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n");
}

int target_status(const std::string& target) { return judge("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n").status; }

} // namespace

BOOST_AUTO_TEST_SUITE(http_framing)

BOOST_AUTO_TEST_CASE(a_plain_head_is_read_with_lower_case_names_and_trimmed_values) {
  auto v =
      judge("POST /v1/chat?a=b&c HTTP/1.1\r\nHost: x:1\r\nX-Api-Key: \t k e y \t\r\nContent-Length: 12\r\n\r\nrest");
  BOOST_TEST(v.status == 0);
  BOOST_TEST(v.head.method == "POST");
  BOOST_TEST(v.head.path == "/v1/chat");
  BOOST_TEST(v.head.query == "a=b&c");
  BOOST_TEST(v.head.content_length == 12u);
  BOOST_TEST(v.head.keep_alive);
  BOOST_TEST(*mainstay::find_header(v.head.headers, "x-api-key") == "k e y");
  BOOST_TEST(v.head.headers.size() == 3u);
}

BOOST_AUTO_TEST_CASE(the_end_of_a_head_is_found_however_it_is_cut) {
  auto bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n"s;
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    auto v = judge(bytes, step);
    BOOST_TEST(v.status == 0);
    BOOST_TEST(v.size == 27u);
  }
}

BOOST_AUTO_TEST_CASE(content_length_beside_transfer_encoding_is_400_in_either_order) {
  BOOST_TEST(with_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n").status == 400);
  BOOST_TEST(with_fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n").status == 400);
  BOOST_TEST(with_fields("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n").status == 400);
}

BOOST_AUTO_TEST_CASE(a_second_or_odd_content_length_is_400) {
  BOOST_TEST(with_fields("Content-Length: 5\r\nContent-Length: 6\r\n").status == 400);
  BOOST_TEST(with_fields("Content-Length: 5\r\ncontent-length: 5\r\n").status == 400);
  for (auto odd : {"", "5, 5", "5,6", "+5", "-5", "5 5", "0x5", "5.0", "5;", "five", "99999999999999999999", "\xb5"})
    BOOST_TEST(with_fields("Content-Length: "s + odd + "\r\n").status == 400, odd);
  BOOST_TEST(with_fields("Content-Length: 999999999999999999\r\n").head.content_length == 999999999999999999u);
}

BOOST_AUTO_TEST_CASE(a_transfer_encoding_other_than_one_chunked_is_501) {
  for (auto odd : {"gzip", "gzip, chunked", "chunked, chunked", "chunked, gzip", "identity", "", "chunked;q=1",
                   "xchunked", "\"chunked\"", "chunked,"})
    BOOST_TEST(with_fields("Transfer-Encoding: "s + odd + "\r\n").status == 501, odd);
  BOOST_TEST(with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n").status == 501);
  BOOST_TEST(with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n").status == 501);
  auto v = with_fields("Transfer-Encoding: Chunked\r\n");
  BOOST_TEST(v.status == 0);
  BOOST_TEST(v.head.chunked);
}

BOOST_AUTO_TEST_CASE(a_transfer_encoding_hidden_by_a_vertical_tab_or_a_space_is_400) {
  BOOST_TEST(with_fields("Transfer-Encoding: \vchunked\r\n").status == 400);
  BOOST_TEST(with_fields("Transfer-Encoding : chunked\r\n").status == 400);
  BOOST_TEST(with_fields("Transfer-Encoding\t: chunked\r\n").status == 400);
  BOOST_TEST(with_fields(" Transfer-Encoding: chunked\r\n").status == 400);
  BOOST_TEST(with_fields("X: y\r\n\tTransfer-Encoding: chunked\r\n").status == 400);
}

BOOST_AUTO_TEST_CASE(http_1_0_with_chunked_is_400) {
  BOOST_TEST(with_fields("Transfer-Encoding: chunked\r\n", "1.0").status == 400);
  BOOST_TEST(with_fields("Content-Length: 3\r\n", "1.0").status == 0);
}

BOOST_AUTO_TEST_CASE(bare_line_ends_and_control_characters_are_400) {
  BOOST_TEST(judge("GET / HTTP/1.1\nHost: a\n\n").status == 400);
  BOOST_TEST(judge("GET / HTTP/1.1\r\nHost: a\n\r\n").status == 400);
  BOOST_TEST(judge("GET / HTTP/1.1\r\nHost: a\r\n\n").status == 400);
  BOOST_TEST(judge("\n\n").status == 400);
  BOOST_TEST(judge("\r\n\r\n").status == 400);
  BOOST_TEST(judge("GET / HTTP/1.1\rHost: a\r\n\r\n").status == 400);
  BOOST_TEST(with_fields("X: a\rb\r\n").status == 400);
  BOOST_TEST(with_fields("X: a\r\r\n").status == 400);
  for (char c = 1; c < 32; ++c)
    if (c != '\t' && c != '\n') BOOST_TEST(with_fields("X: a"s + c + "b\r\n").status == 400, int(c));
  BOOST_TEST(with_fields("X: a\x7f\r\n").status == 400);
  BOOST_TEST(with_fields("X: a\0b\r\n"s).status == 400);
  BOOST_TEST(with_fields("X\0: b\r\n"s).status == 400);
  BOOST_TEST(with_fields("X: caf\xc3\xa9\tb\r\n").status == 0);
}

BOOST_AUTO_TEST_CASE(a_header_name_is_a_token_and_nothing_else) {
  for (auto odd : {": v", "no colon", "a b: v", "a\"b: v", "a(b): v", "\xc3\xa9: v", "a@b: v"})
    BOOST_TEST(with_fields(odd + "\r\n"s).status == 400, odd);
  BOOST_TEST(with_fields("X-!#$%&'*+.^_`|~9:\r\n").status == 0);
}

BOOST_AUTO_TEST_CASE(host_is_needed_once_on_1_1_and_may_be_missing_on_1_0) {
  BOOST_TEST(judge("GET / HTTP/1.1\r\n\r\n").status == 400);
  BOOST_TEST(judge("GET / HTTP/1.0\r\n\r\n").status == 0);
  BOOST_TEST(judge("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n").status == 400);
  BOOST_TEST(judge("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n").status == 400);
  for (auto odd : {"a b", "a,b", "a/b", "u@a", "a?b", "\xc3\xa9"})
    BOOST_TEST(judge("GET / HTTP/1.1\r\nHost: "s + odd + "\r\n\r\n").status == 400, odd);
  for (auto fine : {"a", "a:80", "[::1]:80", ""})
    BOOST_TEST(judge("GET / HTTP/1.1\r\nHost: "s + fine + "\r\n\r\n").status == 0, fine);
}

BOOST_AUTO_TEST_CASE(request_lines_are_exactly_three_words) {
  for (auto odd :
       {"GET /", "GET", "", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET / x HTTP/1.1",
        "GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.10", "GET / HTTP/11", "G(T / HTTP/1.1", "GET\t/\tHTTP/1.1"})
    BOOST_TEST(judge(odd + "\r\nHost: a\r\n\r\n"s).status == 400, odd);
  BOOST_TEST(judge("GET / HTTP/2.0\r\nHost: a\r\n\r\n").status == 505);
  BOOST_TEST(judge("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 505);
}

BOOST_AUTO_TEST_CASE(targets_are_paths_or_absolute_urls) {
  BOOST_TEST(target_status("/") == 0);
  BOOST_TEST(target_status("/a%20b?x=[1]") == 0);
  for (auto odd : {"a", "host:80", "*", "ftp://a/b", "http:///b", "/a#b", "/caf\xc3\xa9", "/a\x01", "http://?x"})
    BOOST_TEST(target_status(odd) == 400, odd);
  auto v = judge("GET http://a:1/p/q?r HTTP/1.1\r\nHost: a\r\n\r\n");
  BOOST_TEST(v.head.path == "/p/q");
  BOOST_TEST(v.head.query == "r");
  BOOST_TEST(judge("GET http://a?r HTTP/1.1\r\nHost: a\r\n\r\n").head.path == "/");
  BOOST_TEST(judge("GET HTTP://a HTTP/1.1\r\nHost: a\r\n\r\n").head.path == "/");
  BOOST_TEST(judge("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").head.path == "*");
}

BOOST_AUTO_TEST_CASE(floods_have_a_status_of_their_own) {
  BOOST_TEST(target_status("/" + std::string(9000, 'a')) == 414);
  BOOST_TEST(judge("GET /" + std::string(40000, 'a'), 1000).status == 414);
  BOOST_TEST(judge(std::string(40000, 'A'), 1000).status == 414);
  BOOST_TEST(judge(std::string(33, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n").status == 501);
  BOOST_TEST(judge("GET / HTTP/1.1\r\nX: " + std::string(40000, 'a'), 1000).status == 431);
  std::string many;
  for (int i = 0; i < 99; ++i) many += "a: b\r\n";
  BOOST_TEST(with_fields(many).status == 0);
  BOOST_TEST(with_fields(many + "a: b\r\n").status == 431);
}

BOOST_AUTO_TEST_CASE(a_head_of_exactly_the_limit_is_taken_and_one_byte_more_is_not) {
  std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ", end = "\r\n\r\n";
  auto of_size = [&](std::size_t n) { return start + std::string(n - start.size() - end.size(), 'x') + end; };
  head_limits small{256, 10};
  for (std::size_t step : {1, 7, 300}) {
    BOOST_TEST(judge(of_size(256), step, small).status == 0);
    BOOST_TEST(judge(of_size(257), step, small).status == 431);
  }
}

BOOST_AUTO_TEST_CASE(keep_alive_follows_version_and_connection_options) {
  BOOST_TEST(with_fields("").head.keep_alive);
  BOOST_TEST(!with_fields("Connection: Close\r\n").head.keep_alive);
  BOOST_TEST(!with_fields("Connection: keep-alive, close\r\n").head.keep_alive);
  BOOST_TEST(!with_fields("Connection: x ,, close\r\nConnection: keep-alive\r\n").head.keep_alive);
  BOOST_TEST(!with_fields("", "1.0").head.keep_alive);
  BOOST_TEST(with_fields("Connection: Keep-Alive\r\n", "1.0").head.keep_alive);
}

BOOST_AUTO_TEST_CASE(only_100_continue_can_be_expected) {
  BOOST_TEST(with_fields("Expect: 100-Continue\r\n").head.expects_continue);
  BOOST_TEST(!with_fields("Expect: 100-continue\r\n", "1.0").head.expects_continue);
  BOOST_TEST(with_fields("Expect: tea\r\n").status == 417);
}

// Whatever random edits make of a head: reading never crashes, and an accepted head has one framing and no control
// characters.
BOOST_AUTO_TEST_CASE(mutated_heads_are_refused_or_unambiguous) {
  std::mt19937 random(7);
  const auto seed =
      "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"s;
  const std::vector<std::string> pieces{
      "\r\n", "\n", "\r", " ", ":", ",", "chunked", "5", "\0"s, "Content-Length: 5\r\n", "\t"};
  int accepted = 0;
  for (int round = 0; round < 30000; ++round) {
    auto bytes = seed;
    if (round % 2) bytes.erase(bytes.find("Transfer"), 28);
    for (auto edits = random() % 3; edits-- > 0;) {
      auto at = random() % bytes.size();
      if (random() % 2)
        bytes.erase(at, 1 + random() % 6);
      else
        bytes.insert(at, pieces[random() % pieces.size()]);
    }
    auto v = judge(bytes, 1 + random() % 40);
    if (v.status != 0) continue;
    ++accepted;
    int lengths = 0, codings = 0;
    for (auto& [name, value] : v.head.headers) {
      BOOST_REQUIRE(!name.empty() && std::all_of(name.begin(), name.end(), is_token_char));
      BOOST_REQUIRE(std::all_of(value.begin(), value.end(), is_field_char));
      lengths += name == "content-length";
      codings += name == "transfer-encoding";
    }
    BOOST_REQUIRE(lengths + codings <= 1);
    BOOST_REQUIRE(v.head.chunked == (codings == 1));
  }
  BOOST_TEST(accepted > 1000);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_chunked)

namespace {

struct decoded {
  chunked_decoder::state state = chunked_decoder::state::more;
  std::string body, rest;
  int status = 0;
};

decoded decode(std::string_view bytes, std::size_t step = 1, std::size_t limit = 1000) {
  chunked_decoder decoder;
  decoded out;
  for (std::size_t at = 0; at < bytes.size() && out.state == chunked_decoder::state::more;) {
    auto piece = bytes.substr(at, step);
    auto before = piece.size();
    out.state = decoder.feed(piece, out.body, limit);
    at += before - piece.size();
    if (out.state == chunked_decoder::state::complete) out.rest = bytes.substr(at);
    if (out.state == chunked_decoder::state::fault) out.status = decoder.fault().status;
  }
  return out;
}

bool complete(const decoded& d) { return d.state == chunked_decoder::state::complete; }

} // namespace

BOOST_AUTO_TEST_CASE(chunks_are_joined_however_they_are_cut) {
  auto bytes = "5;a=\"b\"\r\nhello\r\nA\r\n, world 12\r\n000\r\nX-Sum: 1\r\n\r\nGET /"s;
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    auto d = decode(bytes, step);
    BOOST_TEST(complete(d));
    BOOST_TEST(d.body == "hello, world 12");
    BOOST_TEST(d.rest == "GET /");
  }
}

BOOST_AUTO_TEST_CASE(an_empty_body_may_come_byte_by_byte) { BOOST_TEST(complete(decode("0\r\n\r\n"))); }

BOOST_AUTO_TEST_CASE(malformed_chunks_are_400) {
  for (auto odd : {"x\r\n",
                   "\r\n",
                   " 5\r\n",
                   "5 \r\nhello",
                   "5\nhello\r\n",
                   "5\r\nhelloX",
                   "5\r\nhello\rX",
                   "5\r\nhello\n",
                   "-5\r\n",
                   "+5\r\n",
                   "0x5\r\n",
                   "5\rX",
                   "00000000000000005\r\n",
                   "5;a\nb\r\n",
                   "5;\x01\r\n",
                   "0\r\n: x\r\n\r\n",
                   "0\r\nX: \x01\r\n\r\n",
                   "0\r\n\n",
                   "0\r\n\rX",
                   "0\r\nX: y\n\r\n",
                   "0\r\n folded\r\n\r\n"})
    for (std::size_t step : {1, 100}) BOOST_TEST(decode(odd, step).status == 400, odd);
}

BOOST_AUTO_TEST_CASE(a_body_over_the_limit_is_413_before_its_bytes_are_taken) {
  BOOST_TEST(complete(decode("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", 3, 10)));
  auto over = decode("5\r\nhello\r\n6\r\n", 3, 10);
  BOOST_TEST(over.status == 413);
  BOOST_TEST(over.body == "hello");
  BOOST_TEST(decode("FFFFFFFFFFFFFFFF\r\n").status == 413);
}

BOOST_AUTO_TEST_CASE(endless_extensions_and_trailers_are_431) {
  BOOST_TEST(decode("5;" + std::string(20000, 'a')).status == 431);
  BOOST_TEST(decode("0\r\n" + std::string(20000, 'a')).status == 431);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "1;" + std::string(30, 'a') + "\r\nx\r\n";
  BOOST_TEST(decode(many, 1000).status == 431);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace http_framing_test
