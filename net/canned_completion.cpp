#include "net/canned_completion.hpp"

#include "net/json_text.hpp"

namespace mainstay {

std::string own_completion(std::string_view text, std::string_view model, std::string_view request_id, utc_time now,
                           const std::optional<token_usage>& usage) {
  std::string out = R"({"id":)";
  json::append_string(out, "chatcmpl-" + std::string(request_id));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  out += R"(,"object":"chat.completion","created":)" + std::to_string(seconds) + R"(,"model":)";
  json::append_string(out, model);
  out += R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)";
  json::append_string(out, text);
  out += R"(,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":)";
  out += usage_json(usage) + "}";
  return out;
}

std::string canned_completion(std::string_view text, std::string_view model, std::string_view request_id,
                              utc_time now) {
  return own_completion(text, model, request_id, now, token_usage{});
}

} // namespace mainstay
