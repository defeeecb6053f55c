// The error body of faults that the server finds by itself, shaped as OpenAI's clients expect it.
// Promises valid JSON whatever the message contains.
#include "net/http_server.hpp"
#include "net/json_text.hpp"

namespace mainstay::http {
namespace {

void append_or_null(std::string& out, std::string_view text) {
  if (text.empty())
    out += "null";
  else
    json::append_string(out, text);
}

} // namespace

std::string error_json(std::string_view message, std::string_view type, std::string_view code, std::string_view param) {
  std::string out = R"({"error":{"message":)";
  json::append_string(out, message);
  out += R"(,"type":)";
  json::append_string(out, type);
  out += R"(,"param":)";
  append_or_null(out, param);
  out += R"(,"code":)";
  append_or_null(out, code);
  return out += "}}";
}

} // namespace mainstay::http
