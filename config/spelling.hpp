// Near misses: which known word somebody meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mainstay::config {

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (optimal string
/// alignment). Words longer than 64 bytes are told apart by their first 64.
std::size_t edit_distance(std::string_view, std::string_view);

/// The known word nearest to `word`, if near enough to be a slip (a third of its letters, three at most); else empty.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

/// "; did you mean X?" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

/// What names of things must be, for they go into headers, labels and logs: printable ASCII, 1 to 256 characters, no
/// blank at either end.
bool is_name(std::string_view);

} // namespace mainstay::config
