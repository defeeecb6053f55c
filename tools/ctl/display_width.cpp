// How wide text is on a terminal (tools/ctl/top_screen.hpp). The C library knows, too, but by the locale of whoever
// asks.
#include "core/code_points.hpp"
#include "tools/ctl/top_screen.hpp"

#include <algorithm>
#include <iterator>

namespace mainstay::ctl {

namespace {

constexpr char32_t not_text = 0xFFFFFFFF;

struct range {
  char32_t first, last;
};
// Unicode's East Asian Width W and F, in blocks.
constexpr range wide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},
                          {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xA960, 0xA97C},   {0xAC00, 0xD7A3},
                          {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
                          {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
constexpr range without_width[] = {{0x300, 0x36F}, {0x200B, 0x200F}, {0x20D0, 0x20F0}, {0xFE00, 0xFE0F}};
// Beside ASCII's and the C1 controls: what turns the direction of a line around.
constexpr range steering[] = {{0, 0x1F}, {0x7F, 0x9F}, {0x2028, 0x202E}, {0x2066, 0x2069}};

template <std::size_t n>
bool within(const range (&ranges)[n], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges), [c](auto& r) { return c >= r.first && c <= r.last; });
}

struct character {
  char32_t code;
  std::size_t bytes;
};

/// The first one of a text that is not empty.
character first_of(std::string_view s) {
  const auto c = decode_utf8(s, 0);
  return c.length > 0 ? character{c.value, c.length} : character{not_text, 1};
}

std::size_t width_of(char32_t c) {
  if (c == not_text) return 1;
  return within(without_width, c) ? 0 : within(wide, c) ? 2 : 1;
}

} // namespace

std::size_t display_width(std::string_view s) noexcept {
  std::size_t width = 0;
  while (!s.empty()) {
    const auto c = first_of(s);
    width += width_of(c.code);
    s.remove_prefix(c.bytes);
  }
  return width;
}

std::string fitted(std::string_view s, std::size_t columns) {
  std::string out;
  std::size_t width = 0, before_ellipsis = 0; // bytes of `out` that leave room for it
  while (!s.empty()) {
    const auto c = first_of(s);
    const bool shown = c.code != not_text && !within(steering, c.code);
    width += shown ? width_of(c.code) : 1;
    if (width > columns) {
      out.resize(before_ellipsis);
      return columns == 0 ? "" : out + "…";
    }
    if (shown)
      out += s.substr(0, c.bytes);
    else
      out += '?';
    if (width + 1 <= columns) before_ellipsis = out.size();
    s.remove_prefix(c.bytes);
  }
  return out;
}

std::string text_of(const screen_line& line) {
  std::string out;
  for (const auto& p : line) out += p.text;
  return out;
}

} // namespace mainstay::ctl
