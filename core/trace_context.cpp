#include "core/trace_context.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace mainstay {

namespace {

bool lower_hex(std::string_view s) noexcept {
  for (char c : s)
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  return true;
}

std::uint64_t number(std::string_view digits) noexcept {
  std::uint64_t n = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), n, 16);
  return n;
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection for each `n`, so that different ones stay different.
span_id mixed(span_id root, std::uint64_t n) noexcept {
  std::uint64_t z = root + (n + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return z == 0 ? 1 : z;
}

void add_hex(std::string& out, std::uint64_t n) {
  char digits[16];
  for (int i = 16; i-- > 0; n >>= 4) digits[i] = "0123456789abcdef"[n & 15];
  out.append(digits, sizeof digits);
}

constexpr std::uint64_t parts_begin = 1000; // attempts are fewer

} // namespace

std::string hex(span_id n) {
  std::string out;
  add_hex(out, n);
  return out;
}

std::string trace_context::trace_id() const {
  std::string out;
  out.reserve(32);
  add_hex(out, id_high);
  add_hex(out, id_low);
  return out;
}

std::optional<trace_context> read_traceparent(std::string_view s) noexcept {
  constexpr std::size_t length = 55; // 00-<32>-<16>-<2>
  if (s.size() < length || s[2] != '-' || s[35] != '-' || s[52] != '-') return std::nullopt;
  const auto version = s.substr(0, 2), trace = s.substr(3, 32), parent = s.substr(36, 16), flags = s.substr(53, 2);
  if (!lower_hex(version) || version == "ff" || !lower_hex(trace) || !lower_hex(parent) || !lower_hex(flags))
    return std::nullopt;
  if (version == "00" ? s.size() != length : s.size() > length && s[length] != '-') return std::nullopt;
  trace_context t;
  t.id_high = number(trace.substr(0, 16));
  t.id_low = number(trace.substr(16));
  t.parent = number(parent);
  t.sampled = number(flags) & 1;
  if ((t.id_high == 0 && t.id_low == 0) || t.parent == 0) return std::nullopt;
  return t;
}

bool is_tracestate(std::string_view s) noexcept {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string traceparent(const trace_context& t, span_id own) {
  std::string out = "00-";
  out.reserve(55);
  add_hex(out, t.id_high);
  add_hex(out, t.id_low);
  out += '-';
  add_hex(out, own);
  return out += t.sampled ? "-01" : "-00";
}

span_id span_of_attempt(span_id run, unsigned attempt) noexcept { return mixed(run, attempt); }

span_id span_of_part(span_id run, unsigned part) noexcept { return mixed(run, parts_begin + part); }

bool in_sample(const trace_context& t, double ratio) noexcept {
  if (ratio >= 1) return true;
  constexpr std::uint64_t all = 1ull << 56;
  return ratio > 0 && (t.id_low & (all - 1)) >= all - static_cast<std::uint64_t>(std::ldexp(ratio, 56));
}

} // namespace mainstay
