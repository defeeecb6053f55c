// Whole answers of Anthropic's as chat completions, and what streams share with them.
#include "net/dialects/anthropic_answer.hpp"

#include "net/json_tree.hpp"

#include <algorithm>

namespace mainstay {
namespace {

using json::kind;
using json::value;

std::uint64_t count_of(const value& v, std::string_view member) {
  const auto found = v.find(member);
  return found ? found->whole().value_or(0) : 0;
}

anthropic_usage usage_of(const value& message) {
  anthropic_usage usage;
  const auto said = message.find("usage");
  if (!said || !said->is(kind::object)) return usage;
  usage.known = true;
  usage.input = count_of(*said, "input_tokens");
  usage.cache_read = count_of(*said, "cache_read_input_tokens");
  usage.cache_creation = count_of(*said, "cache_creation_input_tokens");
  usage.output = count_of(*said, "output_tokens");
  if (const auto details = said->find("output_tokens_details")) usage.thinking = count_of(*details, "thinking_tokens");
  return usage;
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  ((out += ",\"") += name) += "\":";
  json::append_string(out, text);
}

struct message_parts {
  std::string text, thoughts;
  std::string calls, blocks; // elements of JSON lists

  void add(const value& block) {
    const auto type = text_of(block, "type");
    if (type == "text") {
      text += text_of(block, "text");
    } else if (type == "thinking" || type == "redacted_thinking") {
      thoughts += text_of(block, "thinking");
      if (text_of(block, "signature").empty() && text_of(block, "data").empty()) return;
      json::append(next(blocks), block);
    } else if (type == "tool_use") {
      const auto input = block.find("input");
      next(calls) += R"({"id":)";
      json::append_string(calls, text_of(block, "id"));
      calls += R"(,"type":"function","function":{"name":)";
      json::append_string(calls, text_of(block, "name"));
      append_member(calls, "arguments", input ? json::to_text(*input) : "{}");
      calls += "}}";
    }
  }
  static std::string& next(std::string& list) { return list.empty() ? list : list += ','; }
};

void append_message(std::string& out, const message_parts& said) {
  out += R"({"role":"assistant","content":)";
  if (said.text.empty() && !said.calls.empty())
    out += "null";
  else
    json::append_string(out, said.text);
  out += R"(,"refusal":null)";
  if (!said.thoughts.empty()) append_member(out, "reasoning_content", said.thoughts);
  if (!said.blocks.empty()) ((out += R"(,"thinking_blocks":[)") += said.blocks) += ']';
  if (!said.calls.empty()) ((out += R"(,"tool_calls":[)") += said.calls) += ']';
  out += '}';
}

} // namespace

std::string_view anthropic_finish(std::string_view stop_reason) noexcept {
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded") return "length";
  if (stop_reason == "tool_use") return "tool_calls";
  if (stop_reason == "refusal") return "content_filter";
  return "stop"; // end_turn, stop_sequence; pause_turn ends a turn of the provider's own tools
}

void append_usage(std::string& out, const anthropic_usage& usage) {
  if (!usage.known) {
    out += "null";
    return;
  }
  const auto add = [&](std::string_view name, std::uint64_t n) { (out += name) += std::to_string(n); };
  const auto prompt = usage.input + usage.cache_read + usage.cache_creation;
  add(R"({"prompt_tokens":)", prompt);
  add(R"(,"completion_tokens":)", usage.output);
  add(R"(,"total_tokens":)", prompt + usage.output);
  if (usage.cache_read || usage.cache_creation) {
    add(R"(,"prompt_tokens_details":{"cached_tokens":)", usage.cache_read);
    add(R"(,"cache_creation_tokens":)", usage.cache_creation);
    out += '}';
  }
  if (usage.thinking) {
    add(R"(,"completion_tokens_details":{"reasoning_tokens":)", usage.thinking);
    out += '}';
  }
  out += '}';
}

std::string anthropic_head(const answer_label& label, std::string_view id_json, std::string_view model_json,
                           std::string_view object) {
  std::string out = R"({"id":)";
  const auto add = [&](std::string_view json, std::string_view otherwise) {
    if (json.size() > 2)
      out += json;
    else
      json::append_string(out, otherwise);
  };
  add(id_json, label.id);
  ((out += R"(,"object":")") += object) += R"(","created":)" + std::to_string(label.created) + R"(,"model":)";
  add(model_json, label.model);
  return out += R"(,"choices":[)";
}

bytes_ptr anthropic_completion(std::string_view body, const answer_label& label, bool native) {
  const auto root = json::parse(body);
  if (!root || !root->is(kind::object)) return nullptr;
  if (root->find("error")) return make_bytes(std::string(body));
  const auto content = root->find("content");
  if (!content || !content->is(kind::array)) return nullptr;
  message_parts said;
  for (auto& block : content->items) said.add(block);
  const auto quoted = [&](std::string_view member) {
    std::string out;
    json::append_string(out, text_of(*root, member));
    return out;
  };
  auto out = anthropic_head(label, quoted("id"), quoted("model"), "chat.completion");
  out += R"({"index":0,"message":)";
  append_message(out, said);
  out += R"(,"logprobs":null)";
  append_member(out, "finish_reason", anthropic_finish(text_of(*root, "stop_reason")));
  if (const auto stop = text_of(*root, "stop_sequence"); !stop.empty()) append_member(out, "stop_reason", stop);
  out += R"(}],"usage":)";
  append_usage(out, usage_of(*root));
  if (native) (((out += ",\"") += native_member) += R"(":{"data":)").append(body) += '}';
  return make_bytes(std::move(out += '}'));
}

} // namespace mainstay
