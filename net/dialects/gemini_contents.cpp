#include "net/dialects/gemini_contents.hpp"

#include "net/dialects/gemini_media.hpp"
#include "net/dialects/lost_members.hpp"
#include "net/json_text.hpp"

#include <charconv>
#include <map>
#include <optional>

namespace mainstay {
namespace {

using json::kind;
using json::value;

/// Accepted in place of a signature for calls that another provider's model made; without one Gemini 3 refuses the
/// conversation (ai.google.dev/gemini-api/docs/thought-signatures).
constexpr std::string_view foreign_signature = "skip_thought_signature_validator";

class conversation_writer {
public:
  gemini_conversation made;
  std::optional<request_problem> problem;

  explicit conversation_writer(gemini_family family) : family_(family) {}

  bool add(const value& message, std::size_t number) {
    where_ = "messages[" + std::to_string(number) + "]";
    const auto role = text_of(message, "role");
    if (role == "system" || role == "developer") return add_system(message);
    if (role == "user") return turn(speaker::user), add_content(message, true);
    if (role == "assistant") return add_assistant(message);
    if (role == "tool") return add_result(message);
    return fail(".role", "Invalid value: this provider knows system, developer, user, assistant and tool.",
                "unsupported_parameter");
  }

  void add_prefill(const prefill& begun) {
    turn(speaker::model);
    add_text(begun.text);
  }

  void finish() {
    turn(speaker::none);
    if (!made.system.empty()) made.system += ']';
    if (!made.contents.empty()) {
      made.contents += ']';
    } else if (!made.system.empty()) { // Gemini answers nobody but a user
      made.contents = R"([{"role":"user","parts":)" + made.system + "}]";
      made.system.clear();
    }
  }

private:
  enum class speaker : std::uint8_t { none, user, model, tool };

  bool fail(std::string_view place, std::string message, std::string_view code = "invalid_value") {
    problem = request_problem{std::move(message), where_ + std::string(place), std::string(code)};
    return false;
  }
  bool wrong_type(std::string_view place, std::string_view expected) {
    return fail(place,
                "Invalid type for '" + where_ + std::string(place) + "': expected " + std::string(expected) + ".",
                "invalid_type");
  }

  /// What the same speaker says in several messages is one turn: results of calls made together must be.
  void turn(speaker next) {
    pending_ = next;
    if (next != speaker::none || current_ == speaker::none) return;
    made.contents += "]}";
    current_ = speaker::none;
  }
  /// Begins a part; the turn begins with its first one, for Gemini refuses turns without any.
  std::string& part() {
    auto& out = made.contents;
    if (current_ == pending_) return out += ',';
    if (current_ != speaker::none) out += "]}";
    out += out.empty() ? '[' : ',';
    out += pending_ == speaker::model ? R"({"role":"model","parts":[)" : R"({"role":"user","parts":[)";
    current_ = pending_;
    signed_ = false;
    return out;
  }
  void add_text(std::string_view text) {
    auto& out = part();
    out += R"({"text":)";
    json::append_string(out, text);
    out += '}';
  }

  bool add_system(const value& message) {
    return each_text(message, [this](std::string_view text) {
      if (text.empty()) return;
      made.system += made.system.empty() ? R"([{"text":)" : R"(,{"text":)";
      json::append_string(made.system, text);
      made.system += '}';
    });
  }

  /// Of a content that can be nothing but text.
  template <class Take>
  bool each_text(const value& message, Take take) {
    const auto content = message.find("content");
    if (!content || content->is(kind::null)) return true;
    if (content->is(kind::string)) return take(std::string_view(content->text)), true;
    if (!content->is(kind::array)) return wrong_type(".content", "a string or an array of parts");
    for (std::size_t i = 0; i < content->items.size(); ++i) {
      auto& p = content->items[i];
      const auto type = text_of(p, "type");
      if (type != "text" && type != "refusal") return unknown_part(i, type);
      take(text_of(p, type));
    }
    return true;
  }

  bool unknown_part(std::size_t i, std::string_view type) {
    return fail(".content[" + std::to_string(i) + "].type",
                "This provider has no counterpart to a content part of type '" + std::string(type) + "' here.",
                "unsupported_parameter");
  }

  /// A user's: text, pictures, sounds, files.
  bool add_content(const value& message, bool keep_empty) {
    const auto content = message.find("content");
    if (!content || !content->is(kind::array))
      return each_text(message, [&](std::string_view text) {
        if (keep_empty || !text.empty()) add_text(text);
      });
    for (std::size_t i = 0; i < content->items.size(); ++i) {
      auto& p = content->items[i];
      const auto type = text_of(p, "type");
      if (type == "text" || type == "refusal") {
        if (keep_empty || !text_of(p, type).empty()) add_text(text_of(p, type));
        continue;
      }
      std::string media;
      switch (append_gemini_media(media, p)) {
      case media_outcome::written: part() += media; break;
      case media_outcome::unknown_type: return unknown_part(i, type);
      case media_outcome::unreadable: return unreadable(i, type);
      }
    }
    return true;
  }

  bool unreadable(std::size_t i, std::string_view type) {
    return fail(".content[" + std::to_string(i) + "]." + std::string(type),
                "Invalid value: expected data in a data: URL with base64, or a URL that begins with https://.");
  }

  bool add_assistant(const value& message) {
    if (const auto name = indispensable_member(message); !name.empty())
      return fail("." + std::string(name), "The provider of this model has no counterpart to it.",
                  "unsupported_parameter");
    turn(speaker::model);
    const auto before = made.contents.size();
    if (!add_content(message, false)) return false;
    if (const auto refusal = text_of(message, "refusal"); !refusal.empty()) add_text(refusal);
    if (const auto signature = signature_of(message); !signature.empty()) {
      if (made.contents.size() == before) add_text(""); // it said nothing besides
      made.contents.pop_back();
      append_signature(signature);
      made.contents += '}';
    }
    const auto calls = message.find("tool_calls");
    if (!calls || calls->is(kind::null)) return true;
    if (!calls->is(kind::array)) return wrong_type(".tool_calls", "an array of calls");
    for (std::size_t i = 0; i < calls->items.size(); ++i)
      if (!add_call(calls->items[i], i)) return false;
    return true;
  }

  bool add_call(const value& call, std::size_t number) {
    const auto place = ".tool_calls[" + std::to_string(number) + "]";
    const auto function = call.find("function");
    if (call.find("type") && text_of(call, "type") != "function")
      return fail(place + ".type", "The provider of this model knows calls of functions only.",
                  "unsupported_parameter");
    if (!function || !function->is(kind::object)) return wrong_type(place + ".function", "an object");
    const auto name = text_of(*function, "name"), arguments = text_of(*function, "arguments");
    const auto args = arguments.empty() ? value::make_object() : json::parse(arguments).value_or(value{});
    if (!args.is(kind::object))
      return fail(place + ".function.arguments", "Invalid value: this provider takes a JSON object only.");
    const auto id = text_of(call, "id");
    functions_[id] = name;
    auto& out = part();
    out += R"({"functionCall":{)";
    append_id(out, id);
    out += R"("name":)";
    json::append_string(out, name);
    out += R"(,"args":)";
    json::append(out, args);
    out += '}';
    sign_call(call);
    out += '}';
    return true;
  }

  static void append_id(std::string& out, std::string_view id) {
    if (id.empty()) return;
    out += R"("id":)";
    json::append_string(out, id);
    out += ',';
  }

  /// As Google's own OpenAI dialect has it, of a call or of a message's text.
  static std::string_view signature_of(const value& of) {
    const auto extra = of.find("extra_content");
    const auto google = extra ? extra->find("google") : nullptr;
    return google ? text_of(*google, "thought_signature") : std::string_view();
  }

  /// Only the first of calls that were made together has one.
  void sign_call(const value& call) {
    auto signature = signature_of(call);
    if (signature.empty() && family_.third && !signed_) signature = foreign_signature;
    signed_ = true;
    if (!signature.empty()) append_signature(signature);
  }
  void append_signature(std::string_view signature) {
    made.contents += R"(,"thoughtSignature":)";
    json::append_string(made.contents, signature);
  }

  bool add_result(const value& message) {
    const auto id = text_of(message, "tool_call_id");
    const auto function = functions_.find(id);
    if (function == functions_.end())
      return fail(".tool_call_id", "Invalid value: no earlier message of the assistant has a call of that id.");
    std::string text, media;
    if (!read_result(message, text, media)) return false;
    const auto failed = message.find("is_error");
    turn(speaker::tool);
    auto& out = part();
    out += R"({"functionResponse":{)";
    append_id(out, id);
    out += R"("name":)";
    json::append_string(out, function->second);
    out += R"(,"response":)";
    append_response(out, text, failed && failed->text == "true");
    if (!media.empty()) out += R"(,"parts":[)" + media + ']';
    out += "}}";
    return true;
  }

  bool read_result(const value& message, std::string& text, std::string& media) {
    const auto content = message.find("content");
    if (!content || !content->is(kind::array)) return each_text(message, [&](std::string_view said) { text += said; });
    for (std::size_t i = 0; i < content->items.size(); ++i) {
      auto& p = content->items[i];
      const auto type = text_of(p, "type");
      if (type == "text") {
        if (!text.empty()) text += '\n';
        text += text_of(p, type);
        continue;
      }
      std::string one;
      switch (append_gemini_media(one, p)) {
      case media_outcome::written: (media += media.empty() ? "" : ",") += one; break;
      case media_outcome::unknown_type: return unknown_part(i, type);
      case media_outcome::unreadable: return unreadable(i, type);
      }
    }
    return true;
  }

  /// Must be an object: one that the caller wrote is passed on, other text goes under the names Google gives.
  static void append_response(std::string& out, std::string_view text, bool failed) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (!failed && begin != text.npos && text[begin] == '{')
      if (const auto object = json::parse(text)) return json::append(out, *object);
    out += failed ? R"({"error":)" : R"({"output":)";
    json::append_string(out, text);
    out += '}';
  }

  gemini_family family_;
  std::string where_;
  speaker current_ = speaker::none, pending_ = speaker::none;
  bool signed_ = false;                                    // the turn's first call is written
  std::map<std::string_view, std::string_view> functions_; // names by the ids of their calls
};

} // namespace

gemini_family gemini_family::of(std::string_view model) noexcept {
  constexpr std::string_view vendor = "gemini-";
  gemini_family f;
  const auto at = model.find(vendor);
  if (at == model.npos) return f;
  const auto rest = model.substr(at + vendor.size());
  int generation = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), generation);
  const bool pro = rest.find("-pro") != rest.npos;
  f.third = generation >= 3;
  f.pro = pro;
  f.first_of_third = rest.starts_with("3-");
  f.pro_of_25 = rest.starts_with("2.5-pro");
  return f;
}

std::variant<gemini_conversation, request_problem> gemini_contents(const value& messages, gemini_family family,
                                                                   const prefill* begun) {
  conversation_writer writer(family);
  for (std::size_t i = 0; i < messages.items.size(); ++i)
    if (!writer.add(messages.items[i], i)) return std::move(*writer.problem);
  if (begun) writer.add_prefill(*begun);
  writer.finish();
  if (writer.made.contents.empty()) return request_problem{"Nobody says anything.", "messages", "invalid_value"};
  return std::move(writer.made);
}

} // namespace mainstay
