// Redaction of requests in every caller's dialect, and the way back.
#include "net/json_text.hpp"
#include "net/json_tree.hpp"
#include "net/redaction/redactor.hpp"

#include <boost/test/unit_test.hpp>
#include <re2/re2.h>

#include <random>

namespace redaction_test {

using namespace mainstay;

namespace {

named_pattern pattern(std::string name, const char* expression) {
  return {std::move(name), std::make_shared<const re2::RE2>(expression)};
}

privacy_rules all_rules() {
  privacy_rules out;
  for (auto k :
       {personal_kind::email, personal_kind::phone, personal_kind::card, personal_kind::id_number, personal_kind::iban})
    out.kinds.add(k);
  out.custom.push_back(pattern("ticket", "TCK-[0-9]+(?:\"[^ ]*)?"));
  return out;
}

std::string redacted(std::string_view body, const privacy_rules& rules = all_rules()) {
  return *screen_request(rules, make_bytes(std::string(body))).body;
}

std::string restored(const placeholders& table, std::string_view text, writing how = writing::plain) {
  std::string out;
  return table.restore(text, how, out) ? out : std::string(text);
}

} // namespace

BOOST_AUTO_TEST_SUITE(redaction)

BOOST_AUTO_TEST_CASE(contents_are_replaced_and_nothing_else_changes_by_a_byte) {
  BOOST_TEST(
      redacted(
          R"({ "model":"m@x.com", "messages":[{"role":"user" ,"content":"I am bob@x.com, not ann@x.com; bob@x.com!"}], "user":"bob@x.com","n":1.50 })") ==
      R"({ "model":"m@x.com", "messages":[{"role":"user" ,"content":"I am [EMAIL_1], not [EMAIL_2]; [EMAIL_1]!"}], "user":"[EMAIL_1]","n":1.50 })");
  const auto same = make_bytes(R"({"messages":[{"content":"nothing \u0041 here"}]})");
  const auto seen = screen_request(all_rules(), same);
  BOOST_TEST(seen.body == same);
  BOOST_TEST((!seen.table && seen.replaced.empty()));
}

BOOST_AUTO_TEST_CASE(each_dialect_keeps_its_names_types_links_and_files) {
  for (
      std::string_view untouched :
      {R"({"messages":[{"role":"user","name":"bob@x.com","content":[{"type":"image_url","image_url":{"url":"https://x.com/bob@x.com"}}]}]})",
       R"({"messages":[{"role":"tool","tool_call_id":"a@b.com","content":"x"}],"model":"a@b.com"})",
       R"({"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"13800138000"}}]})",
       R"({"input":[{"type":"input_file","file_data":"data:text/plain;base64,Ym9iQHguY29t","file_id":"a@b.com"}]})",
       R"({"content":[{"type":"thinking","thinking":"x","signature":"a@b.com"}]})",
       R"({"tools":[{"type":"function","function":{"name":"a@b.com","parameters":{"required":["a@b.com"]}}}]})",
       R"({"bob@x.com":1})"})
    BOOST_TEST(redacted(untouched) == untouched);
  BOOST_TEST(redacted(R"({"system":"bob@x.com","messages":[{"content":[{"type":"text","text":"bob@x.com"}]}]})") ==
             R"({"system":"[EMAIL_1]","messages":[{"content":[{"type":"text","text":"[EMAIL_1]"}]}]})");
  BOOST_TEST(redacted(R"({"input":"bob@x.com","instructions":"13800138000"})") ==
             R"({"input":"[EMAIL_1]","instructions":"[PHONE_1]"})");
  BOOST_TEST(
      redacted(R"({"input":[{"role":"user","content":[{"type":"input_text","text":"bob@x.com"}]},"ann@x.com"]})") ==
      R"({"input":[{"role":"user","content":[{"type":"input_text","text":"[EMAIL_1]"}]},"[EMAIL_2]"]})");
  BOOST_TEST(redacted(R"({"prompt":["bob@x.com",[1,2]],"stop":["bob@x.com"]})") ==
             R"({"prompt":["[EMAIL_1]",[1,2]],"stop":["[EMAIL_1]"]})");
  BOOST_TEST(redacted(R"({"source":{"type":"text","media_type":"text/plain","data":"I am bob@x.com"}})") ==
             R"({"source":{"type":"text","media_type":"text/plain","data":"I am [EMAIL_1]"}})");
  BOOST_TEST(
      redacted(R"({"type":"tool_use","id":"a@b.com","name":"n","input":{"id":"a@b.com","name":["13800138000"]}})") ==
      R"({"type":"tool_use","id":"a@b.com","name":"n","input":{"id":"[EMAIL_1]","name":["[PHONE_1]"]}})");
  BOOST_TEST(redacted(R"({"metadata":{"name":"bob@x.com"}})") == R"({"metadata":{"name":"[EMAIL_1]"}})");
}

BOOST_AUTO_TEST_CASE(escapes_hide_nothing_and_come_out_as_json) {
  BOOST_TEST(redacted(R"({"content":"\u0062ob\u0040x.com\n\"ann@x.com\""})") ==
             R"({"content":"[EMAIL_1]\n\"[EMAIL_2]\""})");
  BOOST_TEST(redacted(R"({"content":"\ud83d\ude00 bob@x.com \u4e2d"})") == "{\"content\":\"😀 [EMAIL_1] 中\"}");
}

BOOST_AUTO_TEST_CASE(arguments_are_json_inside_json_and_restored_as_such) {
  const auto body = make_bytes(
      R"({"tool_calls":[{"function":{"name":"f","arguments":"{\"id\":\"\\u0062ob@x.com\",\"t\":\"TCK-1\\\"x\"}"}}],"content":"TCK-1\"x"})");
  const auto seen = screen_request(all_rules(), body);
  BOOST_TEST(
      *seen.body ==
      R"({"tool_calls":[{"function":{"name":"f","arguments":"{\"id\":\"[EMAIL_1]\",\"t\":\"[TICKET_1]\"}"}}],"content":"[TICKET_1]"})");
  BOOST_TEST(restored(*seen.table, R"({"t":"[TICKET_1]"})", writing::json) == R"({"t":"TCK-1\"x"})");
  BOOST_TEST(restored(*seen.table, "[TICKET_1]") == "TCK-1\"x");
  BOOST_TEST(redacted(R"({"arguments":"no json: bob@x.com"})") == R"({"arguments":"no json: [EMAIL_1]"})");
}

BOOST_AUTO_TEST_CASE(who_wants_json_has_values_as_json) {
  const auto seen =
      screen_request(all_rules(), make_bytes(R"({"content":"TCK-1\"x","response_format":{"type":"json_object"}})"));
  BOOST_TEST(restored(*seen.table, R"({"a":"[TICKET_1]"})") == R"({"a":"TCK-1\"x"})");
}

BOOST_AUTO_TEST_CASE(a_placeholder_of_the_callers_own_stays_its_own) {
  const auto seen =
      screen_request(all_rules(), make_bytes(R"({"content":"[EMAIL_1] and [EMAIL_3] are bob@x.com, ann@x.com"})"));
  BOOST_TEST(*seen.body == R"({"content":"[EMAIL_1] and [EMAIL_3] are [EMAIL_2], [EMAIL_4]"})");
  BOOST_TEST(restored(*seen.table, "[EMAIL_1][EMAIL_2][EMAIL_4][EMAIL_5]") == "[EMAIL_1]bob@x.comann@x.com[EMAIL_5]");
}

BOOST_AUTO_TEST_CASE(a_conversation_that_goes_on_has_the_same_placeholders) {
  const auto first = redacted(R"({"messages":[{"content":"bob@x.com or ann@x.com"}]})");
  const auto next =
      redacted(R"({"messages":[{"content":"bob@x.com or ann@x.com"},{"content":"ann@x.com, eve@x.com"}]})");
  BOOST_TEST(next == first.substr(0, first.size() - 2) + R"(,{"content":"[EMAIL_2], [EMAIL_3]"}]})");
}

BOOST_AUTO_TEST_CASE(what_is_counted_has_its_configured_name) {
  const auto seen = screen_request(all_rules(), make_bytes(R"(["bob@x.com bob@x.com TCK-7 11010519491231002X"])"));
  const std::vector<std::pair<std::string, std::uint32_t>> expected{{"email", 2}, {"id_number", 1}, {"ticket", 1}};
  BOOST_TEST((seen.replaced == expected));
}

BOOST_AUTO_TEST_CASE(what_is_no_json_is_one_text) {
  BOOST_TEST(redacted(R"({"content":"bob@x.com")") == R"({"content":"[EMAIL_1]")");
  BOOST_TEST(redacted("") == "");
}

BOOST_AUTO_TEST_CASE(what_may_not_come_in_is_named_by_its_rule) {
  privacy_rules rules;
  rules.deny_in = {pattern("first", "(?i)project apollo"), pattern("second", "b+")};
  const auto denied = [&](const char* body) { return screen_request(rules, make_bytes(body)).denied; };
  BOOST_TEST(denied(R"({"messages":[{"content":"of Project\u0020Apollo"}]})") == "first");
  BOOST_TEST(denied(R"({"messages":[{"content":"a bee"}]})") == "second");
  BOOST_TEST(denied(R"({"messages":[{"role":"bbb","content":"fine"}]})") == "");
  BOOST_TEST(denied(R"({"arguments":"{\"x\":\"project\\u0020apollo\"}"})") == "first");
}

BOOST_AUTO_TEST_CASE(a_table_outlives_its_process_as_text) {
  const auto seen = screen_request(
      all_rules(), make_bytes(R"({"content":"bob@x.com TCK-1\"\u00e9","response_format":{"type":"json_schema"}})"));
  const auto again = placeholders::from_text(seen.table->to_text());
  BOOST_REQUIRE(again);
  BOOST_TEST(again->in_json);
  for (auto text : {"[EMAIL_1] [TICKET_1]", "[EMAIL_2]"})
    BOOST_TEST(restored(*again, text) == restored(*seen.table, text));
  BOOST_TEST(!placeholders::from_text("{}"));
  BOOST_TEST(!placeholders::from_text("nothing"));
}

BOOST_AUTO_TEST_CASE(redacted_and_restored_any_text_is_what_it_was) {
  const char* pieces[] = {"bob@x.com",
                          "ann@example.org",
                          "13800138000",
                          "+1 (415) 555-2671",
                          "4111 1111 1111 1111",
                          "11010519491231002X",
                          "DE89370400440532013000",
                          "TCK-12",
                          "TCK-9\"q",
                          "[EMAIL_1]",
                          "[EMAIL_",
                          "[",
                          "]",
                          "[PHONE_12]",
                          " ",
                          "\n",
                          "\\",
                          "\"",
                          "中文",
                          "😀",
                          "a",
                          "1",
                          "-",
                          ".",
                          "@",
                          "\x01"};
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (auto n = random() % 20; n > 0; --n) text += pieces[random() % std::size(pieces)];
    std::string body = "{\"content\":";
    json::append_string(body, text);
    body += "}";
    const auto seen = screen_request(all_rules(), make_bytes(body));
    const auto sent = json::parse(*seen.body);
    BOOST_REQUIRE(sent);
    const std::string told(sent->find("content")->string_or_empty());
    BOOST_REQUIRE((seen.table ? restored(*seen.table, told) : told) == text);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace redaction_test
