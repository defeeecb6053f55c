// The one pass over a request for embeddings: what routing and limits need to know. The rest reaches the provider as
// the caller wrote it.
#include "core/token_estimate.hpp"
#include "net/chat_members.hpp"
#include "net/request_faults.hpp"

#include <utility>

namespace mainstay {
namespace {

constexpr std::size_t most_inputs = 2048; // of OpenAI's

class embeddings_reader : public json::handler {
public:
  chat_request found;
  std::optional<request_problem> problem;

  bool key(std::string_view name) {
    if (depth_ != 1) return true;
    section_ = name == "model" ? part::model : name == "input" ? part::input : part::other;
    if (name == "encoding_format") section_ = part::format;
    if (section_ == part::model && std::exchange(model_seen_, true)) return duplicate(name);
    if (section_ == part::input && std::exchange(input_seen_, true)) return duplicate(name);
    if (const auto* meant = find_alias(name); meant && meant->means == chat_member::model)
      return fail("A parameter is another spelling of 'model'; names are in lower case.", "model", "unknown_parameter");
    return true;
  }

  bool string(std::string_view text) {
    if (at->lone_surrogate())
      return fail("The body is not valid JSON: The surrogate pair in string is invalid.", "", "invalid_json");
    if (depth_ == 0) return wrong_root();
    if (depth_ == 1 && section_ == part::model) {
      if ((problem = fault_of_model_name(text))) return false;
      found.model = text;
      found.model_value = {at->string_begin(), at->Tell()};
      return true;
    }
    if (depth_ == 1 && section_ == part::format && text != "float" && text != "base64")
      return fail("Invalid 'encoding_format': float or base64 is expected.", "encoding_format", "invalid_value");
    if (depth_ == 1 && section_ == part::format) found.base64 = text == "base64";
    if (section_ != part::input) return true;
    if (depth_ > 2 || !of(element::text)) return wrong_input();
    prompt_.add(text);
    return one_more();
  }

  bool number(std::string_view) {
    if (depth_ == 0) return wrong_root();
    if (!scalar()) return false;
    if (section_ != part::input) return true;
    if (depth_ < 2 || !(depth_ == 2 ? of(element::token) : true)) return wrong_input();
    ++tokens_;
    return true;
  }
  bool boolean(bool) { return no_value(); }
  bool null() { return no_value(); }
  bool begin_object() {
    if (depth_ == 0) {
      found.first_member = at->Tell();
      return ++depth_, true;
    }
    if (!scalar() || section_ == part::input) return section_ == part::input ? wrong_input() : false;
    return ++depth_, true;
  }
  bool end_object() { return --depth_, true; }
  bool begin_array() {
    if (depth_ == 0) return wrong_root();
    if (!scalar()) return false;
    if (section_ == part::input && (depth_ > 2 || (depth_ == 2 && !(of(element::list) && one_more()))))
      return wrong_input();
    return ++depth_, true;
  }
  bool end_array() { return --depth_, true; }

  bool complete() {
    if (!model_seen_) return missing("model");
    if (!input_seen_) return missing("input");
    if (tokens_ == 0 && (inputs_ == 0 || elements_ == element::list))
      return fail("Invalid 'input': it is empty.", "input", "empty_array");
    found.kind = request_kind::embeddings;
    found.prompt_tokens = prompt_.tokens() + tokens_;
    found.plain_text = false;
    return true;
  }

private:
  enum class part : std::uint8_t { other, model, input, format };
  enum class element : std::uint8_t { none, text, token, list };

  bool fail(std::string message, std::string param, std::string code) {
    problem = request_problem{std::move(message), std::move(param), std::move(code)};
    return false;
  }
  bool missing(const std::string& name) {
    return fail("Missing required parameter: '" + name + "'.", name, "missing_required_parameter");
  }
  bool duplicate(std::string_view name) {
    return fail("Parameter '" + std::string(name) + "' is given more than once.", std::string(name),
                "duplicate_parameter");
  }
  bool wrong_root() { return fail("The body must be a JSON object.", "", "invalid_type"); }
  bool wrong_input() {
    return fail("Invalid type for 'input': expected a string, or a list of strings, of tokens, or of lists of tokens.",
                "input", "invalid_type");
  }
  /// What may stand everywhere but where a string has to.
  bool scalar() {
    if (depth_ != 1 || section_ != part::model) return true;
    return fail("Invalid type for 'model': expected a string.", "model", "invalid_type");
  }
  bool no_value() {
    if (depth_ == 0) return wrong_root();
    if (!scalar()) return false;
    return section_ != part::input || wrong_input();
  }
  /// The elements of a list are of one kind.
  bool of(element what) {
    if (depth_ == 1) return true;
    return std::exchange(elements_, what) == what || inputs_ + tokens_ == 0;
  }
  bool one_more() {
    if (++inputs_ <= most_inputs) return true;
    return fail("Invalid 'input': more than 2048 entries.", "input", "array_above_max_length");
  }

  int depth_ = 0;
  part section_ = part::other;
  element elements_ = element::none;
  bool model_seen_ = false, input_seen_ = false;
  std::size_t inputs_ = 0;
  std::uint64_t tokens_ = 0;
  text_profile prompt_;
};

} // namespace

std::variant<chat_request, request_problem> parse_embeddings_request(bytes_ptr body) {
  if (!body) return fault_of_json({json::outcome::empty});
  embeddings_reader reader;
  const auto read = json::read(*body, reader);
  if (reader.problem) return std::move(*reader.problem);
  if (!read) return fault_of_json(read);
  if (!reader.complete()) return std::move(*reader.problem);
  reader.found.bytes = std::move(body);
  return std::move(reader.found);
}

std::variant<chat_request, request_problem> parse_request(request_kind kind, bytes_ptr body) {
  return kind == request_kind::chat ? parse_chat_request(std::move(body)) : parse_embeddings_request(std::move(body));
}

} // namespace mainstay
