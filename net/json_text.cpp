// The byte scanner under the JSON reader, and its opposite, the string writer.
#include "net/json_text.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace mainstay::json {
namespace {

constexpr std::uint64_t every = 0x0101010101010101u, high = 0x8080808080808080u;

constexpr std::uint64_t zero_bytes(std::uint64_t word) { return (word - every) & ~word & high; }

// The high bit of every byte that is not plain ASCII. Borrows may mark bytes above the first marked one too, so only
// the lowest is exact.
std::uint64_t special_bytes(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  auto control = (word - every * 0x20) & ~word & high;
  return control | zero_bytes(word ^ every * '"') | zero_bytes(word ^ every * '\\') | (word & high);
}

bool is_plain_ascii(unsigned char c) noexcept { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

const char* plain_ascii_run(const char* at, const char* end) noexcept {
#ifdef __SSE2__
  // Compared as signed numbers, bytes from 0x80 on are below 0x20 too.
  for (; end - at >= 16; at += 16) {
    auto bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    auto special = _mm_or_si128(
        _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
    if (auto found = static_cast<unsigned>(_mm_movemask_epi8(special))) return at + std::countr_zero(found);
  }
#endif
  if constexpr (std::endian::native == std::endian::little) {
    for (; end - at >= 8; at += 8)
      if (auto special = special_bytes(at)) return at + (std::countr_zero(special) >> 3);
  }
  while (at != end && is_plain_ascii(static_cast<unsigned char>(*at))) ++at;
  return at;
}

} // namespace

std::size_t sequence_length(const char* at, const char* end) noexcept {
  auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(at[i]); };
  auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  auto left = static_cast<std::size_t>(end - at);
  if (left == 0) return 0;
  unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return left >= 2 && continues(1) ? 2 : 0;
  if (lead < 0xf0) {
    if (left < 3 || !continues(1) || !continues(2)) return 0;
    if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
    return 3;
  }
  if (left < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
  if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
  return 4;
}

const char* plain_run(const char* at, const char* end) noexcept {
  for (;;) {
    at = plain_ascii_run(at, end);
    if (at == end || static_cast<unsigned char>(*at) < 0x80) return at;
    do {
      auto length = sequence_length(at, end);
      if (length == 0) return at;
      at += length;
    } while (at != end && static_cast<unsigned char>(*at) >= 0x80);
  }
}

std::size_t cut_before(std::string_view text, std::size_t limit) noexcept {
  if (limit >= text.size()) return text.size();
  auto cut = limit;
  while (cut > 0 && limit - cut < 3 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  return (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80 ? limit : cut; // not UTF-8 at all: any cut will do
}

void append_string(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  const char *at = text.data(), *end = at + text.size();
  while (at != end) {
    auto stop = plain_run(at, end);
    out.append(at, stop);
    if (stop == end) break;
    auto c = static_cast<unsigned char>(*stop);
    switch (c) {
    case '"': out += "\\\""; break;
    case '\\': out += "\\\\"; break;
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default:
      if (c < 0x20)
        (out += "\\u00") += {hex[c >> 4], hex[c & 15]};
      else
        out += "\xef\xbf\xbd";
    }
    at = stop + 1;
  }
  out += '"';
}

} // namespace mainstay::json
