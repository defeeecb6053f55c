// The words of Google's errors, as google.rpc.Status in JSON.
#include "tools/mock/gemini.hpp"
#include "tools/mock/json_text.hpp"

#include <cstdlib>

namespace mainstay::mock {
namespace {

// "1m0.5s" or "120ms" in seconds.
std::string seconds_of(std::string_view wait) {
  double seconds = 0;
  for (const char* at = wait.data(); at < wait.data() + wait.size();) {
    char* unit = nullptr;
    const auto n = std::strtod(at, &unit);
    if (unit == at) break;
    const bool milli = unit[0] == 'm' && unit + 1 < wait.data() + wait.size() && unit[1] == 's';
    seconds += milli ? n / 1000 : *unit == 'h' ? n * 3600 : *unit == 'm' ? n * 60 : n;
    at = unit + (milli ? 2 : 1);
  }
  std::string out;
  append_decimal(out, seconds);
  return out + "s";
}

std::string quota_failure(std::string_view model, std::string_view metric, std::string_view id, std::uint64_t limit,
                          std::string_view wait) {
  std::string out = R"({"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{)";
  append_json_field(out, "quotaMetric", "generativelanguage.googleapis.com/" + std::string(metric));
  out += ',';
  append_json_field(out, "quotaId", id);
  out += R"(,"quotaDimensions":{"location":"global",)";
  append_json_field(out, "model", model);
  out += "},";
  append_json_field(out, "quotaValue", std::to_string(limit));
  out += R"(}]},{"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Learn more about Gemini API )"
         R"(quotas","url":"https://ai.google.dev/gemini-api/docs/rate-limits"}]})";
  out += R"(,{"@type":"type.googleapis.com/google.rpc.RetryInfo",)";
  append_json_field(out, "retryDelay", wait);
  return out + '}';
}

std::string over_quota(const std::string& rest) {
  return "You exceeded your current quota, please check your plan and billing details. For more information on this "
         "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n" +
         rest;
}

std::string over_limit(std::string_view model, bool tokens, std::string_view span, std::uint64_t limit,
                       const std::string& wait) {
  const std::string metric =
      tokens ? "generate_content_paid_tier_input_token_count" : "generate_content_paid_tier_requests";
  const auto id = tokens ? "GenerateContentPaidTierInputTokensPerModelPer" + std::string(span)
                         : "GenerateRequestsPer" + std::string(span) + "PerProjectPerModel-PaidTier";
  return gemini_error(429, "RESOURCE_EXHAUSTED",
                      over_quota("* Quota exceeded for metric: generativelanguage.googleapis.com/" + metric +
                                 ", limit: " + std::to_string(limit) + ", model: " + std::string(model) +
                                 "\nPlease retry in " + wait + "."),
                      quota_failure(model, metric, id, limit, wait));
}

} // namespace

std::string gemini_error(int code, std::string_view status, std::string_view message, std::string_view details) {
  std::string out = "{\"error\":{\"code\":" + std::to_string(code) + ',';
  append_json_field(out, "message", message);
  out += ',';
  append_json_field(out, "status", status);
  if (!details.empty()) ((out += ",\"details\":[") += details) += ']';
  return out + "}}";
}

std::optional<wire_error> gemini::named_error(std::string_view name, std::string_view model, std::string_view) const {
  if (name == "context_length")
    return wire_error{400, gemini_error(400, "INVALID_ARGUMENT",
                                        "The input token count (9001) exceeds the maximum number of tokens allowed "
                                        "(8192).")};
  if (name == "content_filter") // no error there, but an answer without candidates
    return wire_error{200, R"({"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{)"
                           R"("promptTokenCount":9,"totalTokenCount":9},"modelVersion":)" +
                               json_quoted(model) + "}"};
  if (name == "insufficient_quota") return wire_error{429, over_limit(model, false, "Day", 250, "27.3s")};
  if (name == "invalid_key")
    return wire_error{400, gemini_error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
                                        R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":)"
                                        R"("API_KEY_INVALID","domain":"googleapis.com","metadata":{"service":)"
                                        R"("generativelanguage.googleapis.com"}})")};
  return {};
}

std::string gemini::error_body(int status, std::string_view model, std::string_view key) const {
  auto say = [status](std::string_view name, std::string_view message) { return gemini_error(status, name, message); };
  switch (status) {
  case 400: return say("INVALID_ARGUMENT", "Request contains an invalid argument.");
  case 401:
    return say("UNAUTHENTICATED",
               "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
               "valid authentication credential.");
  case 403: return say("PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key.");
  case 404:
    return say("NOT_FOUND", "models/" + std::string(model) +
                                " is not found for API version v1beta, or is not supported for generateContent. Call "
                                "ListModels to see the list of available models and their supported methods.");
  case 413: return say("INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes.");
  case 429: return rate_limited(model, "requests", 60, 60, 1, "1s");
  case 499: return say("CANCELLED", "The operation was cancelled.");
  case 500:
    return say("INTERNAL", "An internal error has occurred. Please retry or report in "
                           "https://developers.generativeai.google/guide/troubleshooting");
  case 503: return say("UNAVAILABLE", "The model is overloaded. Please try again later.");
  case 504: return say("DEADLINE_EXCEEDED", "The request timed out. Please try again.");
  default: break;
  }
  if (status == 402) return named_error("insufficient_quota", model, key)->body;
  return say(status < 500 ? "FAILED_PRECONDITION" : "UNAVAILABLE", "Scripted status " + std::to_string(status));
}

std::string gemini::rate_limited(std::string_view model, std::string_view what, std::uint64_t limit, std::uint64_t,
                                 std::uint64_t, std::string_view wait) const {
  if (what == "concurrency")
    return gemini_error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).");
  return over_limit(model, what == "tokens", what == "seconds" ? "Second" : "Minute", limit, seconds_of(wait));
}

std::string gemini::unknown_path(std::string_view method, std::string_view path) const {
  return gemini_error(404, "NOT_FOUND", "Method not found: " + std::string(method) + ' ' + std::string(path));
}

wire_error gemini::missing_key() const {
  return {403, gemini_error(403, "PERMISSION_DENIED",
                            "Method doesn't allow unregistered callers (callers without established identity). Please "
                            "use API Key or other form of API consumer identity to call this API.")};
}

} // namespace mainstay::mock
