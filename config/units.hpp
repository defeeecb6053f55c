// Durations and sizes as people write them in the configuration.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay::config {

/// "250ms", "5s", "1.5m", "2h", "1d"; a bare number or a negative one is none.
std::optional<duration> parse_duration(std::string_view) noexcept;
/// "32MiB", "10KiB", "1GiB", "512B"; also kB/MB/GB (powers of 1000); a bare number is none.
std::optional<std::uint64_t> parse_size(std::string_view) noexcept;

/// The other way, in the largest unit that is exact: "90s", "2h", "32MiB". For messages.
std::string format_duration(duration);
std::string format_size(std::uint64_t bytes);

} // namespace mainstay::config
