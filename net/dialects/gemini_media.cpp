#include "net/dialects/gemini_media.hpp"

#include "net/json_text.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace mainstay {
namespace {

using json::value;

struct named_type {
  std::string_view extension, type;
};
constexpr named_type types[] = {
    {"png", "image/png"},         {"jpg", "image/jpeg"},   {"jpeg", "image/jpeg"}, {"webp", "image/webp"},
    {"heic", "image/heic"},       {"heif", "image/heif"},  {"gif", "image/gif"},   {"pdf", "application/pdf"},
    {"txt", "text/plain"},        {"md", "text/markdown"}, {"html", "text/html"},  {"csv", "text/csv"},
    {"json", "application/json"}, {"xml", "text/xml"},     {"wav", "audio/wav"},   {"mp3", "audio/mp3"},
    {"aiff", "audio/aiff"},       {"aac", "audio/aac"},    {"ogg", "audio/ogg"},   {"flac", "audio/flac"},
    {"m4a", "audio/m4a"},         {"mp4", "video/mp4"},    {"mov", "video/mov"},   {"webm", "video/webm"},
};

std::string_view type_by_extension(std::string_view name) {
  name = name.substr(0, name.find_first_of("?#"));
  const auto dot = name.rfind('.');
  if (dot == name.npos) return {};
  const auto extension = name.substr(dot + 1);
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  const auto found =
      std::ranges::find_if(types, [&](auto& t) { return std::ranges::equal(extension, t.extension, same); });
  return found == std::end(types) ? std::string_view() : found->type;
}

media_outcome inline_data(std::string& out, std::string_view type, std::string_view data) {
  if (type.empty() || data.empty()) return media_outcome::unreadable;
  out += R"({"inlineData":{"mimeType":)";
  json::append_string(out, type);
  out += R"(,"data":)";
  json::append_string(out, data);
  out += "}}";
  return media_outcome::written;
}

media_outcome file_data(std::string& out, std::string_view url, std::string_view type) {
  out += R"({"fileData":{)";
  if (!type.empty()) {
    out += R"("mimeType":)";
    json::append_string(out, type);
    out += ',';
  }
  out += R"("fileUri":)";
  json::append_string(out, url);
  out += "}}";
  return media_outcome::written;
}

/// `otherwise`: the type where the URL names none.
media_outcome by_url(std::string& out, std::string_view url, std::string_view otherwise) {
  if (url.starts_with("https://") || url.starts_with("gs://")) {
    const auto type = type_by_extension(url);
    return file_data(out, url, type.empty() ? otherwise : type);
  }
  constexpr std::string_view scheme = "data:", base64 = ";base64";
  const auto comma = url.find(',');
  if (!url.starts_with(scheme) || comma == url.npos) return media_outcome::unreadable;
  const auto head = url.substr(scheme.size(), comma - scheme.size());
  if (!head.ends_with(base64)) return media_outcome::unreadable;
  const auto type = head.substr(0, head.find(';'));
  return inline_data(out, type.empty() ? otherwise : type, url.substr(comma + 1));
}

} // namespace

media_outcome append_gemini_media(std::string& out, const value& part) {
  const auto type = text_of(part, "type");
  const auto said = part.find(type);
  if (!said) return media_outcome::unknown_type;
  const auto url = said->is(json::kind::string) ? std::string_view(said->text) : text_of(*said, "url");
  if (type == "image_url" || type == "video_url") return by_url(out, url, {});
  if (type == "input_audio")
    return inline_data(out, type_by_extension("." + std::string(text_of(*said, "format"))), text_of(*said, "data"));
  if (type != "file") return media_outcome::unknown_type;
  const auto data = text_of(*said, "file_data");
  const auto by_name = type_by_extension(text_of(*said, "filename"));
  if (data.starts_with("data:")) return by_url(out, data, by_name);
  if (!data.empty()) return inline_data(out, by_name, data);
  return by_url(out, text_of(*said, "file_id"), by_name); // a URL is all that both sides understand by it
}

} // namespace mainstay
