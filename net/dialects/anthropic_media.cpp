#include "net/dialects/anthropic_media.hpp"

#include "net/json_text.hpp"

#include <optional>
#include <string_view>

namespace mainstay {
namespace {

using json::value;

std::optional<std::string> decoded(std::string_view base64) {
  while (base64.ends_with('=')) base64.remove_suffix(1);
  std::string out;
  out.reserve(base64.size() * 3 / 4);
  unsigned bits = 0, held = 0;
  for (char c : base64) {
    const auto digit = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffff;
    if ((held += 6) < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held);
  }
  return out;
}

struct data_url {
  std::string_view type, base64;
};

std::optional<data_url> read_data_url(std::string_view url) {
  constexpr std::string_view scheme = "data:", suffix = ";base64";
  const auto comma = url.find(',');
  if (!url.starts_with(scheme) || comma == url.npos) return std::nullopt;
  const auto head = url.substr(scheme.size(), comma - scheme.size());
  if (!head.ends_with(suffix)) return std::nullopt;
  return data_url{head.substr(0, head.find(';')), url.substr(comma + 1)};
}

void append_base64(std::string& out, const data_url& data) {
  out += R"({"type":"base64","media_type":)";
  json::append_string(out, data.type);
  out += R"(,"data":)";
  json::append_string(out, data.base64);
  out += '}';
}

void append_url(std::string& out, std::string_view url) {
  out += R"({"type":"url","url":)";
  json::append_string(out, url);
  out += '}';
}

void append_title(std::string& out, std::string_view title) {
  if (title.empty()) return;
  out += R"(,"title":)";
  json::append_string(out, title);
}

/// A PDF, or text, which goes as text.
anthropic_media append_document(std::string& out, const data_url& data, std::string_view title) {
  std::string source;
  if (data.type == "application/pdf") {
    append_base64(source, data);
  } else if (data.type.starts_with("text/")) {
    const auto text = decoded(data.base64);
    if (!text || text->empty()) return anthropic_media::unreadable;
    source = R"({"type":"text","media_type":"text/plain","data":)";
    json::append_string(source, *text);
    source += '}';
  } else {
    return anthropic_media::unreadable;
  }
  (out += R"({"type":"document","source":)") += source;
  append_title(out, title);
  return anthropic_media::written;
}

anthropic_media append_image(std::string& out, std::string_view url) {
  const auto data = read_data_url(url);
  if (data && data->type == "application/pdf") return append_document(out, *data, {});
  if (!data && !url.starts_with("https://")) return anthropic_media::unreadable;
  out += R"({"type":"image","source":)";
  data ? append_base64(out, *data) : append_url(out, url);
  return anthropic_media::written;
}

} // namespace

anthropic_media append_anthropic_media(std::string& out, const value& part) {
  const auto type = text_of(part, "type");
  const auto said = part.find(type);
  if (!said || (type != "image_url" && type != "file")) return anthropic_media::unknown_type;
  if (type == "image_url")
    return append_image(out, said->is(json::kind::string) ? std::string_view(said->text) : text_of(*said, "url"));
  const auto content = text_of(*said, "file_data");
  const auto title = text_of(*said, "filename");
  if (const auto data = read_data_url(content)) return append_document(out, *data, title);
  if (!content.empty() && !content.starts_with("https://")) // base64 alone, told by its name
    return append_document(out, {title.ends_with(".txt") ? "text/plain" : "application/pdf", content}, title);
  const auto url =
      content.empty() ? text_of(*said, "file_id") : content; // a URL is all that both sides understand by it
  if (!url.starts_with("https://")) return anthropic_media::unreadable;
  out += R"({"type":"document","source":)";
  append_url(out, url);
  append_title(out, title);
  return anthropic_media::written;
}

} // namespace mainstay
