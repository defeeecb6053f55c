#include "net/canned_completion.hpp"

#include "net/json_text.hpp"

namespace mainstay {

std::string canned_completion(std::string_view text, std::string_view model, std::string_view request_id,
                              utc_time now) {
  std::string out = R"({"id":)";
  json::append_string(out, "chatcmpl-" + std::string(request_id));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  out += R"(,"object":"chat.completion","created":)" + std::to_string(seconds) + R"(,"model":)";
  json::append_string(out, model);
  out += R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)";
  json::append_string(out, text);
  out += R"(,"refusal":null},"logprobs":null,"finish_reason":"stop"}],)"
         R"("usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}})";
  return out;
}

} // namespace mainstay
