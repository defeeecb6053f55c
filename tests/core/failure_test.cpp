// The classifier against error bodies as providers send them (fields already read out of the body, origin beside each),
// and the table of rules: whose fault, where next, what it counts for.
#include "core/failure.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <vector>

namespace failure_test {

using namespace mainstay;
using enum failure_class;

namespace {

struct said {
  failure_class meant;
  int status;
  std::string type, code, message;
  const char* origin;
};

failure_class read(const said& s) { return classify({s.status, s.type, s.code, "", s.message, std::nullopt}); }

void check_all(const std::vector<said>& table) {
  for (const said& s : table)
    BOOST_TEST_CONTEXT(s.origin << ": " << s.status << " " << s.type << " " << s.code << " " << s.message)
  BOOST_TEST(to_string(read(s)) == to_string(s.meant));
}

// clang-format off
const std::vector<said> openai = {
  {auth, 401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-abc***xyz. You can find your API key at https://platform.openai.com/account/api-keys.", "wrong key"},
  {auth, 401, "invalid_request_error", "", "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).", "no key"},
  {auth, 401, "invalid_request_error", "account_deactivated", "Your OpenAI account has been deactivated, please check your email for more information.", "account closed"},
  {auth, 403, "request_forbidden", "unsupported_country_region_territory", "Country, region, or territory not supported", "region"},
  {model_missing, 403, "invalid_request_error", "model_not_found", "Project `proj_abc` does not have access to model `gpt-4o`", "403 that is about the model"},
  {model_missing, 404, "invalid_request_error", "model_not_found", "The model `gpt-9` does not exist or you do not have access to it.", "unknown model"},
  {quota_spent, 429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.", "quota in a 429"},
  {quota_spent, 429, "billing_not_active", "billing_not_active", "Your account is not active, please check your billing details on our website.", "unpaid account"},
  {quota_spent, 400, "invalid_request_error", "billing_hard_limit_reached", "Billing hard limit has been reached", "hard limit in a 400"},
  {rate_limited, 429, "requests", "rate_limit_exceeded", "Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms. Visit https://platform.openai.com/account/rate-limits to learn more.", "rpm"},
  {rate_limited, 429, "tokens", "rate_limit_exceeded", "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s. You can increase your rate limit by adding a payment method to your account at https://platform.openai.com/account/billing.", "tpm, with billing in the text"},
  {context_length, 429, "tokens", "rate_limit_exceeded", "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 34472. The input or output tokens must be reduced in order to run successfully.", "one request above the whole TPM"},
  {context_length, 400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens. Please reduce the length of the messages.", "chat completions"},
  {context_length, 400, "invalid_request_error", "context_length_exceeded", "Your input exceeds the context window of this model. Please adjust your input and try again.", "responses"},
  {content_filter, 400, "invalid_request_error", "content_policy_violation", "Your request was rejected as a result of our safety system.", "policy"},
  {content_filter, 400, "invalid_request_error", "invalid_prompt", "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.", "reasoning models"},
  {caller_fault, 400, "invalid_request_error", "unknown_parameter", "Unrecognized request argument supplied: foo", "unknown field"},
  {caller_fault, 400, "invalid_request_error", "invalid_value", "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.", "answer cap too large"},
  {caller_fault, 400, "invalid_request_error", "string_above_max_length", "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 51 instead.", "a field too long"},
  {server_error, 500, "server_error", "", "The server had an error while processing your request. Sorry about that!", "500"},
  {overloaded, 503, "server_error", "", "That model is currently overloaded with other requests. You can retry your request, or contact us through our help center.", "503"},
  {overloaded, 503, "", "slow_down", "Slow Down", "slow down"},
  {overloaded, 429, "server_error", "", "The engine is currently overloaded, please try again later", "overload in a 429"},
  {server_error, 200, "server_error", "", "The server had an error processing your request. Sorry about that!", "error object in a stream"},
  {server_error, 200, "", "server_error", "An error occurred while processing your request.", "responses: response.failed"},
  {rate_limited, 200, "", "rate_limit_exceeded", "Rate limit reached for gpt-5 in organization org-x on tokens per min", "responses: response.failed"},
};

const std::vector<said> azure = {
  {auth, 401, "", "401", "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.", "wrong key"},
  {auth, 401, "", "PermissionDenied", "The principal `x` lacks the required data action `Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action`", "missing role"},
  {model_missing, 404, "", "DeploymentNotFound", "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.", "no deployment"},
  {model_missing, 404, "", "404", "Resource not found", "wrong path"},
  {model_missing, 400, "", "OperationNotSupported", "The chatCompletion operation does not work with the specified model, text-davinci-003. Please choose different model and try again.", "other api"},
  {rate_limited, 429, "", "429", "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-02-01 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 6 seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit.", "quota only in a link"},
  {rate_limited, 429, "", "RateLimitReached", "Your requests to gpt-4o have exceeded token rate limit of your current tier.", "newer code"},
  {quota_spent, 403, "", "", "Out of call volume quota. Quota will be replenished in 2.05:15:10.", "API management"},
  {content_filter, 400, "", "content_filter", "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.", "content filter"},
  {content_filter, 400, "invalid_request_error", "", "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.", "content filter without its code"},
  {context_length, 400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 16385 tokens.", "context"},
  {server_error, 408, "", "Timeout", "The operation was timeout.", "408"},
  {server_error, 500, "", "InternalServerError", "Internal server error", "500"},
};

const std::vector<said> anthropic = {
  {auth, 401, "authentication_error", "", "invalid x-api-key", "wrong key"},
  {auth, 403, "permission_error", "", "Your API key does not have permission to use the specified resource.", "permission"},
  {auth, 403, "forbidden", "", "Request not allowed", "address not allowed"},
  {auth, 400, "invalid_request_error", "", "This organization has been disabled.", "disabled organisation in a 400"},
  {quota_spent, 400, "invalid_request_error", "", "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.", "money in a 400"},
  {quota_spent, 400, "invalid_request_error", "", "You have reached your specified API usage limits. You will regain access on 2025-10-01 at 00:00 UTC.", "spend limit in a 400"},
  {quota_spent, 402, "billing_error", "", "There's an issue with your billing or payment information.", "billing"},
  {model_missing, 404, "not_found_error", "", "model: claude-9-opus", "unknown model"},
  {context_length, 400, "invalid_request_error", "", "prompt is too long: 210000 tokens > 200000 maximum", "too long"},
  {context_length, 400, "invalid_request_error", "", "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again", "too long with the answer"},
  {context_length, 413, "invalid_request_error", "", "Request size exceeds model context window", "too long for a byte limit"},
  {unsupported_feature, 400, "invalid_request_error", "", "'claude-sonnet-4-20250514' does not support strict tools.", "strict tools"},
  {content_filter, 400, "invalid_request_error", "", "Output blocked by content filtering policy", "filter"},
  {caller_fault, 400, "invalid_request_error", "", "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet-20241022", "answer cap"},
  {caller_fault, 400, "invalid_request_error", "", "messages: roles must alternate between \"user\" and \"assistant\"", "bad body"},
  {caller_fault, 400, "invalid_request_error", "", "This model does not support assistant message prefill. The conversation must end with a user message.", "prefill"},
  {caller_fault, 413, "request_too_large", "", "Request exceeds the maximum size", "32 MB"},
  {rate_limited, 429, "rate_limit_error", "", "Number of concurrent connections has exceeded your rate limit. Please try again later or contact sales at https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase.", "concurrency"},
  {rate_limited, 429, "rate_limit_error", "", "This request would exceed your organization's rate limit of 40,000 input tokens per minute.", "rate limit"},
  {server_error, 500, "api_error", "", "Internal server error", "500"},
  {server_error, 504, "timeout_error", "", "Request timed out", "504"},
  {overloaded, 529, "overloaded_error", "", "Overloaded", "529"},
  {overloaded, 500, "api_error", "", "Overloaded", "529 by another name"},
  {overloaded, 200, "overloaded_error", "", "Overloaded", "overload in a stream of 200"},
  {rate_limited, 200, "rate_limit_error", "", "This request would exceed your organization's rate limit of 40,000 input tokens per minute.", "rate limit in a stream"},
  {server_error, 200, "api_error", "", "Internal server error", "in a stream"},
};

const std::vector<said> gemini = {
  {auth, 400, "INVALID_ARGUMENT", "400", "API key not valid. Please pass a valid API key.", "bad key in a 400, list form or native"},
  {auth, 400, "INVALID_ARGUMENT", "API_KEY_INVALID", "API key not valid. Please pass a valid API key.", "with ErrorInfo.reason as the code"},
  {auth, 400, "INVALID_ARGUMENT", "400", "API key expired. Please renew the API key.", "expired"},
  {auth, 400, "INVALID_ARGUMENT", "400", "Missing or invalid Authorization header.", "list form, no key"},
  {auth, 400, "FAILED_PRECONDITION", "400", "User location is not supported for the API use.", "region"},
  {auth, 403, "PERMISSION_DENIED", "403", "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.", "no key"},
  {auth, 403, "PERMISSION_DENIED", "403", "Your API key was reported as leaked. Please use another API key.", "leaked key"},
  {auth, 401, "UNAUTHENTICATED", "401", "Request had invalid authentication credentials. Expected OAuth 2 access token.", "vertex"},
  {rate_limited, 429, "RESOURCE_EXHAUSTED", "429", "Resource has been exhausted (e.g. check quota).", "short form"},
  {rate_limited, 429, "RESOURCE_EXHAUSTED", "429", "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 15\nPlease retry in 27.3s.", "a minute's limit in the words of a spent quota"},
  {rate_limited, 429, "", "429", "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.", "the same, status not handed on"},
  {quota_spent, 429, "RESOURCE_EXHAUSTED", "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "You exceeded your current quota, please check your plan and billing details. Please retry in 27.3s.", "the day's quota, QuotaFailure.quotaId as the code"},
  {quota_spent, 429, "RESOURCE_EXHAUSTED", "429", "Quota exceeded for metric: generativelanguage.googleapis.com/generate_requests_per_model_per_day, limit: 250", "the day's quota in the message"},
  {quota_spent, 429, "RESOURCE_EXHAUSTED", "429", "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.", "prepaid"},
  {model_missing, 404, "NOT_FOUND", "404", "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.", "unknown model"},
  {context_length, 400, "INVALID_ARGUMENT", "400", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "too long"},
  {content_filter, 200, "", "PROHIBITED_CONTENT", "", "promptFeedback.blockReason"},
  {content_filter, 200, "", "SAFETY", "", "promptFeedback.blockReason"},
  {caller_fault, 400, "INVALID_ARGUMENT", "400", "Invalid JSON payload received. Unknown name \"foo\": Cannot find field.", "bad body"},
  {server_error, 500, "INTERNAL", "500", "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting", "500"},
  {overloaded, 503, "UNAVAILABLE", "503", "The model is overloaded. Please try again later.", "overload"},
  {overloaded, 200, "UNAVAILABLE", "503", "The model is overloaded. Please try again later.", "overload in a stream"},
  {server_error, 504, "DEADLINE_EXCEEDED", "504", "The request timed out. Please try again.", "504"},
  {server_error, 499, "CANCELLED", "499", "The operation was cancelled.", "cancelled by itself"},
  {quota_spent, 400, "FAILED_PRECONDITION", "400", "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.", "no billing where the free tier is not"},
  {quota_spent, 403, "PERMISSION_DENIED", "BILLING_DISABLED", "This API method requires billing to be enabled. Please enable billing on project #123 by visiting https://console.developers.google.com/billing/enable?project=123 then retry.", "billing off"},
  {auth, 403, "PERMISSION_DENIED", "SERVICE_DISABLED", "Generative Language API has not been used in project 123 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/generativelanguage.googleapis.com/overview?project=123 then retry.", "API off"},
  {auth, 403, "PERMISSION_DENIED", "API_KEY_SERVICE_BLOCKED", "Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are blocked.", "key restricted"},
  {rate_limited, 429, "RESOURCE_EXHAUSTED", "GenerateContentInputTokensPerModelPerMinute-FreeTier", "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\nPlease retry in 41s.", "a minute's tokens, QuotaFailure.quotaId as the code"},
  {rate_limited, 429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", "Quota exceeded for quota metric 'Generate Content API requests per minute' and limit 'GenerateContent request limit per minute for a region' of service 'generativelanguage.googleapis.com' for consumer 'project_number:123'.", "ErrorInfo.reason as the code"},
  {model_missing, 404, "NOT_FOUND", "404", "This model models/gemini-1.5-pro is no longer available. Please update your code to use a newer model for the latest features and improvements.", "model gone"},
  {context_length, 400, "INVALID_ARGUMENT", "400", "The input token count exceeds the maximum number of tokens allowed 1048576.", "too long, older words"},
  {unsupported_feature, 400, "INVALID_ARGUMENT", "400", "Function calling with a response mime type: 'application/json' is unsupported", "JSON beside tools"},
  {caller_fault, 400, "INVALID_ARGUMENT", "400", "Please ensure that function call turn comes immediately after a user turn or after a function response turn.", "turns in disorder"},
  {caller_fault, 400, "INVALID_ARGUMENT", "400", "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance.", "signature lost"},
  {overloaded, 503, "UNAVAILABLE", "503", "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.", "demand"},
  {server_error, 504, "DEADLINE_EXCEEDED", "504", "Deadline expired before operation could complete.", "504 in other words"},
  {server_error, 200, "server_error", "MALFORMED_FUNCTION_CALL", "The provider ended the answer: MALFORMED_FUNCTION_CALL", "finishReason"},
};

const std::vector<said> others = {
  {quota_spent, 402, "unknown_error", "invalid_request_error", "Insufficient Balance", "DeepSeek"},
  {auth, 401, "authentication_error", "invalid_request_error", "Authentication Fails, Your api key: ****abcd is invalid", "DeepSeek"},
  {model_missing, 400, "invalid_request_error", "invalid_request_error", "Model Not Exist", "DeepSeek"},
  {context_length, 400, "invalid_request_error", "invalid_request_error", "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens (66000 in the messages, 4000 in the completion). Please reduce the length of the messages or completion.", "DeepSeek"},
  {content_filter, 400, "invalid_request_error", "invalid_request_error", "Content Exists Risk", "DeepSeek"},
  {caller_fault, 422, "invalid_request_error", "invalid_request_error", "Failed to deserialize the JSON body into the target type: messages[0]: missing field `role` at line 1 column 30", "DeepSeek"},
  {overloaded, 503, "service_unavailable_error", "", "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.", "DeepSeek"},

  {auth, 401, "", "", "Unauthorized", "Mistral"},
  {model_missing, 400, "invalid_model", "1500", "Invalid model: mistral-huge", "Mistral"},
  {caller_fault, 422, "invalid_request_error", "", "Input should be a valid list", "Mistral"},
  {context_length, 400, "invalid_request_prompt", "3051", "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length", "Mistral"},
  {rate_limited, 429, "rate_limited", "1300", "Rate limit exceeded", "Mistral"},
  {rate_limited, 429, "", "", "Requests rate limit exceeded", "Mistral"},
  {overloaded, 429, "service_tier_capacity_exceeded", "3505", "Service tier capacity exceeded for this model.", "Mistral"},
  {overloaded, 429, "invalid_request_error", "", "Service tier capacity exceeded for this model.", "Mistral, older form"},
  {server_error, 500, "unreachable_backend", "1100", "Internal server error", "Mistral"},

  {auth, 401, "invalid_request_error", "invalid_api_key", "Invalid API Key", "Groq"},
  {auth, 400, "invalid_request_error", "organization_restricted", "Organization has been restricted. Please reach out to support if you believe this was in error.", "Groq"},
  {quota_spent, 400, "invalid_request_error", "blocked_api_access", "API access blocked: spend limit reached", "Groq"},
  {model_missing, 404, "invalid_request_error", "model_not_found", "The model `llama-9` does not exist or you do not have access to it.", "Groq"},
  {model_missing, 400, "invalid_request_error", "model_decommissioned", "The model `llama2-70b-4096` has been decommissioned and is no longer supported.", "Groq"},
  {model_missing, 403, "permissions_error", "model_permission_blocked_project", "The model `x` is blocked at the project level.", "Groq"},
  {rate_limited, 429, "tokens", "rate_limit_exceeded", "Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_x` service tier `on_demand` on tokens per day (TPD): Limit 100000, Used 99500, Requested 1443. Please try again in 13m22s. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing", "Groq"},
  {context_length, 413, "tokens", "rate_limit_exceeded", "Request too large for model `llama-3.1-8b-instant` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again.", "Groq"},
  {context_length, 400, "invalid_request_error", "", "Please reduce the length of the messages or completion.", "Groq"},
  {caller_fault, 400, "invalid_request_error", "tool_use_failed", "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.", "Groq"},
  {overloaded, 498, "", "capacity_exceeded", "Flex tier capacity exceeded", "Groq"},
  {overloaded, 503, "internal_server_error", "", "llama-3.3-70b-versatile is currently over capacity. Please try again and back off exponentially.", "Groq"},

  {context_length, 400, "BadRequestError", "400", "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, 1000 in the completion).", "vLLM"},
  {context_length, 400, "BadRequestError", "400", "The decoder prompt (length 17772) is longer than the maximum model length of 16384. Make sure that `max_model_len` is no smaller than the number of text tokens.", "vLLM"},
  {model_missing, 404, "NotFoundError", "404", "The model `llama` does not exist.", "vLLM"},
  {auth, 401, "", "", "Unauthorized", "vLLM"},
  {caller_fault, 400, "BadRequestError", "400", "max_tokens must be at least 1, got -186.", "vLLM"},
  {caller_fault, 200, "BadRequestError", "", "Extra data: line 1 column 2 (char 1)", "vLLM, in a stream"},
  {server_error, 500, "InternalServerError", "500", "Background loop has errored already.", "vLLM"},

  {model_missing, 404, "api_error", "", "model \"llama9\" not found, try pulling it first", "Ollama"},
  {server_error, 500, "", "", "model requires more system memory (8.0 GiB) than is available (4.0 GiB)", "Ollama"},
  {overloaded, 503, "", "", "server busy, please try again.  maximum pending requests exceeded", "Ollama"},
  {context_length, 400, "api_error", "", "the input length exceeds the context length", "Ollama"},
  {context_length, 500, "", "", "the input length exceeds the context length", "Ollama, older form"},
  {server_error, 500, "api_error", "", "llama runner process has terminated: signal: killed", "Ollama"},
  {context_length, 400, "exceed_context_size_error", "400", "the request exceeds the available context size, try increasing it", "llama.cpp"},
  {context_length, 422, "validation", "", "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`", "TGI"},

  {auth, 401, "", "401", "No auth credentials found", "OpenRouter"},
  {quota_spent, 402, "", "402", "Insufficient credits. Add more using https://openrouter.ai/settings/credits", "OpenRouter"},
  {quota_spent, 402, "", "402", "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 4000.", "OpenRouter"},
  {quota_spent, 403, "", "403", "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys", "OpenRouter"},
  {content_filter, 403, "", "403", "openai/gpt-4 requires moderation on OpenAI. Your input was flagged for \"sexual\". No credits were charged.", "OpenRouter, content in a 403"},
  {model_missing, 400, "", "400", "foo/bar is not a valid model ID", "OpenRouter"},
  {model_missing, 404, "", "404", "No endpoints found matching your data policy.", "OpenRouter"},
  {context_length, 400, "", "400", "This endpoint's maximum context length is 32768 tokens. However, you requested about 50000 tokens (49000 of text input, 1000 in the output).", "OpenRouter"},
  {rate_limited, 429, "", "429", "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day", "OpenRouter"},
  {rate_limited, 200, "", "429", "Provider returned error", "OpenRouter, a 429 in a 200"},
  {server_error, 200, "", "502", "Provider returned error", "OpenRouter, a 502 in a 200"},
  {server_error, 200, "", "server_error", "Provider disconnected unexpectedly", "OpenRouter, in a stream"},
  {server_error, 408, "", "408", "Request timed out", "OpenRouter"},

  {auth, 400, "", "Client specified an invalid argument", "Incorrect API key provided: xa***yz. You can obtain an API key from https://console.x.ai.", "xAI"},
  {content_filter, 403, "", "The caller does not have permission to execute the specified operation", "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO", "xAI"},
  {quota_spent, 429, "", "Some resource has been exhausted", "Your team 123 has either used all available credits or reached its monthly spending limit.", "xAI"},
  {auth, 403, "", "", "Your team 123 is not authorized to perform this action", "xAI"},
};

const std::vector<said> bare = {
  {caller_fault, 400, "", "", "", "400"}, {auth, 401, "", "", "", "401"}, {quota_spent, 402, "", "", "", "402"},
  {auth, 403, "", "", "", "403"}, {model_missing, 404, "", "", "", "404"}, {model_missing, 405, "", "", "", "405"},
  {connect_failed, 407, "", "", "", "a proxy that wants a password"}, {server_error, 408, "", "", "", "408"},
  {server_error, 409, "", "", "", "409"}, {model_missing, 410, "", "", "", "410"}, {caller_fault, 413, "", "", "", "413"},
  {caller_fault, 415, "", "", "", "415"}, {caller_fault, 422, "", "", "", "422"}, {rate_limited, 429, "", "", "", "429"},
  {server_error, 500, "", "", "", "500"}, {server_error, 501, "", "", "", "501"}, {server_error, 502, "", "", "", "502"},
  {overloaded, 503, "", "", "", "503"}, {server_error, 504, "", "", "", "504"}, {server_error, 522, "", "", "", "Cloudflare"},
  {overloaded, 529, "", "", "", "529"}, {server_error, 0, "", "", "", "no status at all"},
  {server_error, 200, "", "", "", "an error object without a word"},
  {malformed, 302, "", "", "", "a redirect"}, {malformed, 100, "", "", "", "100"}, {malformed, 700, "", "", "", "700"},
  {malformed, -1, "", "", "", "-1"},
  {server_error, 502, "", "", "<html>\r\n<head><title>502 Bad Gateway</title></head>", "nginx"},
  {caller_fault, 413, "", "", "<html>\r\n<head><title>413 Request Entity Too Large</title></head>", "nginx"},
};

// What a target has not: whose words, and which feature.
struct lack {
  std::optional<feature> what;
  int status;
  std::string type, code, param, message;
  const char* origin;
};
constexpr auto no_tools = feature::tools;
constexpr auto no_json = feature::json;
const std::vector<lack> lacks = {
  {no_tools, 400, "api_error", "", "", "stablelm2:latest does not support tools", "Ollama"},
  {no_tools, 400, "", "", "", "registry.ollama.ai/library/deepseek-r1:latest does not support tools", "Ollama's own API"},
  {no_tools, 404, "", "404", "", "No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai/docs/guides/routing/provider-selection", "OpenRouter"},
  {no_tools, 404, "", "404", "", "No endpoints found that support the provided 'tool_choice' value. To learn more about provider routing, visit: https://openrouter.ai/docs/provider-routing", "OpenRouter"},
  {no_tools, 400, "BadRequestError", "400", "", "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set", "vLLM"},
  {no_tools, 400, "invalid_request_error", "", "", "tools is not supported in this model. For a list of supported models, refer to https://platform.openai.com/docs/guides/function-calling#models-supporting-function-calling.", "OpenAI"},
  {no_tools, 400, "invalid_request_error", "unsupported_parameter", "tools", "Unsupported parameter: 'tools' is not supported with this model.", "OpenAI's reasoning models"},
  {no_tools, 400, "", "400", "", "Functions are not supported for this API version or this model version. To learn how to user use function calling with Azure OpenAI Service. Please refer to this wiki  https://learn.microsoft.com/en-us/azure/ai-services/openai/how-to/function-calling?tabs=python", "Azure"},
  {no_tools, 400, "INVALID_ARGUMENT", "400", "", "Tool use with function calling is unsupported", "Gemini"},
  {no_tools, 400, "INVALID_ARGUMENT", "400", "", "Function calling is not enabled for models/gemma-3-27b-it", "Gemini"},
  {no_tools, 400, "", "Client specified an invalid argument", "", "Invalid request content: The model does not support tool use or function calling but tools or tool_choice have been specified on the request.", "xAI"},
  {no_tools, 400, "invalid_request_error", "invalid_request_error", "", "deepseek-reasoner does not support Function Calling", "DeepSeek"},
  {no_tools, 400, "invalid_request_error", "invalid_request_error", "", "deepseek-reasoner does not support this tool_choice", "DeepSeek"},
  {no_tools, 405, "APIError", "405", "", "Tool calling is not supported for model: mistralai/Mistral-Small-24B-Instruct-2501", "DeepInfra"},
  {no_tools, 400, "invalid_request_error", "", "", "`tool calling` is not supported with this model", "Groq"},
  {no_tools, 400, "", "400", "", "model features function calling not support", "Novita"},
  {no_tools, 400, "", "", "", "This model doesn't support tool use.", "Bedrock"},
  {no_tools, 500, "server_error", "500", "", "tools param requires --jinja flag", "llama.cpp"},
  {no_tools, 422, "", "", "", "this model does not support tools", "422"},
  {no_tools, 200, "", "400", "", "model does not support tools", "an error object in an answer"},
  {no_json, 400, "invalid_request_error", "", "response_format", "Invalid parameter: 'response_format' of type 'json_object' is not supported with this model.", "OpenAI, Azure"},
  {no_json, 400, "invalid_request_error", "", "", "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model. Learn more about supported models at the Structured Outputs guide: https://platform.openai.com/docs/guides/structured-outputs", "OpenAI"},
  {no_json, 400, "invalid_request_error", "unsupported_parameter", "response_format", "Unsupported parameter: 'response_format' is not supported with this model.", "OpenAI"},
  {no_json, 400, "BadRequest", "InvalidParameter", "response_format.type", "The parameter `response_format.type` specified in the request are not valid: invalid value: `json_schema`, supported values are: `json_object` and `text`. Request id: 0", "Volcengine"},
  {no_json, 400, "", "Client specified an invalid argument", "", "The response_format parameter is unsupported at the moment. Leave it unset.", "xAI"},
  {no_json, 400, "invalid_request_error", "", "", "This response_format type is unavailable now", "DeepSeek"},
  {no_json, 400, "invalid_request_error", "", "", "This model does not support response format `json_schema`. See supported models at https://console.groq.com/docs/structured-outputs#supported-models", "Groq"},
  {no_json, 400, "invalid_request_error", "", "", "The model only supports response formats: [json text].", "Groq"},
  {no_json, 400, "invalid_request_error", "", "", "'response_format` json_object cannot be combined with tool/function calling", "Groq, beside tools"},
  {no_json, 400, "INVALID_ARGUMENT", "400", "", "Function calling with a response mime type: 'application/json' is unsupported", "Gemini, beside tools"},
  {no_json, 400, "INVALID_ARGUMENT", "400", "", "Json mode is not enabled for models/gemini-pro", "Gemini"},
  {{}, 400, "invalid_request_error", "invalid_value", "response_format.type", "Invalid value: 'object'. Supported values are: 'json_object', 'json_schema', and 'text'.", "a wrong format"},
  {{}, 400, "invalid_request_error", "", "response_format", "Invalid schema for response_format 'x': In context=(), 'required' is required to be supplied and to be an array including every key in properties.", "a wrong schema"},
  {{}, 400, "invalid_request_error", "", "messages", "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.", "a missing word"},
  {{}, 400, "invalid_request_error", "tool_use_failed", "", "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.", "Groq: the model's own mistake"},
  {{}, 400, "invalid_request_error", "invalid_function_parameters", "tools[0].function.parameters", "Invalid schema for function 'f'.", "a wrong tool"},
  {{}, 400, "invalid_request_error", "unsupported_parameter", "max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "another parameter"},
  {{}, 401, "", "", "", "this key does not support tools", "401"},
  {{}, 403, "", "", "", "this model does not support tools", "403"},
  {{}, 429, "", "", "", "this model does not support tools", "429"},
  {{}, 503, "", "", "", "this model does not support tools", "503"},
};
// clang-format on

} // namespace

BOOST_AUTO_TEST_SUITE(failure)

BOOST_AUTO_TEST_CASE(the_bodies_of_openai_are_understood) { check_all(openai); }
BOOST_AUTO_TEST_CASE(the_bodies_of_azure_are_understood) { check_all(azure); }
BOOST_AUTO_TEST_CASE(the_bodies_of_anthropic_are_understood) { check_all(anthropic); }
BOOST_AUTO_TEST_CASE(the_bodies_of_gemini_are_understood) { check_all(gemini); }
BOOST_AUTO_TEST_CASE(the_bodies_of_other_providers_are_understood) { check_all(others); }
BOOST_AUTO_TEST_CASE(a_status_without_a_body_is_understood) { check_all(bare); }

BOOST_AUTO_TEST_CASE(what_a_target_has_not_is_told_from_what_is_wrong) {
  for (const lack& l : lacks) BOOST_TEST_CONTEXT(l.origin << ": " << l.status << " " << l.message) {
      const provider_error said{l.status, l.type, l.code, l.param, l.message, {}};
      BOOST_TEST((feature_refused(said) == l.what));
      BOOST_TEST((classify(said) == unsupported_feature) == l.what.has_value());
    }
}

BOOST_AUTO_TEST_CASE(words_that_a_caller_put_into_a_message_never_hurt_a_key) {
  const std::vector<std::string> traps = {"Incorrect API key provided",
                                          "API key not valid",
                                          "insufficient_quota",
                                          "Your credit balance is too low",
                                          "You exceeded your current quota",
                                          "This organization has been disabled",
                                          "Key limit exceeded"};
  for (const auto& trap : traps)
    for (const int status : {200, 400, 404, 413, 422}) {
      const auto what = classify({status,
                                  "invalid_request_error",
                                  "invalid_value",
                                  "",
                                  "Invalid value: '" + trap + "'. Supported values are: 'system', 'user'.",
                                  {}});
      BOOST_TEST_CONTEXT(status << " " << trap) BOOST_TEST((rules_of(what).whose != blame::key));
    }
  // A model's name is the caller's word too, and OpenRouter begins with it.
  BOOST_TEST((classify({400, "", "400", "", "API key not valid is not a valid model ID", {}}) == model_missing));
}

BOOST_AUTO_TEST_CASE(a_server_in_trouble_is_not_believed_about_keys) {
  for (const char* code : {"invalid_api_key", "insufficient_quota", "rate_limit_exceeded"})
    BOOST_TEST((classify({500, "", code, "", "You exceeded your current quota", {}}) == server_error));
}

BOOST_AUTO_TEST_CASE(a_firewalls_page_with_403_disables_no_key) {
  BOOST_TEST((classify({403, "", "", "", "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>", {}}) ==
              server_error));
  BOOST_TEST((classify({403, "html_page", "", "", "no readable error", {}}) == server_error));
  BOOST_TEST((classify({403, "", "", "", "\r\n <html><body>Request blocked.</body></html>", {}}) == server_error));
  BOOST_TEST((classify({403, "", "", "", "error code: 1020", {}}) == server_error));
  BOOST_TEST((classify({403, "permission_error", "", "", "<html>", {}}) == auth));
}

BOOST_AUTO_TEST_CASE(letters_case_does_not_matter) {
  BOOST_TEST((classify({429, "INSUFFICIENT_QUOTA", "", "", "", {}}) == quota_spent));
  BOOST_TEST((classify({400, "", "", "", "PROMPT IS TOO LONG", {}}) == context_length));
}

BOOST_AUTO_TEST_CASE(only_the_beginning_of_a_huge_message_is_read) {
  const std::string padding(1 << 20, 'x');
  BOOST_TEST((classify({400, "", "", "", padding + "prompt is too long", {}}) == caller_fault));
  BOOST_TEST((classify({400, "", "", "", "prompt is too long" + padding, {}}) == context_length));
}

BOOST_AUTO_TEST_CASE(every_class_has_its_own_label) {
  std::set<std::string_view> labels;
  for (std::size_t i = 0; i < failure_class_count; ++i) labels.insert(to_string(static_cast<failure_class>(i)));
  BOOST_TEST(labels.size() == failure_class_count);
  BOOST_TEST(to_string(first_byte_timeout) == "first_byte_timeout");
  BOOST_TEST(to_string(deadline) == "deadline");
}

BOOST_AUTO_TEST_CASE(only_the_targets_and_the_networks_failures_count_for_a_circuit_and_for_one_only) {
  for (std::size_t i = 0; i < failure_class_count; ++i) {
    const auto what = static_cast<failure_class>(i);
    const failure_rules& rules = rules_of(what);
    const bool counts = rules.model_circuit || rules.endpoint_circuit;
    BOOST_TEST_CONTEXT(to_string(what)) {
      BOOST_TEST(!(rules.model_circuit && rules.endpoint_circuit));
      BOOST_TEST((!counts || rules.whose == blame::target || rules.whose == blame::network));
      BOOST_TEST((rules.whose != blame::network || counts));
      BOOST_TEST((!rules.other_key || rules.whose == blame::key)); // another key helps only if the key was the cause
      BOOST_TEST((!rules.same_target || rules.other_target));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_silent_target_is_not_asked_twice_but_another_is) {
  for (const auto what : {first_byte_timeout, idle_timeout, total_timeout}) {
    BOOST_TEST(!rules_of(what).same_target);
    BOOST_TEST(rules_of(what).other_target);
    BOOST_TEST(rules_of(what).model_circuit);
  }
}

BOOST_AUTO_TEST_CASE(a_bad_key_or_a_spent_quota_moves_to_another_key_or_target_and_never_repeats) {
  for (const auto what : {auth, quota_spent}) {
    BOOST_TEST(rules_of(what).other_key);
    BOOST_TEST(!rules_of(what).same_target);
    BOOST_TEST(rules_of(what).other_target);
  }
  BOOST_TEST(rules_of(rate_limited).other_key);
  BOOST_TEST(rules_of(rate_limited).same_target);
  BOOST_TEST(rules_of(rate_limited).other_target);
}

BOOST_AUTO_TEST_CASE(refused_content_and_a_wrong_body_and_a_gone_caller_go_nowhere) {
  for (const auto what : {caller_fault, content_filter, cancelled, deadline}) {
    BOOST_TEST(!rules_of(what).other_key);
    BOOST_TEST(!rules_of(what).same_target);
    BOOST_TEST(!rules_of(what).other_target);
  }
}

BOOST_AUTO_TEST_CASE(a_missing_model_or_feature_and_a_context_too_long_go_to_another_target_only) {
  for (const auto what : {model_missing, context_length, unsupported_feature}) {
    BOOST_TEST(!rules_of(what).other_key);
    BOOST_TEST(!rules_of(what).same_target);
    BOOST_TEST(rules_of(what).other_target);
    BOOST_TEST(!rules_of(what).model_circuit);
  }
}

BOOST_AUTO_TEST_CASE(a_connection_that_failed_counts_for_the_endpoint_and_an_answer_that_broke_for_the_model) {
  for (const auto what : {dns_failed, connect_failed, connect_timeout, reset}) {
    BOOST_TEST(rules_of(what).endpoint_circuit);
    BOOST_TEST(rules_of(what).same_target);
  }
  for (const auto what : {overloaded, server_error, truncated, malformed}) {
    BOOST_TEST(rules_of(what).model_circuit);
    BOOST_TEST(rules_of(what).same_target);
  }
}

BOOST_AUTO_TEST_CASE(a_label_names_its_class) {
  for (std::size_t i = 0; i < failure_class_count; ++i) {
    const auto what = static_cast<failure_class>(i);
    BOOST_TEST((failure_named(to_string(what)) == what));
  }
  BOOST_TEST(!failure_named("ok"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace failure_test
