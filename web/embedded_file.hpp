// Files that the build put into the program (cmake/embed.cmake): the dashboard's page and what it needs.
#pragma once

#include <optional>
#include <string_view>

namespace mainstay {

struct embedded_file {
  std::string_view plain, gzipped; // the same, as long as the program runs
};

/// By its name without a folder, such as "index.html"; none: there is no such file.
std::optional<embedded_file> find_embedded(std::string_view name) noexcept;

} // namespace mainstay
