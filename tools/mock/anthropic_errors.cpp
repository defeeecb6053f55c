// The words of Anthropic's errors, as the vendor sends them: classifiers are tested against these.
#include "tools/mock/anthropic.hpp"
#include "tools/mock/json_text.hpp"

namespace mainstay::mock {

std::string anthropic_error(std::string_view type, std::string_view message) {
  std::string out = R"({"type":"error","error":{)";
  append_json_field(out, "type", type);
  out += ',';
  append_json_field(out, "message", message);
  return out + R"(},"request_id":"req_mock"})";
}

std::optional<wire_error> anthropic::named_error(std::string_view name, std::string_view, std::string_view) const {
  if (name == "context_length")
    return wire_error{400, anthropic_error("invalid_request_error", "prompt is too long: 9001 tokens > 8192 maximum")};
  if (name == "content_filter")
    return wire_error{400, anthropic_error("invalid_request_error", "Output blocked by content filtering policy")};
  if (name == "insufficient_quota")
    return wire_error{400, anthropic_error("invalid_request_error",
                                           "Your credit balance is too low to access the Anthropic API. Please go to "
                                           "Plans & Billing to upgrade or purchase credits.")};
  if (name == "invalid_key") return wire_error{401, anthropic_error("authentication_error", "invalid x-api-key")};
  return {};
}

std::string anthropic::error_body(int status, std::string_view model, std::string_view key) const {
  switch (status) {
  case 400: return anthropic_error("invalid_request_error", "temperature: range: 0..1");
  case 401: return named_error("invalid_key", model, key)->body;
  case 402: return anthropic_error("billing_error", "There is an issue with your billing or payment information.");
  case 403:
    return anthropic_error("permission_error", "Your API key does not have permission to use the specified resource.");
  case 404: return anthropic_error("not_found_error", "model: " + std::string(model));
  case 408: return anthropic_error("timeout_error", "Request timed out.");
  case 413: return anthropic_error("request_too_large", "Request exceeds the maximum size");
  case 429: return rate_limited(model, "requests", 60, 60, 1, "1s");
  case 500: return anthropic_error("api_error", "Internal server error");
  case 504: return anthropic_error("timeout_error", "Request timed out");
  case 529: return anthropic_error("overloaded_error", "Overloaded");
  default:
    return anthropic_error(status < 500 ? "invalid_request_error" : "api_error",
                           "Scripted status " + std::to_string(status));
  }
}

std::string anthropic::rate_limited(std::string_view, std::string_view what, std::uint64_t limit, std::uint64_t,
                                    std::uint64_t, std::string_view) const {
  if (what == "concurrency")
    return anthropic_error("rate_limit_error",
                           "Number of concurrent connections has exceeded your rate limit. Please try again later or "
                           "contact sales at https://www.anthropic.com/contact-sales to discuss your options for a "
                           "rate limit increase.");
  std::string unit = what == "tokens"    ? "input tokens per minute"
                     : what == "seconds" ? "requests per second"
                                         : "requests per minute";
  return anthropic_error("rate_limit_error", "This request would exceed your organization's rate limit of " +
                                                 std::to_string(limit) + " " + unit +
                                                 ". For details, refer to: "
                                                 "https://docs.claude.com/en/api/rate-limits.");
}

std::string anthropic::unknown_path(std::string_view, std::string_view) const {
  return anthropic_error("not_found_error", "Not Found");
}

wire_error anthropic::missing_key() const {
  return {401, anthropic_error("authentication_error", "x-api-key header is required")};
}

std::string anthropic::error_event(std::string_view body) const {
  return "event: error\ndata: " + std::string(body) + "\n\n";
}

} // namespace mainstay::mock
