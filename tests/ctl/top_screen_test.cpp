#include "tools/ctl/top_screen.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <sstream>

namespace top_screen_test {

namespace {

using namespace mainstay::ctl;
using namespace std::chrono_literals;

std::string sample() {
  std::ifstream in(MAINSTAY_SOURCE_DIR "/tests/data/overview.json");
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

std::string replaced(std::string in, const std::string& what, const std::string& with) {
  for (auto at = in.find(what); at != in.npos; at = in.find(what, at + with.size())) in.replace(at, what.size(), with);
  return in;
}

std::string screen(const std::string& json, screen_size size, std::chrono::seconds silent = {}) {
  std::string out;
  const auto lines = draw_top(json, size, silent);
  BOOST_TEST(lines.size() <= size.rows);
  for (const auto& line : lines) {
    const auto text = text_of(line);
    BOOST_TEST(display_width(text) <= size.columns, text);
    out += text + "\n";
  }
  return out;
}

bool has(const std::string& all, const std::string& part) { return all.find(part) != all.npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(ctl_top_screen)

BOOST_AUTO_TEST_CASE(eighty_columns_say_what_is_wrong_what_helps_and_how_it_goes) {
  const auto all = screen(sample(), {80, 24});
  for (auto part :
       {"demo  ready", "alpha is left alone, 5 failures in a row", "mainstayctl breakers alpha auto", "req/s 41.2",
        "ok 99.93%", "p50 412ms", "p99 2.21s", "first token 182ms/910ms", "in flight 12", "today $12.92", "primary 89%",
        "fallback 7.4%", "normal 3", "low 9", "0/64", "in 13s", "rate limited 8s", "beta-1", "ok, degraded"})
    BOOST_TEST(has(all, part), part << " in\n" << all);
}

BOOST_AUTO_TEST_CASE(a_small_screen_has_what_matters_and_a_large_one_has_it_all) {
  const auto small = screen(sample(), {40, 20});
  for (auto part : {"demo  ready", "alpha is left alone", "req/s 41.2", "ok 99.93%", "alpha", "open", "resting"})
    BOOST_TEST(has(small, part), part << " in\n" << small);
  const auto large = screen(sample(), {200, 60});
  for (auto part : {"req_0123456789abcdef000001", "rpm", "91%", "tpm", "40%", "Mainstay 0.9.0, up 1h10m"})
    BOOST_TEST(has(large, part), part << " in\n" << large);
}

BOOST_AUTO_TEST_CASE(no_line_is_wider_than_any_screen_whatever_things_are_called) {
  const std::string names[] = {"東京のとても長い名前のプロバイダー", "e\u0301e\u0301e\u0301", "\\u001b[2J\\u001b[31m",
                               "a name of words that goes on and on and on and on"};
  for (const auto& name : names) {
    auto json = replaced(replaced(sample(), "\"alpha\"", "\"" + name + "\""), "\"smart\"", "\"" + name + "\"");
    json = replaced(replaced(json, "\"alpha-1\"", "\"" + name + "\""), "\"demo\"", "\"" + name + "\"");
    for (std::size_t columns = 1; columns <= 250; ++columns) screen(json, {columns, 24});
    for (std::size_t rows = 1; rows <= 60; ++rows) {
      const auto all = screen(json, {80, rows});
      BOOST_TEST(!has(all, "\033"));
    }
  }
}

BOOST_AUTO_TEST_CASE(columns_of_wide_characters_stay_in_line) {
  const auto json = replaced(sample(), "\"alpha\"", "\"東京\"");
  const auto lines = draw_top(json, {80, 24});
  std::vector<std::size_t> starts; // of the breaker's column
  for (const auto& line : lines) {
    const auto text = text_of(line);
    for (auto state : {" open ", " closed "})
      if (const auto at = text.find(state); at != text.npos && (has(text, "/64")))
        starts.push_back(display_width(std::string_view(text).substr(0, at)));
  }
  BOOST_TEST_REQUIRE(starts.size() == 2u);
  BOOST_TEST(starts[0] == starts[1]);
}

BOOST_AUTO_TEST_CASE(what_is_in_trouble_comes_first_and_what_does_not_fit_is_counted) {
  std::string providers, keys;
  for (int i = 0; i < 30; ++i) {
    const auto n = std::to_string(i);
    providers += ",{\"name\":\"p" + n +
                 "\",\"state\":\"closed\",\"slots\":8,\"slots_used\":1,\"calls\":5,\"failed_calls\":0,\"circuits\":[]}";
    keys +=
        ",{\"name\":\"k" + n + "\",\"state\":\"" + (i == 29 ? "disabled" : "usable") + "\",\"health\":1,\"limits\":[]}";
  }
  const auto all =
      screen("{\"providers\":[" + providers.substr(1) +
                 ",{\"name\":\"broken\",\"state\":\"open\",\"circuits\":[]}],\"keys\":[" + keys.substr(1) + "]}",
             {80, 24});
  BOOST_TEST(has(all, "broken"));
  BOOST_TEST(has(all, "k29"));
  BOOST_TEST(!has(all, "p29"));
  BOOST_TEST(has(all, " of 31"));
  BOOST_TEST(has(all, " of 30"));
}

BOOST_AUTO_TEST_CASE(bars_are_exact_to_an_eighth_of_a_column) {
  const auto bar_of = [](double used) {
    const auto all =
        screen("{\"keys\":[{\"name\":\"k\",\"state\":\"usable\",\"health\":" + std::to_string(used) + "}]}", {80, 24});
    const auto at = all.find("k ");
    return all.substr(all.find("usable", at) + 11, 40);
  };
  BOOST_TEST(has(bar_of(0), "··········"));
  BOOST_TEST(has(bar_of(0.5), "█████·····"));
  BOOST_TEST(has(bar_of(0.55), "█████▌····"));
  BOOST_TEST(has(bar_of(1), "██████████"));
  BOOST_TEST(has(bar_of(7), "██████████"));
}

BOOST_AUTO_TEST_CASE(silence_is_said_over_what_the_node_said_last) {
  const auto all = screen(sample(), {80, 24}, 7s);
  BOOST_TEST(has(all, "no answer for 7 s"));
  BOOST_TEST(has(all, "alpha"));
}

BOOST_AUTO_TEST_CASE(a_drill_is_told_with_what_ends_it) {
  const auto all = screen(R"({"drill":{"name":"provider_down","whom":"alpha","seconds_left":12.4}})", {80, 24});
  BOOST_TEST(has(all, "drill provider down alpha: over in 12s"));
  BOOST_TEST(has(all, "mainstayctl drill stop"));
}

BOOST_AUTO_TEST_CASE(nothing_and_nonsense_are_drawn_too) {
  BOOST_TEST(has(screen("{}", {80, 24}), "all is well"));
  BOOST_TEST(has(screen("not json", {80, 24}), "no overview"));
  BOOST_TEST(has(screen("[]", {80, 24}), "no overview"));
  screen(
      R"({"providers":[1,null,"x"],"keys":{"a":1},"requests":[{"at":"x"}],"history":[[]],"five_minutes":3,"waiting":null})",
      {80, 24});
}

BOOST_AUTO_TEST_CASE(text_is_cut_by_its_width_and_what_steers_a_terminal_is_shown_as_a_question_mark) {
  BOOST_TEST(fitted("abcdef", 6) == "abcdef");
  BOOST_TEST(fitted("abcdefg", 6) == "abcde…");
  BOOST_TEST(fitted("東京都", 6) == "東京都");
  BOOST_TEST(fitted("東京都庁", 6) == "東京…");
  BOOST_TEST(fitted("abc", 0) == "");
  BOOST_TEST(fitted("a\033[31mb\n", 20) == "a?[31mb?");
  BOOST_TEST(fitted("\xff\xc3", 20) == "??");
  BOOST_TEST(fitted("\xE2\x80\xAE"
                    "abc",
                    20) == "?abc");
  BOOST_TEST(display_width("e\u0301") == 1u);
  BOOST_TEST(display_width("한국어 ok") == 9u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace top_screen_test
