// What `top` shows: one overview of a node (actors/overview.hpp) drawn into so many columns and rows. Pure: text with
// tones in, none of it wider than the screen, whatever things are called; how a terminal shows a tone is
// tools/ctl/top's affair. What is in trouble comes first, and what does not fit is counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::ctl {

enum class tone : std::uint8_t { plain, title, quiet, good, warn, bad, bar };

struct piece {
  std::string text; // UTF-8, without control characters
  tone how = tone::plain;
};
using screen_line = std::vector<piece>;

struct screen_size {
  std::size_t columns = 80, rows = 24;
};

/// At most `rows` lines. `silent`: since when the node has not answered; what is drawn is what it said last. An
/// overview that cannot be read gives a line that says so.
std::vector<screen_line> draw_top(const std::string& overview_json, screen_size, std::chrono::seconds silent = {});

/// Columns of a terminal that the text takes: two for East Asian wide characters, none for combining ones.
std::size_t display_width(std::string_view utf8) noexcept;

/// At most `columns` wide, with an ellipsis where something was cut off; what could steer a terminal, and what is not
/// UTF-8, becomes a question mark.
std::string fitted(std::string_view text, std::size_t columns);

/// A line's text without its tones.
std::string text_of(const screen_line&);

} // namespace mainstay::ctl
