// From whole answers to streams: a completion told as chunks, and chunks of one attempt made to fit the stream of
// another.
#include "net/chat_answer.hpp"

#include "net/dialects/provider_dialect.hpp"

#include "net/json_text.hpp"
#include "net/json_tree.hpp"

#include <algorithm>

namespace mainstay {
namespace {

using json::kind;
using json::value;

constexpr std::size_t piece_size = 200;
constexpr std::size_t head_limit =
    4096; // bytes repeated in every chunk: an id or model longer than that is no honest answer

bool is_repeated(std::string_view name) {
  return name == "id" || name == "created" || name == "model" || name == "system_fingerprint" || name == "service_tier";
}

// Length of the next piece of `text`: up to the last space within reach (which goes with the word before it), else as
// far as whole characters allow.
std::size_t next_piece(std::string_view text) {
  if (text.size() <= piece_size) return text.size();
  auto space = text.substr(0, piece_size).find_last_of(" \n");
  if (space != text.npos && space >= piece_size / 2) return space + 1;
  return json::cut_before(text, piece_size);
}

class chunks_writer {
public:
  std::vector<std::string> chunks;

  chunks_writer(const value& completion) : completion_(completion) {
    head_ = R"({"object":"chat.completion.chunk")";
    first_ = head_;
    for (auto& member : completion.items) {
      if (member.name == "choices" || member.name == "usage" || member.name == "object") continue;
      if (member.name == native_member) continue; // of the whole answer, which is told in pieces
      if (is_repeated(member.name)) append_member(head_, member);
      append_member(first_, member);
    }
  }

  bool tell(bool include_usage) {
    auto choices = completion_.find("choices");
    if (head_.size() > head_limit || !choices || !choices->is(kind::array) || choices->items.empty()) return false;
    for (std::size_t i = 0; i < choices->items.size(); ++i)
      if (!begin_choice(choices->items[i], i)) return false;
    for (std::size_t i = 0; i < choices->items.size(); ++i) tell_choice(choices->items[i], i);
    auto usage = completion_.find("usage");
    if (include_usage && usage && usage->is(kind::object)) {
      auto chunk = head_ + R"(,"choices":[])";
      append_member(chunk, *usage);
      chunks.push_back(chunk + "}");
    }
    return true;
  }

private:
  static void append_member(std::string& out, const value& member) {
    if (out.empty() || out.back() != '{') out += ',';
    json::append_string(out, member.name);
    out += ':';
    json::append(out, member);
  }

  void tell_delta(std::string_view delta) { close(std::string(delta), ",\"finish_reason\":null"); }

  void close(std::string delta, std::string_view rest) {
    auto chunk = chunks.empty() ? first_ : head_;
    chunk += R"(,"choices":[{"index":)" + std::to_string(index_) + R"(,"delta":)";
    (chunk += delta) += rest;
    chunks.push_back(chunk + "}]}");
  }

  // All choices begin before any ends, so that a stream cut between two of them never looks complete.
  bool begin_choice(const value& choice, std::size_t position) {
    auto message = choice.find("message");
    if (!message || !message->is(kind::object)) return false;
    at_choice(choice, position);
    tell_role(*message);
    return true;
  }

  void tell_choice(const value& choice, std::size_t position) {
    at_choice(choice, position);
    const auto& message = *choice.find("message");
    const bool thoughts = tell_thoughts(message);
    for (auto& member : message.items)
      if (!thoughts || (member.name != "reasoning_content" && member.name != "thinking_blocks")) tell_member(member);
    std::string rest;
    for (auto& member : choice.items)
      if (member.name != "index" && member.name != "message") append_member(rest, member);
    close("{}", rest);
  }

  void at_choice(const value& choice, std::size_t position) {
    auto index = choice.find("index");
    index_ = index ? index->whole().value_or(position) : position;
  }

  // The role, and what is there but empty.
  void tell_role(const value& message) {
    auto delta = std::string("{");
    auto role = message.find("role");
    append_member(delta, role && role->is(kind::string) ? *role : assistant());
    for (auto& member : message.items) {
      if (member.is(kind::null)) append_member(delta, member);
      if (member.name == "content" && member.is(kind::string)) delta += R"(,"content":"")";
    }
    tell_delta(delta + "}");
  }

  void tell_member(const value& member) {
    if (member.name == "role" || member.is(kind::null)) return;
    if (member.name == "content" && member.is(kind::string)) return tell_text(member.text);
    if (member.name == "tool_calls" && member.is(kind::array) && !member.items.empty()) return tell_calls(member);
    auto delta = std::string("{");
    append_member(delta, member);
    tell_delta(delta + "}");
  }

  /// As they come from a provider: the words of a signed block, then the block. False: there are none.
  bool tell_thoughts(const value& message) {
    const auto* blocks = message.find("thinking_blocks");
    if (!blocks || !blocks->is(kind::array) || blocks->items.empty()) return false;
    for (const auto& block : blocks->items) {
      const auto* words = block.find("thinking");
      std::string delta = R"({"reasoning_content":)";
      json::append_string(delta, words ? words->string_or_empty() : "");
      if (words) tell_delta(delta + "}");
      delta = R"({"thinking_blocks":[)";
      json::append(delta, block);
      tell_delta(delta + "]}");
    }
    return true;
  }

  void tell_text(std::string_view text) {
    while (!text.empty()) {
      auto length = next_piece(text);
      std::string delta = R"({"content":)";
      json::append_string(delta, text.substr(0, length));
      tell_delta(delta + "}");
      text.remove_prefix(length);
    }
  }

  void tell_calls(const value& calls) {
    for (std::size_t i = 0; i < calls.items.size(); ++i) {
      std::string delta = R"({"tool_calls":[{"index":)" + std::to_string(i);
      for (auto& member : calls.items[i].items)
        if (member.name != "index") append_member(delta, member);
      tell_delta(delta + "}]}");
    }
  }

  static value assistant() {
    auto role = value::make_string("assistant");
    role.name = "role";
    return role;
  }

  const value& completion_;
  std::string head_, first_; // an open chunk: what every one repeats, and all there is to say once
  std::uint64_t index_ = 0;
};

} // namespace

std::vector<std::string> chunks_of(std::string_view completion, bool include_usage) {
  auto tree = json::parse(completion);
  if (!tree || !tree->is(kind::object)) return {};
  chunks_writer stream(*tree);
  if (!stream.tell(include_usage)) return {};
  return std::move(stream.chunks);
}

std::string adopt_chunk(std::string_view chunk, std::string_view id, std::string_view model,
                        std::optional<std::string_view> text, const token_usage& before) {
  auto tree = json::parse(chunk);
  if (!tree || !tree->is(kind::object)) return std::string(chunk);
  if (!id.empty()) tree->set("id", value::make_string(std::string(id)));
  if (!model.empty()) tree->set("model", value::make_string(std::string(model)));
  auto choices = tree->find("choices");
  for (std::size_t i = 0; choices && i < choices->items.size(); ++i) {
    auto delta = choices->items[i].find("delta");
    if (!delta || !delta->is(kind::object)) continue;
    delta->erase("role");
    auto index = choices->items[i].find("index");
    bool first = (index ? index->whole().value_or(i) : i) == 0;
    if (text && first && (delta->find("content") || !text->empty()))
      delta->set("content", value::make_string(std::string(*text)));
  }
  if (auto usage = tree->find("usage"); usage && usage->is(kind::object)) {
    auto add = [&](std::string_view name, std::uint64_t tokens) {
      auto* own = usage->find(name);
      if (auto counted = own ? own->whole() : std::nullopt; counted && tokens)
        usage->set(name, value::make_number(*counted + tokens));
    };
    add("prompt_tokens", before.input);
    add("completion_tokens", before.output);
    add("total_tokens", before.input + before.output);
  }
  return json::to_text(*tree);
}

} // namespace mainstay
