// The Gemini dialect's answers: a GenerateContentResponse, its stream of small ones, the list of models.
#include "tools/mock/gemini.hpp"

#include "tools/mock/embeddings.hpp"
#include "tools/mock/json_text.hpp"

#include <algorithm>

namespace mainstay::mock {
namespace {

constexpr std::string_view signature = "bW9jay1zaWduYXR1cmU="; // "mock-signature"

std::string_view reason(finish why) { return why == finish::length ? "MAX_TOKENS" : "STOP"; }

std::string text_part(std::string_view text, bool thought = false) {
  std::string out = "{";
  append_json_field(out, "text", text);
  return out + (thought ? ",\"thought\":true}" : "}");
}

// Of several calls only the first has a signature.
std::string call_part(const tool_call& call, bool first, bool with_id) {
  std::string out = "{\"functionCall\":{";
  if (with_id) append_json_field(out, "id", call.id), out += ',';
  append_json_field(out, "name", call.name);
  out += ",\"args\":" + call.arguments.text + '}';
  if (first) out += ',', append_json_field(out, "thoughtSignature", signature);
  return out + '}';
}

std::string candidate(std::size_t index, const std::string& parts, std::string_view finish_reason) {
  auto out = "{\"content\":{\"parts\":[" + parts + "],\"role\":\"model\"}";
  if (!finish_reason.empty()) out += ',', append_json_field(out, "finishReason", finish_reason);
  return out + ",\"index\":" + std::to_string(index) + '}';
}

// What is thought is counted apart; what a script says of it is a part of the answer, as in other dialects.
std::string usage(const answer& a) {
  auto member = [](const char* name, std::uint64_t n) {
    return n ? ",\"" + std::string(name) + "\":" + std::to_string(n) : std::string();
  };
  auto thoughts = std::min(a.reasoning_tokens, a.tokens);
  auto prompt = std::to_string(a.prompt_tokens);
  return "\"usageMetadata\":{\"promptTokenCount\":" + prompt + member("candidatesTokenCount", a.tokens - thoughts) +
         ",\"totalTokenCount\":" + std::to_string(a.prompt_tokens + a.tokens) +
         member("cachedContentTokenCount", std::min(a.cached_tokens, a.prompt_tokens)) +
         member("thoughtsTokenCount", thoughts) +
         ",\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":" + prompt + "}]}";
}

std::string names(const chat_call& call, answer_label label) {
  std::string out;
  append_json_field(out, "modelVersion", call.model);
  out += ',';
  append_json_field(out, "responseId", std::string(label.provider) + "-" + std::to_string(label.number));
  return out;
}

} // namespace

std::string gemini::plain(const chat_call& call, const answer& a, answer_label label) const {
  std::string out = "{\"candidates\":[";
  for (std::size_t i = 0; i < a.choices.size(); ++i) {
    auto& c = a.choices[i];
    std::string parts = a.thought.text.empty() ? "" : text_part(a.thought.text, true);
    auto add = [&](const std::string& part) { parts += (parts.empty() ? "" : ",") + part; };
    if (c.calls.empty()) add(text_part(c.text));
    for (auto& made : c.calls) add(call_part(made, &made == &c.calls.front(), is_gemini_3(call.model)));
    out += (i ? "," : "") + candidate(i, parts, reason(c.why));
  }
  return out + "]," + usage(a) + ',' + names(call, label) + '}';
}

// Every event brings the usage, the last one its final form. No event ends a stream: its last mark is empty.
event_stream gemini::stream(const chat_call& call, const answer& a, answer_label label) const {
  event_stream out;
  const auto tail = ',' + names(call, label) + "}\r\n\r\n";
  const auto prompt =
      "],\"usageMetadata\":{\"promptTokenCount\":" + std::to_string(a.prompt_tokens) +
      ",\"totalTokenCount\":" + std::to_string(a.prompt_tokens) +
      ",\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":" + std::to_string(a.prompt_tokens) + "}]}";
  auto event = [&](std::size_t index, const std::string& part, std::string_view why, event_stream::kind what) {
    out.bytes += "data: {\"candidates\":[" + candidate(index, part, why);
    out.bytes += why.empty() ? prompt : "]," + usage(a);
    out.bytes += tail;
    out.mark(what);
  };
  std::size_t longest = 0;
  for (auto& c : a.choices) longest = std::max(longest, c.ends.size());
  for (std::size_t piece = 0; piece < a.thought.ends.size(); ++piece)
    event(0, text_part(a.thought[piece], true), "", event_stream::kind::token);
  for (std::size_t piece = 0; piece < longest; ++piece)
    for (std::size_t i = 0; i < a.choices.size(); ++i)
      if (piece < a.choices[i].ends.size()) event(i, text_part(a.choices[i][piece]), "", event_stream::kind::token);
  for (std::size_t i = 0; i < a.choices.size(); ++i) {
    auto& calls = a.choices[i].calls;
    for (auto& made : calls)
      event(i, call_part(made, &made == &calls.front(), is_gemini_3(call.model)), "", event_stream::kind::token);
  }
  for (std::size_t i = 0; i < a.choices.size(); ++i)
    event(i, text_part(""), reason(a.choices[i].why), event_stream::kind::closing);
  out.mark(event_stream::kind::done);
  return out;
}

std::string gemini::token_count(const chat_call& call) const {
  return "{\"totalTokens\":" + std::to_string(call.prompt_tokens) + '}';
}

std::string gemini::embeddings(const chat_call&, const texts_to_embed& what) const {
  std::string out = "{\"embeddings\":[";
  for (auto& text : what.texts) {
    out += &text == &what.texts.front() ? "{\"values\":" : ",{\"values\":";
    append_vector(out, text, false, what.most);
    out += '}';
  }
  return out + "]}";
}

std::string gemini::error_event(std::string_view body) const { return "data: " + std::string(body) + "\r\n\r\n"; }

std::string gemini::model(std::string_view name) const {
  return "{\"name\":" + json_quoted("models/" + std::string(name)) +
         ",\"version\":\"001\",\"displayName\":" + json_quoted(name) +
         ",\"inputTokenLimit\":1048576,\"outputTokenLimit\":65536,"
         "\"supportedGenerationMethods\":[\"generateContent\",\"countTokens\"]}";
}

std::string gemini::models(const std::vector<std::string>& names) const {
  std::string out = "{\"models\":[";
  for (auto& name : names) out += (&name == &names.front() ? "" : ",") + model(name);
  return out + "]}";
}

// Its methods are behind a colon; its list of models has OpenAI's path, but for the version that stands there.
std::optional<route> gemini::route_of(const target& at) const {
  if (at.path.find("/openai/") != std::string_view::npos) return {}; // Google's OpenAI dialect
  auto method = at.path.substr(std::min(at.path.rfind(':'), at.path.size()));
  if (at.method == "POST" && at.path.find("/models/") != std::string_view::npos) {
    if (method == ":generateContent" || method == ":streamGenerateContent") return route::chat;
    if (method == ":countTokens") return route::token_count;
    if (method == ":batchEmbedContents") return route::embeddings;
  }
  if (at.path.find("/v1beta/") == std::string_view::npos) return {};
  if (at.method != "GET") return route::unknown;
  if (at.path.ends_with("/models")) return route::models;
  return at.path.find("/models/") != std::string_view::npos ? route::model : route::unknown;
}

bool is_gemini_3(std::string_view model) {
  constexpr std::string_view vendor = "gemini-";
  return model.starts_with(vendor) && model.size() > vendor.size() && model[vendor.size()] >= '3' &&
         model[vendor.size()] <= '9';
}

const dialect& gemini_dialect() {
  static const gemini instance;
  return instance;
}

} // namespace mainstay::mock
