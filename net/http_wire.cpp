// Text of heads and events, and the book-keeping of the queue. An event's lead ("1f4\r\ndata: ") fits a std::string
// without allocating.
#include "net/http_wire.hpp"

#include "net/http_framing.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mainstay::http {
namespace {

constexpr std::string_view event_lead = "data: ", event_tail = "\n\n";

std::string hex(std::size_t n) {
  std::array<char, 16> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), n, 16).ptr;
  return std::string(digits.data(), end);
}

/// One piece around `body`, chunked or plain.
wire_piece framed(std::string_view lead, bytes_ptr body, stream_framing framing, bool event) {
  if (framing == stream_framing::until_close) return {std::string(lead), std::move(body), event_tail, event};
  auto text = hex(lead.size() + body->size() + event_tail.size());
  text.append("\r\n").append(lead);
  return {std::move(text), std::move(body), "\n\n\r\n", event};
}

/// Two searches by memchr beat one by find_first_of, and every event comes through here.
bool has_line_end(std::string_view text) noexcept {
  return text.find('\n') != std::string_view::npos || text.find('\r') != std::string_view::npos;
}

/// "a\nb" as "a\ndata: b"; CR LF and CR count as line ends too.
std::string as_data_lines(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\r' || text[i] == '\n')
      out.append("\n").append(event_lead);
    else
      out += text[i];
  }
  return out;
}

std::string_view reason(int status) noexcept {
  switch (status) {
  case 200: return "OK";
  case 201: return "Created";
  case 202: return "Accepted";
  case 204: return "No Content";
  case 302: return "Found";
  case 304: return "Not Modified";
  case 400: return "Bad Request";
  case 401: return "Unauthorized";
  case 402: return "Payment Required";
  case 403: return "Forbidden";
  case 404: return "Not Found";
  case 405: return "Method Not Allowed";
  case 408: return "Request Timeout";
  case 409: return "Conflict";
  case 413: return "Content Too Large";
  case 414: return "URI Too Long";
  case 415: return "Unsupported Media Type";
  case 417: return "Expectation Failed";
  case 421: return "Misdirected Request";
  case 422: return "Unprocessable Content";
  case 429: return "Too Many Requests";
  case 431: return "Request Header Fields Too Large";
  case 499: return "Client Closed Request";
  case 500: return "Internal Server Error";
  case 501: return "Not Implemented";
  case 502: return "Bad Gateway";
  case 503: return "Service Unavailable";
  case 504: return "Gateway Timeout";
  case 505: return "HTTP Version Not Supported";
  case 529: return "Overloaded";
  default: return {}; // RFC 9112 allows none
  }
}

bool owned_by_framing(std::string_view name) noexcept {
  return name == "content-length" || name == "transfer-encoding" || name == "connection" || name == "content-type" ||
         name == "keep-alive" || name == "upgrade" || name == "trailer";
}

void append_value(std::string& out, std::string_view value) {
  auto start = out.size();
  out.append(value);
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(start), out.end(), [](unsigned char c) { return !is_field_char(c); },
      ' ');
}

void append_field(std::string& out, const std::string& name, const std::string& value) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_char)) return;
  auto start = out.size();
  out.append(name);
  for (auto i = start; i < out.size(); ++i)
    if (out[i] >= 'A' && out[i] <= 'Z') out[i] = static_cast<char>(out[i] + 32);
  if (owned_by_framing(std::string_view(out).substr(start))) {
    out.resize(start);
    return;
  }
  out.append(": ");
  append_value(out, value);
  out.append("\r\n");
}

} // namespace

wire_piece event_piece(bytes_ptr json, stream_framing framing, std::string_view type) {
  if (!json) json = make_bytes({});
  if (has_line_end(*json)) json = make_bytes(as_data_lines(*json));
  if (type.empty() || has_line_end(type)) return framed(event_lead, std::move(json), framing, true);
  std::string lead = "event: ";
  lead.append(type).append("\n").append(event_lead);
  return framed(lead, std::move(json), framing, true);
}

wire_piece comment_piece(std::string text, stream_framing framing, bool counts) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return framed(": ", make_bytes(std::move(text)), framing, counts);
}

wire_piece done_piece(stream_framing framing) {
  return {{}, nullptr, framing == stream_framing::chunked ? "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n" : "data: [DONE]\n\n"};
}

wire_piece end_piece(stream_framing framing) {
  return {{}, nullptr, framing == stream_framing::chunked ? "0\r\n\r\n" : ""};
}

bool status_has_body(int status) noexcept { return status >= 200 && status != 204 && status != 304; }

std::string head_text(const answer_head& head, const header_list& headers) {
  int status = head.status >= 200 && head.status <= 599 ? head.status : 500;
  std::string out;
  out.reserve(512);
  out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason(status)).append("\r\n");
  if (!head.content_type.empty() && status_has_body(status)) {
    out.append("content-type: ");
    append_value(out, head.content_type);
    out.append("\r\n");
  }
  if (head.content_length && status_has_body(status))
    out.append("content-length: ").append(std::to_string(*head.content_length)).append("\r\n");
  if (head.chunked) out.append("transfer-encoding: chunked\r\n");
  if (!head.keep_alive)
    out.append("connection: close\r\n");
  else if (!head.http11)
    out.append("connection: keep-alive\r\n");
  for (auto& [name, value] : headers) append_field(out, name, value);
  return out.append("\r\n");
}

void wire_queue::count(const wire_piece& piece) noexcept {
  bytes_ += piece.size();
  if (piece.event) event_bytes_ += piece.body_size();
}

void wire_queue::push(wire_piece piece) {
  if (piece.size() == 0) return;
  count(piece);
  pieces_.push_back(std::move(piece));
}

void wire_queue::push(std::vector<wire_piece>&& more) {
  if (!empty()) {
    for (auto& piece : more) push(std::move(piece));
    return;
  }
  std::erase_if(more, [](const wire_piece& piece) { return piece.size() == 0; });
  pieces_ = std::move(more);
  first_ = gone_ = 0;
  for (auto& piece : pieces_) count(piece);
}

std::size_t wire_queue::gather(iovec* out, std::size_t most, std::size_t& bytes) const noexcept {
  std::size_t n = 0, skip = gone_;
  bytes = 0;
  auto add = [&](std::string_view part) {
    auto hidden = std::min(skip, part.size());
    skip -= hidden;
    part.remove_prefix(hidden);
    if (part.empty() || n == most) return;
    out[n++] = {const_cast<char*>(part.data()), part.size()}; // sendmsg only reads
    bytes += part.size();
  };
  for (auto i = first_; i < pieces_.size() && n < most; ++i) {
    add(pieces_[i].lead);
    if (pieces_[i].body) add(*pieces_[i].body);
    add(pieces_[i].tail);
  }
  return n;
}

std::size_t wire_queue::consume(std::size_t bytes) noexcept {
  std::size_t progress = 0;
  bytes_ -= bytes;
  gone_ += bytes;
  while (!empty() && gone_ >= pieces_[first_].size()) {
    auto& piece = pieces_[first_++];
    gone_ -= piece.size();
    if (piece.event) progress += piece.body_size();
    piece = {};
  }
  event_bytes_ -= progress;
  if (empty()) {
    // An idle connection should not keep the room that a long backlog needed.
    if (pieces_.capacity() > 32)
      pieces_ = std::vector<wire_piece>(); // with {} it would keep it
    else
      pieces_.clear();
    first_ = 0;
  } else if (first_ > 64 && first_ > pieces_.size() / 2) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  return progress;
}

void wire_queue::clear() noexcept { *this = {}; }

} // namespace mainstay::http
