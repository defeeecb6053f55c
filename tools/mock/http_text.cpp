// HTTP text by hand: an answer is one string and one write.
#include "tools/mock/http_text.hpp"

#include <algorithm>
#include <charconv>

#include <strings.h>

namespace mainstay::mock {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
  case 200: return "OK";
  case 400: return "Bad Request";
  case 401: return "Unauthorized";
  case 402: return "Payment Required";
  case 403: return "Forbidden";
  case 404: return "Not Found";
  case 405: return "Method Not Allowed";
  case 408: return "Request Timeout";
  case 409: return "Conflict";
  case 413: return "Payload Too Large";
  case 422: return "Unprocessable Entity";
  case 429: return "Too Many Requests";
  case 500: return "Internal Server Error";
  case 502: return "Bad Gateway";
  case 503: return "Service Unavailable";
  case 504: return "Gateway Timeout";
  default: return "Scripted";
  }
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

} // namespace

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool code = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (code) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

namespace {

bool names_content_type(std::string_view lines) {
  constexpr std::string_view wanted = "content-type:";
  for (std::size_t at = 0; at < lines.size();) {
    if (lines.size() - at >= wanted.size() && ::strncasecmp(&lines[at], wanted.data(), wanted.size()) == 0) return true;
    auto end = lines.find('\n', at);
    if (end == std::string_view::npos) return false;
    at = end + 1;
  }
  return false;
}

} // namespace

std::string head_text(const answer_head& head) {
  std::string out;
  out.reserve(320 + head.lines.size());
  out += "HTTP/1.1 ";
  out += std::to_string(head.status);
  out += ' ';
  out += reason_of(head.status);
  out += "\r\nserver: mainstay-mock\r\n";
  if (!names_content_type(head.lines)) ((out += "content-type: ") += head.content_type) += "\r\n";
  if (head.request_number) ((out += "x-request-id: req_") += std::to_string(head.request_number)) += "\r\n";
  if (head.content_length) ((out += "content-length: ") += std::to_string(*head.content_length)) += "\r\n";
  if (head.chunked) out += "transfer-encoding: chunked\r\n";
  if (!head.keep_alive) out += "connection: close\r\n";
  out += head.lines;
  out += "\r\n";
  return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    auto part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    auto equals = part.find('=');
    if (part.substr(0, equals) != name) continue;
    return equals == std::string_view::npos ? std::string() : percent_decoded(part.substr(equals + 1));
  }
  return {};
}

void append_chunk(std::string& out, std::string_view bytes) {
  if (bytes.empty()) return; // an empty chunk would end the body
  char size[20];
  auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
  out.append(size, end);
  out += "\r\n";
  out += bytes;
  out += "\r\n";
}

} // namespace mainstay::mock
