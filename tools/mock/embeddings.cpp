#include "tools/mock/embeddings.hpp"

#include "tools/mock/json_text.hpp"
#include "tools/mock/openai.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>

namespace mainstay::mock {
namespace {

constexpr std::size_t dimensions = 64;
constexpr double of_short_words = 0.1; // "is", "the", "a"

wire_error bad(std::string_view message, std::string_view param) {
  return {400, openai_error(message, "invalid_request_error", param, "")};
}

bool in_words(unsigned char c) {
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// A direction of its own for every word.
void add_word(std::array<double, dimensions>& sum, std::string_view word) {
  std::uint64_t h = 0xCBF29CE484222325u;
  for (unsigned char c : word) h = (h ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 0x100000001B3u;
  const double weight = word.size() < 4 ? of_short_words : 1;
  for (auto& x : sum) {
    h = (h ^ (h >> 29)) * 0xBF58476D1CE4E5B9u + 0x9E3779B97F4A7C15u;
    x += h >> 63 ? weight : -weight;
  }
}

void append_numbers(std::string& out, const std::array<float, dimensions>& vector, std::size_t most) {
  out += '[';
  for (std::size_t i = 0; i < std::min(most, dimensions); ++i) {
    char number[32];
    out.append(number, static_cast<std::size_t>(std::snprintf(number, sizeof number, "%.7f,", double{vector[i]})));
  }
  out.back() = ']';
}

// Of the floats as they lie in memory, in little-endian order.
void append_base64(std::string& out, const std::array<float, dimensions>& vector) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  for (auto x : vector) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 0xff);
  }
  out += '"';
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t three = 0;
    for (std::size_t i = 0; i < 3; ++i)
      three = three << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) out += at + i > bytes.size() ? '=' : digits[three >> (18 - 6 * i) & 63];
  }
  out += '"';
}

} // namespace

std::size_t append_vector(std::string& out, std::string_view text, bool base64, std::size_t most) {
  std::array<double, dimensions> sum{};
  std::size_t words = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    auto end = begin;
    while (end < text.size() && in_words(static_cast<unsigned char>(text[end]))) ++end;
    if (end > begin) add_word(sum, text.substr(begin, end - begin)), ++words;
    begin = end + 1;
  }
  if (words == 0) sum[0] = 1;
  double square = 0;
  for (auto x : sum) square += x * x;
  std::array<float, dimensions> unit;
  for (std::size_t i = 0; i < dimensions; ++i) unit[i] = static_cast<float>(sum[i] / std::sqrt(square));
  base64 ? append_base64(out, unit) : append_numbers(out, unit, most);
  return words;
}

namespace {

// Tokens are words of their own.
bool add_tokens(const rapidjson::Value& list, std::string& text) {
  for (auto& one : list.GetArray()) {
    if (!one.IsUint64()) return false;
    (text += text.empty() ? "token" : " token") += std::to_string(one.GetUint64());
  }
  return !text.empty();
}

} // namespace

std::optional<wire_error> openai::read_embeddings(const target&, std::string_view text, chat_call& call,
                                                  texts_to_embed& what) const {
  auto& texts = what.texts;
  rapidjson::Document body;
  body.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
  if (body.HasParseError() || !body.IsObject()) return bad("We could not parse the JSON body of your request.", "");
  auto model = body.FindMember("model");
  if (model == body.MemberEnd() || !model->value.IsString()) return bad("you must provide a model parameter", "");
  call.model = {model->value.GetString(), model->value.GetStringLength()};
  auto input = body.FindMember("input");
  const auto add = [&](const rapidjson::Value& one) {
    if (one.IsString()) texts.emplace_back(one.GetString(), one.GetStringLength());
    return one.IsString() && one.GetStringLength() > 0;
  };
  bool fine = input != body.MemberEnd();
  std::string tokens;
  const auto* list = fine && input->value.IsArray() ? &input->value : nullptr;
  if (list && !list->Empty() && (*list)[0].IsUint64()) {
    fine = add_tokens(*list, tokens);
    texts.push_back(std::move(tokens));
  } else if (list && !list->Empty() && (*list)[0].IsArray()) {
    for (auto& one : list->GetArray()) { fine = one.IsArray() && add_tokens(one, texts.emplace_back()) && fine; }
  } else if (list)
    for (auto& one : input->value.GetArray()) fine = add(one) && fine;
  else if (fine)
    fine = add(input->value);
  if (!fine || texts.empty()) return bad("'$.input' is invalid.", "");
  call.last_user_text = texts.front();
  const auto format = body.FindMember("encoding_format");
  what.base64 = format != body.MemberEnd() && format->value.IsString() && format->value == "base64";
  return {};
}

std::string openai::embeddings(const chat_call& call, const texts_to_embed& what) const {
  const auto& texts = what.texts;
  std::string out = R"({"object":"list","data":[)";
  std::size_t words = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    out += i ? "," : "";
    out += R"({"object":"embedding","index":)" + std::to_string(i) + R"(,"embedding":)";
    words += append_vector(out, texts[i], what.base64);
    out += '}';
  }
  out += "],\"model\":";
  append_json_string(out, call.model);
  out += ",\"usage\":{\"prompt_tokens\":" + std::to_string(words) + ",\"total_tokens\":" + std::to_string(words) + "}}";
  return out;
}

} // namespace mainstay::mock
