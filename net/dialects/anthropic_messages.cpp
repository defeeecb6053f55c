#include "net/dialects/anthropic_messages.hpp"

#include "net/dialects/anthropic_media.hpp"
#include "net/dialects/lost_members.hpp"
#include "net/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace mainstay {
namespace {

using json::kind;
using json::value;

constexpr std::string_view blanks = " \t\r\n\v\f";

bool blank(std::string_view text) { return text.find_first_not_of(blanks) == text.npos; }

void append_cache_control(std::string& out, const value& of) {
  const auto hint = of.find("cache_control");
  if (!hint || !hint->is(kind::object)) return;
  out += R"(,"cache_control":)";
  json::append(out, *hint);
}

/// Anthropic takes letters, digits, '_' and '-'; others' ids have more.
void append_id(std::string& out, std::string_view id) {
  out += '"';
  for (char c : id) {
    const bool fine =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
    out += fine ? c : '_';
  }
  out += '"';
}

class conversation_writer {
public:
  anthropic_conversation made;
  std::optional<request_problem> problem;

  bool add(const value& message, std::size_t number, bool last) {
    number_ = number;
    const auto role = text_of(message, "role");
    last_ = last && role == "assistant";
    if (role == "system" || role == "developer") return add_system(message);
    if (role != "tool") close_results();
    if (role == "user") return add_user(message);
    if (role == "assistant") return add_assistant(message);
    if (role == "tool") return add_result(message);
    return fail(".role", "Invalid value: this provider knows system, developer, user, assistant and tool.",
                "unsupported_parameter");
  }

  void add_prefill(std::string_view text) {
    close_results();
    text = text.substr(0, text.find_last_not_of(blanks) + 1);
    if (text.empty()) return;
    begin_message("assistant");
    json::append_string(made.messages, text);
    made.messages += '}';
  }

  void finish() {
    close_results();
    made.unsigned_call = results_last_ && !signed_;
    if (!made.system.empty()) made.system += ']';
    if (!made.messages.empty()) {
      made.messages += ']';
    } else if (!made.system.empty()) { // Anthropic answers nobody but a user
      made.messages = R"([{"role":"user","content":)" + made.system + "}]";
      made.system.clear();
    }
  }

private:
  bool fail(std::string_view place, std::string message, std::string_view code = "invalid_value") {
    problem = request_problem{std::move(message), "messages[" + std::to_string(number_) + "]" + std::string(place),
                              std::string(code)};
    return false;
  }
  bool unknown_part(std::size_t i, std::string_view type) {
    return fail(".content[" + std::to_string(i) + "].type",
                "This provider has no counterpart to a content part of type '" + std::string(type) + "' here.",
                "unsupported_parameter");
  }

  void begin_message(std::string_view role) {
    made.messages += made.messages.empty() ? R"([{"role":")" : R"(,{"role":")";
    (made.messages += role) += R"(","content":)";
    results_last_ = false;
  }

  // Blocks are gathered first: a message without any is none. The last block stays open for what belongs to it.
  std::string& block() {
    if (!blocks_.empty()) blocks_ += "},";
    hinted_ = false;
    return blocks_;
  }
  void text_block(std::string_view text) {
    if (blank(text)) return;
    auto& out = block();
    out += R"({"type":"text","text":)";
    json::append_string(out, text);
  }
  void end_message(std::string_view role, const value& message) {
    if (blocks_.empty()) return;
    begin_message(role);
    append_hint(message);
    ((made.messages += '[') += blocks_) += "}]}";
    blocks_.clear();
  }
  /// A message's hint stands at its last block, which has one already if its part said so.
  void append_hint(const value& message) {
    if (!hinted_) append_cache_control(blocks_, message);
  }
  void append_part_hint(const value& part) {
    hinted_ = part.find("cache_control") != nullptr;
    append_cache_control(blocks_, part);
  }

  /// A message that is one text and nothing else.
  bool plain_message(std::string_view role, const value& message) {
    const auto content = message.find("content");
    if (!content || !content->is(kind::string) || message.find("cache_control")) return false;
    if (blank(content->text)) return true;
    begin_message(role);
    json::append_string(made.messages, said(content->text));
    made.messages += '}';
    return true;
  }
  /// Of a last message, which is the assistant's: without blanks at the end.
  std::string_view said(std::string_view text) const {
    return last_ ? text.substr(0, text.find_last_not_of(blanks) + 1) : text;
  }

  bool add_system(const value& message) {
    const auto add = [&](std::string_view text, const value& hinting) {
      if (blank(text)) return;
      made.system += made.system.empty() ? R"([{"type":"text","text":)" : R"(,{"type":"text","text":)";
      json::append_string(made.system, text);
      append_cache_control(made.system, hinting);
      made.system += '}';
    };
    const auto content = message.find("content");
    if (!content || content->is(kind::null)) return true;
    if (content->is(kind::string)) return add(content->text, message), true;
    if (!content->is(kind::array)) return wrong_content();
    for (std::size_t i = 0; i < content->items.size(); ++i) {
      auto& part = content->items[i];
      if (text_of(part, "type") != "text") return unknown_part(i, text_of(part, "type"));
      const bool last = i + 1 == content->items.size() && !part.find("cache_control");
      add(text_of(part, "text"), last ? message : part);
    }
    return true;
  }

  bool wrong_content() {
    return fail(".content", "Invalid type for 'content': expected a string or an array of parts.", "invalid_type");
  }

  /// What a message says, as blocks. `media`: pictures and files are taken too.
  bool add_content(const value& message, bool media) {
    const auto content = message.find("content");
    if (!content || content->is(kind::null)) return true;
    if (content->is(kind::string)) return text_block(said(content->text)), true;
    if (!content->is(kind::array)) return wrong_content();
    for (std::size_t i = 0; i < content->items.size(); ++i) {
      auto& part = content->items[i];
      const auto type = text_of(part, "type");
      if (type == "text" || (type == "refusal" && !media)) {
        const auto text = text_of(part, type);
        if (blank(text)) continue;
        text_block(i + 1 == content->items.size() && !media ? said(text) : text);
      } else if (!media || !add_media(part, i)) {
        return problem ? false : unknown_part(i, type);
      }
      append_part_hint(part);
    }
    return true;
  }

  bool add_media(const value& part, std::size_t i) {
    std::string one;
    switch (append_anthropic_media(one, part)) {
    case anthropic_media::written: return block() += one, true;
    case anthropic_media::unknown_type: return false;
    case anthropic_media::unreadable:
      fail(".content[" + std::to_string(i) + "]",
           "This provider takes pictures, PDFs and texts as base64 in a data: URL, or by an https:// URL.",
           "unsupported_parameter");
    }
    return false;
  }

  bool add_user(const value& message) {
    if (plain_message("user", message)) return true;
    if (!add_content(message, true)) return false;
    return end_message("user", message), true;
  }

  bool add_assistant(const value& message) {
    const auto calls = message.find("tool_calls");
    const auto thoughts = message.find("thinking_blocks");
    const bool calling = calls && calls->is(kind::array) && !calls->items.empty();
    signed_ = false;
    if (const auto name = indispensable_member(message); !name.empty())
      return fail("." + std::string(name), "The provider of this model has no counterpart to it.",
                  "unsupported_parameter");
    if (!calling && !thoughts && text_of(message, "refusal").empty() && plain_message("assistant", message))
      return true;
    if (thoughts && thoughts->is(kind::array))
      for (auto& thought : thoughts->items) add_thought(thought);
    if (!add_content(message, false)) return false;
    text_block(said(text_of(message, "refusal")));
    if (calling)
      for (std::size_t i = 0; i < calls->items.size(); ++i)
        if (!add_call(calls->items[i], i)) return false;
    return end_message("assistant", message), true;
  }

  /// As Anthropic gave it: only with its signature is it taken back.
  void add_thought(const value& thought) {
    const bool own = !text_of(thought, "signature").empty() ||
                     (text_of(thought, "type") == "redacted_thinking" && !text_of(thought, "data").empty());
    if (!own) return;
    std::string one;
    json::append(one, thought);
    one.pop_back(); // blocks stay open
    block() += one;
    hinted_ = true; // thoughts take no hint
    signed_ = true;
  }

  bool add_call(const value& call, std::size_t i) {
    const auto function = call.find("function");
    const auto place = ".tool_calls[" + std::to_string(i) + "]";
    if (!function || (call.find("type") && text_of(call, "type") != "function"))
      return fail(place + ".type", "The provider of this model knows calls of functions only.",
                  "unsupported_parameter");
    const auto arguments = text_of(*function, "arguments");
    const auto input = blank(arguments) ? value::make_object() : json::parse(arguments).value_or(value());
    if (!input.is(kind::object))
      return fail(place + ".function.arguments", "The provider of this model takes a JSON object only.",
                  "unsupported_parameter");
    auto& out = block();
    out += R"({"type":"tool_use","id":)";
    append_id(out, text_of(call, "id"));
    out += R"(,"name":)";
    json::append_string(out, text_of(*function, "name"));
    out += R"(,"input":)";
    json::append(out, input);
    append_part_hint(call);
    if (std::ranges::find(made.called, text_of(*function, "name")) == made.called.end())
      made.called.emplace_back(text_of(*function, "name"));
    return true;
  }

  /// The results of calls that were made together must come together, and come first.
  bool add_result(const value& message) {
    std::string result = R"({"type":"tool_result","tool_use_id":)";
    append_id(result, text_of(message, "tool_call_id"));
    const auto content = message.find("content");
    if (content && content->is(kind::string)) {
      if (!blank(content->text)) {
        result += R"(,"content":)";
        json::append_string(result, content->text);
      }
    } else {
      if (!add_content(message, true)) return false;
      if (!blocks_.empty()) ((result += R"(,"content":[)") += blocks_) += "}]";
      blocks_.clear();
    }
    if (const auto failed = message.find("is_error"); failed && failed->text == "true") result += R"(,"is_error":true)";
    append_cache_control(result, message);
    (results_ += results_.empty() ? "" : ",") += result + '}';
    return true;
  }
  void close_results() {
    if (results_.empty()) return;
    begin_message("user");
    ((made.messages += '[') += results_) += "]}";
    results_.clear();
    results_last_ = true;
  }

  std::size_t number_ = 0;
  bool last_ = false;
  std::string blocks_, results_;
  bool hinted_ = false;       // the block that is open has a hint
  bool results_last_ = false; // the last message is one of results
  bool signed_ = false;       // the assistant's last message has a thought
};

} // namespace

anthropic_family anthropic_family::of(std::string_view model) noexcept {
  constexpr std::string_view vendor = "claude-";
  constexpr unsigned newest = 9999;
  const auto at = model.find(vendor);
  if (at == model.npos) return {};
  unsigned numbers[2] = {}, found = 0;
  for (auto rest = model.substr(at + vendor.size()); !rest.empty() && found < 2;) {
    const auto word = rest.substr(0, rest.find_first_of("-.@:"));
    unsigned n = 0;
    const auto [end, wrong] = std::from_chars(word.data(), word.data() + word.size(), n);
    const bool number = wrong == std::errc{} && end == word.data() + word.size();
    if (number && n >= 100) break; // a date
    if (number) numbers[found++] = n;
    if (!number && found) break;
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  return {found ? numbers[0] * 100 + numbers[1] : newest};
}

std::variant<anthropic_conversation, request_problem> anthropic_messages(const value& messages, const prefill* begun,
                                                                         std::size_t bytes) {
  conversation_writer writer;
  writer.made.messages.reserve(bytes + bytes / 8);
  for (std::size_t i = 0; i < messages.items.size(); ++i)
    if (!writer.add(messages.items[i], i, i + 1 == messages.items.size())) return std::move(*writer.problem);
  if (begun) writer.add_prefill(begun->text);
  writer.finish();
  return std::move(writer.made);
}

} // namespace mainstay
