// How urgent a caller says a request is. Decides its share of scarce capacity, never whether it gets any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mainstay {

enum class priority : std::uint8_t { high, normal, low };
inline constexpr std::size_t priority_count = 3;
std::string_view to_string(priority) noexcept;
/// Of the words that to_string says; none: it is another.
std::optional<priority> priority_named(std::string_view) noexcept;

} // namespace mainstay
