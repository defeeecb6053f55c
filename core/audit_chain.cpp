#include "core/audit_chain.hpp"

#include "core/code_points.hpp"
#include "core/dates.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t longest_text = 16u << 10, longest_line = 6 * longest_text + (64u << 10);
constexpr std::size_t hash_digits = 64;
constexpr std::string_view before_hash = R"(,"hash":")", before_prev = R"(,"prev":")", before_lost = R"(,"lost":)";

/// What is UTF-8 stays as it is, what is not becomes a question mark.
void add_text(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto point = decode_utf8(text, at);
    const auto length = std::max<std::size_t>(1, point.length);
    const char c = text[at];
    if (point.length == 0) {
      out += '?';
    } else if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += text.substr(at, length);
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    }
    at += length;
  }
  out += '"';
}

template <class Number>
void add_number(std::string& out, Number n) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

void add_change(std::string& out, const audit_change& c) {
  const auto add = [&](std::string_view name, std::string_view value) {
    out += name;
    add_text(out, value);
  };
  add(R"(,"who":)", c.who);
  add(R"(,"change":)", c.what);
  add(R"(,"name":)", c.name);
  if (!c.with.empty()) add(R"(,"with":)", c.with);
  if (!c.why.empty()) add(R"(,"why":)", c.why);
}

bool take(std::string_view& text, std::string_view what) noexcept {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

std::optional<std::uint64_t> take_number(std::string_view& text) noexcept {
  std::uint64_t n = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (wrong != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return n;
}

/// A string without escapes, up to its quote.
std::optional<std::string_view> take_text(std::string_view& text) noexcept {
  const auto end = text.find('"');
  if (end == text.npos) return std::nullopt;
  const auto out = text.substr(0, end);
  text.remove_prefix(end + 1);
  return out;
}

bool is_hash(std::string_view text) noexcept {
  return text.size() == hash_digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string times(std::uint64_t n, const char* one, const char* many) {
  return n == 1 ? one : std::to_string(n) + many;
}

} // namespace

std::string audit_text(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  auto end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end; // not within a character
  return std::string(text.substr(0, end));
}

std::string audit_line(const audit_entry& e, audit_head& head, const audit_digest& digest) {
  std::string out;
  out.reserve(512);
  out += R"({"seq":)";
  add_number(out, head.seq + 1);
  out += R"(,"time":)";
  add_text(out, date_text(e.time));
  for (const auto& [name, value] :
       {std::pair(R"(,"request_id":)", &e.request_id), std::pair(R"(,"client":)", &e.client),
        std::pair(R"(,"model":)", &e.model), std::pair(R"(,"provider":)", &e.provider),
        std::pair(R"(,"source":)", &e.source), std::pair(R"(,"outcome":)", &e.outcome)}) {
    out += name;
    add_text(out, *value);
  }
  out += R"(,"status":)";
  add_number(out, e.status);
  out += R"(,"input_tokens":)";
  add_number(out, e.input_tokens);
  out += R"(,"output_tokens":)";
  add_number(out, e.output_tokens);
  out += R"(,"cost_usd":)";
  if (e.cost_usd)
    add_number(out, *e.cost_usd);
  else
    out += "null";
  if (!e.redacted.empty()) {
    out += R"(,"redacted":)";
    add_text(out, e.redacted);
  }
  if (!e.request.empty()) {
    out += R"(,"request":)";
    add_text(out, e.request);
  }
  if (e.change) add_change(out, *e.change);
  if (e.lost > 0) {
    out += before_lost;
    add_number(out, e.lost);
  }
  out += before_prev;
  out += head.hash;
  out += R"("})";
  auto hash = digest(out);
  out.pop_back();
  out += before_hash;
  out += hash;
  out += R"("})";
  head = {head.seq + 1, std::move(hash)};
  return out;
}

std::optional<audit_marks> read_audit_line(std::string_view line) noexcept {
  audit_marks m;
  constexpr auto tail = before_hash.size() + hash_digits + 2;
  if (line.size() <= tail || !line.ends_with(R"("})")) return std::nullopt;
  m.hashed = line.substr(0, line.size() - tail);
  auto last = line.substr(m.hashed.size());
  if (!take(last, before_hash)) return std::nullopt;
  m.hash = last.substr(0, hash_digits);
  const auto prev = m.hashed.rfind(before_prev);
  if (!is_hash(m.hash) || prev == m.hashed.npos || !m.hashed.ends_with('"')) return std::nullopt;
  m.prev = m.hashed.substr(prev + before_prev.size());
  m.prev.remove_suffix(m.prev.empty() ? 0 : 1);
  if (!m.prev.empty() && !is_hash(m.prev)) return std::nullopt;
  if (const auto lost = m.hashed.rfind(before_lost, prev); lost != m.hashed.npos) {
    auto number = m.hashed.substr(lost + before_lost.size());
    m.lost = take_number(number).value_or(0);
  }
  auto first = line;
  if (!take(first, R"({"seq":)")) return std::nullopt;
  const auto seq = take_number(first);
  if (!seq || !take(first, R"(,"time":")")) return std::nullopt;
  const auto time = take_text(first);
  if (!time) return std::nullopt;
  m.seq = *seq;
  m.time = *time;
  return m;
}

std::string to_string(const audit_fault& f) {
  const auto where = "line " + std::to_string(f.line) + ": ";
  switch (f.what) {
  case audit_fault::kind::malformed: return where + "is no line of an audit";
  case audit_fault::kind::changed: return where + "was changed: its hash is another";
  case audit_fault::kind::missing:
    return where + times(f.count, "the line before it is missing", " lines before it are missing");
  case audit_fault::kind::misplaced: return where + "stood here before, or belongs further up";
  case audit_fault::kind::unlinked: return where + "does not follow the line before it: one of them was replaced";
  case audit_fault::kind::torn: return where + "is not whole: it has no end";
  }
  return where;
}

audit_verifier::audit_verifier(audit_digest digest, audit_head before)
  : digest_(std::move(digest)), head_(std::move(before)) {}

audit_verifier audit_verifier::after(audit_digest digest, std::string hash) {
  audit_verifier v(std::move(digest), {0, std::move(hash)});
  v.any_seq_ = true;
  return v;
}

void audit_verifier::read(std::string_view piece, const told& tell) {
  while (!piece.empty()) {
    const auto end = piece.find('\n');
    const auto part = piece.substr(0, end);
    if (rest_.size() + part.size() > longest_line)
      too_long_ = true;
    else if (end == piece.npos || !rest_.empty())
      rest_ += part;
    if (end == piece.npos) return;
    ++line_;
    judge(too_long_ ? std::string_view() : rest_.empty() ? part : std::string_view(rest_), tell);
    rest_.clear();
    too_long_ = false;
    piece.remove_prefix(end + 1);
  }
}

void audit_verifier::end_file(const told& tell) {
  if (too_long_ || !rest_.empty()) tell({audit_fault::kind::torn, line_ + 1, 0});
  rest_.clear();
  too_long_ = false;
  line_ = 0;
}

void audit_verifier::judge(std::string_view line, const told& tell) {
  ++lines_;
  const auto marks = read_audit_line(line);
  auto fault = marks ? fault_of(*marks) : audit_fault{audit_fault::kind::malformed, 0, 0};
  if (fault) {
    fault->line = line_;
    tell(*fault);
  }
  if (lines_ == 1) first_seq_ = marks ? marks->seq : head_.seq + 1;
  // What a line that is not as it was written says of its own place counts for nothing.
  const bool wrong =
      fault && (fault->what == audit_fault::kind::malformed || fault->what == audit_fault::kind::changed);
  hash_known_ = !wrong;
  if (wrong) {
    ++head_.seq;
    head_.hash.clear();
    return;
  }
  any_seq_ = false;
  head_ = {marks->seq, std::string(marks->hash)};
  lost_ += marks->lost;
  if (first_time_.empty()) first_time_ = marks->time;
  last_time_ = marks->time;
}

std::optional<audit_fault> audit_verifier::fault_of(const audit_marks& m) const {
  const auto fault = [](audit_fault::kind what, std::uint64_t count = 0) { return audit_fault{what, 0, count}; };
  if (digest_(std::string(m.hashed) + "}") != m.hash) return fault(audit_fault::kind::changed);
  const auto next = head_.seq + 1;
  if (!any_seq_ && m.seq > next) return fault(audit_fault::kind::missing, m.seq - next);
  if (!any_seq_ && m.seq < next) return fault(audit_fault::kind::misplaced);
  if (hash_known_ && m.prev != head_.hash) return fault(audit_fault::kind::unlinked);
  return std::nullopt;
}

} // namespace mainstay
