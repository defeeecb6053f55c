// Bodies travel as shared immutable strings: parsed once, never copied between threads.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mainstay {

using bytes_ptr = std::shared_ptr<const std::string>;
inline bytes_ptr make_bytes(std::string s) { return std::make_shared<const std::string>(std::move(s)); }

/// Empties a string and gives its memory back, which assigning an empty one to it does not.
inline void release(std::string& s) noexcept { std::string().swap(s); }

/// Header fields in order; names in lower case.
using header_list = std::vector<std::pair<std::string, std::string>>;

inline const std::string* find_header(const header_list& headers, std::string_view name) noexcept {
  for (auto& [n, v] : headers)
    if (n == name) return &v;
  return nullptr;
}

} // namespace mainstay
