// The one pass over a caller's body: checks what we rely on, remembers where it stands, counts the prompt.
// Two ways to say one thing would let a caller show us one request and the provider another, so a member read here may
// stand once, and not beside another spelling of its name that some providers take for the same.
#include "net/chat_request.hpp"

#include "core/token_estimate.hpp"
#include "net/chat_members.hpp"
#include "net/request_faults.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace mainstay {
namespace {

constexpr std::uint64_t cap_limit = 1'000'000'000; // far above every model, and safe to multiply by n
constexpr std::uint64_t n_limit = 128;
constexpr std::uint64_t media_tokens =
    1000; // an image or file is not read as text: about a 1024x1024 picture, the ratio learned corrects it

class request_reader : public json::handler {
public:
  chat_request found;
  std::optional<request_problem> problem;

  bool key(std::string_view name) {
    if (at->lone_surrogate()) return half_a_character();
    if (depth_ == 1) return root_key(name);
    if (section_ == chat_member::messages) return message_key(name);
    if (section_ == chat_member::tools) prompt_.add(name);
    if (depth_ == 2) {
      if (section_ == chat_member::stream_options) return option_key(name);
      inner_is_type_ = section_ == chat_member::response_format && name == "type";
    }
    return true;
  }

  bool string(std::string_view text) {
    if (at->lone_surrogate()) return half_a_character();
    if (!value("a string")) return false;
    if (depth_ == 1 && section_ == chat_member::model) return model(text);
    if (section_ == chat_member::messages) {
      if (depth_ == 3 && inner_is_role_) {
        has_role_ = true;
        found.assistant_last = text == "assistant";
      }
      if (inner_is_media_)
        media_ += media_tokens;
      else
        prompt_.add(text);
    } else if (section_ == chat_member::tools)
      prompt_.add(text);
    else if (section_ == chat_member::response_format && depth_ == 2 && inner_is_type_)
      format_is_text_ = text == "text";
    else if (section_ == chat_member::modalities && text != "text")
      found.plain_text = false;
    return true;
  }

  bool number(std::string_view spelled) {
    if (!value("a number")) return false;
    if (depth_ != 1) return true;
    if (section_ == chat_member::n) return whole(spelled, n_limit, n_);
    if (section_ != chat_member::cap) return true;
    std::uint64_t cap = 0;
    if (!whole(spelled, cap_limit, cap)) return false;
    found.caps[found.caps[0] ? 1 : 0] = {{at->Tell() - spelled.size(), at->Tell()}, cap};
    cap_ = std::max(cap_, cap); // with both names given, a provider may know only the greater
    return true;
  }

  bool boolean(bool b) {
    if (!value("a boolean", b)) return false;
    if (section_ == chat_member::stream && depth_ == 1) found.stream = b;
    if (section_ == chat_member::stream_options && depth_ == 2 && inner_is_usage_) found.wants_usage = b;
    return true;
  }

  bool null() {
    if (!value("null")) return false;
    if (depth_ == 1 && section_ == chat_member::stream_options)
      found.stream_options_value = {at->Tell() - 4, at->Tell()};
    return true;
  }

  bool begin_object() {
    if (depth_ == 0) {
      found.first_member = at->Tell();
      return ++depth_, true;
    }
    if (!value("an object")) return false;
    if (depth_ == 1 && section_ == chat_member::stream_options) {
      options_ = true;
      found.stream_options_value = {at->Tell() - 1, 0};
    }
    if (depth_ == 2 && section_ == chat_member::messages) has_role_ = inner_is_role_ = role_seen_ = false;
    inner_is_media_ = false;
    return ++depth_, true;
  }

  bool end_object() {
    --depth_;
    inner_is_media_ = false;
    if (depth_ == 1 && section_ == chat_member::stream_options) found.stream_options_value->end = at->Tell();
    if (depth_ == 1 && section_ == chat_member::response_format && !format_is_text_) found.plain_text = false;
    if (depth_ == 2 && section_ == chat_member::messages) {
      if (!has_role_)
        return fail("Missing required parameter: '" + role_name() + "'.", role_name(), "missing_required_parameter");
      ++messages_;
    }
    return true;
  }

  bool begin_array() {
    if (!value("an array")) return false;
    inner_is_media_ = false;
    return ++depth_, true;
  }
  bool end_array() {
    --depth_;
    if (depth_ == 1 && section_ == chat_member::messages) found.messages_end = at->Tell() - 1;
    return true;
  }

  // What can be said only at the end.
  bool complete() {
    for (auto name : {"model", "messages"})
      if (!seen(name))
        return fail("Missing required parameter: '" + std::string(name) + "'.", name, "missing_required_parameter");
    if (messages_ == 0)
      return fail("Invalid 'messages': empty array. Expected at least one message.", "messages", "empty_array");
    if (options_ && !found.stream)
      return fail("'stream_options' is only allowed when 'stream' is true.", "stream_options", "invalid_value");
    found.answer_cap = cap_ * n_;
    found.choices = static_cast<std::uint32_t>(n_);
    found.prompt_tokens = prompt_.tokens() + media_;
    if (n_ > 1) found.plain_text = false;
    return true;
  }

private:
  bool fail(std::string message, std::string param, std::string code) {
    problem = request_problem{std::move(message), std::move(param), std::move(code)};
    return false;
  }
  bool wrong_type(std::string_view name, std::string_view expected, std::string_view got) {
    return fail("Invalid type for '" + std::string(name) + "': expected " + std::string(expected) + ", but got " +
                    std::string(got) + " instead.",
                std::string(name), "invalid_type");
  }
  bool half_a_character() {
    return fail("The body is not valid JSON: The surrogate pair in string is invalid. (byte " +
                    std::to_string(at->Tell()) + ")",
                "", "invalid_json");
  }
  bool duplicate(std::string name) {
    return fail("Parameter '" + name + "' is given more than once.", name, "duplicate_parameter");
  }

  bool seen(std::string_view name) const { return seen_ >> find_known(name)->number & 1; }

  bool root_key(std::string_view name) {
    section_ = chat_member::unknown;
    auto ours = find_known(name);
    if (!ours) {
      auto meant = find_alias(name);
      if (!meant) return true;
      return fail("A parameter is another spelling of '" + std::string(meant->name) + "'; names are in lower case.",
                  std::string(meant->name), "unknown_parameter");
    }
    section_ = ours->means;
    section_name_ = ours->name;
    auto bit = std::uint32_t{1} << ours->number;
    if (seen_ & bit) return duplicate(std::string(name));
    seen_ |= bit;
    return true;
  }

  bool message_key(std::string_view name) {
    if (depth_ == 3) {
      inner_is_role_ = name == "role";
      if (inner_is_role_ && std::exchange(role_seen_, true)) return duplicate(role_name());
    }
    inner_is_media_ = depth_ >= 5 && (name == "url" || name == "data" || name == "file_data" || name == "image_url");
    return true;
  }

  bool option_key(std::string_view name) {
    inner_is_usage_ = name == "include_usage";
    if (inner_is_usage_ && std::exchange(usage_seen_, true)) return duplicate("stream_options.include_usage");
    return true;
  }

  std::string message_name() const { return "messages[" + std::to_string(messages_) + "]"; }
  std::string role_name() const { return message_name() + ".role"; }

  // Every value, before its own work: is its type what its place asks for, and is the answer still plain text?
  bool value(std::string_view type, bool truth = true) {
    if (depth_ == 0) return wrong_root(type);
    if (depth_ == 1) return root_value(type, truth);
    if (section_ == chat_member::messages) return message_value(type);
    if (section_ == chat_member::tools) found.plain_text = false; // an element: the list is not empty
    if (depth_ == 2 && section_ == chat_member::stream_options && inner_is_usage_ && type != "a boolean" &&
        type != "null")
      return wrong_type("stream_options.include_usage", "a boolean", type);
    if (depth_ == 2 && section_ == chat_member::response_format && inner_is_type_ && type != "a string")
      format_is_text_ = false;
    return true;
  }

  bool wrong_root(std::string_view type) {
    return fail("The body must be a JSON object, but is " + std::string(type) + ".", "", "invalid_type");
  }

  bool root_value(std::string_view type, bool truth) {
    bool null = type == "null";
    switch (section_) {
    case chat_member::unknown: return true;
    case chat_member::model: return type == "a string" || wrong_type("model", "a string", type);
    case chat_member::messages: return type == "an array" || wrong_type("messages", "an array of objects", type);
    case chat_member::stream: return null || type == "a boolean" || wrong_type("stream", "a boolean", type);
    case chat_member::stream_options:
      return null || type == "an object" || wrong_type("stream_options", "an object", type);
    case chat_member::n:
    case chat_member::cap: return null || type == "a number" || wrong_type(section_name_, "an integer", type);
    case chat_member::tools:
    case chat_member::modalities:
      if (!null && type != "an array") found.plain_text = false;
      return true;
    case chat_member::response_format:
      if (!null && type != "an object") found.plain_text = false;
      return true;
    case chat_member::shape:
      if (!null && truth) found.plain_text = false;
      return true;
    }
    return true;
  }

  bool message_value(std::string_view type) {
    if (depth_ == 2 && type != "an object") return wrong_type(message_name(), "an object", type);
    if (depth_ == 3 && inner_is_role_ && type != "a string") return wrong_type(role_name(), "a string", type);
    return true;
  }

  bool model(std::string_view name) {
    if ((problem = fault_of_model_name(name))) return false;
    found.model = name;
    found.model_value = {at->string_begin(), at->Tell()};
    return true;
  }

  bool whole(std::string_view spelled, std::uint64_t most, std::uint64_t& into) {
    auto name = std::string(section_name_);
    if (spelled.find_first_of(".eE") != spelled.npos) return wrong_type(name, "an integer", "a decimal number");
    if (spelled.front() == '-' || spelled == "0")
      return fail("Invalid '" + name + "': must be at least 1.", name, "integer_below_min_value");
    auto [stop, error] = std::from_chars(spelled.data(), spelled.data() + spelled.size(), into);
    if (error != std::errc{} || into > most)
      return fail("Invalid '" + name + "': must be at most " + std::to_string(most) + ".", name,
                  "integer_above_max_value");
    return true;
  }

  int depth_ = 0;                              // of open containers
  chat_member section_ = chat_member::unknown; // the top-level member we are in
  std::string_view section_name_;
  std::uint32_t seen_ = 0; // bit per known_member::number
  bool inner_is_role_ = false, inner_is_media_ = false, inner_is_usage_ = false, inner_is_type_ = false;
  bool role_seen_ = false, has_role_ = false, usage_seen_ = false, options_ = false;
  bool format_is_text_ = false;
  std::uint64_t messages_ = 0, n_ = 1, cap_ = 0, media_ = 0;
  text_profile prompt_;
};

} // namespace

std::variant<chat_request, request_problem> parse_chat_request(bytes_ptr body) {
  if (!body) return fault_of_json({json::outcome::empty});
  request_reader reader;
  auto read = json::read(*body, reader);
  if (reader.problem) return std::move(*reader.problem);
  if (!read) return fault_of_json(read);
  if (!reader.complete()) return std::move(*reader.problem);
  reader.found.bytes = std::move(body);
  return std::move(reader.found);
}

} // namespace mainstay
