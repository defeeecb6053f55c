#include "core/final_answer.hpp"

#include <algorithm>

namespace mainstay {

final_answer final_answer_of(const failure& f, const std::string& story, std::optional<duration> wait) {
  final_answer a;
  a.code = to_string(f.what);
  a.type = "upstream_error";
  auto told = story.empty() ? std::string() : " (" + story + ")";
  auto wait_seconds = [&]() -> std::optional<int> {
    if (!wait) return std::nullopt;
    auto s = std::chrono::ceil<std::chrono::seconds>(*wait).count();
    return static_cast<int>(std::clamp<std::int64_t>(s, 1, 86400));
  };
  switch (f.what) {
  case failure_class::caller_fault:
  case failure_class::context_length:
  case failure_class::unsupported_feature:
  case failure_class::content_filter:
    a.status = f.said.status >= 400 && f.said.status < 500 ? f.said.status : 400;
    a.message = f.said.message.empty() ? "the provider refused the request" : f.said.message;
    a.type = f.said.type.empty() ? "invalid_request_error" : f.said.type;
    if (!f.said.code.empty()) a.code = f.said.code;
    a.param = f.said.param;
    break;
  case failure_class::auth:
    a.message = "no provider accepted its key" + told;
    a.code = "no_usable_key";
    break;
  case failure_class::quota_spent: a.message = "the providers' quotas are spent" + told; break;
  case failure_class::rate_limited:
    a.status = 429;
    a.message = "the providers' rate limits are used up" + told;
    a.type = "rate_limit_error";
    a.retry_after_seconds = wait_seconds().value_or(1);
    break;
  case failure_class::model_missing: a.message = "no provider knows the configured model" + told; break;
  case failure_class::overloaded:
    a.status = 503;
    a.message =
        (f.said.status == 0 && !f.said.message.empty() ? f.said.message : "the providers are overloaded") + told;
    a.retry_after_seconds = wait_seconds().value_or(1);
    break;
  case failure_class::connect_timeout:
  case failure_class::first_byte_timeout:
  case failure_class::idle_timeout:
  case failure_class::total_timeout:
    a.status = 504;
    a.message = "the providers did not answer in time" + told;
    a.type = "timeout_error";
    break;
  case failure_class::deadline:
    a.status = 504;
    a.message = "the deadline passed before an answer came" + told;
    a.type = "timeout_error";
    break;
  case failure_class::cancelled:
    a.status = 499;
    a.message = "the caller left";
    a.type = "cancelled";
    break;
  default:
    a.message = "no provider could answer" + told;
    if (auto s = wait_seconds()) a.retry_after_seconds = s;
    break;
  }
  return a;
}

} // namespace mainstay
