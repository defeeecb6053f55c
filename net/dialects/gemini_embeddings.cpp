#include "net/dialects/gemini_embeddings.hpp"

#include "net/json_reader.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <iterator>

namespace mainstay {
namespace {

using json::kind;
using json::value;

request_problem wrong_input(std::string_view message) { return {std::string(message), "input", "invalid_value"}; }

/// Every three bytes as four letters; numbers come one by one.
class base64_writer {
public:
  explicit base64_writer(std::string& out) : out_(out) {}
  void add(float x) {
    auto bits = std::bit_cast<std::uint32_t>(x);
    for (int i = 0; i < 4; ++i, bits >>= 8) byte(static_cast<std::uint8_t>(bits));
  }
  void finish() {
    if (held_ == 1) letters(group_ << 16, 2), out_ += "==";
    if (held_ == 2) letters(group_ << 8, 3), out_ += '=';
    held_ = 0, group_ = 0;
  }

private:
  void byte(std::uint8_t b) {
    group_ = group_ << 8 | b;
    if (++held_ < 3) return;
    letters(group_, 4);
    held_ = 0, group_ = 0;
  }
  void letters(std::uint32_t group, int count) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < count; ++i) out_ += alphabet[group >> (18 - 6 * i) & 63];
  }
  std::string& out_;
  std::uint32_t group_ = 0;
  int held_ = 0;
};

/// Depths: 1 in the answer, 2 in `embeddings` or `usageMetadata`, 3 in an element, 4 in its values.
class vectors_reader : public json::handler {
public:
  std::string data; // elements of OpenAI's list
  std::size_t vectors = 0;
  std::optional<std::uint64_t> tokens;

  explicit vectors_reader(bool base64) : base64_(base64), letters_(data) {}

  bool key(std::string_view name) {
    if (depth_ == 1)
      section_ = name == "embeddings" ? section::vectors : name == "usageMetadata" ? section::usage : section::other;
    is_values_ = depth_ == 3 && section_ == section::vectors && name == "values";
    is_tokens_ = depth_ == 2 && section_ == section::usage && name == "promptTokenCount";
    return true;
  }
  bool number(std::string_view spelled) {
    if (is_tokens_) tokens = json::whole_number(spelled);
    if (!in_vector_) return true;
    if (!base64_) {
      if (data.back() != '[') data += ',';
      data += spelled;
      return true;
    }
    float x = 0;
    std::from_chars(spelled.data(), spelled.data() + spelled.size(), x); // out of range: too small to count
    letters_.add(x);
    return true;
  }
  bool string(std::string_view) { return !in_vector_; }
  bool boolean(bool) { return !in_vector_; }
  bool null() { return !in_vector_; }
  bool begin_object() { return ++depth_, !in_vector_; }
  bool end_object() { return --depth_, true; }
  bool begin_array() {
    if (in_vector_ || depth_ == 0) return false;
    ++depth_;
    if (!is_values_ || depth_ != 4) return true;
    in_vector_ = true;
    data += data.empty() ? "" : ",";
    data += R"({"object":"embedding","index":)" + std::to_string(vectors++) + R"(,"embedding":)";
    data += base64_ ? '"' : '[';
    return true;
  }
  bool end_array() {
    --depth_;
    if (!in_vector_) return true;
    in_vector_ = false;
    if (base64_) letters_.finish();
    data += base64_ ? "\"}" : "]}";
    return true;
  }

private:
  enum class section : std::uint8_t { other, vectors, usage };
  const bool base64_;
  base64_writer letters_;
  int depth_ = 0;
  section section_ = section::other;
  bool is_values_ = false, is_tokens_ = false, in_vector_ = false;
};

} // namespace

std::string gemini_path(std::string_view model, std::string_view method) {
  std::string path = "/";
  for (std::string_view collection : {"models/", "tunedModels/"})
    if (path.size() == 1 && model.starts_with(collection)) path += collection, model.remove_prefix(collection.size());
  if (path.size() == 1) path += "models/";
  for (unsigned char c : model) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_')
      path += static_cast<char>(c);
    else
      ((path += '%') += hex[c >> 4]) += hex[c & 15];
  }
  return (path += ':') += method;
}

provider_request_or gemini_embeddings_request(std::string_view body, std::string_view model, bool leave_out) {
  const auto root = json::parse(body);
  if (!root || !root->is(kind::object)) return request_problem{"The body is not a JSON object.", "", "invalid_json"};
  const auto input = root->find("input");
  if (!input) return request_problem{"Missing required parameter: 'input'.", "input", "missing_required_parameter"};
  const bool one = input->is(kind::string);
  if (!one && (!input->is(kind::array) || input->items.empty()))
    return wrong_input("Invalid 'input': expected a string or a list of strings.");

  provider_request made;
  for (auto& member : root->items) {
    constexpr std::string_view known[] = {"input", "model", "encoding_format", "dimensions", "user"};
    if (std::ranges::find(known, member.name) != std::end(known) || member.is(kind::null)) continue;
    if (!leave_out)
      return request_problem{"The provider of this model has no counterpart to '" + member.name + "'.", member.name,
                             "unsupported_parameter"};
    made.left_out.push_back(member.name);
  }
  std::string rest = "]}";
  if (const auto dimensions = root->find("dimensions"); dimensions && !dimensions->is(kind::null)) {
    if (!dimensions->whole())
      return request_problem{"Invalid 'dimensions': expected an integer.", "dimensions", "invalid_type"};
    rest += R"(,"outputDimensionality":)" + dimensions->text;
  }
  std::string name;
  json::append_string(name, model.find('/') == model.npos ? "models/" + std::string(model) : std::string(model));
  std::string out = R"({"requests":[)";
  const auto add = [&](const value& text) {
    out += out.back() == '[' ? R"({"model":)" : R"(,{"model":)";
    out += name;
    out += R"(,"content":{"parts":[{"text":)";
    json::append_string(out, text.text);
    ((out += "}") += rest) += '}';
  };
  if (one) add(*input);
  for (auto& text : input->items) {
    if (!text.is(kind::string))
      return request_problem{"The provider of this model takes texts, not lists of tokens.", "input",
                             "unsupported_parameter"};
    add(text);
  }
  made.path = gemini_path(model, "batchEmbedContents");
  made.body = make_bytes(out + "]}");
  return made;
}

bytes_ptr gemini_embeddings_answer(std::string_view body, std::string_view model, bool base64, std::uint64_t tokens) {
  vectors_reader reader(base64);
  if (!json::read(body, reader) || reader.vectors == 0) return nullptr;
  const auto counted = std::to_string(reader.tokens.value_or(tokens));
  std::string out = R"({"object":"list","data":[)" + reader.data + R"(],"model":)";
  json::append_string(out, model);
  out += R"(,"usage":{"prompt_tokens":)" + counted + R"(,"total_tokens":)" + counted + "}}";
  return make_bytes(std::move(out));
}

} // namespace mainstay
