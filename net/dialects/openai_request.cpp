// A request for a provider of the dialect that is spoken inside: the caller's own bytes, as a rule.
#include "net/dialects/provider_dialect.hpp"
#include "net/json_tree.hpp"

#include <algorithm>
#include <array>

namespace mainstay {
namespace {

using json::kind;
using json::value;

// Of the chat form, but not of OpenAI's API, which refuses what it does not know.
constexpr std::array<std::string_view, 5> extensions = {"thinking", "cache_control", "thinking_blocks",
                                                        "reasoning_content", "is_error"};
constexpr std::array<std::string_view, 3> of_parts = {"cache_control", "citations", "eager_input_streaming"};
constexpr std::size_t longest_user = 64; // bytes: OpenAI refuses longer ones, Anthropic's callers have them

bool has_extensions(std::string_view body) {
  const auto stands_there = [&](std::string_view name) { return body.find(name) != body.npos; };
  return std::ranges::any_of(extensions, stands_there) || std::ranges::any_of(of_parts, stands_there) ||
         stands_there("\"user\"");
}

void erase_from_each(value& list) {
  for (auto& item : list.items)
    if (item.is(kind::object))
      for (auto name : of_parts) item.erase(name);
}

/// How long to think, as Anthropic counts it, in OpenAI's words (the bounds are LiteLLM's, rounded to powers of two).
std::string_view effort_of(const value& thinking) {
  const auto* type = thinking.find("type");
  if (!type || type->string_or_empty() == "disabled") return {};
  const auto* budget = thinking.find("budget_tokens");
  const auto tokens = budget ? budget->whole() : std::nullopt;
  if (!tokens) return "medium";
  return *tokens <= 2048 ? "low" : *tokens <= 8192 ? "medium" : "high";
}

void take_out(value& request) {
  if (const auto* thinking = request.find("thinking")) {
    const std::string effort(effort_of(*thinking));
    request.erase("thinking");
    if (!effort.empty() && !request.find("reasoning_effort"))
      request.set("reasoning_effort", value::make_string(effort));
  }
  request.erase("cache_control");
  if (const auto* user = request.find("user"); user && user->text.size() > longest_user) request.erase("user");
  if (auto* tools = request.find("tools")) erase_from_each(*tools);
  auto* messages = request.find("messages");
  if (!messages) return;
  for (auto& message : messages->items) {
    for (auto name : extensions) message.erase(name);
    if (auto* content = message.find("content")) erase_from_each(*content);
    if (auto* calls = message.find("tool_calls")) erase_from_each(*calls);
  }
}

} // namespace

provider_request openai_request(const chat_request& request, const provider_terms& terms, bool foreign) {
  auto body = upstream_body(request, terms.model, terms.begun);
  if (foreign && has_extensions(*body))
    if (auto tree = json::parse(*body); tree && tree->is(kind::object)) {
      take_out(*tree);
      body = make_bytes(json::to_text(*tree));
    }
  return {"/chat/completions", {}, std::move(body), {}};
}

} // namespace mainstay
