// The words of OpenAI-dialect errors, as the vendors of that dialect send them: classifiers are tested against these.
#include "tools/mock/json_text.hpp"
#include "tools/mock/openai.hpp"

namespace mainstay::mock {
namespace {

void append_or_null(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  if (text.empty())
    out += "null";
  else
    append_json_string(out, text);
}

// As the vendor shows a key it refused: the ends of it alone.
std::string masked(std::string_view key) {
  if (key.size() < 12) return std::string(key.substr(0, 2)) + "***";
  return std::string(key.substr(0, 8)) + "*********************" + std::string(key.substr(key.size() - 4));
}

constexpr std::string_view filtered =
    R"({"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management )"
    R"(policy. Please modify your prompt and retry. To learn more about our content filtering policies please read )"
    R"(our documentation: https://go.microsoft.com/fwlink/?linkid=2198766","type":null,"param":"prompt",)"
    R"("code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation",)"
    R"("content_filter_result":{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,)"
    R"("severity":"safe"},"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":true,)"
    R"("severity":"medium"}}}}})";

} // namespace

std::string openai_error(std::string_view message, std::string_view type, std::string_view param,
                         std::string_view code) {
  std::string out = "{\"error\":{";
  append_json_field(out, "message", message);
  append_or_null(out, "type", type);
  append_or_null(out, "param", param);
  append_or_null(out, "code", code);
  return out + "}}";
}

std::optional<wire_error> openai::named_error(std::string_view name, std::string_view, std::string_view key) const {
  if (name == "context_length")
    return wire_error{400, openai_error("This model's maximum context length is 8192 tokens. However, your messages "
                                        "resulted in 9001 tokens. Please reduce the length of the messages.",
                                        "invalid_request_error", "messages", "context_length_exceeded")};
  if (name == "content_filter") return wire_error{400, std::string(filtered)};
  if (name == "insufficient_quota")
    return wire_error{429,
                      openai_error("You exceeded your current quota, please check your plan and billing details. For "
                                   "more information on this error, read the docs: "
                                   "https://platform.openai.com/docs/guides/error-codes/api-errors.",
                                   "insufficient_quota", "", "insufficient_quota")};
  if (name == "invalid_key")
    return wire_error{401, openai_error("Incorrect API key provided: " + masked(key) +
                                            ". You can find your API key at "
                                            "https://platform.openai.com/account/api-keys.",
                                        "invalid_request_error", "", "invalid_api_key")};
  return {};
}

std::string openai::error_body(int status, std::string_view model, std::string_view key) const {
  switch (status) {
  case 400:
    return openai_error("Invalid value for 'temperature': expected a number between 0 and 2.", "invalid_request_error",
                        "temperature", "invalid_value");
  case 401: return named_error("invalid_key", model, key)->body;
  case 402: return openai_error("Insufficient Balance", "unknown_error", "", "invalid_request_error");
  case 403:
    return openai_error("Country, region, or territory not supported", "request_forbidden", "",
                        "unsupported_country_region_territory");
  case 404:
    return openai_error("The model `" + std::string(model) + "` does not exist or you do not have access to it.",
                        "invalid_request_error", "", "model_not_found");
  case 408: return openai_error("Request timed out.", "timeout", "", "request_timeout");
  case 409:
    return openai_error("The resource was updated by another request.", "invalid_request_error", "", "conflict");
  case 413: return openai_error("Maximum content size limit (26214400) exceeded.", "server_error", "", "");
  case 422:
    return openai_error("Unprocessable entity: the request could not be followed.", "invalid_request_error", "", "");
  case 429: return rate_limited(model, "requests", 60, 60, 1, "1s");
  case 500:
    return openai_error("The server had an error while processing your request. Sorry about that!", "server_error", "",
                        "");
  case 502: return openai_error("Bad gateway.", "server_error", "", "bad_gateway");
  case 503:
    return openai_error("The engine is currently overloaded, please try again later", "server_error", "",
                        "service_unavailable");
  case 504: return openai_error("Gateway timeout.", "server_error", "", "gateway_timeout");
  case 529: return openai_error("Overloaded", "overloaded_error", "", "overloaded");
  default:
    return openai_error("Scripted status " + std::to_string(status),
                        status < 500 ? "invalid_request_error" : "server_error", "", "");
  }
}

std::string openai::rate_limited(std::string_view model, std::string_view what, std::uint64_t limit, std::uint64_t used,
                                 std::uint64_t requested, std::string_view wait) const {
  if (what == "concurrency")
    return openai_error("Too many concurrent requests for organization org-mock: Limit " + std::to_string(limit) +
                            ", Used " + std::to_string(used) + ". Please try again in " + std::string(wait) + ".",
                        "requests", "", "rate_limit_exceeded");
  bool tokens = what == "tokens";
  std::string unit = tokens              ? "tokens per min (TPM)"
                     : what == "seconds" ? "requests per second (RPS)"
                                         : "requests per min (RPM)";
  std::string about = std::string(model) + " in organization org-mock on " + unit + ": Limit " + std::to_string(limit);
  if (tokens && requested > limit) // no waiting helps
    return openai_error("Request too large for " + about + ", Requested " + std::to_string(requested) +
                            ". The input or output tokens must be reduced in order to run successfully. Visit "
                            "https://platform.openai.com/account/rate-limits to learn more.",
                        "tokens", "", "rate_limit_exceeded");
  return openai_error("Rate limit reached for " + about + ", Used " + std::to_string(used) + ", Requested " +
                          std::to_string(requested) + ". Please try again in " + std::string(wait) +
                          ". Visit https://platform.openai.com/account/rate-limits to learn more.",
                      tokens ? "tokens" : "requests", "", "rate_limit_exceeded");
}

std::string openai::unknown_path(std::string_view method, std::string_view path) const {
  return openai_error("Invalid URL (" + std::string(method) + " " + std::string(path) + ")", "invalid_request_error",
                      "", "");
}

wire_error openai::missing_key() const {
  return {401,
          openai_error("You didn't provide an API key. You need to provide your API key in an Authorization header "
                       "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank "
                       "username) if you're accessing the API from your browser and are prompted for a username and "
                       "password. You can obtain an API key from https://platform.openai.com/account/api-keys.",
                       "invalid_request_error", "", "")};
}

} // namespace mainstay::mock
