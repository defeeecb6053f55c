// Error answers, both ways: a provider's read, ours written.
#include "net/chat_answer.hpp"

#include "core/retry_after.hpp"
#include "net/json_text.hpp"
#include "net/provider_error_body.hpp"

#include <algorithm>

namespace mainstay {
namespace {

void keep_longest(std::optional<duration>& longest, std::optional<duration> wait) {
  if (wait && (!longest || *wait > *longest)) longest = wait;
}

bool is_nothing_left(std::string_view remaining) {
  return !remaining.empty() && remaining.find('0') != remaining.npos &&
         remaining.find_first_not_of("0.-") == remaining.npos;
}

// When a resource that is used up comes back; the others' resets say nothing about this refusal.
std::optional<duration> longest_reset(const header_list& headers, utc_time now) {
  constexpr std::string_view remaining = "x-ratelimit-remaining-", reset = "x-ratelimit-reset-";
  constexpr std::string_view anthropics = "anthropic-ratelimit-", still = "-remaining";
  std::optional<duration> longest;
  for (auto& [name, value] : headers) {
    if (!is_nothing_left(value)) continue;
    if (name.starts_with(remaining)) {
      if (auto span = find_header(headers, std::string(reset) + name.substr(remaining.size())))
        keep_longest(longest, parse_reset_span(*span));
    } else if (name.starts_with(anthropics) && name.ends_with(still)) {
      if (auto date = find_header(headers, name.substr(0, name.size() - still.size()) + "-reset"))
        keep_longest(longest, parse_reset_date(*date, now));
    }
  }
  return longest;
}

} // namespace

provider_error read_error(int status, const header_list& headers, std::string_view body, utc_time now) {
  auto error = read_error_words(body).said;
  error.status = status;
  if (error.message.empty())
    error.message = "the provider answered with status " + std::to_string(status) + " and no readable error";
  for (auto& [name, value] : headers) {
    if (name == "retry-after-ms") keep_longest(error.retry_after, parse_retry_after_ms(value));
    if (name == "retry-after") keep_longest(error.retry_after, parse_retry_after(value, now));
  }
  if (status == 429) keep_longest(error.retry_after, longest_reset(headers, now));
  return error;
}

std::string error_body(std::string_view message, std::string_view type, std::string_view code, std::string_view param) {
  auto append_or_null = [](std::string& out, std::string_view text) {
    if (text.empty())
      out += "null";
    else
      json::append_string(out, text);
  };
  std::string out = R"({"error":{"message":)";
  json::append_string(out, message);
  out += R"(,"type":)";
  json::append_string(out, type);
  out += R"(,"param":)";
  append_or_null(out, param);
  out += R"(,"code":)";
  append_or_null(out, code);
  out += "}}";
  return out;
}

} // namespace mainstay
