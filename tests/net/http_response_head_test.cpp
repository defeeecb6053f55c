// The response head line by line, without a socket.
#include "net/http_response_head.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

namespace http_response_head_test {

using namespace mainstay;
using http::response_head;
using progress = http::response_head::progress;

namespace {

progress feed(response_head& head, std::initializer_list<std::string_view> lines) {
  auto last = progress::more;
  for (auto line : lines)
    if (last == progress::more) last = head.take_line(line);
  return last;
}

response_head fresh(std::size_t limit = 10'000) {
  response_head head;
  head.reset(limit);
  return head;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_response_head)

BOOST_AUTO_TEST_CASE(names_are_lower_cased_and_values_trimmed) {
  auto head = fresh();
  BOOST_TEST(
      (feed(head, {"HTTP/1.1 200 OK\r\n", "Content-TYPE:  text/Plain \r\n", "x:\r\n", "\r\n"}) == progress::complete));
  BOOST_TEST(head.status() == 200);
  auto fields = head.take_fields();
  BOOST_TEST(*find_header(fields, "content-type") == "text/Plain");
  BOOST_TEST(*find_header(fields, "x") == "");
}

BOOST_AUTO_TEST_CASE(interim_heads_and_their_fields_are_forgotten) {
  auto head = fresh();
  BOOST_TEST((feed(head, {"HTTP/1.1 100 Continue\r\n", "\r\n", "HTTP/1.1 103 Early Hints\r\n", "link: x\r\n",
                          "\r\n"}) == progress::more));
  BOOST_TEST((feed(head, {"HTTP/2 404 \r\n", "a: b\r\n", "\r\n"}) == progress::complete));
  BOOST_TEST(head.status() == 404);
  BOOST_TEST(head.take_fields().size() == 1u);
}

BOOST_AUTO_TEST_CASE(no_more_than_a_hundred_fields_are_kept) {
  auto head = fresh();
  head.take_line("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 150; ++i) head.take_line("n" + std::to_string(i) + ": v\r\n");
  head.take_line(" folded onto a field that was not kept\r\n");
  BOOST_TEST((head.take_line("\r\n") == progress::complete));
  auto fields = head.take_fields();
  BOOST_TEST(fields.size() == 100u);
  BOOST_TEST(fields.back().first == "n99");
  BOOST_TEST(fields.back().second == "v");
}

BOOST_AUTO_TEST_CASE(a_folded_line_continues_the_field_before) {
  auto head = fresh();
  feed(head, {"HTTP/1.1 200 OK\r\n", " stray\r\n", "a: one\r\n", "\t two\r\n", "no colon\r\n", "\r\n"});
  auto fields = head.take_fields();
  BOOST_TEST(fields.size() == 1u);
  BOOST_TEST(fields[0].second == "one two");
}

BOOST_AUTO_TEST_CASE(the_limit_covers_interim_heads_and_trailers_too) {
  auto endless_interim = fresh(1000);
  int lines = 0;
  while (feed(endless_interim, {"HTTP/1.1 100 Continue\r\n", "\r\n"}) == progress::more && lines < 1000) ++lines;
  BOOST_TEST(lines < 45);

  auto endless_trailers = fresh(1000);
  feed(endless_trailers, {"HTTP/1.1 200 OK\r\n", "\r\n"});
  BOOST_TEST(endless_trailers.complete());
  lines = 0;
  while (endless_trailers.take_line("trailer: value\r\n") == progress::more && lines < 1000) ++lines;
  BOOST_TEST(lines < 65);
}

BOOST_AUTO_TEST_CASE(what_is_no_status_line_is_refused) {
  for (auto line : {"HTTP/1.1 OK\r\n", "HTTP/1.1\r\n", "HTTP/1.1 20 x\r\n", "HTTP/1.1 2000\r\n", "HTTP/1.1 099 x\r\n",
                    "HTTP/1.1 101 Switching\r\n", "field: first\r\n", "\r\n"}) {
    auto head = fresh();
    BOOST_TEST((head.take_line(line) == progress::malformed), line);
    BOOST_TEST(std::string{head.complaint()} != "");
  }
}

BOOST_AUTO_TEST_CASE(two_lengths_or_one_that_is_no_number_are_refused) {
  for (auto lengths : {"Content-Length: 5\r\n|content-length: 6\r\n", "content-length: 5\r\n|content-length: 05\r\n",
                       "content-length: -5\r\n|\r\n", "content-length: 5, 6\r\n|\r\n", "content-length: \r\n|\r\n",
                       "content-length: 0x5\r\n|\r\n", "content-length: 9999999999999999999\r\n|\r\n",
                       "content-length: 5\r\n| 6\r\n"}) {
    std::string_view both = lengths;
    auto cut = both.find('|');
    auto head = fresh();
    BOOST_TEST((feed(head, {"HTTP/1.1 200 OK\r\n", both.substr(0, cut), both.substr(cut + 1)}) == progress::malformed),
               both);
  }
  auto twice_the_same = fresh();
  BOOST_TEST((feed(twice_the_same, {"HTTP/1.1 200 OK\r\n", "content-length: 5\r\n", "Content-Length: 5\r\n", "\r\n"}) ==
              progress::complete));
  auto after_an_interim_head = fresh();
  BOOST_TEST(
      (feed(after_an_interim_head, {"HTTP/1.1 103 Early Hints\r\n", "content-length: 0\r\n", "\r\n",
                                    "HTTP/1.1 200 OK\r\n", "content-length: 5\r\n", "\r\n"}) == progress::complete));
  auto beyond_what_is_kept = fresh();
  feed(beyond_what_is_kept, {"HTTP/1.1 200 OK\r\n", "content-length: 5\r\n"});
  for (int i = 0; i < 150; ++i) beyond_what_is_kept.take_line("n: v\r\n");
  BOOST_TEST((beyond_what_is_kept.take_line("content-length: 6\r\n") == progress::malformed));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace http_response_head_test
