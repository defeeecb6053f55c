// How urgent a caller says a request is. Decides its share of scarce capacity, never whether it gets any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mainstay {

enum class priority : std::uint8_t { high, normal, low };
inline constexpr std::size_t priority_count = 3;
std::string_view to_string(priority) noexcept;

} // namespace mainstay
