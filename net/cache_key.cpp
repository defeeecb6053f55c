// A request's fingerprint, built in one pass and in linear time whatever the body looks like: values are written in a
// canonical form, members sorted, and whatever grows long is replaced by its own digest, so that sorting never moves
// large pieces. The form is prefix-free: every string and number says its length, every container its end, so two
// requests share one only if they are equal.
#include "net/chat_request.hpp"

#include "net/json_reader.hpp"
#include "net/sha256.hpp"

#include <algorithm>
#include <charconv>
#include <ranges>
#include <vector>

namespace mainstay {
namespace {

constexpr std::size_t long_string = 256, long_container = 1024;

void append_length(std::string& out, std::size_t n) { out += std::to_string(n) += ':'; }

// Reads the digits of an exponent; absurd ones saturate (RapidJSON has refused the great, and the small are all zero).
std::int64_t exponent_of(std::string_view digits) {
  std::int64_t e = 0;
  if (!digits.empty() && digits.front() == '+') digits.remove_prefix(1);
  auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), e);
  return error == std::errc{} ? e : INT64_MIN / 2;
}

// Decimal digits without zeros at either end, and the power of ten of the last: 1, 1.0 and 10e-1 are "1e0"; exact at
// any length.
std::string normalised(std::string_view spelled) {
  bool negative = spelled.front() == '-';
  if (negative) spelled.remove_prefix(1);
  std::int64_t exponent = 0;
  if (auto e = spelled.find_first_of("eE"); e != spelled.npos) {
    exponent = exponent_of(spelled.substr(e + 1));
    spelled = spelled.substr(0, e);
  }
  std::string digits(spelled);
  if (auto point = digits.find('.'); point != digits.npos) {
    exponent -= static_cast<std::int64_t>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  auto first = digits.find_first_not_of('0');
  if (first == digits.npos) return "0";
  auto last = digits.find_last_not_of('0');
  exponent += static_cast<std::int64_t>(digits.size() - 1 - last);
  return (negative ? "-" : "") + digits.substr(first, last + 1 - first) + "e" + std::to_string(exponent);
}

class canonical_writer : public json::handler {
public:
  std::string out;

  bool key(std::string_view name) {
    if (open_.size() == 1) skipping_ = name == "stream" || name == "stream_options";
    if (skipping_) return true;
    members_.push_back({out.size(), 0, 0});
    append_string(name);
    members_.back().name_end = out.size();
    return true;
  }
  bool string(std::string_view text) {
    if (!skipping_) append_string(text);
    return true;
  }
  bool number(std::string_view spelled) {
    if (skipping_) return true;
    auto plain = normalised(spelled);
    out += 'n';
    append_length(out, plain.size());
    out += plain;
    return true;
  }
  bool boolean(bool b) { return literal(b ? 't' : 'f'); }
  bool null() { return literal('0'); }
  bool begin_object() { return begin('{'); }
  bool begin_array() { return begin('['); }
  bool end_array() { return end(false); }
  bool end_object() { return end(true); }

private:
  struct container {
    std::size_t begin, first_member;
  };
  struct piece {
    std::size_t begin, name_end, end;
  }; // a member in `out`

  bool literal(char c) {
    if (!skipping_) out += c;
    return true;
  }
  void append_string(std::string_view text) {
    bool is_long = text.size() > long_string;
    out += is_long ? 'S' : 's';
    if (is_long)
      out += sha256(text);
    else {
      append_length(out, text.size());
      out += text;
    }
  }
  bool begin(char bracket) {
    open_.push_back({out.size(), members_.size()});
    if (!skipping_) out += bracket;
    return true;
  }
  bool end(bool object) {
    if (open_.size() == 1) skipping_ = false;
    auto [begin, first_member] = open_.back();
    open_.pop_back();
    if (skipping_) return true;
    if (object) sort_members(first_member);
    out += object ? '}' : ']';
    if (out.size() - begin > long_container) {
      auto digest = sha256(std::string_view(out).substr(begin));
      out.resize(begin);
      out += object ? 'O' : 'A';
      out += digest;
    }
    return true;
  }
  // By the canonical bytes of the name; any fixed order will do. Members of one name keep theirs: the last of them
  // counts.
  void sort_members(std::size_t first) {
    auto members = std::ranges::subrange(members_.begin() + static_cast<std::ptrdiff_t>(first), members_.end());
    auto name = [this](const piece& p) { return std::string_view(out).substr(p.begin, p.name_end - p.begin); };
    if (!std::ranges::is_sorted(members, {}, name)) {
      auto begin = members.front().begin, end = out.size();
      for (auto& m : members | std::views::reverse) {
        m.end = end;
        end = m.begin;
      }
      std::ranges::stable_sort(members, {}, name);
      std::string sorted;
      sorted.reserve(out.size() - begin);
      for (auto& m : members) sorted.append(out, m.begin, m.end - m.begin);
      out.replace(begin, std::string::npos, sorted);
    }
    members_.erase(members.begin(), members.end());
  }

  std::vector<container> open_;
  std::vector<piece> members_; // of all open objects, the innermost's last
  bool skipping_ = false;      // inside `stream` or `stream_options`, which change the wire but not the answer
};

} // namespace

std::string cache_key(const chat_request& request, std::string_view scope) {
  canonical_writer canonical;
  canonical.out = "mainstay cache 1 ";
  append_length(canonical.out, scope.size());
  canonical.out += scope;
  json::read(*request.bytes, canonical);
  return hex(sha256(canonical.out));
}

} // namespace mainstay
