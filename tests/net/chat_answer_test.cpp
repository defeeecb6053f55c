// A provider's answers: chunks, whole completions and the errors real providers send.
#include "net/chat_answer.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace chat_answer_test {

using namespace mainstay;

namespace {

const utc_time now = std::chrono::sys_days(std::chrono::year(2025) / 3 / 1);

std::string delta(const std::string& members, const std::string& rest = R"("finish_reason":null)") {
  return R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{)" +
         members + "}," + rest + "}]}";
}

} // namespace

BOOST_AUTO_TEST_SUITE(chunks)

BOOST_AUTO_TEST_CASE(a_delta_of_text_is_read) {
  auto f = read_chunk(
      R"({"id":"chatcmpl-9","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":" Hel\u00e9\"\n"},"logprobs":null,"finish_reason":null}],"usage":null})");
  BOOST_TEST(f.valid);
  BOOST_TEST(f.visible);
  BOOST_TEST(f.only_text);
  BOOST_TEST(!f.finished);
  BOOST_TEST(!f.no_choices);
  BOOST_TEST(f.text == " Helé\"\n");
  BOOST_TEST(f.id == "chatcmpl-9");
  BOOST_TEST(f.model == "gpt-4o");
  BOOST_TEST(!f.usage.has_value());
  BOOST_TEST(!f.error.has_value());
}

BOOST_AUTO_TEST_CASE(what_carries_nothing_of_the_answer_is_not_visible) {
  for (auto members : {R"("role":"assistant")", R"("role":"assistant","content":"")", R"("content":null)", "",
                       R"("role":"assistant","content":"","refusal":null)",
                       R"("content":"","reasoning":null,"tool_calls":[],"x":{},"y":"","z":false)"}) {
    auto f = read_chunk(delta(members));
    BOOST_TEST(f.valid, members);
    BOOST_TEST(!f.visible, members);
    BOOST_TEST(f.only_text, members);
  }
}

BOOST_AUTO_TEST_CASE(whatever_else_a_delta_carries_is_visible_and_not_only_text) {
  for (auto members :
       {R"("refusal":"no")", R"("reasoning_content":"hm")", R"("tool_calls":[{"index":0,"function":{"arguments":""}}])",
        R"("audio":{"data":"AA"})", R"("function_call":{"name":"f"})", R"("x":[{}])", R"("x":[[]])", R"("x":[null])",
        R"("x":1)", R"("x":true)", R"("content":[{"type":"text","text":"t"}])", R"("content":"a","x":{"b":null})"}) {
    auto f = read_chunk(delta(members));
    BOOST_TEST(f.valid, members);
    BOOST_TEST(f.visible, members);
    BOOST_TEST(!f.only_text, members);
  }
}

BOOST_AUTO_TEST_CASE(the_index_of_a_choice_may_follow_its_delta) {
  auto f = read_chunk(
      R"({"choices":[{"delta":{"content":"b"},"index":1,"finish_reason":null},{"delta":{"content":"a"},"finish_reason":"stop","index":0}]})");
  BOOST_TEST(f.text == "a");
  BOOST_TEST(f.visible);
  BOOST_TEST(!f.only_text);
  BOOST_TEST(f.finished);
  BOOST_TEST(f.finish_reason == "stop");
  f = read_chunk(R"({"choices":[{"delta":{"content":"only"}}]})");
  BOOST_TEST(f.text == "only");
  BOOST_TEST(f.only_text);
}

BOOST_AUTO_TEST_CASE(usage_is_read_with_its_details) {
  auto f = read_chunk(
      R"({"id":"x","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":9},"completion_tokens_details":{"reasoning_tokens":3,"cached_tokens":8}}})");
  BOOST_TEST(f.valid);
  BOOST_TEST(f.no_choices);
  BOOST_TEST(!f.visible);
  BOOST_REQUIRE(f.usage.has_value());
  BOOST_TEST(f.usage->input == 10u);
  BOOST_TEST(f.usage->output == 5u);
  BOOST_TEST(f.usage->cached == 4u);
  BOOST_TEST(f.usage->reasoning == 3u);
  f = read_chunk(R"({"usage":{"prompt_tokens":10.0,"completion_tokens":-5}})");
  BOOST_TEST(f.valid);
  BOOST_TEST(f.no_choices);
  BOOST_REQUIRE(f.usage.has_value());
  BOOST_TEST(f.usage->input == 10u);
  BOOST_TEST(f.usage->output == 0u);
  BOOST_TEST(!read_chunk(R"({"choices":[],"usage":{}})").usage.has_value());
}

BOOST_AUTO_TEST_CASE(azures_first_chunk_without_choices_is_a_chunk) {
  auto f = read_chunk(
      R"({"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false}}}]})");
  BOOST_TEST(f.valid);
  BOOST_TEST(f.no_choices);
  BOOST_TEST(!f.visible);
}

BOOST_AUTO_TEST_CASE(an_error_in_a_stream_is_told_with_its_status) {
  struct row {
    std::string json;
    int status;
    std::string type, code, message;
  };
  const row rows[] = {
      {R"({"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}})", 200,
       "server_error", "", "The server had an error"},
      {R"({"error":{"code":502,"message":"Upstream broke"}})", 502, "", "502", "Upstream broke"},
      {R"({"error":{"code":"429","message":"slow down"}})", 429, "", "429", "slow down"},
      {R"({"error":"model is loading"})", 200, "", "", "model is loading"},
      {R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})", 200, "overloaded_error", "",
       "Overloaded"},
      {R"({"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400})", 400,
       "BadRequestError", "400", "too long"},
      {R"({"id":"g","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":7,"message":"x"}})",
       200, "", "7", "x"},
      {R"({"error":{}})", 200, "", "", "the provider sent an error without a message"},
  };
  for (auto& row : rows) {
    auto f = read_chunk(row.json);
    BOOST_TEST(f.valid, row.json);
    BOOST_REQUIRE_MESSAGE(f.error.has_value(), row.json);
    BOOST_TEST(f.error->status == row.status);
    BOOST_TEST(f.error->type == row.type);
    BOOST_TEST(f.error->code == row.code);
    BOOST_TEST(f.error->message == row.message);
  }
  for (auto none :
       {R"({"error":null,"choices":[]})", R"({"error":"","choices":[]})", R"({"error":false,"choices":[]})"})
    BOOST_TEST(!read_chunk(none).error.has_value(), none);
}

BOOST_AUTO_TEST_CASE(junk_is_not_valid_and_leaves_no_facts) {
  auto whole = delta(R"("content":"x")");
  for (auto junk :
       {std::string(), std::string("[DONE]"), std::string("{}"), std::string("null"), std::string("\"choices\""),
        std::string("[]"), std::string(R"({"id":"x"})"), std::string(R"({"choices":{}})"),
        std::string(R"({"choices":[1]})"), std::string(R"({"choices":[[]]})"), std::string(R"({"choices":null})"),
        std::string("ping"), whole + "}", whole + whole, std::string(10000, '['), "<html>" + whole}) {
    auto f = read_chunk(junk);
    BOOST_TEST(!f.valid, junk.substr(0, 100));
    BOOST_TEST(!f.visible);
    BOOST_TEST(f.text.empty());
    BOOST_TEST(!f.error.has_value());
  }
  for (std::size_t n = 0; n < whole.size(); ++n) {
    auto f = read_chunk(std::string_view(whole).substr(0, n));
    BOOST_TEST((!f.valid && f.text.empty() && f.id.empty()), "cut at " << n);
  }
}

BOOST_AUTO_TEST_CASE(broken_bytes_never_do_more_than_make_junk) {
  std::mt19937 random(5);
  const auto whole = delta(
      R"("content":"x","tool_calls":[{"index":0,"id":"é"}])",
      R"("finish_reason":"stop"}],"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":2}},"z":[{"a":1)");
  BOOST_REQUIRE(read_chunk(whole).usage.has_value());
  for (int i = 0; i < 20000; ++i) {
    auto broken = whole;
    for (auto n = 1 + random() % 4; n > 0; --n) broken[random() % broken.size()] = static_cast<char>(random());
    auto f = read_chunk(broken);
    BOOST_TEST((f.valid || (f.text.empty() && !f.usage)));
    BOOST_TEST((f.text.empty() || f.visible));
    BOOST_TEST((f.valid || !read_completion(broken).valid));
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(completions)

BOOST_AUTO_TEST_CASE(a_completion_is_valid_only_with_choices_and_to_its_end) {
  const std::string whole =
      R"({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi {"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})";
  auto f = read_completion(whole);
  BOOST_TEST(f.valid);
  BOOST_TEST(f.finish_reason == "length");
  BOOST_TEST(f.id == "c");
  BOOST_TEST(f.model == "m");
  BOOST_TEST(f.usage->output == 2u);
  for (std::size_t n = 0; n < whole.size(); ++n) BOOST_TEST(!read_completion(whole.substr(0, n)).valid);
  for (auto no : {R"({"choices":[]})", R"({"choices":[1]})", R"({"choices":"x"})", R"({"usage":{"prompt_tokens":1}})",
                  "<html>ok</html>", R"([{"choices":[{}]}])"})
    BOOST_TEST(!read_completion(no).valid, no);
  auto wrong = read_completion(R"({"error":{"message":"inside a 200","code":503}})");
  BOOST_TEST(!wrong.valid);
  BOOST_REQUIRE(wrong.error.has_value());
  BOOST_TEST(wrong.error->status == 503);
}

BOOST_AUTO_TEST_CASE(usage_is_written_with_the_details_that_are_known) {
  BOOST_TEST(usage_json(std::nullopt) == "null");
  BOOST_TEST(usage_json(token_usage{3, 4, 0, 0}) == R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7})");
  auto back = read_chunk(R"({"usage":)" + usage_json(token_usage{9, 4, 2, 1, 5}) + "}").usage;
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST((back->input == 9 && back->output == 4 && back->cached == 2 && back->reasoning == 1));
  BOOST_TEST(back->cache_writes == 5u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(provider_errors)

BOOST_AUTO_TEST_CASE(the_bodies_real_providers_send_are_understood) {
  struct row {
    const char* who;
    int status;
    std::string body, type, code, param, message;
    failure_class what;
  };
  const row rows[] = {
      {"OpenAI rate limit", 429,
       R"({"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}})",
       "tokens", "rate_limit_exceeded", "",
       "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, "
       "Requested 2000. Please try again in 2s.",
       failure_class::rate_limited},
      {"OpenAI quota", 429,
       "{\n    \"error\": {\n        \"message\": \"You exceeded your current quota, please check your plan and "
       "billing details.\",\n        \"type\": \"insufficient_quota\",\n        \"param\": null,\n        \"code\": "
       "\"insufficient_quota\"\n    }\n}\n",
       "insufficient_quota", "insufficient_quota", "",
       "You exceeded your current quota, please check your plan and billing details.", failure_class::quota_spent},
      {"OpenAI key", 401,
       R"({"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})",
       "invalid_request_error", "invalid_api_key", "", "Incorrect API key provided: sk-x.", failure_class::auth},
      {"OpenAI context", 400,
       R"({"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
       "invalid_request_error", "context_length_exceeded", "messages",
       "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
       failure_class::context_length},
      {"OpenAI model", 404,
       R"({"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}})",
       "invalid_request_error", "model_not_found", "",
       "The model `gpt-9` does not exist or you do not have access to it.", failure_class::model_missing},
      {"Azure rate limit", 429,
       R"({"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded call rate limit. Please retry after 10 seconds."}})",
       "", "429", "",
       "Requests to the ChatCompletions_Create Operation have exceeded call rate limit. Please retry after 10 seconds.",
       failure_class::rate_limited},
      {"Azure filter", 400,
       R"({"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}})",
       "", "content_filter", "prompt", "The response was filtered", failure_class::content_filter},
      {"Azure gateway", 401, R"({ "statusCode": 401, "message": "Access denied due to invalid subscription key." })",
       "", "", "", "Access denied due to invalid subscription key.", failure_class::auth},
      {"Anthropic, OpenAI form", 400,
       R"({"error":{"code":null,"message":"messages: at least one message is required","type":"invalid_request_error","param":null}})",
       "invalid_request_error", "", "", "messages: at least one message is required", failure_class::caller_fault},
      {"Anthropic, own form", 529,
       R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"})",
       "overloaded_error", "", "", "Overloaded", failure_class::overloaded},
      {"Gemini list", 429,
       R"([{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}])",
       "RESOURCE_EXHAUSTED", "429", "", "Resource has been exhausted (e.g. check quota).", failure_class::rate_limited},
      {"Gemini key", 400,
       R"([{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}])",
       "INVALID_ARGUMENT", "API_KEY_INVALID", "", "API key not valid. Please pass a valid API key.",
       failure_class::auth},
      {"Gemini, a day's quota among a minute's", 429,
       R"({"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_input_token_count","quotaId":"GenerateContentInputTokensPerModelPerMinute-FreeTier"},{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"},{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]}]}})",
       "RESOURCE_EXHAUSTED", "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "",
       "You exceeded your current quota, please check your plan and billing details. For more information on this "
       "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
       failure_class::quota_spent},
      {"Gemini, a minute's quota beside a reason", 429,
       R"({"error":{"code":429,"message":"Quota exceeded.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED"},{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]}]}})",
       "RESOURCE_EXHAUSTED", "GenerateRequestsPerMinutePerProjectPerModel", "", "Quota exceeded.",
       failure_class::rate_limited},
      {"vLLM old", 400,
       R"({"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400})",
       "BadRequestError", "400", "", "This model's maximum context length is 4096 tokens.",
       failure_class::context_length},
      {"vLLM new", 404,
       R"({"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}})",
       "NotFoundError", "404", "model", "The model `x` does not exist.", failure_class::model_missing},
      {"Ollama", 404, R"({"error":"model 'llama9' not found"})", "", "", "", "model 'llama9' not found",
       failure_class::model_missing},
      {"Mistral", 422,
       R"({"object":"error","message":{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]},"type":"invalid_request_error","param":null,"code":null})",
       "invalid_request_error", "", "", "Field required", failure_class::caller_fault},
      {"FastAPI", 422, R"({"detail":[{"loc":["body","model"],"msg":"field required","type":"value_error.missing"}]})",
       "", "", "", "field required", failure_class::caller_fault},
      {"FastAPI words", 500, R"({"detail":"Internal Server Error"})", "", "", "", "Internal Server Error",
       failure_class::server_error},
      {"Cloudflare API", 401, R"({"success":false,"errors":[{"code":10000,"message":"Authentication error"}]})", "", "",
       "", "Authentication error", failure_class::auth},
      {"Spring", 503, R"({"status":503,"error":"Service Unavailable","message":"no healthy upstream"})",
       "Service Unavailable", "", "", "no healthy upstream", failure_class::overloaded},
      {"Envoy", 503, "upstream connect error or disconnect/reset before headers.\nreset reason: overflow", "", "", "",
       "upstream connect error or disconnect/reset before headers. reset reason: overflow", failure_class::overloaded},
      {"a JSON string", 500, R"("something broke")", "", "", "", "something broke", failure_class::server_error},
      {"nginx", 502, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>insufficient_quota</body></html>",
       "html_page", "", "", "the provider answered with status 502 and no readable error", failure_class::server_error},
      {"nothing", 500, "", "", "", "", "the provider answered with status 500 and no readable error",
       failure_class::server_error},
      {"spaces", 429, "  \n", "", "", "", "the provider answered with status 429 and no readable error",
       failure_class::rate_limited},
      {"half a JSON", 429, R"({"error":{"message":"insufficient_quota)", "", "", "",
       "the provider answered with status 429 and no readable error", failure_class::rate_limited},
      {"empty list", 500, "[]", "", "", "", "the provider answered with status 500 and no readable error",
       failure_class::server_error},
      {"empty object", 500, "{}", "", "", "", "the provider answered with status 500 and no readable error",
       failure_class::server_error},
      {"a number", 500, "17", "", "", "", "the provider answered with status 500 and no readable error",
       failure_class::server_error},
      {"odd types", 500, R"({"error":{"message":[1,{}],"type":5,"code":[],"param":{}}})", "", "", "",
       "the provider answered with status 500 and no readable error", failure_class::server_error},
  };
  for (auto& row : rows) {
    auto e = read_error(row.status, {}, row.body, now);
    BOOST_TEST(e.status == row.status, row.who);
    BOOST_TEST(e.type == row.type, row.who << ": " << e.type);
    BOOST_TEST(e.code == row.code, row.who << ": " << e.code);
    BOOST_TEST(e.param == row.param, row.who << ": " << e.param);
    BOOST_TEST(e.message == row.message, row.who << ": " << e.message);
    BOOST_TEST(!e.retry_after.has_value(), row.who);
    BOOST_TEST(to_string(classify(e)) == to_string(row.what), row.who);
  }
}

BOOST_AUTO_TEST_CASE(a_message_is_one_bounded_line_of_text) {
  auto e = read_error(500, {}, R"({"error":{"message":"a\u0000\u001b[31m\r\n\tb\u0085c   d\u007f "}})", now);
  BOOST_TEST(e.message == "a [31m b c d");
  e = read_error(500, {}, "broken \xff\xfe bytes", now);
  BOOST_TEST(e.message == "broken bytes");
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "é";
  e = read_error(500, {}, R"({"error":{"message":"x)" + text + R"(","type":")" + text + "\"}}", now);
  BOOST_TEST(e.message.size() == 1999u);
  BOOST_TEST(e.message.substr(1997) == "é");
  BOOST_TEST(e.type.size() == 200u);
  e = read_error(500, {}, std::string(100000, '['), now);
  BOOST_TEST(e.message == "the provider answered with status 500 and no readable error");
}

BOOST_AUTO_TEST_CASE(the_longest_wait_that_concerns_this_refusal_counts) {
  using ms = std::chrono::milliseconds;
  auto wait = [](int status, header_list headers, std::string body = "") -> long {
    auto after = read_error(status, headers, body, now).retry_after;
    return after ? static_cast<long>(std::chrono::duration_cast<ms>(*after).count()) : -1;
  };
  BOOST_TEST(wait(429, {}) == -1);
  BOOST_TEST(wait(503, {{"retry-after", "3"}}) == 3000);
  BOOST_TEST(wait(429, {{"retry-after", "3"}, {"retry-after-ms", "4500"}}) == 4500);
  BOOST_TEST(wait(429, {{"retry-after", "5"}, {"retry-after-ms", "4500"}, {"retry-after", "2"}}) == 5000);
  BOOST_TEST(wait(429, {{"retry-after", "Sat, 01 Mar 2025 00:00:10 GMT"}}) == 10000);
  BOOST_TEST(wait(429, {{"retry-after", "soon"}}) == -1);
  const header_list spent = {{"x-ratelimit-remaining-requests", "0"},
                             {"x-ratelimit-reset-requests", "12s"},
                             {"x-ratelimit-remaining-tokens", "500"},
                             {"x-ratelimit-reset-tokens", "6m0s"}};
  BOOST_TEST(wait(429, spent) == 12000);
  BOOST_TEST(wait(503, spent) == -1);
  BOOST_TEST(wait(429, {{"x-ratelimit-remaining-requests", "10"}, {"x-ratelimit-reset-requests", "12s"}}) == -1);
  BOOST_TEST(wait(429, {{"x-ratelimit-remaining-tokens", "0"}, {"x-ratelimit-reset-requests", "12s"}}) == -1);
  BOOST_TEST(wait(429, {{"x-ratelimit-remaining-tokens", ""}, {"x-ratelimit-reset-tokens", "12s"}}) == -1);
  BOOST_TEST(wait(429, {{"anthropic-ratelimit-requests-remaining", "0"},
                        {"anthropic-ratelimit-requests-reset", "2025-03-01T00:00:09Z"},
                        {"anthropic-ratelimit-output-tokens-remaining", "0"},
                        {"anthropic-ratelimit-output-tokens-reset", "2025-03-01T00:00:21Z"},
                        {"anthropic-ratelimit-input-tokens-remaining", "1"},
                        {"anthropic-ratelimit-input-tokens-reset", "2025-03-01T00:01:00Z"}}) == 21000);
  BOOST_TEST(
      wait(
          429, {{"retry-after", "2"}},
          R"([{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"36s"}]}}])") ==
      36000);
}

BOOST_AUTO_TEST_CASE(our_own_errors_have_openais_shape_whatever_is_in_them) {
  BOOST_TEST(error_body("no", "invalid_request_error", "bad", "model") ==
             R"({"error":{"message":"no","type":"invalid_request_error","param":"model","code":"bad"}})");
  BOOST_TEST(error_body("a\"\n\xff", "t", "") ==
             "{\"error\":{\"message\":\"a\\\"\\n\xef\xbf\xbd\",\"type\":\"t\",\"param\":null,\"code\":null}}");
  auto back = read_error(400, {}, error_body("m", "t", "c", "p"), now);
  BOOST_TEST((back.message == "m" && back.type == "t" && back.code == "c" && back.param == "p"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace chat_answer_test
