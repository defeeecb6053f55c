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

bool has_extensions(std::string_view body) {
  return std::ranges::any_of(extensions, [&](std::string_view name) { return body.find(name) != body.npos; });
}

void erase_everywhere(value& list, std::string_view member) {
  for (auto& item : list.items)
    if (item.is(kind::object)) item.erase(member);
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
  if (auto* tools = request.find("tools")) erase_everywhere(*tools, "cache_control");
  auto* messages = request.find("messages");
  if (!messages) return;
  for (auto& message : messages->items) {
    for (auto name : extensions) message.erase(name);
    if (auto* content = message.find("content")) erase_everywhere(*content, "cache_control");
    if (auto* calls = message.find("tool_calls")) erase_everywhere(*calls, "cache_control");
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
