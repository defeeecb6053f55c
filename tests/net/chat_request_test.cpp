// A caller's body: what is taken from it, what is refused and how, and what leaves for the provider.
#include "core/token_estimate.hpp"
#include "net/chat_request.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <map>
#include <random>

namespace chat_request_test {

using namespace mainstay;

namespace {

const std::string hello = R"("messages":[{"role":"user","content":"hello"}])";

std::variant<chat_request, request_problem> parse(std::string body) {
  return parse_chat_request(make_bytes(std::move(body)));
}

chat_request good(const std::string& body) {
  auto parsed = parse(body);
  if (auto problem = std::get_if<request_problem>(&parsed)) BOOST_FAIL("refused: " + problem->message + " in " + body);
  return std::get<chat_request>(std::move(parsed));
}

request_problem bad(const std::string& body) {
  auto parsed = parse(body);
  if (std::holds_alternative<chat_request>(parsed)) BOOST_FAIL("accepted: " + body.substr(0, 300));
  return std::get<request_problem>(std::move(parsed));
}

std::string with(const std::string& members) {
  return R"({"model":"m",)" + hello + (members.empty() ? "" : ",") + members + "}";
}

std::string value_at(const chat_request& r, chat_request::span s) { return r.bytes->substr(s.begin, s.end - s.begin); }

std::string key_of(const std::string& body, std::string_view scope = "") { return cache_key(good(body), scope); }

} // namespace

BOOST_AUTO_TEST_SUITE(chat_request_parsing)

BOOST_AUTO_TEST_CASE(the_facts_of_a_plain_request_are_read) {
  auto r = good(R"( { "model" : "gpt-4o" , "messages":[{"role":"user","content":"hi"}], "temperature":0.5})");
  BOOST_TEST(r.model == "gpt-4o");
  BOOST_TEST(!r.stream);
  BOOST_TEST(!r.wants_usage);
  BOOST_TEST(r.plain_text);
  BOOST_TEST(r.answer_cap == 0u);
  BOOST_TEST(value_at(r, r.model_value) == R"("gpt-4o")");
  BOOST_TEST(!r.stream_options_value.has_value());
  BOOST_TEST(r.bytes->substr(r.first_member, 8) == R"( "model")");
}

BOOST_AUTO_TEST_CASE(the_facts_of_a_streamed_request_are_read) {
  auto r = good(with(R"("stream":true,"stream_options": {"include_usage":true, "x":[{}]} ,"n":3,"max_tokens":10)"));
  BOOST_TEST(r.stream);
  BOOST_TEST(r.wants_usage);
  BOOST_TEST(!r.plain_text);
  BOOST_TEST(r.answer_cap == 30u);
  BOOST_TEST(value_at(r, *r.stream_options_value) == R"({"include_usage":true, "x":[{}]})");
}

BOOST_AUTO_TEST_CASE(null_means_not_given) {
  auto r = good(with(
      R"("stream":null,"stream_options":null,"n":null,"max_tokens":null,"max_completion_tokens":null,"tools":null,"response_format":null,"logprobs":null,"audio":null,"modalities":null)"));
  BOOST_TEST(!r.stream);
  BOOST_TEST(r.plain_text);
  BOOST_TEST(r.answer_cap == 0u);
  BOOST_TEST(value_at(r, *r.stream_options_value) == "null");
}

BOOST_AUTO_TEST_CASE(the_greater_of_two_caps_is_reserved) {
  BOOST_TEST(good(with(R"("max_tokens":100,"max_completion_tokens":7)")).answer_cap == 100u);
  BOOST_TEST(good(with(R"("max_completion_tokens":100,"max_tokens":7,"n":2)")).answer_cap == 200u);
}

BOOST_AUTO_TEST_CASE(only_one_choice_of_plain_text_can_be_continued) {
  for (auto plain : {R"("n":1)", R"("tools":[])", R"("response_format":{"type":"text"})", R"("modalities":["text"])",
                     R"("logprobs":false)", R"("temperature":0)"})
    BOOST_TEST(good(with(plain)).plain_text, plain);
  for (auto other :
       {R"("n":2)", R"("tools":[{"type":"function"}])", R"("tools":{})", R"("functions":[1])",
        R"("response_format":{"type":"json_object"})", R"("response_format":{})",
        R"("response_format":{"type":"json_schema","json_schema":{"type":"text"}})", R"("response_format":"json")",
        R"("modalities":["text","audio"])", R"("audio":{"voice":"x"})", R"("logprobs":true)", R"("top_logprobs":3)",
        R"("guided_json":{"type":"object"})", R"("grammar":"root ::= x")"})
    BOOST_TEST(!good(with(other)).plain_text, other);
}

BOOST_AUTO_TEST_CASE(the_prompt_is_counted_over_messages_and_tools_only) {
  text_profile expected;
  expected.add("usertest 語\n\"x\"getAfunctionfunctionnamef");
  auto r = good(R"({"model":"m","user":"not counted at all, however long it may be",
    "messages":[{"role":"user","content":"test 語\n\"x\""},{"role":"get","content":[{"nested":["A"]}]}],
    "tools":[{"function":{"name":"f"}},"function"]})");
  BOOST_TEST(r.prompt_tokens == expected.tokens());
}

BOOST_AUTO_TEST_CASE(an_image_costs_its_share_and_not_the_length_of_its_encoding) {
  auto image = [](std::string data) {
    return R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"what is it"},{"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
           data + R"("}}, "and this text"]}]})";
  };
  auto small = good(image("AAAA")).prompt_tokens, large = good(image(std::string(1000000, 'A'))).prompt_tokens;
  BOOST_TEST(small == large);
  BOOST_TEST(small > 1000u);
  BOOST_TEST(small < 1100u);
}

BOOST_AUTO_TEST_CASE(a_url_in_a_message_hides_no_text_that_follows) {
  auto one = good(R"({"model":"m","messages":[{"role":"user","content":[{"image_url":{"url":"u"}},")" +
                  std::string(4000, 'x') + R"("]}]})");
  BOOST_TEST(one.prompt_tokens >= 2000u);
}

BOOST_AUTO_TEST_CASE(wrong_types_and_values_name_their_parameter) {
  struct row {
    std::string members, param, code;
  };
  const row rows[] = {
      {R"("stream":"true")", "stream", "invalid_type"},
      {R"("stream":1)", "stream", "invalid_type"},
      {R"("stream":[])", "stream", "invalid_type"},
      {R"("n":0)", "n", "integer_below_min_value"},
      {R"("n":129)", "n", "integer_above_max_value"},
      {R"("n":-1)", "n", "integer_below_min_value"},
      {R"("n":1.0)", "n", "invalid_type"},
      {R"("n":"1")", "n", "invalid_type"},
      {R"("n":true)", "n", "invalid_type"},
      {R"("max_tokens":0)", "max_tokens", "integer_below_min_value"},
      {R"("max_tokens":-5)", "max_tokens", "integer_below_min_value"},
      {R"("max_tokens":1e3)", "max_tokens", "invalid_type"},
      {R"("max_tokens":{})", "max_tokens", "invalid_type"},
      {R"("max_completion_tokens":99999999999999999999999)", "max_completion_tokens", "integer_above_max_value"},
      {R"("max_completion_tokens":18446744073709551615)", "max_completion_tokens", "integer_above_max_value"},
      {R"("stream":true,"stream_options":[])", "stream_options", "invalid_type"},
      {R"("stream":true,"stream_options":{"include_usage":1})", "stream_options.include_usage", "invalid_type"},
      {R"("stream":true,"stream_options":{"include_usage":[true]})", "stream_options.include_usage", "invalid_type"},
      {R"("stream":true,"stream_options":{"include_usage":true,"include_usage":false})", "stream_options.include_usage",
       "duplicate_parameter"},
      {R"("stream_options":{"include_usage":true})", "stream_options", "invalid_value"},
      {R"("stream":false,"stream_options":{})", "stream_options", "invalid_value"},
  };
  for (auto& row : rows) {
    auto problem = bad(with(row.members));
    BOOST_TEST(problem.param == row.param, row.members);
    BOOST_TEST(problem.code == row.code, row.members);
    BOOST_TEST(problem.message.find(row.param) != std::string::npos, row.members);
  }
}

BOOST_AUTO_TEST_CASE(model_and_messages_are_required_and_checked) {
  struct row {
    std::string body, param, code;
  };
  const row rows[] = {
      {"{}", "model", "missing_required_parameter"},
      {"{" + hello + "}", "model", "missing_required_parameter"},
      {R"({"model":"m"})", "messages", "missing_required_parameter"},
      {R"({"model":null,)" + hello + "}", "model", "invalid_type"},
      {R"({"model":["m"],)" + hello + "}", "model", "invalid_type"},
      {R"({"model":"",)" + hello + "}", "model", "empty_string"},
      {R"({"model":")" + std::string(257, 'm') + "\"," + hello + "}", "model", "string_above_max_length"},
      {R"({"model":"a\u0000b",)" + hello + "}", "model", "invalid_value"},
      {R"({"model":"a\nb",)" + hello + "}", "model", "invalid_value"},
      {R"({"model":"a\u0085b",)" + hello + "}", "model", "invalid_value"},
      {R"({"model":"a\udc00b",)" + hello + "}", "", "invalid_json"},
      {R"({"model":"m","messages":null})", "messages", "invalid_type"},
      {R"({"model":"m","messages":"hi"})", "messages", "invalid_type"},
      {R"({"model":"m","messages":{}})", "messages", "invalid_type"},
      {R"({"model":"m","messages":[]})", "messages", "empty_array"},
      {R"({"model":"m","messages":["hi"]})", "messages[0]", "invalid_type"},
      {R"({"model":"m","messages":[{"role":"user"},[]]})", "messages[1]", "invalid_type"},
      {R"({"model":"m","messages":[{"role":"user"},null]})", "messages[1]", "invalid_type"},
      {R"({"model":"m","messages":[{}]})", "messages[0].role", "missing_required_parameter"},
      {R"({"model":"m","messages":[{"role":"user"},{"content":"x","c":{"role":"x"}}]})", "messages[1].role",
       "missing_required_parameter"},
      {R"({"model":"m","messages":[{"role":1}]})", "messages[0].role", "invalid_type"},
      {R"({"model":"m","messages":[{"role":{"role":"user"}}]})", "messages[0].role", "invalid_type"},
      {R"({"model":"m","messages":[{"role":"user","role":"system"}]})", "messages[0].role", "duplicate_parameter"},
      {R"("just a string")", "", "invalid_type"},
      {"[]", "", "invalid_type"},
      {"17", "", "invalid_type"},
      {"null", "", "invalid_type"},
  };
  for (auto& row : rows) {
    auto problem = bad(row.body);
    BOOST_TEST(problem.param == row.param, row.body);
    BOOST_TEST(problem.code == row.code, row.body);
    BOOST_TEST(!problem.message.empty());
  }
  BOOST_TEST(good(R"({"model":")" + std::string(256, 'm') + "\"," + hello + "}").model.size() == 256u);
  BOOST_TEST(good(R"({"model":"\u6a21\u578b",)" + hello + "}").model == "模型");
}

BOOST_AUTO_TEST_CASE(a_member_read_here_may_stand_only_once_however_it_is_spelled) {
  for (std::string name : {"model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens",
                           "tools", "functions", "response_format", "modalities", "audio", "logprobs"}) {
    std::string value = name == "model" ? R"("m")" : name == "messages" ? R"([{"role":"user"}])" : "null";
    if (name != "model" && name != "messages") BOOST_TEST(good(with("\"" + name + "\":" + value)).model == "m");
    auto first = name == "model" || name == "messages" ? "" : "\"" + name + "\":null,";
    auto problem = bad(with(first + "\"" + name + "\":" + value));
    BOOST_TEST(problem.code == "duplicate_parameter", name);
    BOOST_TEST(problem.param == name);
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", name.back());
    problem = bad(with(first + "\"" + name.substr(0, name.size() - 1) + escaped + "\":" + value));
    BOOST_TEST(problem.code == "duplicate_parameter", name);
  }
}

BOOST_AUTO_TEST_CASE(a_name_that_some_decoders_take_for_ours_is_refused) {
  for (auto name : {"Model", "MODEL", "meſſages", "\\u017ftream", "max_to\u212aens", "N", "Max_Tokens"}) {
    auto problem = bad(with("\"" + std::string(name) + "\":1"));
    BOOST_TEST(problem.code == "unknown_parameter", name);
  }
  for (auto name : {"models", "mode", "nn", "metadata", "K", ""}) good(with("\"" + std::string(name) + "\":1"));
}

BOOST_AUTO_TEST_CASE(unknown_members_may_be_anything) {
  auto r = good(with(R"("x":{"model":"other","messages":[],"stream":"no"},"x":1,"y":[[{"n":0}]],"z":1e300)"));
  BOOST_TEST(r.model == "m");
  BOOST_TEST(!r.stream);
}

BOOST_AUTO_TEST_CASE(what_is_not_json_is_said_without_quoting_the_prompt) {
  const std::string secret = "my-secret-prompt";
  auto body = with(R"("note":")" + secret + "\"");
  struct row {
    std::string body, code, words;
  };
  using namespace std::string_literals;
  const row rows[] = {
      {"", "invalid_json", "empty"},
      {" \r\n\t", "invalid_json", "empty"},
      {body.substr(0, body.size() - 1), "invalid_json", "ends in the middle"},
      {body.substr(0, body.size() - 5), "invalid_json", "ends in the middle"},
      {body + "{}", "invalid_json", "followed"},
      {body + "\0"s, "invalid_json", "followed"},
      {body + ",", "invalid_json", "followed"},
      {with("\"note\":\"" + secret + "\xff\""), "invalid_utf8", "UTF-8"},
      {with("\"note\":\"" + secret + "\xed\xa0\x80\""), "invalid_utf8", "UTF-8"},
      {with("\"note\":\"" + secret + "\n\""), "invalid_json", "not valid JSON"},
      {with("\"note\":\"" + secret + "\\ud83d\""), "invalid_json", "surrogate"},
      {with("\"note\":\"" + secret + "\\ude00\""), "invalid_json", "surrogate"},
      {with("\"note\":NaN"), "invalid_json", "not valid JSON"},
      {with("\"note\":-Infinity"), "invalid_json", "not valid JSON"},
      {with("\"note\":1e999"), "invalid_json", "too big"},
      {with("\"note\":'" + secret + "'"), "invalid_json", "not valid JSON"},
      {with("\"note\":" + std::string(10000, '[')), "nesting_too_deep", "128"},
      {with("\"note\":" + std::string(10000, '[') + std::string(10000, ']')), "nesting_too_deep", "128"},
  };
  for (auto& row : rows) {
    auto problem = bad(row.body);
    BOOST_TEST(problem.code == row.code, problem.message);
    BOOST_TEST(problem.param == "");
    BOOST_TEST(problem.message.find(row.words) != std::string::npos, problem.message);
    BOOST_TEST(problem.message.find(secret) == std::string::npos, problem.message);
  }
  BOOST_TEST(std::holds_alternative<request_problem>(parse_chat_request(nullptr)));
}

BOOST_AUTO_TEST_CASE(every_truncation_and_every_broken_byte_is_an_error_or_a_request_but_never_more) {
  const auto body = with(R"("stream":true,"stream_options":{"include_usage":false},"tools":[{"a":"b\u00e9"}],"n":2)");
  for (std::size_t n = 0; n < body.size(); ++n) bad(body.substr(0, n));
  std::mt19937 random(11);
  std::size_t accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    auto broken = body;
    for (auto n = 1 + random() % 3; n > 0; --n) broken[random() % broken.size()] = static_cast<char>(random());
    auto parsed = parse(broken);
    auto request = std::get_if<chat_request>(&parsed);
    if (!request) continue;
    ++accepted;
    // Whatever was accepted can be sent on, and is then a request for the other model.
    auto sent = good(*upstream_body(*request, "other"));
    BOOST_TEST(sent.model == "other");
    BOOST_TEST(sent.stream == request->stream);
    BOOST_TEST((!sent.stream || sent.wants_usage));
  }
  BOOST_TEST(accepted > 100u);
}

BOOST_AUTO_TEST_CASE(a_large_prompt_is_read_in_linear_time) {
  auto body = R"({"model":"m","messages":[{"role":"user","content":")" + std::string(30u << 20, 'x') + "\"}]}";
  auto begun = std::chrono::steady_clock::now();
  BOOST_TEST(good(body).prompt_tokens > (7u << 20));
  BOOST_TEST(key_of(body).size() == 64u);
  BOOST_TEST((std::chrono::steady_clock::now() - begun < std::chrono::seconds(10)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(upstream_bodies)

BOOST_AUTO_TEST_CASE(nothing_to_change_means_the_same_bytes) {
  for (auto members : {R"("n":1)", R"("stream":true,"stream_options":{"include_usage":true})", R"("stream":false)"}) {
    auto r = good(with(members));
    BOOST_TEST(upstream_body(r, "m").get() == r.bytes.get());
  }
}

BOOST_AUTO_TEST_CASE(only_the_value_of_model_is_replaced) {
  const std::string before = "\t{ \"x\" : {\"model\":\"m\"},\"big\":1.50e+02, \"mod\\u0065l\"\n:  ",
                    after = " , " + hello + ",\"é\":\"\\u00e9\"} \n";
  for (std::string written : {"\"m\"", "\"a much longer name\"", "\"\\u006d\""}) {
    auto r = good(before + written + after);
    BOOST_TEST(*upstream_body(r, "gpt-4o") == before + "\"gpt-4o\"" + after);
    BOOST_TEST(*upstream_body(r, "a\"b\\c\n語") == before + R"("a\"b\\c\n語")" + after);
  }
}

BOOST_AUTO_TEST_CASE(usage_is_asked_for_in_every_stream) {
  struct row {
    std::string members, expected;
  };
  const row rows[] = {
      {R"("stream":true,"stream_options":null)", R"("stream":true,"stream_options":{"include_usage":true})"},
      {R"("stream":true,"stream_options": { } )", R"("stream":true,"stream_options": {"include_usage":true} )"},
      {R"("stream_options":{"include_usage": false ,"a":[1]},"stream":true)",
       R"("stream_options":{"include_usage": true ,"a":[1]},"stream":true)"},
      {R"("stream":true,"stream_options":{"a":{"include_usage":false},"include_usag\u0065":null})",
       R"("stream":true,"stream_options":{"a":{"include_usage":false},"include_usag\u0065":true})"},
      {R"("stream":true,"stream_options":{ "a":false})",
       R"("stream":true,"stream_options":{"include_usage":true, "a":false})"},
  };
  for (auto& row : rows) BOOST_TEST(*upstream_body(good(with(row.members)), "m") == with(row.expected));
  auto body = with(R"("stream":true)");
  BOOST_TEST(*upstream_body(good(body), "m") == R"({"stream_options":{"include_usage":true},)" + body.substr(1));
}

BOOST_AUTO_TEST_CASE(both_changes_are_made_in_either_order) {
  auto changed = good(*upstream_body(
      good(R"({"stream":true,"stream_options":{"include_usage":false},"model":"m",)" + hello + "}"), "long name"));
  BOOST_TEST(changed.model == "long name");
  BOOST_TEST(changed.wants_usage);
  changed = good(*upstream_body(good(with(R"("stream":true,"stream_options":{"x":1})")), "y"));
  BOOST_TEST(changed.model == "y");
  BOOST_TEST(changed.wants_usage);
  BOOST_TEST(value_at(changed, *changed.stream_options_value) == R"({"include_usage":true,"x":1})");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(cache_keys)

BOOST_AUTO_TEST_CASE(spelling_does_not_matter) {
  auto key = key_of(
      R"({"model":"m","messages":[{"role":"user","content":"a é"}],"temperature":1,"x":{"a":1,"b":[true,null]}})");
  BOOST_TEST(key.size() == 64u);
  BOOST_TEST(key.find_first_not_of("0123456789abcdef") == key.npos);
  for (
      auto same : {
          R"( {"x":{"b":[ true , null ],"a":1.0}, "temperature":10e-1,
             "messages":[{"content":"\u0061 \u00e9","role":"user"}],"model":"m"} )",
          R"({"stream":true,"model":"m","messages":[{"role":"user","content":"a é"}],"temperature":1.000,"x":{"a":1E0,"b":[true,null]}})",
          R"({"stream":true,"stream_options":{"include_usage":true},"model":"\u006d","messages":[{"role":"user","content":"a é"}],"temperature":0.1e1,"x":{"a":1,"b":[true,null]}})",
          R"({"stream":false,"model":"m","stream_options":null,"messages":[{"role":"user","content":"a é"}],"temperature":1,"x":{"a":1,"b":[true,null]}})"})
    BOOST_TEST(key_of(same) == key, same);
}

BOOST_AUTO_TEST_CASE(everything_that_can_change_the_answer_changes_the_key) {
  std::map<std::string, std::string> seen;
  const std::string variants[] = {"",
                                  R"("temperature":1)",
                                  R"("temperature":1.1)",
                                  R"("temperature":-1)",
                                  R"("temperature":"1")",
                                  R"("temperature":0)",
                                  R"("temperature":null)",
                                  R"("temperature":true)",
                                  R"("temperature":false)",
                                  R"("temperature":[1])",
                                  R"("temperature":{"1":1})",
                                  R"("temperature":[])",
                                  R"("temperature":{})",
                                  R"("temperature":[[]])",
                                  R"("temperature":10)",
                                  R"("temperature":0.1)",
                                  R"("temperature":"")",
                                  R"("top_p":1)",
                                  R"("seed":9007199254740993)",
                                  R"("seed":9007199254740992)",
                                  R"("seed":123456789012345678901)",
                                  R"("seed":123456789012345678902)",
                                  R"("n":1)",
                                  R"("n":2)",
                                  R"("max_tokens":5)",
                                  R"("max_completion_tokens":5)",
                                  R"("tools":[])",
                                  R"("tools":[{"a":1,"b":2}])",
                                  R"("tools":[{"a":2,"b":1}])",
                                  R"("tools":[{"a":1},{"b":2}])",
                                  R"("stop":["a","b"])",
                                  R"("stop":["b","a"])",
                                  R"("stop":["ab"])",
                                  R"("stop":["a",["b"]])",
                                  R"("user":"a")",
                                  R"("unknown":{"stream":true})",
                                  R"("unknown":{"stream":false})",
                                  R"("unknown":{})",
                                  R"("x":1,"x":2)",
                                  R"("x":2,"x":1)",
                                  R"("x":2)"};
  for (auto& v : variants) {
    auto [at, fresh] = seen.emplace(key_of(with(v)), v);
    BOOST_TEST(fresh, v << " has the key of " << at->second);
  }
  for (auto body : {R"({"model":"n","messages":[{"role":"user","content":"hello"}]})",
                    R"({"model":"m","messages":[{"role":"system","content":"hello"}]})",
                    R"({"model":"m","messages":[{"role":"user","content":"hello "}]})",
                    R"({"model":"m","messages":[{"role":"user","content":"hello"},{"role":"user","content":"hello"}]})",
                    R"({"model":"m","messages":[{"role":"user","content":"hello","name":"x"}]})"})
    BOOST_TEST(seen.emplace(key_of(body), body).second, body);
  for (auto scope : {"a", "b", "a1:"}) BOOST_TEST(seen.emplace(key_of(with(""), scope), scope).second, scope);
}

BOOST_AUTO_TEST_CASE(long_values_count_to_their_last_byte) {
  auto body = [](std::string text, int last) {
    return R"({"model":"m","messages":[{"role":"user","content":")" + text + R"("}],"list":[)" +
           [] {
             std::string numbers;
             for (int i = 0; i < 1000; ++i) numbers += std::to_string(i) + ",";
             return numbers;
           }() +
           std::to_string(last) + "]}";
  };
  std::string text(5000, 'x'), other = text, shorter = text.substr(1);
  other.back() = 'y';
  BOOST_TEST(key_of(body(text, 1)) == key_of(body(text, 1)));
  BOOST_TEST(key_of(body(text, 1)) != key_of(body(other, 1)));
  BOOST_TEST(key_of(body(text, 1)) != key_of(body(shorter, 1)));
  BOOST_TEST(key_of(body(text, 1)) != key_of(body(text, 2)));
}

BOOST_AUTO_TEST_CASE(the_order_of_members_never_matters_at_any_depth) {
  std::mt19937 random(3);
  struct tree {
    std::string name;
    std::vector<tree> members;
    std::string scalar;
  };
  auto make = [&](auto& self, int depth) -> tree {
    tree t;
    if (depth == 0 || random() % 3 == 0) {
      t.scalar = random() % 2 ? std::to_string(random() % 100) : "\"" + std::string(random() % 600, 'q') + "\"";
      return t;
    }
    for (unsigned i = 0, n = random() % 6; i < n; ++i) {
      t.members.push_back(self(self, depth - 1));
      t.members.back().name = std::string(1 + i * (i == 5 ? 100 : 1), static_cast<char>('a' + i));
    }
    return t;
  };
  auto write = [&](auto& self, tree t) -> std::string {
    if (!t.scalar.empty()) return t.scalar;
    std::shuffle(t.members.begin(), t.members.end(), random);
    std::string out = "{";
    for (auto& m : t.members) out += (out.size() > 1 ? " ,\"" : "\"") + m.name + "\": " + self(self, m);
    return out + "}";
  };
  for (int i = 0; i < 300; ++i) {
    auto t = make(make, 5);
    BOOST_TEST(key_of(with("\"x\":" + write(write, t))) == key_of(with("\"x\":" + write(write, t))));
  }
}

BOOST_AUTO_TEST_CASE(a_prefill_becomes_the_last_message_and_comes_off_the_caps) {
  auto r = good(
      R"({"max_tokens": 60,"model":"m", "messages":[ {"role":"user","content":"q"} ],"max_completion_tokens":50 ,"stream":true})");
  prefill begun{"She said \"no\"\n", 20};
  BOOST_TEST(
      *upstream_body(r, "n", &begun) ==
      R"({"stream_options":{"include_usage":true},"max_tokens": 40,"model":"n", "messages":[ {"role":"user","content":"q"} ,{"role":"assistant","content":"She said \"no\"\n"}],"max_completion_tokens":30 ,"stream":true})");
  auto again = good(*upstream_body(r, "n", &begun));
  BOOST_TEST(again.assistant_last);
  BOOST_TEST(!r.assistant_last);
  BOOST_TEST(upstream_body(r, "n")->find("assistant") == std::string::npos);
  prefill all{"x", 60};
  BOOST_TEST(good(*upstream_body(r, "n", &all)).answer_cap == 1u); // a cap of nothing is no request
}

BOOST_AUTO_TEST_CASE(where_the_messages_end_is_not_fooled_by_brackets_inside_them) {
  auto r = good(
      R"({"messages":[{"role":"user","content":[{"type":"text","text":"a ] b"}],"x":[[]]}],"model":"m","tools":[]})");
  BOOST_TEST(r.bytes->substr(r.messages_end, 10) == R"(],"model":)");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_request_test
