// Gemini's answers, whole and streamed, as chat completions: the same pieces either way, wherever the bytes are cut.
#include "net/chat_answer.hpp"
#include "net/dialects/provider_dialect.hpp"
#include "net/json_tree.hpp"
#include "net/sse.hpp"

#include <boost/test/unit_test.hpp>

namespace gemini_answer_test {

using namespace mainstay;

namespace {

const answer_label label{"chatcmpl-7", "gemini-2.5-flash", 1700000000};
const std::string names = R"(,"modelVersion":"gemini-2.5-flash-001","responseId":"r-1"})";
const std::string usage =
    R"("usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":3,"cachedContentTokenCount":4,"totalTokenCount":18,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10}]})";

std::string parts(const std::string& list, const std::string& rest = "") {
  return R"({"candidates":[{"content":{"parts":[)" + list + R"(],"role":"model"},"index":0)" + rest + "}]";
}

std::vector<std::string> told(const std::vector<std::string>& events, bool ended = true) {
  std::vector<std::string> out;
  auto translator = gemini_stream(label);
  const auto to = [&](std::string_view data) { out.emplace_back(data); };
  for (auto& e : events) translator->event("", e, to);
  if (ended) translator->end(to);
  return out;
}

void check(const std::vector<std::string>& got, const std::vector<std::string>& wanted) {
  BOOST_CHECK_EQUAL_COLLECTIONS(got.begin(), got.end(), wanted.begin(), wanted.end());
}

std::string chunk(const std::string& delta, const std::string& rest = R"("finish_reason":null)",
                  const std::string& index = "0") {
  return R"({"id":"r-1","object":"chat.completion.chunk","created":1700000000,"model":"gemini-2.5-flash-001","choices":[{"index":)" +
         index + R"(,"delta":{)" + delta + "}," + rest + "}]}";
}
std::string finish(const std::string& why) { return chunk("", R"("finish_reason":")" + why + "\""); }
const std::string usage_chunk =
    R"({"id":"r-1","object":"chat.completion.chunk","created":1700000000,"model":"gemini-2.5-flash-001","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":8,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}})";

json::value whole(const std::string& body) {
  auto bytes = gemini_completion(body, label);
  BOOST_REQUIRE(bytes);
  auto tree = json::parse(*bytes);
  BOOST_REQUIRE(tree.has_value());
  return std::move(*tree);
}
std::string why_whole(const std::string& reason, const std::string& list = R"({"text":"x"})") {
  auto tree = whole(parts(list, R"(,"finishReason":")" + reason + "\"") + names);
  auto choices = tree.find("choices");
  return choices ? choices->items[0].find("finish_reason")->text : "error " + tree.find("error")->find("code")->text;
}

const std::string call =
    R"({"functionCall":{"name":"weather","args":{"city":"京都 😀","n":1.50}},"thoughtSignature":"c2ln"})";

} // namespace

BOOST_AUTO_TEST_SUITE(gemini_answers)

BOOST_AUTO_TEST_CASE(a_stream_of_text_is_chunks_with_usage_and_an_end) {
  check(
      told({parts(R"({"text":"Hel\u006co"})") + "," + usage + names, parts(R"({"text":" 漢字 \"q\"\n"})") + names,
            parts(R"({"text":"!"})", R"(,"finishReason":"STOP","safetyRatings":[{"category":"X","blocked":[false]}])") +
                "," + usage + names}),
      {chunk(R"("role":"assistant","content":"Hello")"), chunk(R"("content":" 漢字 \"q\"\n")"),
       chunk(R"("content":"!")"), finish("stop"), usage_chunk, "[DONE]"});
}

BOOST_AUTO_TEST_CASE(a_stream_without_a_finish_reason_never_says_it_is_done) {
  check(told({parts(R"({"text":"a"})") + "," + usage + names}), {chunk(R"("role":"assistant","content":"a")")});
  check(told({}), {});
}

BOOST_AUTO_TEST_CASE(usage_that_comes_late_comes_all_the_same) {
  check(told({parts(R"({"text":"a"})", R"(,"finishReason":"STOP")") + names, "{" + usage + "}"}),
        {chunk(R"("role":"assistant","content":"a")"), finish("stop"), usage_chunk, "[DONE]"});
}

BOOST_AUTO_TEST_CASE(thoughts_are_reasoning_content) {
  check(told({parts(R"({"text":"hm","thought":true},{"text":"yes","thoughtSignature":"c2ln"},{"text":""})") + names}),
        {chunk(R"("role":"assistant","reasoning_content":"hm")"),
         chunk(R"("content":"yes","extra_content":{"google":{"thought_signature":"c2ln"}})")});
  auto tree = whole(
      parts(R"({"thought":true,"text":"h"},{"text":"m","thought":true},{"text":"yes"})", R"(,"finishReason":"STOP")") +
      "," + usage + names);
  auto message = tree.find("choices")->items[0].find("message");
  BOOST_TEST(message->find("reasoning_content")->text == "hm");
  BOOST_TEST(message->find("content")->text == "yes");
}

BOOST_AUTO_TEST_CASE(a_signature_of_what_was_said_stays_with_it) {
  const std::string extra = R"("extra_content":{"google":{"thought_signature":"c2ln"}})";
  check(told({parts(R"({"text":"yes"})") + names, parts(R"({"text":"","thoughtSignature":"c2ln"})") + names}, false),
        {chunk(R"("role":"assistant","content":"yes")"), chunk(R"("content":"",)" + extra)});
  auto tree = whole(parts(R"({"text":"yes"},{"thoughtSignature":"c2ln"})", R"(,"finishReason":"STOP")") + names);
  auto message = tree.find("choices")->items[0].find("message");
  BOOST_TEST(message->find("content")->text == "yes");
  BOOST_TEST(json::to_text(*message->find("extra_content")) == R"({"google":{"thought_signature":"c2ln"}})");
}

BOOST_AUTO_TEST_CASE(parallel_calls_keep_their_order_and_get_ids_that_last) {
  auto got = told({parts(call + R"(,{"functionCall":{"id":"g-2","name":"time"}})") + names,
                   parts(R"({"functionCall":{"name":"weather","args":{}}})", R"(,"finishReason":"STOP")") + names});
  BOOST_REQUIRE(got.size() == 5);
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    auto tree = json::parse(got[i]);
    auto& c = tree->find("choices")->items[0].find("delta")->find("tool_calls")->items[0];
    BOOST_TEST(c.find("index")->text == std::to_string(i));
    BOOST_TEST(c.find("type")->text == "function");
    ids.push_back(c.find("id")->text);
    BOOST_TEST(ids.back().size() <= 40);
  }
  BOOST_TEST(ids[1] == "g-2");
  BOOST_TEST(ids[0] != ids[2]);
  BOOST_TEST(
      got[0].find(
          R"("function":{"name":"weather","arguments":"{\"city\":\"京都 😀\",\"n\":1.50}"},"extra_content":{"google":{"thought_signature":"c2ln"}}})") !=
      std::string::npos);
  BOOST_TEST(got[1].find(R"("arguments":"{}"})") != std::string::npos);
  BOOST_TEST(got[1].find("extra_content") == std::string::npos);
  BOOST_TEST(got[3] == finish("tool_calls"));
  // Whole, the same calls have the same ids; another answer's have others.
  auto tree = whole(
      parts(call + R"(,{"functionCall":{"id":"g-2","name":"time"}},{"functionCall":{"name":"weather","args":{}}})",
            R"(,"finishReason":"STOP")") +
      names);
  auto& choice = tree.find("choices")->items[0];
  BOOST_TEST(choice.find("finish_reason")->text == "tool_calls");
  BOOST_TEST((choice.find("message")->find("content")->is(json::kind::null)));
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(choice.find("message")->find("tool_calls")->items[i].find("id")->text == ids[i]);
  auto other = gemini_completion(parts(call, R"(,"finishReason":"STOP")") + names, {"chatcmpl-8", "m", 1});
  BOOST_TEST(other->find(ids[0]) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_arguments_of_a_pretty_answer_are_on_one_line) {
  auto tree = whole("{\n \"candidates\": [ {\n \"content\": { \"parts\": [ { \"functionCall\": { \"name\": \"f\", "
                    "\"args\": {\n  \"a\": [\n 1, \"x\\ny\" ]\n } } } ] },\n \"finishReason\": \"STOP\" } ] }");
  BOOST_TEST(tree.find("choices")
                 ->items[0]
                 .find("message")
                 ->find("tool_calls")
                 ->items[0]
                 .find("function")
                 ->find("arguments")
                 ->text == R"({"a":[1,"x\ny"]})");
  BOOST_TEST(tree.find("id")->text == "chatcmpl-7");
  BOOST_TEST(tree.find("model")->text == "gemini-2.5-flash");
}

BOOST_AUTO_TEST_CASE(why_it_ended) {
  BOOST_TEST(why_whole("STOP") == "stop");
  BOOST_TEST(why_whole("STOP", call) == "tool_calls");
  BOOST_TEST(why_whole("MAX_TOKENS") == "length");
  BOOST_TEST(why_whole("MAX_TOKENS", call) == "length");
  for (auto reason : {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"}) {
    BOOST_TEST(why_whole(reason) == "content_filter", reason);
    check(told({parts("", R"(,"finishReason":")" + std::string(reason) + "\"") + names}),
          {chunk(R"("role":"assistant")", R"("finish_reason":"content_filter")"), "[DONE]"});
  }
  for (auto reason : {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "OTHER", "WHATEVER_IS_NEW"}) {
    BOOST_TEST(why_whole(reason) == "error " + std::string(reason));
    auto got = told({parts("", R"(,"finishReason":")" + std::string(reason) + R"(","finishMessage":"bad")") + names});
    BOOST_REQUIRE(got.size() == 1); // and never done
    auto facts = read_chunk(got[0]);
    BOOST_REQUIRE(facts.error.has_value());
    BOOST_TEST((classify(*facts.error) == failure_class::server_error), reason);
  }
}

BOOST_AUTO_TEST_CASE(a_refused_prompt_is_refused_content) {
  for (auto reason : {"SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT"}) {
    const auto body =
        R"({"promptFeedback":{"blockReason":")" + std::string(reason) + R"(","safetyRatings":[]},)" + usage + names;
    auto got = told({body});
    BOOST_REQUIRE(got.size() == 1);
    auto facts = read_chunk(got[0]);
    BOOST_REQUIRE(facts.error.has_value());
    BOOST_TEST((classify(*facts.error) == failure_class::content_filter), reason);
    auto completion = read_completion(*gemini_completion(body, label));
    BOOST_REQUIRE(completion.error.has_value());
    BOOST_TEST((classify(*completion.error) == failure_class::content_filter), reason);
  }
}

BOOST_AUTO_TEST_CASE(an_error_in_a_stream_is_an_error_of_its_class) {
  const std::string overloaded =
      R"({"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}})";
  auto got = told({parts(R"({"text":"a"})", R"(,"finishReason":"STOP")") + names, overloaded});
  BOOST_TEST(got.back() == overloaded);
  BOOST_TEST((classify(*read_chunk(got.back()).error) == failure_class::overloaded));
}

BOOST_AUTO_TEST_CASE(what_is_no_event_of_geminis_is_left_as_it_is) {
  for (auto junk : {"not json", "{\"x\":1}", "[]", "7", "{\"candidates\":[", "[DONE]", ""}) check(told({junk}), {junk});
  for (auto junk :
       {"", "<html>", "{}", R"({"candidates":[]})", R"({"candidates":[{"content":{}}]})", R"({"x":{"candidates":[]}})"})
    BOOST_TEST(!gemini_completion(junk, label), junk);
}

BOOST_AUTO_TEST_CASE(several_candidates_are_several_choices) {
  const std::string two =
      R"({"candidates":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"index":1}])";
  const std::string ends =
      R"({"candidates":[{"finishReason":"STOP"},{"finishReason":"MAX_TOKENS","index":1}],)" + usage;
  check(told({two + names, R"({"candidates":[{"finishReason":"STOP"}],)" + usage + names, ends + names}),
        {chunk(R"("role":"assistant","content":"a")"),
         chunk(R"("role":"assistant","content":"b")", R"("finish_reason":null)", "1"), finish("stop"),
         chunk("", R"("finish_reason":"length")", "1"), usage_chunk, "[DONE]"});
}

BOOST_AUTO_TEST_CASE(logprobs_are_openais) {
  const std::string logprobs =
      R"(,"logprobsResult":{"chosenCandidates":[{"token":"a","logProbability":-0.5},{"token":"字"}],"topCandidates":[{"candidates":[{"token":"a","logProbability":-0.5},{"token":"b","logProbability":-2}]}]})";
  const std::string openais =
      R"("logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":null,"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":null},{"token":"b","logprob":-2,"bytes":null}]},{"token":"字","logprob":0,"bytes":null,"top_logprobs":[]}],"refusal":null})";
  check(told({parts(R"({"text":"a字"})", logprobs) + names}),
        {chunk(R"("role":"assistant","content":"a字")", openais + R"(,"finish_reason":null)")});
  auto bytes = gemini_completion(parts(R"({"text":"a字"})", logprobs + R"(,"finishReason":"STOP")") + names, label);
  BOOST_TEST(bytes->find(openais) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_picture_is_a_data_url) {
  check(
      told({parts(R"({"inlineData":{"mimeType":"image/png","data":"iVBOR"}})") + names}),
      {chunk(
          R"("role":"assistant","images":[{"index":0,"type":"image_url","image_url":{"url":"data:image/png;base64,iVBOR"}}])")});
}

BOOST_AUTO_TEST_CASE(a_whole_answer_is_what_its_stream_puts_together) {
  const std::string pieces = R"({"text":"hm","thought":true},{"text":"Grüße 漢字 😀"},)" + call;
  auto bytes = gemini_completion(parts(pieces, R"(,"finishReason":"STOP")") + "," + usage + names, label);
  BOOST_REQUIRE(bytes);
  completion_assembler assembler;
  auto got = told({parts(R"({"text":"hm","thought":true})") + names, parts(R"({"text":"Grüße "})") + names,
                   parts(R"({"text":"漢字 😀"},)" + call, R"(,"finishReason":"STOP")") + "," + usage + names});
  for (auto& c : got)
    if (c != "[DONE]") assembler.add(make_bytes(c));
  auto put_together = json::parse(*assembler.result()), said = json::parse(*bytes);
  for (auto member : {"reasoning_content", "content", "tool_calls", "role"})
    BOOST_TEST(json::to_text(*put_together->find("choices")->items[0].find("message")->find(member)) ==
               json::to_text(*said->find("choices")->items[0].find("message")->find(member)));
  for (auto member : {"id", "model", "created", "object", "usage"})
    BOOST_TEST(json::to_text(*put_together->find(member)) == json::to_text(*said->find(member)));
}

BOOST_AUTO_TEST_CASE(cut_at_every_byte_a_stream_gives_the_same_chunks) {
  std::string stream;
  for (auto& e : {parts(R"({"text":"考え","thought":true})") + names,
                  parts(R"({"text":"漢字 👩‍👩‍👧 \ud83d\ude00"})") + names, parts(call) + names,
                  parts(R"({"text":"é"})", R"(,"finishReason":"STOP")") + "," + usage + names})
    stream += "data: " + e + "\r\n\r\n";
  const auto through = [&](std::initializer_list<std::size_t> cuts) {
    std::vector<std::string> out;
    auto translator = gemini_stream(label);
    const auto to = [&](std::string_view data) { out.emplace_back(data); };
    const auto on_event = [&](std::string_view type, std::string_view data) { translator->event(type, data, to); };
    sse_parser parser;
    std::size_t begin = 0;
    for (auto cut : cuts) {
      const auto piece = stream.substr(begin, cut - begin); // its own memory: no view may outlive it
      parser.feed(piece, on_event);
      begin = cut;
    }
    parser.feed(stream.substr(begin), on_event);
    parser.finish(on_event);
    translator->end(to);
    return out;
  };
  const auto wanted = through({});
  BOOST_REQUIRE(wanted.size() == 7);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    if (through({cut}) != wanted) BOOST_ERROR("cut at " << cut);
    if (cut + 7 <= stream.size() && through({cut, cut + 1, cut + 7}) != wanted) BOOST_ERROR("three cuts at " << cut);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gemini_answer_test
