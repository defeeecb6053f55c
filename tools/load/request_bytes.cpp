#include "tools/load/request_bytes.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace mainstay::load {
namespace {

using json_writer = rapidjson::Writer<rapidjson::StringBuffer>;

void string(json_writer& out, std::string_view text) {
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void key(json_writer& out, std::string_view name) {
  out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
}

} // namespace

pattern chat_body(const request_shape& shape, const question_text& question, bool stream) {
  rapidjson::StringBuffer buffer;
  json_writer out(buffer);
  out.StartObject();
  key(out, "model");
  string(out, shape.model);
  key(out, "messages");
  out.StartArray();
  out.StartObject();
  key(out, "role");
  string(out, "user");
  key(out, "content");
  auto content_at = buffer.GetSize() + 2; // behind the colon and the quote
  string(out, question.pattern());
  out.EndObject();
  out.EndArray();
  if (shape.max_tokens) {
    key(out, "max_tokens");
    out.Uint(*shape.max_tokens);
  }
  if (stream) {
    key(out, "stream");
    out.Bool(true);
  }
  out.EndObject();
  return {buffer.GetString(), content_at + question.number_at()};
}

pattern http_request(const request_shape& shape, const question_text& question, bool stream, std::string_view host) {
  auto body = chat_body(shape, question, stream);
  std::string head = "POST " + shape.path + " HTTP/1.1\r\nhost: " + std::string(host) +
                     "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.bytes.size()) +
                     "\r\n";
  for (auto& [name, value] : shape.headers) head += name + ": " + value + "\r\n";
  head += "\r\n";
  return {head + body.bytes, head.size() + body.number_at};
}

std::string zmq_headers(const request_shape& shape) {
  rapidjson::StringBuffer buffer;
  json_writer out(buffer);
  out.StartObject();
  for (auto& [name, value] : shape.headers) {
    key(out, name);
    string(out, value);
  }
  out.EndObject();
  return buffer.GetString();
}

} // namespace mainstay::load
