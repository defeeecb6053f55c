// The rules behind net/http_framing.hpp, in the order of a head: request line, fields, and what the fields say about
// the body. Every rule refuses; nothing is repaired on the way.
#include "net/http_framing.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace mainstay::http {
namespace {

constexpr std::size_t longest_method = 32;
constexpr std::size_t longest_target = 8u << 10;
constexpr std::size_t most_length_digits = 18; // fits 64 bits with room to add

constexpr auto token_table = [] {
  std::array<bool, 256> table{};
  for (unsigned char c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned char c = 'a'; c <= 'z'; ++c) table[c] = table[c - 32] = true;
  for (unsigned char c : std::string_view("!#$%&'*+-.^_`|~")) table[c] = true;
  return table;
}();

framing_fault bad(std::string_view message) { return {400, "bad_framing", message}; }

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_ignoring_case(std::string_view a, std::string_view lowercase) noexcept {
  return a.size() == lowercase.size() &&
         std::equal(a.begin(), a.end(), lowercase.begin(), [](char x, char y) { return lower(x) == y; });
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// A line up to its CRLF, which head_scanner has proved to be there; moves `rest` behind it.
std::string_view take_line(std::string_view& rest) noexcept {
  auto end = rest.find('\n');
  auto line = rest.substr(0, end - 1);
  rest.remove_prefix(end + 1);
  return line;
}

/// Reads one head. Members are set in reading order; the first fault wins.
class head_reader {
public:
  head_reader(std::string_view head, const head_limits& limits) : rest_(head), limits_(limits) {}

  std::variant<request_head, framing_fault> read() {
    if (!request_line(take_line(rest_)) || !fields() || !body_framing()) return fault_;
    decide_keep_alive();
    return std::move(head_);
  }

private:
  bool refuse(framing_fault fault) noexcept {
    fault_ = fault;
    return false;
  }

  bool request_line(std::string_view line) {
    auto first = line.find(' '), last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return refuse(bad("malformed request line"));
    return method(line.substr(0, first)) && version(line.substr(last + 1)) &&
           target(line.substr(first + 1, last - first - 1));
  }

  bool method(std::string_view text) {
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_token_char))
      return refuse(bad("malformed request method"));
    if (text.size() > longest_method) return refuse({501, "unknown_method", "request method too long"});
    head_.method = text;
    return true;
  }

  bool version(std::string_view text) {
    if (text.size() != 8 || text.substr(0, 5) != "HTTP/" || !is_digit(text[5]) || text[6] != '.' || !is_digit(text[7]))
      return refuse(bad("malformed HTTP version"));
    if (text[5] != '1') return refuse({505, "unsupported_version", "only HTTP/1.0 and HTTP/1.1 are spoken here"});
    head_.http11 = text[7] != '0';
    return true;
  }

  bool target(std::string_view text) {
    if (text.size() > longest_target) return refuse({414, "target_too_long", "request target too long"});
    auto visible = [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '#'; };
    if (text.empty() || !std::all_of(text.begin(), text.end(), visible)) return refuse(bad("malformed request target"));
    if (text == "*" && head_.method == "OPTIONS") {
      head_.path = text;
      return true;
    }
    if (text.front() != '/' && !skip_authority(text)) return refuse(bad("malformed request target"));
    auto question = text.find('?');
    head_.path = question == 0 || text.empty() ? "/" : text.substr(0, question);
    if (question != std::string_view::npos) head_.query = text.substr(question + 1);
    return true;
  }

  /// The absolute form, "http://host/path": leaves path and query in `text`.
  static bool skip_authority(std::string_view& text) noexcept {
    auto scheme = text.find("://");
    if (scheme == std::string_view::npos) return false;
    auto name = text.substr(0, scheme);
    if (!same_ignoring_case(name, "http") && !same_ignoring_case(name, "https")) return false;
    text.remove_prefix(scheme + 3);
    auto end = std::min(text.find_first_of("/?"), text.size());
    bool named = end > 0;
    text.remove_prefix(end);
    return named;
  }

  bool fields() {
    auto lines = static_cast<std::size_t>(std::count(rest_.begin(), rest_.end(), '\n'));
    if (lines > limits_.fields + 1) return refuse({431, "too_many_headers", "too many header fields"});
    head_.headers.reserve(lines);
    for (auto line = take_line(rest_); !line.empty(); line = take_line(rest_))
      if (!field(line)) return false;
    if (head_.http11 && !has_host_) return refuse(bad("a request needs a host header"));
    return true;
  }

  bool field(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t') return refuse(bad("folded header lines are not accepted"));
    auto colon = line.find(':');
    if (colon == std::string_view::npos) return refuse(bad("header line without a colon"));
    auto raw_name = line.substr(0, colon);
    if (raw_name.empty() || !std::all_of(raw_name.begin(), raw_name.end(), is_token_char))
      return refuse(bad("malformed header name"));
    auto value = trimmed(line.substr(colon + 1));
    if (!std::all_of(value.begin(), value.end(), is_field_char))
      return refuse(bad("control character in a header value"));
    std::string name(raw_name);
    std::transform(name.begin(), name.end(), name.begin(), lower);
    if (!notice(name, value)) return false;
    head_.headers.emplace_back(std::move(name), value);
    return true;
  }

  /// The fields that decide about host, body and connection.
  bool notice(std::string_view name, std::string_view value) {
    if (name == "host") return host(value);
    if (name == "content-length") return content_length(value);
    if (name == "transfer-encoding") return transfer_encoding(value);
    if (name == "connection") return connection(value);
    if (name == "expect") return expect(value);
    return true;
  }

  bool host(std::string_view value) {
    auto odd = [](unsigned char c) { return c <= 0x20 || c >= 0x7f || std::strchr("\"#,/<>?@\\^`{|}", c); };
    if (has_host_ || std::any_of(value.begin(), value.end(), odd)) return refuse(bad("one valid host header, please"));
    return has_host_ = true;
  }

  bool content_length(std::string_view value) {
    if (has_length_) return refuse(bad("more than one content-length"));
    if (value.empty() || value.size() > most_length_digits || !std::all_of(value.begin(), value.end(), is_digit))
      return refuse(bad("malformed content-length"));
    for (char c : value) head_.content_length = head_.content_length * 10 + static_cast<std::uint64_t>(c - '0');
    return has_length_ = true;
  }

  bool transfer_encoding(std::string_view value) noexcept {
    // Judged in body_framing(): content-length beside it, in whichever order, is the graver fault.
    unknown_coding_ = unknown_coding_ || has_coding_ || !same_ignoring_case(value, "chunked");
    return has_coding_ = true;
  }

  bool connection(std::string_view value) noexcept {
    while (!value.empty()) {
      auto comma = std::min(value.find(','), value.size());
      auto option = trimmed(value.substr(0, comma));
      asks_close_ = asks_close_ || same_ignoring_case(option, "close");
      asks_keep_alive_ = asks_keep_alive_ || same_ignoring_case(option, "keep-alive");
      value.remove_prefix(std::min(comma + 1, value.size()));
    }
    return true;
  }

  bool expect(std::string_view value) {
    if (!same_ignoring_case(value, "100-continue"))
      return refuse({417, "unknown_expectation", "only 100-continue can be expected"});
    head_.expects_continue = head_.http11;
    return true;
  }

  bool body_framing() {
    if (!has_coding_) return true;
    if (has_length_) return refuse(bad("content-length and transfer-encoding contradict each other"));
    if (!head_.http11) return refuse(bad("HTTP/1.0 knows no transfer-encoding"));
    if (unknown_coding_)
      return refuse({501, "unknown_transfer_coding", "the only transfer coding spoken here is chunked"});
    head_.chunked = true;
    return true;
  }

  void decide_keep_alive() noexcept { head_.keep_alive = !asks_close_ && (head_.http11 || asks_keep_alive_); }

  std::string_view rest_;
  const head_limits& limits_;
  request_head head_;
  framing_fault fault_;
  bool has_host_ = false, has_length_ = false, has_coding_ = false, unknown_coding_ = false;
  bool asks_close_ = false, asks_keep_alive_ = false;
};

} // namespace

bool is_token_char(unsigned char c) noexcept { return token_table[c]; }
bool is_field_char(unsigned char c) noexcept { return (c >= 0x20 && c != 0x7f) || c == '\t'; }

head_scanner::state head_scanner::scan(std::string_view received, const head_limits& limits) noexcept {
  auto window = received.substr(0, limits.bytes);
  while (next_ < window.size()) {
    auto newline = static_cast<const char*>(std::memchr(window.data() + next_, '\n', window.size() - next_));
    if (!newline) {
      next_ = window.size();
      break;
    }
    auto at = static_cast<std::size_t>(newline - window.data());
    next_ = at + 1;
    if (at == line_ || window[at - 1] != '\r') {
      fault_ = bad("lines end in CR LF");
      return state::fault;
    }
    bool empty_line = at == line_ + 1;
    if (empty_line && line_ > 0) {
      end_ = next_;
      return state::complete;
    }
    if (empty_line) {
      fault_ = bad("an empty line where a request should begin");
      return state::fault;
    }
    line_ = next_;
  }
  if (received.size() < limits.bytes) return state::more;
  fault_ = line_ == 0 ? framing_fault{414, "target_too_long", "request line too long"}
                      : framing_fault{431, "head_too_large", "request head too large"};
  return state::fault;
}

std::variant<request_head, framing_fault> read_head(std::string_view head, const head_limits& limits) {
  return head_reader(head, limits).read();
}

} // namespace mainstay::http
