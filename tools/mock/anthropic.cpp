// The Anthropic dialect's answers: a message, its stream of events, the list of models.
#include "tools/mock/anthropic.hpp"

#include "tools/mock/json_text.hpp"

#include <algorithm>

namespace mainstay::mock {
namespace {

std::string_view reason(const choice& c) {
  if (c.why == finish::length) return R"("max_tokens","stop_sequence":null)";
  if (c.why == finish::tool_calls) return R"("tool_use","stop_sequence":null)";
  return R"("end_turn","stop_sequence":null)";
}

void append_stop(std::string& out, const choice& c) {
  out += R"("stop_reason":)";
  if (c.stopped_by.empty()) {
    out += reason(c);
    return;
  }
  out += R"("stop_sequence",)";
  append_json_field(out, "stop_sequence", c.stopped_by);
}

// Tokens that came from the cache, or were put there, are not among input_tokens.
void append_usage(std::string& out, const answer& a, std::uint64_t tokens) {
  auto cached = std::min(a.cached_tokens, a.prompt_tokens);
  auto written = std::min(a.cache_write_tokens, a.prompt_tokens - cached);
  out += R"({"input_tokens":)" + std::to_string(a.prompt_tokens - cached - written);
  out += R"(,"cache_creation_input_tokens":)" + std::to_string(written);
  out += R"(,"cache_read_input_tokens":)" + std::to_string(cached);
  out += R"(,"cache_creation":{"ephemeral_5m_input_tokens":)" + std::to_string(written);
  out += R"(,"ephemeral_1h_input_tokens":0},"output_tokens":)";
  out += std::to_string(tokens) + R"(,"output_tokens_details":{"thinking_tokens":)";
  out += std::to_string(std::min(a.reasoning_tokens, tokens)) + R"(},"service_tier":"standard"})";
}

// `{"id":…,"type":"message","role":"assistant","model":…`
std::string head(const chat_call& call, answer_label label) {
  std::string out = "{";
  append_json_field(out, "id", "msg_" + std::string(label.provider) + "_" + std::to_string(label.number));
  out += R"(,"type":"message","role":"assistant",)";
  append_json_field(out, "model", call.model);
  return out;
}

std::string signature_of(const answer& a) { return "c2lnbmVk" + std::to_string(a.thought.text.size()); }

void append_tool_use(std::string& out, const tool_call& call, std::string_view input) {
  out += R"({"type":"tool_use",)";
  append_json_field(out, "id", call.id);
  out += ',';
  append_json_field(out, "name", call.name);
  ((out += R"(,"input":)") += input) += '}';
}

void append_content(std::string& out, const answer& a) {
  auto& c = a.choices.front();
  out += '[';
  if (!a.thought.text.empty()) {
    out += R"({"type":"thinking",)";
    append_json_field(out, "thinking", a.thought.text);
    out += ',';
    append_json_field(out, "signature", signature_of(a));
    out += '}';
  }
  auto next = [&] {
    if (out.back() != '[') out += ',';
  };
  if (!c.text.empty()) {
    next();
    out += R"({"type":"text",)";
    append_json_field(out, "text", c.text);
    out += '}';
  }
  for (auto& call : c.calls) {
    next();
    append_tool_use(out, call, call.arguments.text);
  }
  out += ']';
}

// Writes the events of one stream.
class event_writer {
public:
  explicit event_writer(std::uint64_t tokens) { out_.bytes.reserve(tokens * 130 + 1000); }

  void event(std::string_view type, std::string_view members, event_stream::kind what) {
    ((out_.bytes += "event: ") += type) += "\ndata: {\"type\":\"";
    ((out_.bytes += type) += '"') += members;
    out_.bytes += "}\n\n";
    out_.mark(what);
  }

  void begin_block(std::string_view block) {
    event("content_block_start", R"(,"index":)" + std::to_string(block_) + R"(,"content_block":)" + std::string(block),
          event_stream::kind::opening);
  }
  void ping() { event("ping", "", event_stream::kind::opening); }
  void end_block() {
    event("content_block_stop", R"(,"index":)" + std::to_string(block_++), event_stream::kind::closing);
  }
  // `what`: a piece's kind, and the name of its text.
  void delta(std::string_view type, std::string_view name, std::string_view text,
             event_stream::kind what = event_stream::kind::token) {
    members_ = R"(,"index":)" + std::to_string(block_) + R"(,"delta":{"type":")";
    (members_ += type) += "\",";
    append_json_field(members_, name, text);
    members_ += '}';
    event("content_block_delta", members_, what);
  }
  void all(const pieces& p, std::string_view type, std::string_view name) {
    for (std::size_t i = 0; i < p.ends.size(); ++i) delta(type, name, p[i]);
  }

  event_stream take() { return std::move(out_); }

private:
  event_stream out_;
  std::string members_;
  std::size_t block_ = 0;
};

} // namespace

std::optional<route> anthropic::route_of(const target& at) const {
  if (at.method == "POST" && at.path.ends_with("/messages")) return route::chat;
  if (at.method == "POST" && at.path.ends_with("/messages/count_tokens")) return route::token_count;
  if (!at.names_version) return {};
  if (at.method != "GET") return route::unknown;
  if (at.path.ends_with("/models")) return route::models;
  return at.path.find("/models/") != std::string_view::npos ? route::model : route::unknown;
}

std::string anthropic::token_count(const chat_call& call) const {
  return R"({"input_tokens":)" + std::to_string(call.prompt_tokens) + '}';
}

std::string anthropic::plain(const chat_call& call, const answer& a, answer_label label) const {
  auto out = head(call, label) + R"(,"content":)";
  append_content(out, a);
  out += ',';
  append_stop(out, a.choices.front());
  out += R"(,"usage":)";
  append_usage(out, a, a.tokens);
  return out + '}';
}

event_stream anthropic::stream(const chat_call& call, const answer& a, answer_label label) const {
  event_writer events(a.tokens);
  auto& c = a.choices.front();
  auto start =
      R"(,"message":)" + head(call, label) + R"(,"content":[],"stop_reason":null,"stop_sequence":null,"usage":)";
  append_usage(start, a, 1);
  events.event("message_start", start + '}', event_stream::kind::opening);
  if (!a.thought.text.empty()) {
    events.begin_block(R"({"type":"thinking","thinking":"","signature":""})");
    events.all(a.thought, "thinking_delta", "thinking");
    events.delta("signature_delta", "signature", signature_of(a), event_stream::kind::opening);
    events.end_block();
  }
  if (c.calls.empty()) {
    events.begin_block(R"({"type":"text","text":""})");
    events.ping();
    events.all(c, "text_delta", "text");
    events.end_block();
  }
  for (auto& one : c.calls) {
    std::string block;
    append_tool_use(block, one, "{}");
    events.begin_block(block);
    events.delta("input_json_delta", "partial_json", "", event_stream::kind::opening);
    events.all(one.arguments, "input_json_delta", "partial_json");
    events.end_block();
  }
  std::string ending = R"(,"delta":{)";
  append_stop(ending, c);
  ending += R"(},"usage":)";
  append_usage(ending, a, a.tokens);
  events.event("message_delta", ending, event_stream::kind::closing);
  events.event("message_stop", "", event_stream::kind::done);
  return events.take();
}

std::string anthropic::model(std::string_view name) const {
  std::string out = R"({"type":"model",)";
  append_json_field(out, "id", name);
  out += ',';
  append_json_field(out, "display_name", name);
  return out + R"(,"created_at":"2023-11-14T22:13:20Z"})";
}

std::string anthropic::models(const std::vector<std::string>& names) const {
  std::string out = R"({"data":[)";
  for (auto& name : names) out += (&name == &names.front() ? "" : ",") + model(name);
  out += R"(],"has_more":false,"first_id":)" + (names.empty() ? "null" : json_quoted(names.front()));
  return out + R"(,"last_id":)" + (names.empty() ? "null" : json_quoted(names.back())) + '}';
}

const dialect& anthropic_dialect() {
  static const anthropic instance;
  return instance;
}

} // namespace mainstay::mock
