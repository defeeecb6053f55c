#include "net/warm_line.hpp"

#include "net/json_reader.hpp"

#include <cstdint>
#include <utility>

namespace mainstay {
namespace {

constexpr std::size_t longest_name = 256;
constexpr const char* unusable = "has a client without a usable name";

class line_reader : public json::handler {
public:
  bool is_request = false, has_body = false;
  std::string client, problem;
  std::size_t body_begin = 0, body_end = 0;

  bool key(std::string_view name) {
    if (depth_ != 1) return true;
    if (name == "messages") is_request = true;
    member_ = name == "client" ? member::client : name == "body" ? member::body : member::other;
    if (member_ == member::client && std::exchange(client_seen_, true)) return fail("names two clients");
    if (member_ == member::body && std::exchange(body_seen_, true)) return fail("has two bodies");
    return true;
  }
  bool string(std::string_view text) {
    if (depth_ != 1 || member_ != member::client) return value();
    if (text.empty() || text.size() > longest_name) return fail(unusable);
    client = text;
    return true;
  }
  bool number(std::string_view) { return value(); }
  bool boolean(bool) { return value(); }
  bool null() { return value(); }
  bool begin_object() {
    if (depth_ == 0) return ++depth_, true;
    if (depth_ == 1 && member_ == member::body) {
      has_body = true;
      body_begin = at->Tell() - 1;
    } else if (!value()) {
      return false;
    }
    ++depth_;
    return true;
  }
  bool end_object() {
    --depth_;
    if (depth_ == 1 && member_ == member::body && has_body) body_end = at->Tell();
    return true;
  }
  bool begin_array() {
    if (!value()) return false;
    ++depth_;
    return true;
  }
  bool end_array() {
    --depth_;
    return true;
  }

private:
  enum class member : std::uint8_t { other, client, body };
  bool fail(const char* why) {
    problem = why;
    return false;
  }
  bool value() {
    if (depth_ == 0) return fail("is no JSON object");
    return depth_ > 1 || member_ != member::client || fail(unusable);
  }

  int depth_ = 0;
  member member_ = member::other;
  bool client_seen_ = false, body_seen_ = false;
};

} // namespace

std::variant<warm_line, std::string> read_warm_line(std::string line) {
  line_reader reader;
  const auto read = json::read(line, reader);
  if (!reader.problem.empty()) return std::move(reader.problem);
  if (!read) return "is no JSON: " + std::string(read.reason) + " (byte " + std::to_string(read.offset) + ")";
  if (reader.is_request) return warm_line{"", make_bytes(std::move(line))};
  if (!reader.has_body) return "is neither a chat request nor an object with one as its body";
  return warm_line{std::move(reader.client),
                   make_bytes(line.substr(reader.body_begin, reader.body_end - reader.body_begin))};
}

} // namespace mainstay
