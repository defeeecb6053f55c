// Reads status line and fields as RFC 9112 writes them, leniently where providers are known to be sloppy.
#include "net/http_response_head.hpp"

#include <algorithm>

namespace mainstay::http {

namespace {

constexpr std::size_t longest_length = 18; // digits; with more, curl would ignore the length

std::string_view trim(std::string_view s) noexcept {
  auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!s.empty() && blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && blank(s.back())) s.remove_suffix(1);
  return s;
}

std::string lower(std::string_view s) {
  std::string out{s};
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

} // namespace

void response_head::reset(std::size_t limit) {
  limit_ = limit;
  bytes_ = 0;
  status_ = 0;
  complete_ = folding_ = false;
  fields_.clear();
  length_.clear();
  complaint_ = "";
}

response_head::progress response_head::take_line(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > limit_) return refuse("the response head is over its limit");
  if (complete_) return progress::more;
  if (line.substr(0, 5) == "HTTP/") return take_status(line);
  if (status_ == 0) return refuse("the response does not begin with a status line");
  if (trim(line).empty() && line.front() != ' ' && line.front() != '\t') return take_blank();
  return take_field(line);
}

response_head::progress response_head::take_status(std::string_view line) {
  auto rest = trim(line);
  rest = trim(rest.substr(std::min(rest.find(' '), rest.size())));
  auto digits = rest.substr(0, rest.find(' '));
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.size() != 3 || !std::all_of(digits.begin(), digits.end(), digit) || digits[0] == '0')
    return refuse("the status is not a number of three digits");
  status_ = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
  if (status_ == 101) return refuse("the server switched to a protocol nobody asked for");
  fields_.clear();
  folding_ = false;
  return progress::more;
}

response_head::progress response_head::take_blank() {
  if (status_ >= 200) {
    complete_ = true;
    return progress::complete;
  }
  status_ = 0; // an interim head: the next one counts
  fields_.clear();
  length_.clear();
  folding_ = false;
  return progress::more;
}

response_head::progress response_head::take_field(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') { // obsolete folding continues the field before
    if (!folding_) return progress::more;
    if (fields_.back().first == "content-length") return refuse("the response's length goes on in another line");
    fields_.back().second.append(" ").append(trim(line));
    return progress::more;
  }
  auto colon = line.find(':');
  if (colon == std::string_view::npos) {
    folding_ = false;
    return progress::more;
  }
  auto name = lower(trim(line.substr(0, colon)));
  auto value = trim(line.substr(colon + 1));
  if (name == "content-length" && !take_length(value))
    return refuse("the response has two lengths, or one that is no number");
  folding_ = !name.empty() && fields_.size() < max_fields;
  if (folding_) fields_.emplace_back(std::move(name), value);
  return progress::more;
}

/// Whoever believes the other of two lengths reads the next answer from the middle of this one.
bool response_head::take_length(std::string_view value) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (value.empty() || value.size() > longest_length || !std::all_of(value.begin(), value.end(), digit)) return false;
  if (!length_.empty()) return length_ == value;
  length_ = value;
  return true;
}

response_head::progress response_head::refuse(const char* why) {
  complaint_ = why;
  return progress::malformed;
}

} // namespace mainstay::http
