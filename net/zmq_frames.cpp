// Takes messages apart and builds answers. The headers object is read by a SAX handler that refuses nesting, so hostile
// JSON costs neither stack nor memory.
#include "net/zmq_frames.hpp"

#include "net/json_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace mainstay::mq {
namespace {

constexpr std::array<std::string_view, 4> verbs{"chat", "embeddings", "collect", "cancel"};

bool is_name_char(unsigned char c) { // RFC 9110, token
  return std::isalnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(char(c)) != std::string_view::npos;
}

bool is_control(unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; }

/// Collects one flat object. Returning false ends the parse; `why` then says what the sender did wrong.
struct headers_reader : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, headers_reader> {
  header_list fields;
  std::string name;
  bool inside = false;
  const char* why = nullptr;

  bool refuse(const char* what) {
    why = what;
    return false;
  }
  bool nested() {
    return refuse(inside ? "a header's value must not be an object or an array" : "headers must be a JSON object");
  }
  bool value(std::string text) {
    if (!inside) return refuse("headers must be a JSON object");
    if (std::any_of(text.begin(), text.end(), is_control)) return refuse("a header's value has control characters");
    if (fields.size() == max_headers) return refuse("more than 100 headers");
    fields.emplace_back(std::move(name), std::move(text));
    return true;
  }

  bool StartObject() {
    if (inside) return nested();
    return inside = true;
  }
  bool EndObject(rapidjson::SizeType) { return true; }
  bool StartArray() { return nested(); }
  bool EndArray(rapidjson::SizeType) { return true; }
  bool Key(const char* s, rapidjson::SizeType n, bool) {
    if (n == 0 || !std::all_of(s, s + n, is_name_char))
      return refuse("a header's name has characters that are not allowed");
    name.assign(s, n);
    for (char& c : name) c = char(std::tolower(static_cast<unsigned char>(c)));
    if (find_header(fields, name)) return refuse("a header is given twice");
    return true;
  }
  bool String(const char* s, rapidjson::SizeType n, bool) { return value({s, n}); }
  bool RawNumber(const char* s, rapidjson::SizeType n, bool) { return value({s, n}); }
  bool Bool(bool b) { return value(b ? "true" : "false"); }
  bool Null() { return inside || refuse("headers must be a JSON object"); }
};

/// Empty when all is well, else what is wrong.
std::string read_headers(std::string_view text, header_list& out) {
  if (text.size() > max_headers_bytes) return "the headers frame is larger than 64 KiB";
  constexpr unsigned flags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::MemoryStream in(text.data(), text.size());
  headers_reader handler;
  rapidjson::Reader reader;
  if (!reader.Parse<flags>(in, handler))
    return handler.why ? handler.why : "the headers frame is not a JSON object in UTF-8";
  out = std::move(handler.fields);
  return {};
}

void fail(message& m, int status, std::string_view code, std::string text) {
  m.status = status;
  m.code = code;
  m.fault = std::move(text);
  m.headers.clear();
}

/// RapidJSON's own check looks beyond the end of a string that ends within a character.
bool is_utf8(std::string_view text) {
  for (auto at = text.data(), end = at + text.size(); at != end;) {
    const auto n = json::sequence_length(at, end);
    if (n == 0) return false;
    at += n;
  }
  return true;
}

bool write_headers(rapidjson::StringBuffer& out, int status, const header_list& headers, const header_list& more,
                   bool ascii) {
  rapidjson::Writer<rapidjson::StringBuffer> json(out);
  auto text = [&](std::string s) {
    if (ascii)
      std::replace_if(
          s.begin(), s.end(), [](unsigned char c) { return c >= 0x80; }, '?');
    else if (!is_utf8(s))
      return false;
    return json.String(s.data(), rapidjson::SizeType(s.size()));
  };
  json.StartObject();
  json.Key("status");
  json.Int(status);
  for (auto& [name, value] : headers)
    if (name != "status" && !find_header(more, name) && !(text(name) && text(value))) return false;
  for (auto& [name, value] : more)
    if (name != "status" && !(text(name) && text(value))) return false;
  return json.EndObject();
}

std::string_view error_type(int status) {
  if (status == 401) return "authentication_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

} // namespace

message parse_frames(std::span<const std::string_view> frames, std::size_t body_limit) {
  message m;
  if (!frames.empty() && frames[0].empty()) {
    m.req_client = true;
    frames = frames.subspan(1);
  }
  if (!frames.empty() && frames[0].size() <= max_id_bytes) m.id = frames[0];
  const auto malformed = [&m](std::string text) { fail(m, 400, "malformed", std::move(text)); };
  if (m.id.empty()) {
    malformed("the first frame must be an id of 1 to 128 bytes; a message is [id, verb, headers, body]");
    return m;
  }
  if (frames.size() > 1) m.verb = frames[1];
  const bool cancel = m.verb == "cancel";
  if (cancel ? frames.size() > 4 : frames.size() != 4) {
    malformed("a message has four frames: [id, verb, headers, body]");
  } else if (std::find(verbs.begin(), verbs.end(), m.verb) == verbs.end()) {
    malformed("the verb must be chat, embeddings, collect or cancel");
  } else if (cancel) { // says enough with its id: what else it says counts where it can be understood
    if (frames.size() > 2 && !read_headers(frames[2], m.headers).empty()) m.headers.clear();
  } else {
    if (auto wrong = read_headers(frames[2], m.headers); !wrong.empty())
      malformed(std::move(wrong));
    else if (frames[3].size() > body_limit)
      fail(m, 413, "body_too_large", "the body is larger than " + std::to_string(body_limit) + " bytes");
    else
      m.body = frames[3];
  }
  return m;
}

std::string headers_frame(int status, const header_list& headers, const header_list& more) {
  rapidjson::StringBuffer out;
  if (!write_headers(out, status, headers, more,
                     false)) { // somebody's header is not UTF-8: what is not ASCII becomes '?'
    out.Clear();
    write_headers(out, status, headers, more, true);
  }
  return {out.GetString(), out.GetSize()};
}

std::string error_body(int status, std::string_view code, std::string_view text) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> json(out);
  const auto field = [&](const char* name, std::string_view value) {
    json.Key(name);
    json.String(value.empty() ? "" : value.data(), rapidjson::SizeType(value.size()));
  };
  json.StartObject();
  json.Key("error");
  json.StartObject();
  field("message", text);
  field("type", error_type(status));
  json.Key("param");
  json.Null();
  field("code", code);
  json.EndObject();
  json.EndObject();
  return {out.GetString(), out.GetSize()};
}

} // namespace mainstay::mq
