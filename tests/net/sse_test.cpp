// The event-stream parser against the grammar: whatever the line ends and wherever the stream is cut, the events are
// the same.
#include "net/sse.hpp"

#include <boost/test/unit_test.hpp>

#include <ostream>
#include <random>
#include <vector>

namespace sse_test {

using namespace mainstay;

namespace {

struct event {
  std::string type, data;
  friend bool operator==(const event&, const event&) = default;
  friend std::ostream& operator<<(std::ostream& out, const event& e) { return out << e.type << "|" << e.data; }
};
using events = std::vector<event>;

auto into(events& out) {
  return [&out](std::string_view type, std::string_view data) {
    out.push_back({std::string{type}, std::string{data}});
  };
}

events parse(const std::vector<std::string_view>& pieces) {
  events out;
  sse_parser parser;
  for (auto piece : pieces) {
    std::string own{piece}; // views into an older piece would now dangle, and a sanitizer tells
    BOOST_TEST(parser.feed(own, into(out)));
  }
  parser.finish(into(out));
  return out;
}

void check_same(const events& got, const events& wanted) {
  BOOST_CHECK_EQUAL_COLLECTIONS(got.begin(), got.end(), wanted.begin(), wanted.end());
}

/// Everything the grammar knows, `|` standing for the line end.
std::string with_line_ends(std::string_view end) {
  std::string_view stream = "\xEF\xBB\xBF"
                            "event: greeting|data: first|data:second|data|data:  two spaces|id: 7|retry: 100||"
                            ": a comment||data: {\"text\":\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\x8D\"}||"
                            "event: lost|id: 8||" // no data: not dispatched, and its type is forgotten
                            "data||"              // data without a value: an empty event
                            "data-x: unknown field|datax|data: known||"
                            "event: a|event: b|data: last type wins||||"
                            ":|data: [DONE]||";
  std::string out;
  for (auto c : stream) out += c == '|' ? std::string{end} : std::string{c};
  return out;
}

const events wanted_events{{"greeting", "first\nsecond\n\n two spaces"},
                           {"", "{\"text\":\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\x8D\"}"},
                           {"", ""},
                           {"", "known"},
                           {"b", "last type wins"},
                           {"", "[DONE]"}};

} // namespace

BOOST_AUTO_TEST_SUITE(sse)

BOOST_AUTO_TEST_CASE(lf_crlf_and_cr_give_the_same_events) {
  for (auto end : {"\n", "\r\n", "\r"}) check_same(parse({with_line_ends(end)}), wanted_events);
}

BOOST_AUTO_TEST_CASE(a_cut_at_any_byte_changes_nothing) {
  for (auto end : {"\n", "\r\n", "\r"}) {
    auto stream = with_line_ends(end);
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      std::string_view whole = stream;
      check_same(parse({whole.substr(0, cut), whole.substr(cut)}), wanted_events);
    }
  }
}

BOOST_AUTO_TEST_CASE(many_cuts_at_random_change_nothing_even_one_per_byte) {
  std::mt19937 random(20240607);
  for (auto end : {"\n", "\r\n", "\r"}) {
    auto stream = with_line_ends(end);
    for (std::size_t longest : {1u, 2u, 3u, 7u, 40u, 40u, 40u, 100u}) {
      std::vector<std::string_view> pieces;
      for (std::string_view rest = stream; !rest.empty();) {
        auto n = std::min(rest.size(), 1 + random() % longest);
        pieces.push_back(rest.substr(0, n));
        rest.remove_prefix(n);
      }
      check_same(parse(pieces), wanted_events);
    }
  }
}

BOOST_AUTO_TEST_CASE(line_ends_may_be_mixed) {
  check_same(parse({"data: a\r\rdata: b\n\r\ndata: c\r\n\ndata: d\r\ndata: e\n\n"}),
             {{"", "a"}, {"", "b"}, {"", "c"}, {"", "d\ne"}});
}

BOOST_AUTO_TEST_CASE(an_event_is_dispatched_with_its_blank_line_not_later) {
  events out;
  sse_parser parser;
  parser.feed("data: a\r\n\r", into(out)); // the CR ends the line; its LF may come much later
  BOOST_TEST(out.size() == 1u);
  parser.feed("\ndata: b\n", into(out));
  BOOST_TEST(out.size() == 1u);
  parser.feed("\n", into(out));
  check_same(out, {{"", "a"}, {"", "b"}});
}

BOOST_AUTO_TEST_CASE(an_event_in_one_piece_is_not_copied) {
  const std::string piece = "event: delta\ndata: {\"a\":1}\n\n";
  bool seen = false;
  sse_parser parser;
  parser.feed(piece, [&](std::string_view type, std::string_view data) {
    seen = true;
    BOOST_TEST(static_cast<const void*>(data.data()) == static_cast<const void*>(piece.data() + piece.find('{')));
    BOOST_TEST(static_cast<const void*>(type.data()) == static_cast<const void*>(piece.data() + piece.find("delta")));
  });
  BOOST_TEST(seen);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_stream_dispatches_data_whose_blank_line_is_missing) {
  check_same(parse({"data: a\n\ndata: [DONE]\n"}), {{"", "a"}, {"", "[DONE]"}});
  check_same(parse({"data: a\n\ndata: [DO", "NE]"}), {{"", "a"}, {"", "[DONE]"}});
  check_same(parse({"data: a\n\n: bye"}), {{"", "a"}});
  check_same(parse({"event: x\n"}), {});
  check_same(parse({}), {});
}

BOOST_AUTO_TEST_CASE(a_mark_of_byte_order_is_skipped_only_at_the_start) {
  check_same(parse({"\xEF", "\xBB", "\xBF", "data: a\n\n"}), {{"", "a"}});
  check_same(parse({"data: a\n\n\xEF\xBB\xBF"
                    "data: b\n\n"}),
             {{"", "a"}});
}

BOOST_AUTO_TEST_CASE(an_endless_line_overflows_and_stays_so) {
  events out;
  sse_parser parser(1000);
  BOOST_TEST(parser.feed("data: fine\n\n", into(out)));
  const std::string chunk(100, 'x');
  int fed = 0;
  while (parser.feed(chunk, into(out)) && fed < 100) ++fed;
  BOOST_TEST(fed == 10); // 1000 bytes fit, the next piece does not
  BOOST_TEST(parser.overflowed());
  BOOST_TEST(!parser.feed("\n\ndata: more\n\n", into(out)));
  parser.finish(into(out));
  check_same(out, {{"", "fine"}});
}

BOOST_AUTO_TEST_CASE(an_event_of_endless_lines_overflows) {
  events out;
  sse_parser parser(1000);
  int fed = 0;
  while (parser.feed("data: 0123456789\n", into(out)) && fed < 1000) ++fed;
  BOOST_TEST(fed == 91); // ten bytes and a line feed between each
  BOOST_TEST(out.empty());
}

BOOST_AUTO_TEST_CASE(endless_bytes_without_an_event_overflow) {
  for (std::string barren : {": comment\n\n", "\n", "<p>\r\n", "id: 7\nretry: 9\n\n"}) {
    events out;
    sse_parser parser(1000);
    std::size_t fed = 0;
    for (int i = 0; i < 3000; ++i) { // events in between keep it alive
      BOOST_REQUIRE(parser.feed(barren, into(out)));
      BOOST_REQUIRE(parser.feed("data: x\n\n", into(out)));
    }
    out.clear();
    while (parser.feed(barren, into(out)) && fed < 10000) fed += barren.size();
    BOOST_TEST(fed <= 2500u); // of CR and LF one counts
    BOOST_TEST(fed + barren.size() > 1990u);
    BOOST_TEST(out.empty());
  }
}

BOOST_AUTO_TEST_CASE(the_limit_bites_at_the_same_place_wherever_the_stream_is_cut) {
  const auto stream =
      "data: one\n\ndata: " + std::string(90, 'y') + "\ndata: " + std::string(20, 'z') + "\n\ndata: no\n\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    events out;
    sse_parser parser(100);
    std::string_view whole = stream;
    parser.feed(whole.substr(0, cut), into(out));
    parser.feed(whole.substr(cut), into(out));
    BOOST_TEST(parser.overflowed());
    check_same(out, {{"", "one"}});
  }
}

BOOST_AUTO_TEST_CASE(a_parser_may_be_moved_between_pieces) {
  events out;
  sse_parser first;
  first.feed("event: t\ndata: sho", into(out));
  first.feed("rt\ndata: x", into(out));
  sse_parser second = std::move(first);
  second.feed("\n\n", into(out));
  check_same(out, {{"t", "short\nx"}});
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sse_test
