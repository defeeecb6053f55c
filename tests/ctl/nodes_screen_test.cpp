#include "tools/ctl/nodes_screen.hpp"

#include <boost/test/unit_test.hpp>

namespace nodes_screen_test {

using namespace mainstay::ctl;
using namespace std::chrono_literals;

namespace {

std::string answer(int ok, const char* state = "ready") {
  return R"({"answered":"2 of 3 nodes","in_flight":4,"waiting":1,"tokens_today":20000,"cost_usd_today":1.5,"nodes":[)"
         R"({"node":"a","address":"1","state":")" +
         std::string(state) + R"(","ok":)" + std::to_string(ok) +
         R"(,"failed":0,"requests_per_second":2.5,"in_flight":4,"p99_seconds":0.25,"why":""},)"
         R"({"node":"b","address":"2","state":"ready","ok":7,"failed":0,"requests_per_second":0,"why":""},)"
         R"({"node":"","address":"10.0.0.3:4300","state":"no answer","why":"unreachable: its link broke"}]})";
}

std::string screen(nodes_screen& s, const std::string& json, screen_size size, std::chrono::steady_clock::time_point at,
                   std::chrono::seconds silent = 0s) {
  std::string out;
  const auto lines = s.draw(json, size, silent, at);
  BOOST_TEST(lines.size() <= size.rows);
  for (auto& line : lines) {
    BOOST_TEST(display_width(text_of(line)) <= size.columns, text_of(line));
    out += text_of(line) + "\n";
  }
  return out;
}

bool has(const std::string& all, const std::string& part) { return all.find(part) != all.npos; }
const std::chrono::steady_clock::time_point start{1h};

} // namespace

BOOST_AUTO_TEST_SUITE(nodes_screen_suite)

BOOST_AUTO_TEST_CASE(sums_and_a_line_for_each_node_with_the_silent_first) {
  nodes_screen s;
  const auto shown = screen(s, answer(10), {120, 20}, start);
  BOOST_TEST(has(shown, "2 of 3 nodes  req/s 2.5  in flight 4  waiting 1  today 20.0k tokens, $1.50"), shown);
  BOOST_TEST(shown.find("10.0.0.3:4300") < shown.find("\na "), shown);
  BOOST_TEST(has(shown, "unreachable: its link broke"), shown);
  BOOST_TEST(has(screen(s, answer(10), {120, 20}, start, 7s), "no answer for 7 s"));
}

BOOST_AUTO_TEST_CASE(requests_a_second_are_counted_between_two_answers) {
  nodes_screen s;
  screen(s, answer(10), {120, 20}, start);
  BOOST_TEST(has(screen(s, answer(50), {120, 20}, start + 2s), "req/s 20.0"));
  BOOST_TEST(has(screen(s, answer(50), {120, 20}, start + 2s), "req/s 20.0"), "drawn again it is the same");
  BOOST_TEST(has(screen(s, answer(3), {120, 20}, start + 3s), "req/s 2.5"), "another process counts anew");
}

BOOST_AUTO_TEST_CASE(any_screen_and_any_answer_will_do) {
  for (const std::string json : {answer(1), std::string("{}"), std::string("what"), std::string(R"({"nodes":[1,{}]})")})
    for (std::size_t columns : {1, 8, 20, 40, 80, 200})
      for (std::size_t rows : {1, 2, 3, 4, 24}) {
        nodes_screen s;
        screen(s, json, {columns, rows}, start);
      }
  nodes_screen s;
  BOOST_TEST(has(screen(s, answer(1), {80, 4}, start), "and 2 more"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace nodes_screen_test
