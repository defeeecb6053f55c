// The reader under both: what it accepts is RFC 8259 and UTF-8, however the text is cut into plain runs and escapes.
#include "net/json_reader.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace json_reader_test {

using namespace mainstay;

namespace {

json::outcome outcome_of(std::string_view text) {
  json::handler nothing;
  return json::read(text, nothing).what;
}

// RapidJSON's own byte by byte validation, without our stream.
bool is_valid_to_rapidjson(const std::string& text) {
  rapidjson::Reader reader;
  rapidjson::StringStream in(text.c_str());
  rapidjson::BaseReaderHandler<> nothing;
  return !reader.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(in, nothing).IsError();
}

std::string random_text(std::mt19937& random) {
  static const std::string pieces[] = {"a",
                                       "word ",
                                       "\"",
                                       "\\",
                                       "\n",
                                       "\t",
                                       "\x01",
                                       "é",
                                       "語",
                                       "\xf0\x9f\x98\x80",
                                       "/",
                                       std::string(1, '\0'),
                                       "plain text that is long enough for words "};
  std::string out;
  for (auto n = random() % 40; n > 0; --n) out += pieces[random() % std::size(pieces)];
  return out;
}

// Every character as it is where that is allowed, or as an escape, at random.
std::string spelled(const std::string& text, std::mt19937& random) {
  std::string out = "\"";
  for (auto at = text.data(), end = at + text.size(); at != end;) {
    auto length = json::sequence_length(at, end);
    auto c = static_cast<unsigned char>(*at);
    char hex[16];
    if (std::string_view(at, length) == "\xf0\x9f\x98\x80" && random() % 2)
      out += "\\ud83d\\ude00";
    else if (length > 1)
      out.append(at, length);
    else if (c == '\n' && random() % 2)
      out += "\\n";
    else if (c < 0x20 || c == '"' || c == '\\' || random() % 8 == 0) {
      std::snprintf(hex, sizeof hex, "\\u%04X", c);
      out += hex;
    } else
      out += *at;
    at += length;
  }
  return out + "\"";
}

} // namespace

BOOST_AUTO_TEST_SUITE(json_reader)

BOOST_AUTO_TEST_CASE(every_sequence_of_three_bytes_is_judged_as_rapidjson_judges_it) {
  // Leads and edges of every range, in all combinations.
  const unsigned char edges[] = {0x22, 0x41, 0x5c, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
                                 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff, 0x1f, 0x0a};
  std::size_t disagreements = 0, valid = 0;
  for (auto a : edges)
    for (auto b : edges)
      for (auto c : edges)
        for (auto d : edges) {
          std::string text = "\"";
          for (auto byte : {a, b, c, d}) text += static_cast<char>(byte);
          text += "\"";
          auto ours = outcome_of(text) == json::outcome::complete;
          disagreements += ours != is_valid_to_rapidjson(text);
          valid += ours;
        }
  BOOST_TEST(disagreements == 0u);
  BOOST_TEST(valid > 100u);
}

BOOST_AUTO_TEST_CASE(any_text_survives_any_spelling) {
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    auto text = random_text(random);
    auto tree = json::parse(spelled(text, random));
    BOOST_REQUIRE(tree);
    BOOST_REQUIRE(tree->text == text);
    auto again = json::parse(json::to_text(*tree));
    BOOST_REQUIRE(again);
    BOOST_REQUIRE(again->text == text);
  }
}

BOOST_AUTO_TEST_CASE(every_beginning_of_a_text_is_cut_off) {
  const std::string text = R"({"a":["x\u00e9y",1.5e3,true,null,{"b":"é"}],"c":false})";
  BOOST_TEST((outcome_of(text) == json::outcome::complete));
  for (std::size_t n = 0; n < text.size(); ++n)
    BOOST_TEST((outcome_of(text.substr(0, n)) != json::outcome::complete), "cut at " << n);
  BOOST_TEST((outcome_of("") == json::outcome::empty));
  BOOST_TEST((outcome_of(" \n") == json::outcome::empty));
  BOOST_TEST((outcome_of(text.substr(0, 9)) == json::outcome::cut_off));
}

BOOST_AUTO_TEST_CASE(what_is_not_json_is_refused) {
  using namespace std::string_literals;
  for (auto& text : {"NaN"s,      "[Infinity]"s,    "[-Inf]"s,      "{} {}"s,
                     "{},"s,      "[1,]"s,          "{\"a\":1,}"s,  "'a'"s,
                     "[01]"s,     "[+1]"s,          "[.5]"s,        "// c\n1"s,
                     "{a:1}"s,    "\"\\x\""s,       "\"\\ud800\""s, "\"\\ud800\\u0041\""s,
                     "\"a\nb\""s, "{}\0"s,          "{}\0{}"s,      "\"a\0b\""s,
                     "[1e999]"s,  "\xef\xbb\xbf{}"s})
    BOOST_TEST((outcome_of(text) == json::outcome::syntax || outcome_of(text) == json::outcome::cut_off), text);
}

BOOST_AUTO_TEST_CASE(nesting_ends_at_its_limit_whatever_is_nested) {
  auto nested = [](int n, std::string open, std::string close) {
    std::string out;
    for (int i = 0; i < n; ++i) out += open;
    out += "1";
    for (int i = 0; i < n; ++i) out += close;
    return out;
  };
  for (auto& [open, close] : {std::pair<std::string, std::string>{"[", "]"}, {R"({"a":)", "}"}}) {
    BOOST_TEST((outcome_of(nested(json::depth_limit, open, close)) == json::outcome::complete));
    BOOST_TEST((outcome_of(nested(json::depth_limit + 1, open, close)) == json::outcome::too_deep));
    BOOST_TEST((outcome_of(nested(10000, open, close)) == json::outcome::too_deep));
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_are_written_as_replacement_characters) {
  std::string out;
  json::append_string(out, "a\xff\xc3\x28\xed\xa0\x80z\x01\"\\");
  auto tree = json::parse(out);
  BOOST_REQUIRE(tree);
  BOOST_TEST(tree->text == "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\x01\"\\");
}

BOOST_AUTO_TEST_CASE(cuts_never_split_a_character) {
  std::string text = "aé語\xf0\x9f\x98\x80z";
  for (std::size_t n = 0; n <= text.size() + 2; ++n) {
    auto cut = json::cut_before(text, n);
    BOOST_TEST(cut <= n);
    std::string quoted = "\"" + text.substr(0, cut) + "\"";
    BOOST_TEST((outcome_of(quoted) == json::outcome::complete));
  }
  BOOST_TEST(json::cut_before("\x80\x80\x80\x80\x80\x80", 5) == 5u);
}

BOOST_AUTO_TEST_CASE(a_tree_keeps_the_spelling_of_numbers_and_the_order_of_members) {
  const std::string text =
      R"({"z":1.50,"a":-0.0,"big":123456789012345678901234567890,"e":1E-2,"l":[true,false,null,{}],"o":{"":[]}})";
  auto tree = json::parse(text);
  BOOST_REQUIRE(tree);
  BOOST_TEST(json::to_text(*tree) == text);
}

BOOST_AUTO_TEST_CASE(a_tree_has_a_bounded_number_of_values) {
  std::string text = "[";
  for (int i = 0; i < 100; ++i) text += "1,";
  text += "1]";
  BOOST_TEST(json::parse(text, 102).has_value());
  BOOST_TEST(!json::parse(text, 101).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace json_reader_test
