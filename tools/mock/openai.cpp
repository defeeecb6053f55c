// The OpenAI dialect's answers: chat.completion, its stream of chunks, the list of models.
#include "tools/mock/openai.hpp"

#include "tools/mock/json_text.hpp"

#include <algorithm>
#include <ctime>

namespace mainstay::mock {
namespace {

std::string_view reason(finish why) {
  switch (why) {
  case finish::stop: return "\"stop\"";
  case finish::length: return "\"length\"";
  case finish::tool_calls: return "\"tool_calls\"";
  }
  return "null";
}

void append_usage(std::string& out, const answer& a) {
  out += "{\"prompt_tokens\":" + std::to_string(a.prompt_tokens);
  out += ",\"completion_tokens\":" + std::to_string(a.tokens);
  out += ",\"total_tokens\":" + std::to_string(a.prompt_tokens + a.tokens);
  out += ",\"prompt_tokens_details\":{\"cached_tokens\":" + std::to_string(std::min(a.cached_tokens, a.prompt_tokens));
  out += ",\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":";
  out += std::to_string(std::min(a.reasoning_tokens, a.tokens)) +
         ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
         "\"rejected_prediction_tokens\":0}}";
}

// `{"id":…,"object":…,"created":…,"model":…,"service_tier":…,"system_fingerprint":…` : what every chunk repeats.
std::string head(std::string_view object, const chat_call& call, answer_label label) {
  std::string out = "{\"id\":";
  append_json_string(out, "chatcmpl-" + std::string(label.provider) + "-" + std::to_string(label.number));
  out += ",\"object\":\"";
  out += object;
  out += "\",\"created\":" + std::to_string(std::time(nullptr)) + ",\"model\":";
  append_json_string(out, call.model);
  out += ",\"service_tier\":\"default\",\"system_fingerprint\":";
  append_json_string(out, "fp_" + std::string(label.provider));
  return out;
}

// The beginning of a call, or its whole: an object, open for `index` in front where there is one.
void append_call(std::string& out, const tool_call& call, std::string_view arguments, std::string_view index = "") {
  ((out += '{') += index);
  append_json_field(out, "id", call.id);
  out += ",\"type\":\"function\",\"function\":{";
  append_json_field(out, "name", call.name);
  out += ',';
  append_json_field(out, "arguments", arguments);
  out += "}}";
}

void append_message(std::string& out, const choice& c) {
  out += "{\"role\":\"assistant\",\"content\":";
  if (c.calls.empty())
    append_json_string(out, c.text);
  else
    out += "null";
  out += ",\"refusal\":null,\"annotations\":[]";
  for (auto& call : c.calls) {
    out += &call == &c.calls.front() ? ",\"tool_calls\":[" : ",";
    append_call(out, call, call.arguments.text);
  }
  out += c.calls.empty() ? "}" : "]}";
}

// Writes the chunks of one stream: `head`, one choice each, `tail`.
class chunk_writer {
public:
  chunk_writer(const chat_call& call, const answer& a, answer_label label)
    : answer_(a), head_("data: " + head("chat.completion.chunk", call, label) + ",\"choices\":["),
      tail_(call.include_usage ? "],\"usage\":null}\n\n" : "]}\n\n") {
    out_.events.reserve(a.tokens + 2 * a.choices.size() + 2);
    out_.bytes.reserve((a.tokens + 2 * a.choices.size() + 2) * (head_.size() + tail_.size() + 80));
  }

  void opening(std::size_t index) {
    std::string delta = "{\"role\":\"assistant\",\"content\":";
    auto& calls = answer_.choices[index].calls;
    if (calls.empty()) {
      delta += "\"\"";
    } else {
      delta += "null,\"tool_calls\":[";
      append_call(delta, calls.front(), "", call_index(0));
      delta += ']';
    }
    write(index, delta + ",\"refusal\":null}", "null", event_stream::kind::opening);
  }

  void token(std::size_t index, std::string_view piece) {
    delta_ = "{\"content\":";
    append_json_string(delta_, piece);
    delta_ += '}';
    write(index, delta_, "null", event_stream::kind::token);
  }

  // The first begins with its choice.
  void calls(std::size_t index) {
    auto& all = answer_.choices[index].calls;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i > 0) {
        delta_ = "{\"tool_calls\":[";
        append_call(delta_, all[i], "", call_index(i));
        write(index, delta_ + "]}", "null", event_stream::kind::opening);
      }
      for (std::size_t piece = 0; piece < all[i].arguments.ends.size(); ++piece) {
        delta_ = "{\"tool_calls\":[{" + call_index(i) + "\"function\":{\"arguments\":";
        append_json_string(delta_, all[i].arguments[piece]);
        write(index, delta_ + "}}]}", "null", event_stream::kind::token);
      }
    }
  }

  void finished(std::size_t index) {
    write(index, "{}", reason(answer_.choices[index].why), event_stream::kind::closing);
  }

  void usage() {
    out_.bytes += head_;
    out_.bytes += "],\"usage\":";
    append_usage(out_.bytes, answer_);
    out_.bytes += "}\n\n";
    out_.mark(event_stream::kind::closing);
  }

  event_stream done() {
    out_.bytes += "data: [DONE]\n\n";
    out_.mark(event_stream::kind::done);
    return std::move(out_);
  }

private:
  static std::string call_index(std::size_t i) { return "\"index\":" + std::to_string(i) + ","; }

  void write(std::size_t index, std::string_view delta, std::string_view why, event_stream::kind what) {
    auto& bytes = out_.bytes;
    bytes += head_;
    bytes += "{\"index\":";
    bytes += std::to_string(index);
    bytes += ",\"delta\":";
    bytes += delta;
    bytes += ",\"logprobs\":null,\"finish_reason\":";
    bytes += why;
    bytes += '}';
    bytes += tail_;
    out_.mark(what);
  }

  const answer& answer_;
  std::string head_, tail_, delta_;
  event_stream out_;
};

} // namespace

std::string openai::plain(const chat_call& call, const answer& a, answer_label label) const {
  auto out = head("chat.completion", call, label);
  out += ",\"choices\":[";
  for (std::size_t i = 0; i < a.choices.size(); ++i) {
    out += i ? ",{\"index\":" : "{\"index\":";
    out += std::to_string(i) + ",\"message\":";
    append_message(out, a.choices[i]);
    out += ",\"logprobs\":null,\"finish_reason\":";
    out += reason(a.choices[i].why);
    out += '}';
  }
  out += "],\"usage\":";
  append_usage(out, a);
  out += '}';
  return out;
}

// Several choices are interleaved word by word, as parallel sampling does.
event_stream openai::stream(const chat_call& call, const answer& a, answer_label label) const {
  chunk_writer chunks(call, a, label);
  std::size_t longest = 0;
  for (std::size_t i = 0; i < a.choices.size(); ++i) {
    chunks.opening(i);
    longest = std::max(longest, a.choices[i].ends.size());
  }
  for (std::size_t piece = 0; piece < longest; ++piece)
    for (std::size_t i = 0; i < a.choices.size(); ++i) {
      auto& c = a.choices[i];
      if (piece >= c.ends.size()) continue;
      chunks.token(i, c[piece]);
    }
  for (std::size_t i = 0; i < a.choices.size(); ++i) chunks.calls(i);
  for (std::size_t i = 0; i < a.choices.size(); ++i) chunks.finished(i);
  if (call.include_usage) chunks.usage();
  return chunks.done();
}

std::optional<route> openai::route_of(const target& at) const {
  if (at.method == "POST" && at.path.ends_with("/chat/completions")) return route::chat;
  if (at.method == "POST" && at.path.ends_with("/embeddings")) return route::embeddings;
  if (at.method != "GET") return route::unknown;
  if (at.path.ends_with("/models")) return route::models;
  return at.path.find("/models/") != std::string_view::npos ? route::model : route::unknown;
}

std::string openai::error_event(std::string_view body) const { return "data: " + std::string(body) + "\n\n"; }

std::string openai::model(std::string_view name) const {
  return "{\"id\":" + json_quoted(name) + ",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\"}";
}

std::string openai::models(const std::vector<std::string>& names) const {
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (auto& name : names) out += (&name == &names.front() ? "" : ",") + model(name);
  return out + "]}";
}

const dialect& openai_dialect() {
  static const openai instance;
  return instance;
}

} // namespace mainstay::mock
