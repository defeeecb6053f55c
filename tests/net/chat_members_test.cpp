#include "net/dialects/chat_members.hpp"

#include <boost/test/unit_test.hpp>

using namespace mainstay;

namespace {

/// What is lost: its first place, and all such.
std::string lost(const std::string& messages) {
  std::string out;
  for (auto& one : members_without_counterpart(*json::parse("[" + messages + "]")))
    (((out += out.empty() ? "" : " ") += one.place) += '=') += one.what;
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(chat_members)

BOOST_AUTO_TEST_CASE(what_every_dialect_has_a_place_for_is_not_lost) {
  BOOST_TEST(lost(R"({"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]})") ==
             "");
  BOOST_TEST(lost(R"({"role":"tool","tool_call_id":"a","name":"f","content":"y","is_error":true})") == "");
}

BOOST_AUTO_TEST_CASE(a_models_own_message_comes_back_without_a_loss) {
  BOOST_TEST(
      lost(
          R"({"role":"assistant","content":"x","refusal":null,"annotations":[],"audio":null,"function_call":null,"tool_calls":[],"reasoning_content":"r"})") ==
      "");
}

BOOST_AUTO_TEST_CASE(each_kind_is_named_once_with_its_first_place) {
  BOOST_TEST(lost(R"({"role":"system","content":"s"},{"role":"user","name":"a","content":"x"},)"
                  R"({"role":"user","name":"b","content":"y","weight":1})") ==
             "messages[1].name=messages[].name messages[2].weight=messages[].weight");
}

BOOST_AUTO_TEST_CASE(parts_too) {
  const auto part = [](const std::string& p) { return lost(R"({"role":"user","content":[)" + p + "]}"); };
  BOOST_TEST(part(R"({"type":"image_url","image_url":{"url":"u","detail":"auto"}})") == "");
  BOOST_TEST(part(R"({"type":"image_url","image_url":{"url":"u","detail":"high"}})") ==
             "messages[0].content[0].image_url.detail=messages[].content[].image_url.detail");
  BOOST_TEST(part(R"({"type":"text","text":"t","speed":2})") ==
             "messages[0].content[0].speed=messages[].content[].speed");
}

BOOST_AUTO_TEST_CASE(what_is_no_part_at_all_is_somebody_elses_to_refuse) {
  BOOST_TEST(lost(R"({"role":"user","content":[{"type":"hologram","hologram":{"a":1}},{"text":"x"},7]})") == "");
}

BOOST_AUTO_TEST_SUITE_END()
