// Requests on one connection: whatever the guard lets through has one reading, which a slow and plain reader shares.
#include "net/http_chunked.hpp"
#include "net/http_framing.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;
using namespace mainstay::http;

namespace {

std::string lower(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

/// What decides about the body, read line by line without any cleverness.
void check_framing(std::string_view text, const request_head& head) {
  std::size_t lengths = 0, codings = 0, hosts = 0, fields = 0;
  MUST(text.substr(text.size() - 4) == "\r\n\r\n");
  text.remove_suffix(2);
  for (bool first = true; !text.empty(); first = false) {
    const auto line = text.substr(0, text.find("\r\n"));
    text.remove_prefix(line.size() + 2);
    for (unsigned char c : line) MUST((c >= 0x20 && c != 0x7f) || (c == '\t' && !first));
    if (first) continue;
    const auto name = lower(std::string(line.substr(0, line.find(':'))));
    MUST(name.size() < line.size() && name.find_first_of(" \t") == std::string::npos);
    MUST(head.headers[fields++].first == name);
    lengths += name == "content-length";
    codings += name == "transfer-encoding";
    hosts += name == "host";
  }
  MUST(fields == head.headers.size());
  MUST(lengths + codings <= 1 && hosts <= 1 && (hosts == 1 || !head.http11));
  MUST(head.chunked == (codings == 1));
  if (lengths) MUST(std::stoull(*find_header(head.headers, "content-length")) == head.content_length);
  if (!lengths) MUST(head.content_length == 0);
  if (codings) MUST(head.http11 && lower(*find_header(head.headers, "transfer-encoding")) == "chunked");
}

/// Written down again, it says the same.
void check_written(const request_head& head, const head_limits& limits) {
  auto text = head.method + " " + head.path + (head.query.empty() ? "" : "?" + head.query) +
              (head.http11 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
  for (const auto& [name, value] : head.headers) text += name + ":" + value + "\r\n";
  text += "\r\n";
  const auto read = read_head(text, limits);
  const auto* again = std::get_if<request_head>(&read);
  MUST(again);
  MUST(again->method == head.method && again->path == head.path && again->query == head.query);
  MUST(again->headers == head.headers && again->keep_alive == head.keep_alive && again->chunked == head.chunked);
  MUST(again->content_length == head.content_length && again->expects_continue == head.expects_continue);
}

struct scanned {
  head_scanner::state state = head_scanner::state::more;
  std::size_t size = 0;
  int status = 0;
  friend bool operator==(const scanned&, const scanned&) = default;
};

scanned scan(std::string_view input, const std::vector<std::string>& pieces, const head_limits& limits) {
  head_scanner scanner;
  scanned out;
  std::size_t come = 0;
  for (const auto& piece : pieces) {
    come += piece.size();
    out.state = scanner.scan(std::string(input.substr(0, come)), limits);
    if (out.state != head_scanner::state::more) break;
  }
  out.size = out.state == head_scanner::state::complete ? scanner.size() : 0;
  out.status = out.state == head_scanner::state::fault ? scanner.fault().status : 0;
  return out;
}

struct decoded {
  chunked_decoder::state state = chunked_decoder::state::more;
  std::string body;
  std::size_t taken = 0;
  friend bool operator==(const decoded&, const decoded&) = default;
};

decoded decode(const std::vector<std::string>& pieces, std::size_t limit) {
  chunked_decoder decoder;
  decoded out;
  for (const auto& piece : pieces) {
    std::string_view rest = piece;
    out.state = decoder.feed(rest, out.body, limit);
    MUST(out.body.size() <= limit);
    if (out.state == chunked_decoder::state::fault) {
      MUST(!decoder.fault().message.empty());
      return {out.state, {}, 0};
    }
    out.taken += piece.size() - rest.size();
    if (out.state == chunked_decoder::state::complete) break;
    MUST(rest.empty());
  }
  return out;
}

/// False: there is no next one.
bool take_request(std::string_view& rest, mainstay::fuzz::draws& draw) {
  const head_limits limits = draw.below(4) == 0 ? head_limits{256, 5} : head_limits{};
  const auto whole = scan(rest, {std::string(rest)}, limits);
  MUST(scan(rest, mainstay::fuzz::cut(rest, draw), limits) == whole);
  if (whole.state != head_scanner::state::complete) return false;
  MUST(whole.size <= limits.bytes);
  const std::string text(rest.substr(0, whole.size));
  rest.remove_prefix(whole.size);
  const auto read = read_head(text, limits);
  if (const auto* fault = std::get_if<framing_fault>(&read)) {
    MUST(fault->status >= 400 && !fault->message.empty());
    return false;
  }
  const auto& head = std::get<request_head>(read);
  MUST(head.headers.size() <= limits.fields);
  check_framing(text, head);
  check_written(head, limits);
  if (!head.chunked) {
    if (head.content_length > rest.size()) return false;
    rest.remove_prefix(static_cast<std::size_t>(head.content_length));
    return true;
  }
  const std::size_t body_limit = draw.below(4) == 0 ? 16 : 1u << 20;
  const auto body = decode({std::string(rest)}, body_limit);
  MUST(decode(mainstay::fuzz::cut(rest, draw), body_limit) == body);
  rest.remove_prefix(body.taken);
  return body.state == chunked_decoder::state::complete;
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  draws draw(input);
  while (!input.empty() && take_request(input, draw)) {}
}
