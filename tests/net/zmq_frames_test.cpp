// The message-queue wire format: what is understood, and that anything else is one clear error.
#include "net/zmq_frames.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <rapidjson/document.h>

namespace zmq_frames_test {

using namespace mainstay;
using namespace mainstay::mq;

namespace {

constexpr std::size_t limit = 1000;

message parse(const std::vector<std::string_view>& frames) { return parse_frames(frames, limit); }
message with_headers(std::string_view headers) { return parse({"id", "chat", headers, "{}"}); }

std::string value_of(const message& m, std::string_view name) {
  const auto* found = find_header(m.headers, name);
  return found ? *found : "(none)";
}

} // namespace

BOOST_AUTO_TEST_SUITE(zmq_frames)

BOOST_AUTO_TEST_CASE(four_frames_are_a_request) {
  const auto m = parse({"id-1", "chat", R"({"Authorization":"Bearer k"})", R"({"model":"smart"})"});
  BOOST_TEST(m.status == 0);
  BOOST_TEST(!m.req_client);
  BOOST_TEST(m.id == "id-1");
  BOOST_TEST(m.verb == "chat");
  BOOST_TEST(m.body == R"({"model":"smart"})");
  BOOST_TEST(value_of(m, "authorization") == "Bearer k");
}

BOOST_AUTO_TEST_CASE(an_empty_delimiter_in_front_means_a_req_client) {
  const auto m = parse({"", "id", "embeddings", "{}", "{}"});
  BOOST_TEST(m.status == 0);
  BOOST_TEST(m.req_client);
  BOOST_TEST(m.id == "id");
}

BOOST_AUTO_TEST_CASE(every_verb_of_the_contract_is_known_and_no_other) {
  for (auto verb : {"chat", "embeddings", "collect", "cancel"}) BOOST_TEST(parse({"i", verb, "{}", "{}"}).status == 0);
  for (auto verb : {"", "Chat", "chat ", "chats", "reply"}) BOOST_TEST(parse({"i", verb, "{}", "{}"}).status == 400);
}

BOOST_AUTO_TEST_CASE(cancel_needs_neither_headers_nor_body_and_takes_headers_it_understands) {
  BOOST_TEST(parse({"i", "cancel", R"({"Authorization":"Bearer x"})"}).headers.size() == 1u);
  BOOST_TEST(parse({"i", "cancel", R"({"a":"b","a":"c"})"}).headers.empty());
  BOOST_TEST(parse({"i", "cancel"}).status == 0);
  BOOST_TEST(parse({"i", "cancel", "not json"}).status == 0);
  BOOST_TEST(parse({"i", "cancel", "{}", ""}).status == 0);
  BOOST_TEST(parse({"i", "cancel", "{}", "", ""}).status == 400);
}

BOOST_AUTO_TEST_CASE(header_values_keep_their_json_text_and_null_is_no_header) {
  const auto m =
      with_headers(R"({"a":"x y","n":1.50e2,"big":123456789012345678901,"t":true,"f":false,"z":null,"u":"\u00e9"})");
  BOOST_TEST(m.status == 0);
  BOOST_TEST(value_of(m, "a") == "x y");
  BOOST_TEST(value_of(m, "n") == "1.50e2");
  BOOST_TEST(value_of(m, "big") == "123456789012345678901");
  BOOST_TEST(value_of(m, "t") == "true");
  BOOST_TEST(value_of(m, "f") == "false");
  BOOST_TEST(value_of(m, "z") == "(none)");
  BOOST_TEST(value_of(m, "u") == "\xc3\xa9");
}

BOOST_AUTO_TEST_CASE(headers_that_are_not_a_flat_object_are_a_400) {
  for (auto headers : {"",
                       " ",
                       "[]",
                       "1",
                       "null",
                       "true",
                       "\"x\"",
                       "{",
                       "{}}",
                       "{} {}",
                       "{\"a\":{}}",
                       "{\"a\":[1]}",
                       "{\"a\":1,}",
                       "{\"a\" 1}",
                       "{'a':1}",
                       "{\"a\":\"\xff\"}",
                       "{\"\xc3\":1}",
                       "{\"a\":NaN}",
                       "\xef\xbb\xbf{}",
                       "// x\n{}"}) {
    BOOST_TEST_CONTEXT(headers) {
      const auto m = with_headers(headers);
      BOOST_TEST(m.status == 400);
      BOOST_TEST(!m.fault.empty());
      BOOST_TEST(m.headers.empty());
      BOOST_TEST(m.id == "id");
    }
  }
}

BOOST_AUTO_TEST_CASE(headers_that_could_be_read_in_two_ways_are_a_400) {
  BOOST_TEST(with_headers(R"({"x-api-key":"a","X-Api-Key":"b"})").status == 400);
  BOOST_TEST(with_headers(R"({"a":"b\r\nx: y"})").status == 400);
  BOOST_TEST(with_headers(R"({"a":"b\u0000"})").status == 400);
  BOOST_TEST(with_headers(R"({"a b":"c"})").status == 400);
  BOOST_TEST(with_headers(R"({"":"c"})").status == 400);
}

BOOST_AUTO_TEST_CASE(a_hundred_headers_pass_and_one_more_does_not) {
  const auto object = [](int n) {
    std::string s = "{";
    for (int i = 0; i < n; ++i) s += (i ? ",\"h" : "\"h") + std::to_string(i) + "\":1";
    return s + "}";
  };
  BOOST_TEST(with_headers(object(100)).headers.size() == 100u);
  BOOST_TEST(with_headers(object(101)).status == 400);
}

BOOST_AUTO_TEST_CASE(deep_nesting_and_large_headers_cost_nothing) {
  BOOST_TEST(with_headers(std::string(60000, '[')).status == 400);
  BOOST_TEST(with_headers("{\"a\":" + std::string(60000, '{')).status == 400);
  BOOST_TEST(with_headers("{\"a\":\"" + std::string(max_headers_bytes, 'x') + "\"}").status == 400);
}

BOOST_AUTO_TEST_CASE(an_id_has_1_to_128_bytes_of_any_kind) {
  const std::string longest(128, 'x'), too_long(129, 'x'), binary("\0\xff\x01", 3);
  BOOST_TEST(parse({longest, "chat", "{}", "{}"}).status == 0);
  BOOST_TEST(parse({binary, "chat", "{}", "{}"}).id == binary);
  const auto m = parse({too_long, "chat", "{}", "{}"});
  BOOST_TEST(m.status == 400);
  BOOST_TEST(m.id.empty());
}

BOOST_AUTO_TEST_CASE(the_body_limit_is_exact_and_its_status_is_413) {
  const std::string fits(limit, 'x'), larger(limit + 1, 'x');
  BOOST_TEST(parse({"i", "chat", "{}", fits}).status == 0);
  const auto m = parse({"i", "chat", "{}", larger});
  BOOST_TEST(m.status == 413);
  BOOST_TEST(m.code == "body_too_large");
}

BOOST_AUTO_TEST_CASE(a_wrong_number_of_frames_is_a_400_with_the_id_where_there_is_one) {
  for (std::size_t n = 0; n < 20; ++n) {
    if (n == 4) continue;
    std::vector<std::string_view> frames(n, "{}");
    if (n > 0) frames[0] = "id";
    if (n > 1) frames[1] = "chat";
    const auto m = parse(frames);
    BOOST_TEST(m.status == 400);
    BOOST_TEST(m.id == (n > 0 ? "id" : ""));
  }
}

// Invariants: parsing any bytes ends; a fault has a status, a code and a sentence of plain text; what is well-formed
// obeys every limit.
BOOST_AUTO_TEST_CASE(random_frames_are_understood_or_refused_but_never_half) {
  std::mt19937 random(20240607);
  const std::vector<std::string> seeds{"chat", "cancel", "collect",     "{}", R"({"a":"b"})", R"({"a":{"b":[1,null]}})",
                                       "",     "id",     R"({"a":1e5})"};
  int good = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> frames(random() % 7 == 0 ? random() % 20 : 4);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      frames[i] = round % 3 == 0 && i == 1 ? "chat" : seeds[random() % seeds.size()];
      for (auto flips = random() % 3 == 0 ? random() % 4 : 0; flips > 0 && !frames[i].empty(); --flips)
        frames[i][random() % frames[i].size()] = char(random());
    }
    const std::vector<std::string_view> views(frames.begin(), frames.end());
    const auto m = parse(views);
    BOOST_REQUIRE(m.id.size() <= max_id_bytes);
    if (m.status == 0) {
      ++good;
      BOOST_REQUIRE(!m.id.empty());
      BOOST_REQUIRE(!m.verb.empty());
      BOOST_REQUIRE(m.headers.size() <= max_headers);
    } else {
      BOOST_REQUIRE(m.status == 400);
      BOOST_REQUIRE(!m.code.empty());
      BOOST_REQUIRE(!m.fault.empty());
      BOOST_REQUIRE(m.headers.empty());
    }
  }
  BOOST_TEST(good > 1000);
}

BOOST_AUTO_TEST_CASE(the_headers_frame_has_the_status_as_a_number_and_all_else_as_strings) {
  const auto text = headers_frame(200, {{"x-request-id", "r\"1"}, {"status", "999"}, {"x-mainstay-source", "primary"}},
                                  {{"x-mainstay-source", "backup"}});
  rapidjson::Document json;
  json.Parse(text.data(), text.size());
  BOOST_REQUIRE(json.IsObject());
  BOOST_TEST(json.MemberCount() == 3u);
  BOOST_TEST(json["status"].GetInt() == 200);
  BOOST_TEST(json["x-request-id"].GetString() == "r\"1");
  BOOST_TEST(json["x-mainstay-source"].GetString() == "backup");
}

BOOST_AUTO_TEST_CASE(a_header_that_ends_within_a_character_is_read_to_its_end_and_no_further) {
  for (const std::string half : {"\xc3", "\xe2\x82", "\xf0\x9f\x8c"}) {
    const std::string long_enough_for_the_heap(40, 'x');
    const auto text = headers_frame(200, {{"a", long_enough_for_the_heap + half}});
    BOOST_TEST(text == R"({"status":200,"a":")" + long_enough_for_the_heap + std::string(half.size(), '?') + "\"}");
  }
}

BOOST_AUTO_TEST_CASE(the_headers_frame_is_utf8_whatever_a_provider_sent) {
  const auto text = headers_frame(200, {{"a", "x\xff\xc3"}, {"b", "fine"}});
  rapidjson::Document json;
  json.Parse<rapidjson::kParseValidateEncodingFlag>(text.data(), text.size());
  BOOST_REQUIRE(json.IsObject());
  BOOST_TEST(json["a"].GetString() == "x??");
  BOOST_TEST(json["b"].GetString() == "fine");
}

BOOST_AUTO_TEST_CASE(error_bodies_are_shaped_as_openai_shapes_them) {
  BOOST_TEST(error_body(400, "malformed", "say \"what\"") ==
             R"({"error":{"message":"say \"what\"","type":"invalid_request_error","param":null,"code":"malformed"}})");
  BOOST_TEST(error_body(503, "draining", "").find("server_error") != std::string::npos);
  BOOST_TEST(error_body(429, "x", "").find("rate_limit_error") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace zmq_frames_test
