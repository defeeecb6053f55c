// What a provider meant by an error answer: the vocabulary of the field, and the order in which it is believed.
// Order: names (code, type), then wording, then the status. Providers hide causes behind the wrong status often enough
// that the status alone would rest the wrong thing.
// Promises: words that a caller can have echoed into a message never hurt a key. Wording that blames a key counts only
// where the message begins with it; wording found anywhere in a message can cost no one but that request. A server in
// trouble (5xx) is not believed about keys. Only the beginning of a message is read; nothing is allocated.
#include "core/failure.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <span>

namespace mainstay {
namespace {

using enum failure_class;
constexpr std::size_t message_limit = 2048; // bytes of a message that are read

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool same_letter(char a, char b) noexcept { return lower(a) == b; }

// The second argument of these is in lower case.
bool is(std::string_view text, std::string_view name) noexcept {
  return text.size() == name.size() && std::equal(text.begin(), text.end(), name.begin(), same_letter);
}
bool begins(std::string_view text, std::string_view with) noexcept { return is(text.substr(0, with.size()), with); }
bool says(std::string_view text, std::string_view words) noexcept {
  return std::search(text.begin(), text.end(), words.begin(), words.end(), same_letter) != text.end();
}

using phrases = std::span<const std::string_view>;
bool begins_with_any(std::string_view text, phrases list) noexcept {
  return std::any_of(list.begin(), list.end(), [&](auto phrase) { return begins(text, phrase); });
}
bool says_any(std::string_view text, phrases list) noexcept {
  return std::any_of(list.begin(), list.end(), [&](auto phrase) { return says(text, phrase); });
}

struct name {
  std::string_view text;
  failure_class what;
};

// Values of `code` and `type`. Names that only repeat the status (api_error, server_error, invalid_request_error) are
// left out: Ollama calls a missing model an api_error, DeepSeek calls an unpaid bill an invalid_request_error.
constexpr name names[] = {
    {"invalid_api_key", auth},
    {"api_key_invalid", auth}, // google.rpc.ErrorInfo.reason
    {"incorrect_api_key", auth},
    {"invalid_authentication_error", auth},
    {"authentication_error", auth},
    {"permission_error", auth},
    {"permission_denied", auth},
    {"unauthenticated", auth},
    {"unauthorized", auth},
    {"account_deactivated", auth},
    {"organization_restricted", auth},
    {"unsupported_country_region_territory", auth},
    {"insufficient_quota", quota_spent},
    {"exceeded_current_quota_error", quota_spent},
    {"billing_hard_limit_reached", quota_spent},
    {"billing_not_active", quota_spent},
    {"billing_error", quota_spent},
    {"insufficient_balance", quota_spent},
    {"insufficient_credits", quota_spent},
    {"blocked_api_access", quota_spent}, // Groq: the spend limit
    {"rate_limit_exceeded", rate_limited},
    {"rate_limit_error", rate_limited},
    {"rate_limit_reached_error", rate_limited},
    {"ratelimitreached", rate_limited},
    {"rate_limited", rate_limited},
    {"too_many_requests", rate_limited},
    {"resource_exhausted", rate_limited},
    {"model_not_found", model_missing},
    {"model_decommissioned", model_missing},
    {"model_not_available", model_missing},
    {"model_terms_required", model_missing},
    {"model_permission_blocked_project", model_missing},
    {"model_permission_blocked_org", model_missing},
    {"invalid_model", model_missing},
    {"deploymentnotfound", model_missing},
    {"operationnotsupported", model_missing}, // Azure: this model does not speak this API
    {"not_found_error", model_missing},
    {"notfounderror", model_missing},
    {"not_found", model_missing},
    {"context_length_exceeded", context_length},
    {"exceed_context_size_error", context_length},
    {"content_filter", content_filter},
    {"content_policy_violation", content_filter},
    {"responsibleaipolicyviolation", content_filter},
    {"moderation_blocked", content_filter},
    {"invalid_prompt", content_filter}, // OpenAI: "your prompt was flagged"
    {"data_inspection_failed", content_filter},
    {"prohibited_content", content_filter}, // this and the next four: Gemini's block and finish reasons
    {"safety", content_filter},
    {"blocklist", content_filter},
    {"spii", content_filter},
    {"recitation", content_filter},
    {"overloaded_error", overloaded},
    {"engine_overloaded", overloaded},
    {"engine_overloaded_error", overloaded},
    {"server_overloaded", overloaded},
    {"service_tier_capacity_exceeded", overloaded},
    {"capacity_exceeded", overloaded},
    {"model_capacity_exhausted", overloaded},
    {"unavailable", overloaded},
    {"service_unavailable", overloaded},
    {"slow_down", overloaded},
};

std::optional<failure_class> named(std::string_view field) noexcept {
  const auto found = std::find_if(std::begin(names), std::end(names), [&](auto& n) { return is(field, n.text); });
  return found == std::end(names) ? std::nullopt : std::optional{found->what};
}

// Read anywhere in a message: these hurt no key and no circuit.
constexpr std::string_view context_words[] = {
    "maximum context length", // OpenAI, DeepSeek, vLLM, OpenRouter
    "exceeds the context window",
    "exceeds model context window", // Anthropic
    "context limit",                // Anthropic
    "prompt is too long",           // Anthropic
    "input is too long",
    "exceeds the maximum number of tokens", // Gemini
    "too large for model with",             // Mistral
    "maximum model length",                 // vLLM
    "maximum prompt length",
    "available context size",     // llama.cpp
    "exceeds the context length", // Ollama
    "reduce the length of the messages",
    "`max_new_tokens` must be <=", // TGI
    "too many tokens",
};
constexpr std::string_view content_words[] = {
    "content filtering policy",  // Anthropic
    "content management policy", // Azure
    "content exists risk",       // DeepSeek
    "violates usage guidelines", "violating our usage policy",
    "input was flagged", // OpenRouter
    "our safety system",
};
constexpr std::string_view model_words[] = {
    "model not exist", // DeepSeek
    "is not a valid model id",
    "invalid model",
    "unknown model",
    "model not found",
    "does not exist or you do not have access",
    "does not have access to model",
    "has been decommissioned",
    "is not found for api version", // Gemini
    "no endpoints found",           // OpenRouter
    "try pulling it first",         // Ollama
};
constexpr std::string_view overload_words[] = {
    "overloaded", "over capacity", "capacity exceeded", "server busy", "service is too busy",
};

// What a target has not. The first to be found decides: JSON beside tools is a limit of JSON.
constexpr std::string_view json_words[] = {
    "with a response mime type: 'application/json' is unsupported", // Gemini: beside tools
    "cannot be combined with tool",                                 // Groq: the same
    "'response_format' of type 'json_object' is not supported",     // OpenAI, Azure
    "'response_format' of type 'json_schema' is not supported",
    "unsupported parameter: 'response_format'",
    "'response_format' is not supported",
    "`response_format` is not supported",
    "response_format is not supported",
    "response_format parameter is unsupported", // xAI
    "response_format type is unavailable",      // DeepSeek
    "does not support response format",         // Groq
    "does not support response_format",
    "only supports response formats",          // Groq
    "invalid value: `json_schema`, supported", // Volcengine
    "json mode is not ",                       // "enabled for models/gemini-pro", "supported"
    "does not support json",
    "doesn't support json",
    "json_schema is not supported",
    "json_object is not supported",
    "does not support structured output",
    "structured outputs are not supported",
};
constexpr std::string_view tools_words[] = {
    "does not support strict tools", // Anthropic
    "does not support tool",         // Ollama, xAI, DeepInfra and more: tools, tool use, tool calling
    "doesn't support tool",          // Bedrock
    "do not support tool",
    "does not support function", // DeepSeek
    "doesn't support function",
    "does not support this tool_choice",    // DeepSeek
    "no endpoints found that support tool", // OpenRouter
    "no endpoints found that support the provided 'tool_choice'",
    "--enable-auto-tool-choice",    // vLLM
    "tools param requires --jinja", // llama.cpp
    "tools is not supported",       // OpenAI
    "'tools' is not supported",
    "`tools` is not supported",
    "tools are not supported",
    "functions are not supported", // Azure
    "tool use is not supported",
    "tool calling is not supported",                 // DeepInfra
    "`tool calling` is not supported",               // Groq
    "tool use with function calling is unsupported", // Gemini
    "function calling is not ",                      // "enabled for", "supported"
    "function calling is unsupported",
    "function calling not support", // Novita
};

// Read only at the beginning of a message, where no caller's text can stand.
constexpr std::string_view auth_openings[] = {
    "incorrect api key",
    "invalid api key",
    "invalid x-api-key",
    "api key not valid", // Gemini answers 400 to a bad key
    "api key not found",
    "api key expired",
    "your api key",
    "missing or invalid authorization header",
    "authentication fails", // DeepSeek
    "no auth credentials found",
    "access denied due to invalid subscription key",
    "this organization has been disabled", // Anthropic answers 400
    "user location is not supported",      // Gemini answers 400: no key of ours works from here
};
constexpr std::string_view quota_openings[] = {
    "you exceeded your current quota", // OpenAI; Gemini says so of a minute's limit too
    "your credit balance is too low",  // Anthropic answers 400
    "you have reached your specified api usage limits",
    "your prepayment credits are depleted",
    "your account is not active, please check your billing",
    "gemini api free tier is not available", // 400: "in your country. Please enable billing"
    "this api method requires billing",      // Google answers 403
    "billing hard limit",
    "insufficient balance",
    "insufficient credits",
    "this request requires more credits",
    "key limit exceeded", // OpenRouter answers 403
    "out of call volume quota",
};
constexpr std::string_view overload_openings[] = {
    "the engine is currently overloaded", "that model is currently overloaded",
    "service tier capacity exceeded", // Mistral
};
bool out_of_money(std::string_view message) noexcept {
  const bool of_team = begins(message, "your team ") || begins(message, "your newly created team"); // xAI answers 403
  return begins_with_any(message, quota_openings) || (of_team && says(message, " credits"));
}

// One request alone above a key's tokens per minute (OpenAI 429, Groq 413): no waiting helps, and the key is not to
// blame.
bool too_large_by_itself(std::string_view message) noexcept { return begins(message, "request too large for "); }

bool from_gemini(const provider_error& said, std::string_view message) noexcept {
  return is(said.type, "resource_exhausted") || is(said.code, "resource_exhausted") || says(message, "ai.google.dev");
}

/// A Gemini key whose quota of the day is gone still gets "retry in 30s" said to it.
bool quota_of_the_day(const provider_error& said, std::string_view message) noexcept {
  const auto of_the_day = [](std::string_view text) { return says(text, "perday") || says(text, "per_day"); };
  return of_the_day(said.code) || of_the_day(said.type) || of_the_day(message);
}

failure_class limit_reached(const provider_error& said, int status, std::string_view message) noexcept {
  if (status == 413 || too_large_by_itself(message)) return context_length;
  if (from_gemini(said, message)) {
    const bool spent = quota_of_the_day(said, message) || begins(message, "your prepayment credits are depleted");
    return spent ? quota_spent : rate_limited;
  }
  if (out_of_money(message)) return quota_spent;
  if (begins_with_any(message, overload_openings)) return overloaded;
  return rate_limited;
}

/// Anything below 500, and error objects in streams.
std::optional<failure_class> by_wording(std::string_view message) noexcept {
  if (too_large_by_itself(message) || says_any(message, context_words)) return context_length;
  if (says_any(message, content_words)) return content_filter;
  if (says_any(message, model_words)) return model_missing;
  if (out_of_money(message)) return quota_spent;
  if (begins_with_any(message, auth_openings)) return auth;
  if (begins_with_any(message, overload_openings)) return overloaded;
  return std::nullopt;
}

failure_class server_trouble(std::optional<failure_class> by_name, int status, std::string_view message) noexcept {
  if (by_name && rules_of(*by_name).whose != blame::key) return *by_name;
  if (says_any(message, context_words)) return context_length;
  if (status == 503 || status == 529 || says_any(message, overload_words)) return overloaded;
  return server_error;
}

/// A page for browsers or Cloudflare's one line instead of an error object: a firewall on the way, which knows nothing
/// of keys. One bad minute of it must not disable them all.
bool from_firewall(const provider_error& said, std::string_view message) noexcept {
  if (said.type == "html_page") return true; // as net/provider_error_body marks it
  if (!said.type.empty() || !said.code.empty()) return false;
  message.remove_prefix(std::min(message.find_first_not_of(" \t\r\n\xEF\xBB\xBF"), message.size()));
  return begins(message, "<") || begins(message, "error code: 10");
}

/// 403: mostly the key, but also content, models, money and firewalls.
failure_class class_of_refusal(const provider_error& said, std::string_view message) noexcept {
  if (from_firewall(said, message)) return server_error;
  return by_wording(message).value_or(auth);
}

failure_class in_stream(const provider_error& said, std::string_view message) noexcept {
  if (const auto meant = by_wording(message)) return *meant;
  if (says_any(message, overload_words)) return overloaded;
  const bool callers = is(said.type, "invalid_request_error") || is(said.type, "invalid_argument") ||
                       is(said.type, "badrequesterror") || is(said.type, "request_too_large");
  return callers ? caller_fault : server_error;
}

failure_class by_status(const provider_error& said, int status, std::string_view message) noexcept {
  switch (status) {
  case 401: return auth; // wording is not asked: nothing else is meant by it
  case 403: return class_of_refusal(said, message);
  case 404:
  case 405:
  case 410: return model_missing;
  case 407: return connect_failed; // the proxy on the way
  case 408:
  case 409:
  case 421:
  case 425:
  case 499: return server_error;
  case 429: return limit_reached(said, status, message);
  case 498: return overloaded; // Groq: flex tier capacity
  default: return by_wording(message).value_or(caller_fault);
  }
}

/// Statuses that may mean what a target cannot do: never those of keys and limits.
bool may_lack(int status) noexcept {
  constexpr int known[] = {400, 404, 405, 415, 422, 500, 501};
  return status < 300 || std::find(std::begin(known), std::end(known), status) != std::end(known);
}

std::optional<feature> feature_of_parameter(std::string_view param) noexcept {
  if (is(param, "tools") || is(param, "functions") || begins(param, "tool_choice")) return feature::tools;
  return begins(param, "response_format") ? std::optional(feature::json) : std::nullopt;
}

/// An error object in an answer of 200 carries the true status as its code (OpenRouter, Gemini).
int true_status(const provider_error& said) noexcept {
  const bool in_answer = said.status == 0 || (said.status >= 200 && said.status < 300);
  int code = 0;
  const char* const end = said.code.data() + said.code.size();
  const auto parsed = std::from_chars(said.code.data(), end, code);
  const bool status_like = parsed.ec == std::errc{} && parsed.ptr == end && code >= 400 && code < 600;
  return in_answer && status_like ? code : said.status;
}

} // namespace

std::optional<feature> feature_refused(const provider_error& said) noexcept {
  if (!may_lack(true_status(said))) return std::nullopt;
  if (is(said.code, "unsupported_parameter"))
    if (const auto f = feature_of_parameter(said.param)) return f;
  const std::string_view message = std::string_view(said.message).substr(0, message_limit);
  if (says_any(message, json_words)) return feature::json;
  if (says_any(message, tools_words)) return feature::tools;
  return std::nullopt;
}

failure_class classify(const provider_error& said) noexcept {
  const int status = true_status(said);
  const std::string_view message = std::string_view(said.message).substr(0, message_limit);
  const bool in_answer = status == 0 || (status >= 200 && status < 300);
  if (!in_answer && (status < 400 || status > 599)) return malformed; // a redirect or nonsense: not an answer
  if (status == 402) return quota_spent;

  auto by_name = named(said.code);
  if (!by_name) by_name = named(said.type);
  if ((!by_name || by_name == model_missing) && feature_refused(said)) return unsupported_feature;
  if (status >= 500) return server_trouble(by_name, status, message);
  if (by_name == rate_limited) return limit_reached(said, status, message);
  if (by_name == auth && status == 403) return class_of_refusal(said, message);
  if (by_name) return *by_name;
  return in_answer ? in_stream(said, message) : by_status(said, status, message);
}

} // namespace mainstay
