// Whole answers told as streams, streams put back together, and chunks adopted by another stream.
#include "net/chat_answer.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

namespace completion_stream_test {

using namespace mainstay;

namespace {

bytes_ptr assemble(const std::vector<std::string>& chunks, std::size_t limit = 8u << 20) {
  completion_assembler all(limit);
  for (auto& c : chunks) all.add(make_bytes(c));
  return all.result();
}

std::string assembled(const std::vector<std::string>& chunks) {
  auto whole = assemble(chunks);
  return whole ? *whole : "null";
}

std::string chunk(const std::string& choices) {
  return R"({"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[)" + choices + "]}";
}
std::string delta(const std::string& members, int index = 0, const std::string& reason = "null") {
  return chunk(R"({"index":)" + std::to_string(index) + R"(,"delta":{)" + members + R"(},"finish_reason":)" + reason +
               "}");
}
const std::string end = delta("", 0, R"("stop")");

// Equal but for the order of members.
bool same(const json::value& a, const json::value& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    auto other = a.is(json::kind::object) ? b.find(a.items[i].name) : &b.items[i];
    if (!other || !same(a.items[i], *other)) return false;
  }
  return true;
}

std::string quoted(const std::string& text) {
  std::string out;
  json::append_string(out, text);
  return out;
}

class random_completion {
public:
  explicit random_completion(unsigned seed) : random_(seed) {}

  std::string make() {
    std::string out = R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[)";
    for (unsigned i = 0, n = 1 + random_() % 3; i < n; ++i) out += (i ? "," : "") + choice(i);
    out += "]";
    if (random_() % 2) out += R"(,"system_fingerprint":"fp")";
    if (random_() % 2) out += R"(,"citations":["a","b"],"x_unknown":{"a":[1.50,{"b":null}]})";
    return out +
           R"(,"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":4}}})";
  }

private:
  std::string text(std::size_t most) {
    static const std::string words[] = {"word ",
                                        "é",
                                        "日本語",
                                        "\xf0\x9f\x98\x80",
                                        "\n",
                                        "\"quoted\" ",
                                        "\\",
                                        "unbrokenunbrokenunbrokenunbroken",
                                        "{\"json\":1} ",
                                        "\t"};
    std::string out;
    for (auto n = random_() % most; n > 0; --n) out += words[random_() % std::size(words)];
    return out;
  }

  std::string choice(unsigned index) {
    std::string message = R"({"role":"assistant","content":)" + (random_() % 4 ? quoted(text(300)) : "null");
    if (random_() % 2) message += R"(,"refusal":)" + (random_() % 2 ? quoted(text(20)) : "null");
    if (random_() % 2) message += R"(,"reasoning_content":)" + quoted(text(50));
    if (random_() % 2) message += R"(,"annotations":[])";
    if (random_() % 3 == 0) {
      message += R"(,"tool_calls":[)";
      for (unsigned i = 0, n = 1 + random_() % 3; i < n; ++i)
        message += (i ? "," : "") + std::string(R"({"id":"call_)") + std::to_string(i) +
                   R"(","type":"function","function":{"name":"f","arguments":)" + quoted(text(30)) + "}}";
      message += "]";
    }
    auto logprobs =
        random_() % 3
            ? "null"
            : R"({"content":[{"token":"a","logprob":-0.1234567890123456789,"bytes":[97],"top_logprobs":[]},{"token":"b","logprob":-1e-30,"bytes":null,"top_logprobs":[]}],"refusal":null})";
    return R"({"index":)" + std::to_string(index) + R"(,"message":)" + message + R"(},"logprobs":)" + logprobs +
           R"(,"finish_reason":)" + (random_() % 2 ? R"("stop")" : R"("tool_calls")") + "}";
  }

  std::mt19937 random_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(completion_streams)

BOOST_AUTO_TEST_CASE(signed_thoughts_are_told_block_by_block_after_their_words) {
  const auto chunks = chunks_of(
      R"({"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"x","reasoning_content":"ab",)"
      R"("thinking_blocks":[{"type":"thinking","thinking":"a","signature":"1"},{"type":"redacted_thinking","data":"d"},)"
      R"({"type":"thinking","thinking":"b","signature":"2"}]},"finish_reason":"stop"}]})",
      false);
  std::vector<std::string> thoughts;
  for (auto& c : chunks)
    for (auto* member : {"reasoning_content", "thinking_blocks"})
      if (const auto at = c.find(std::string("{\"") + member); at != c.npos)
        thoughts.push_back(c.substr(at, c.find(",\"finish_reason", at) - at));
  const std::vector<std::string> expected = {
      R"({"reasoning_content":"a"})", R"({"thinking_blocks":[{"type":"thinking","thinking":"a","signature":"1"}]})",
      R"({"thinking_blocks":[{"type":"redacted_thinking","data":"d"}]})", R"({"reasoning_content":"b"})",
      R"({"thinking_blocks":[{"type":"thinking","thinking":"b","signature":"2"}]})"};
  BOOST_TEST(thoughts == expected, boost::test_tools::per_element());
  const auto whole = assembled(chunks);
  BOOST_TEST(whole.find(R"("reasoning_content":"ab")") != whole.npos);
  BOOST_TEST(whole.find(R"("signature":"2")") != whole.npos);
}

BOOST_AUTO_TEST_CASE(any_completion_told_as_a_stream_and_put_back_together_is_the_same) {
  random_completion completions(42);
  for (int i = 0; i < 500; ++i) {
    auto before = completions.make();
    auto chunks = chunks_of(before, true);
    auto after = assemble(chunks);
    BOOST_REQUIRE_MESSAGE(after, before);
    BOOST_REQUIRE_MESSAGE(same(*json::parse(before), *json::parse(*after)), before << "\n" << *after);
    // and what the run sees on the way is the text, and in the end the usage
    std::string seen;
    for (auto& c : chunks) {
      auto f = read_chunk(c);
      BOOST_REQUIRE(f.valid);
      BOOST_REQUIRE(f.text.size() <= 200);
      seen += f.text;
    }
    auto tree = json::parse(before);
    auto content = tree->find("choices")->items[0].find("message")->find("content");
    BOOST_REQUIRE(seen == content->text);
    BOOST_REQUIRE(read_chunk(chunks.back()).no_choices);
    BOOST_REQUIRE(read_chunk(chunks.back()).usage->cached == 4);
  }
}

BOOST_AUTO_TEST_CASE(a_stream_cut_anywhere_does_not_assemble) {
  random_completion completions(43);
  for (int i = 0; i < 50; ++i) {
    auto chunks = chunks_of(completions.make(), false);
    BOOST_REQUIRE(assemble(chunks));
    for (std::size_t n = 0; n < chunks.size(); ++n)
      BOOST_REQUIRE(!assemble({chunks.begin(), chunks.begin() + static_cast<std::ptrdiff_t>(n)}));
    auto broken = chunks;
    auto& victim = broken[static_cast<std::size_t>(i) % broken.size()];
    victim.pop_back();
    BOOST_REQUIRE(!assemble(broken));
  }
}

BOOST_AUTO_TEST_CASE(usage_is_told_only_if_asked_for_and_known) {
  const std::string known =
      R"({"id":"c","choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}})";
  const std::string unknown =
      R"({"id":"c","choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":null})";
  BOOST_TEST(chunks_of(known, true).size() == 4u);
  BOOST_TEST(chunks_of(known, false).size() == 3u);
  BOOST_TEST(chunks_of(unknown, true).size() == 3u);
  for (auto& c : chunks_of(known, false)) BOOST_TEST(!read_chunk(c).usage.has_value());
}

BOOST_AUTO_TEST_CASE(the_first_chunk_has_the_role_and_the_last_the_reason) {
  auto chunks = chunks_of(
      R"({"id":"c","object":"chat.completion","model":"m","extra":1,"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]})",
      false);
  BOOST_REQUIRE(chunks.size() == 3u);
  BOOST_TEST(
      chunks[0] ==
      R"({"object":"chat.completion.chunk","id":"c","model":"m","extra":1,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})");
  BOOST_TEST(
      chunks[1] ==
      R"({"object":"chat.completion.chunk","id":"c","model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]})");
  BOOST_TEST(
      chunks[2] ==
      R"({"object":"chat.completion.chunk","id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
}

BOOST_AUTO_TEST_CASE(what_is_no_completion_has_no_chunks) {
  for (std::string no :
       {"", "{}", "[]", "null", R"({"choices":[]})", R"({"choices":[{}]})", R"({"choices":[{"message":"x"}]})",
        R"({"choices":[{"message":{}}])", R"({"error":{"message":"x"}})"})
    BOOST_TEST(chunks_of(no, true).empty(), no);
  BOOST_TEST(
      chunks_of(R"({"id":")" + std::string(5000, 'x') + R"(","choices":[{"message":{"content":"x"}}]})", true).empty());
}

BOOST_AUTO_TEST_CASE(tool_calls_are_merged_by_index_and_repeated_fields_are_not_doubled) {
  auto whole = assembled(
      {delta(
           R"("role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}])"),
       delta(
           R"("role":"assistant","tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{"}}])"),
       delta(R"("tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\""}}])"),
       delta(
           R"("tool_calls":[{"index":1,"function":{"arguments":"}"}},{"index":0,"id":"","function":{"name":"","arguments":":1}"}}])"),
       delta("", 0, R"("tool_calls")")});
  BOOST_TEST(
      whole ==
      R"({"id":"c1","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})");
}

BOOST_AUTO_TEST_CASE(another_id_under_the_same_index_is_another_call) {
  auto whole =
      json::parse(assembled({delta(R"("tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}])"),
                             delta(R"("tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"2"}}])"),
                             delta(R"("tool_calls":[{"index":0,"function":{"arguments":"3"}}])"), end}));
  BOOST_REQUIRE(whole);
  auto calls = whole->find("choices")->items[0].find("message")->find("tool_calls");
  BOOST_REQUIRE(calls->items.size() == 2u);
  BOOST_TEST(calls->items[0].find("function")->find("arguments")->text == "1");
  BOOST_TEST(calls->items[1].find("function")->find("arguments")->text == "23");
}

BOOST_AUTO_TEST_CASE(choices_arrive_interleaved_and_are_told_in_order) {
  auto whole = json::parse(assembled({delta(R"("role":"assistant","content":"B")", 1), delta(R"("content":"A")", 0),
                                      delta(R"("content":"b")", 1), delta("", 1, R"("stop")"),
                                      delta(R"("content":"a")", 0), delta("", 0, R"("length")")}));
  BOOST_REQUIRE(whole);
  auto& choices = whole->find("choices")->items;
  BOOST_REQUIRE(choices.size() == 2u);
  BOOST_TEST(choices[0].find("message")->find("content")->text == "Aa");
  BOOST_TEST(choices[0].find("message")->find("role")->text == "assistant");
  BOOST_TEST(choices[0].find("finish_reason")->text == "length");
  BOOST_TEST(choices[1].find("message")->find("content")->text == "Bb");
}

BOOST_AUTO_TEST_CASE(a_stream_with_an_unfinished_choice_an_error_or_junk_does_not_assemble) {
  const auto text = delta(R"("content":"x")");
  BOOST_TEST(assembled({text, end}) != "null");
  BOOST_TEST(assembled({}) == "null");
  BOOST_TEST(assembled({text}) == "null");
  BOOST_TEST(assembled({text, end, delta(R"("content":"y")", 1)}) == "null");
  BOOST_TEST(assembled({text, delta("", 0, R"("")")}) == "null");
  BOOST_TEST(assembled({text, R"({"error":{"message":"x"}})", end}) == "null");
  for (std::string junk : {"", "[DONE]", "[]", R"({"choices":[1]})", R"({"choices":{}})", "{", "\xff"})
    BOOST_TEST(assembled({text, junk, end}) == "null", junk);
}

BOOST_AUTO_TEST_CASE(usage_and_unknown_members_survive_and_the_padding_does_not) {
  auto whole = json::parse(assembled(
      {R"({"id":"c1","choices":[],"prompt_filter_results":[1],"usage":null})",
       R"({"id":"c1","choices":[{"index":0,"delta":{"content":"a","x_new":"1"},"finish_reason":null,"content_filter_results":{"a":1}}],"obfuscation":"abc","usage":null})",
       R"({"id":"c1","choices":[{"index":0,"delta":{"x_new":"2"},"finish_reason":"stop","stop_reason":17}],"usage":null,"service_tier":"default"})",
       R"({"id":"c1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}})",
       R"({"choices":null,"x_groq":{"id":"r"}})"}));
  BOOST_REQUIRE(whole);
  auto& choice = whole->find("choices")->items[0];
  BOOST_TEST(json::to_text(*whole->find("prompt_filter_results")) == "[1]");
  BOOST_TEST(choice.find("message")->find("x_new")->text == "12");
  BOOST_TEST(json::to_text(*choice.find("content_filter_results")) == R"({"a":1})");
  BOOST_TEST(choice.find("stop_reason")->text == "17");
  BOOST_TEST(whole->find("service_tier")->text == "default");
  BOOST_TEST(whole->find("usage")->find("completion_tokens")->text == "2");
  BOOST_TEST(whole->find("x_groq"));
  BOOST_TEST(!whole->find("obfuscation"));
  BOOST_TEST(read_completion(json::to_text(*whole)).valid);
}

BOOST_AUTO_TEST_CASE(of_several_signatures_the_latest_is_the_messages_own_and_none_is_made_of_two) {
  const auto signed_with = [](const std::string& s) {
    return R"("extra_content":{"google":{"thought_signature":")" + s + R"("}})";
  };
  const auto whole = json::parse(assembled({delta(R"("role":"assistant","content":"a",)" + signed_with("one")),
                                            delta(R"("content":"b",)" + signed_with("two")), end}));
  const auto message = whole->find("choices")->items[0].find("message");
  BOOST_TEST(message->find("content")->text == "ab");
  BOOST_TEST(json::to_text(*message->find("extra_content")) == R"({"google":{"thought_signature":"two"}})");
}

BOOST_AUTO_TEST_CASE(more_than_the_limit_is_not_held) {
  const auto text = delta(R"("content":"0123456789")");
  std::vector<std::string> chunks(10, text);
  chunks.push_back(end);
  auto size = text.size() * 10 + end.size();
  BOOST_TEST(assemble(chunks, size));
  BOOST_TEST(!assemble(chunks, size - 1));
}

BOOST_AUTO_TEST_CASE(a_stream_made_to_be_slow_is_given_up) {
  completion_assembler all(64u << 20);
  std::string members;
  for (int i = 0; i < 100000; ++i) members += (i ? ",\"" : "\"") + std::to_string(i) + "\":1";
  all.add(make_bytes(delta(members)));
  all.add(make_bytes(end));
  BOOST_TEST(!all.result());
  completion_assembler values(64u << 20);
  std::string many = "[0";
  for (int i = 0; i < 300000; ++i) many += ",0";
  for (int i = 0; i < 5; ++i) values.add(make_bytes(delta("\"x\":" + many + "]")));
  values.add(make_bytes(end));
  BOOST_TEST(!values.result());
}

BOOST_AUTO_TEST_CASE(a_long_stream_is_assembled_in_linear_time) {
  completion_assembler all;
  for (int i = 0; i < 20000; ++i) all.add(make_bytes(delta(R"("content":"some words ")")));
  all.add(make_bytes(end));
  auto whole = all.result();
  BOOST_REQUIRE(whole);
  BOOST_TEST(json::parse(*whole)->find("choices")->items[0].find("message")->find("content")->text.size() ==
             20000u * 11);
}

BOOST_AUTO_TEST_CASE(an_adopted_chunk_is_part_of_the_other_stream) {
  const std::string other =
      R"({"id":"new","object":"chat.completion.chunk","created":1.0,"model":"m2","x":{"y":[1,2.50]},"choices":[{"index":0,"delta":{"role":"assistant","content":"abc","z":"k"},"logprobs":null,"finish_reason":null}],"usage":null})";
  BOOST_TEST(
      adopt_chunk(other, "old", "m1", "bc") ==
      R"({"id":"old","object":"chat.completion.chunk","created":1.0,"model":"m1","x":{"y":[1,2.50]},"choices":[{"index":0,"delta":{"content":"bc","z":"k"},"logprobs":null,"finish_reason":null}],"usage":null})");
  BOOST_TEST(
      adopt_chunk(other, "", "", std::nullopt) ==
      R"({"id":"new","object":"chat.completion.chunk","created":1.0,"model":"m2","x":{"y":[1,2.50]},"choices":[{"index":0,"delta":{"content":"abc","z":"k"},"logprobs":null,"finish_reason":null}],"usage":null})");
}

BOOST_AUTO_TEST_CASE(adopting_changes_the_text_of_choice_0_only_and_adds_what_is_missing) {
  BOOST_TEST(
      adopt_chunk(R"({"choices":[{"delta":{"content":"a"},"index":1},{"delta":{"content":"b"},"index":0}]})", "i", "m",
                  "x") ==
      R"({"choices":[{"delta":{"content":"a"},"index":1},{"delta":{"content":"x"},"index":0}],"id":"i","model":"m"})");
  BOOST_TEST(adopt_chunk(R"({"id":"a","choices":[{"delta":{},"finish_reason":"stop"}]})", "i", "", "") ==
             R"({"id":"i","choices":[{"delta":{},"finish_reason":"stop"}]})");
  BOOST_TEST(adopt_chunk(R"({"id":"a","choices":[{"delta":{"role":"assistant"},"finish_reason":null}]})", "i", "",
                         "tail") == R"({"id":"i","choices":[{"delta":{"content":"tail"},"finish_reason":null}]})");
  BOOST_TEST(adopt_chunk(R"({"id":"a","choices":[],"usage":{"prompt_tokens":1}})", "i", "", "x") ==
             R"({"id":"i","choices":[],"usage":{"prompt_tokens":1}})");
  BOOST_TEST(adopt_chunk("junk", "i", "m", "x") == "junk");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace completion_stream_test
