// Escaping and UTF-8 checking in one pass; runs of ordinary bytes are copied whole.
#include "tools/mock/json_text.hpp"

#include <cstdint>
#include <cstdio>

namespace mainstay::mock {
namespace {

// Bytes of the valid UTF-8 sequence at `at`, 0 if there is none (overlong, surrogate, cut short, beyond U+10FFFF).
std::size_t utf8_length(std::string_view text, std::size_t at) {
  auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
  auto tail = [&](std::size_t count) {
    if (text.size() - at <= count) return false;
    for (std::size_t i = 1; i <= count; ++i)
      if ((byte(i) & 0xC0) != 0x80) return false;
    return true;
  };
  auto lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!tail(2)) return 0;
    if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(3)) return 0;
    if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
    return 4;
  }
  return 0;
}

void append_escape(std::string& out, char c) {
  switch (c) {
  case '"': out += "\\\""; return;
  case '\\': out += "\\\\"; return;
  case '\n': out += "\\n"; return;
  case '\r': out += "\\r"; return;
  case '\t': out += "\\t"; return;
  default: break;
  }
  char code[8];
  std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(static_cast<std::uint8_t>(c)));
  out += code;
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size();) {
    auto c = static_cast<std::uint8_t>(text[at]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      ++at;
      continue;
    }
    auto length = utf8_length(text, at);
    if (length > 1) {
      at += length;
      continue;
    }
    out.append(text, copied, at - copied);
    if (length == 1)
      append_escape(out, text[at]);
    else
      out += "\\ufffd";
    copied = ++at;
  }
  out.append(text, copied);
  out += '"';
}

void append_json_field(std::string& out, std::string_view name, std::string_view text) {
  out += '"';
  out += name;
  out += "\":";
  append_json_string(out, text);
}

void append_decimal(std::string& out, double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", value);
  out += text;
}

std::string json_quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

} // namespace mainstay::mock
