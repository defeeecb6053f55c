#include "tools/load/response_reader.hpp"

#include <algorithm>
#include <charconv>

namespace mainstay::load {
namespace {

constexpr std::size_t longest_head = 64u << 10;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(), [](char a, char b) { return lower(a) == b; });
}

bool begins(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() && same(text.substr(0, lower_case.size()), lower_case);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

template <class Number>
bool number(std::string_view text, Number& out, int base = 10) {
  auto [last, code] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return code == std::errc() && last == text.data() + text.size();
}

} // namespace

// "HTTP/1.1 200 OK\r\nname: value\r\n...", without the empty line.
bool response_reader::read_head(std::string_view head, response_sink& to) {
  response_head out;
  sized_ = chunked_ = false;
  left_ = 0;
  if (!head.starts_with("HTTP/1.") || head.size() < 12 || !number(head.substr(9, 3), status_)) return false;
  out.status = status_;
  keep_alive_ = head[7] != '0';
  for (auto at = head.find('\n'); at != head.npos;) {
    auto end = head.find('\n', at + 1);
    auto line = head.substr(at + 1, end == head.npos ? head.npos : end - at - 1);
    at = end;
    auto colon = line.find(':');
    if (colon == line.npos) return false;
    auto name = line.substr(0, colon);
    auto value = [&] { return trimmed(line.substr(colon + 1)); };
    switch (name.size()) { // most fields do not matter: told by their length
    case 10:
      if (same(name, "connection"))
        keep_alive_ = same(value(), "keep-alive") || (keep_alive_ && !same(value(), "close"));
      break;
    case 12:
      if (same(name, "content-type")) out.event_stream = begins(value(), "text/event-stream");
      break;
    case 14:
      if (same(name, "content-length")) {
        if (!number(value(), left_)) return false;
        sized_ = true;
      }
      break;
    case 17:
      if (same(name, "transfer-encoding")) {
        if (!same(value(), "chunked")) return false;
        chunked_ = true;
      } else if (same(name, "x-mainstay-source")) {
        out.source = value();
      }
      break;
    default: break;
    }
  }
  interim_ = status_ < 200;
  out.keep_alive = keep_alive_;
  if (!interim_) to.on_head(out);
  return true;
}

response_reader::state response_reader::after_head() {
  if (interim_) return state::more;
  if (status_ == 204 || status_ == 304 || (!chunked_ && sized_ && left_ == 0)) return finish();
  at_ = chunked_ ? at::size : sized_ ? at::fixed : at::until_close;
  if (at_ == at::until_close) keep_alive_ = false;
  return state::more;
}

response_reader::state response_reader::finish() noexcept {
  at_ = at::head;
  return state::complete;
}

// A whole line without its end, from `input` or carried over; false: it needs more bytes.
bool response_reader::take_line(std::string_view& input, std::string_view& line) {
  auto end = input.find('\n');
  if (end == input.npos) {
    line_ += input;
    input = {};
    return false;
  }
  if (line_.empty()) {
    line = input.substr(0, end);
  } else {
    line = line_.append(input.substr(0, end));
  }
  input.remove_prefix(end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return true;
}

response_reader::state response_reader::feed(std::string_view& input, response_sink& to) {
  while (!input.empty()) {
    std::string_view line;
    switch (at_) {
    case at::head: {
      constexpr std::string_view blank = "\r\n\r\n";
      bool whole = false;
      if (line_.empty()) {
        auto end = input.find(blank);
        if (end != input.npos) {
          line = input.substr(0, end);
          input.remove_prefix(end + blank.size());
          whole = true;
        }
      }
      if (!whole) {
        auto searched = line_.size() < 3 ? 0 : line_.size() - 3;
        auto before = line_.size();
        line_ += input;
        auto end = line_.find(blank, searched);
        if (end == line_.npos) {
          input = {};
          if (line_.size() > longest_head) return state::malformed;
          break;
        }
        input.remove_prefix(end + blank.size() - before);
        line = std::string_view(line_).substr(0, end);
      }
      auto good = read_head(line, to);
      line_.clear();
      if (!good) return state::malformed;
      if (after_head() == state::complete) return state::complete;
      break;
    }
    case at::fixed:
    case at::data: {
      auto piece = input.substr(0, std::min<std::uint64_t>(left_, input.size()));
      input.remove_prefix(piece.size());
      left_ -= piece.size();
      to.on_body(piece);
      if (left_ > 0) break;
      if (at_ == at::fixed) return finish();
      at_ = at::data_end;
      break;
    }
    case at::until_close:
      to.on_body(input);
      input = {};
      break;
    case at::size:
      if (!take_line(input, line)) break;
      if (!number(trimmed(line.substr(0, line.find(';'))), left_, 16)) return state::malformed;
      line_.clear();
      at_ = left_ ? at::data : at::trailer;
      break;
    case at::data_end:
      if (!take_line(input, line)) break;
      if (!line.empty()) return state::malformed;
      line_.clear();
      at_ = at::size;
      break;
    case at::trailer: {
      if (!take_line(input, line)) break;
      auto last = line.empty();
      line_.clear();
      if (last) return finish();
      break;
    }
    }
    if (line_.size() > longest_head) return state::malformed;
  }
  return state::more;
}

} // namespace mainstay::load
