// What the daemon tells people while it runs, a line a call. Files that log see no more of the library than what packs
// a line's arguments: what formats them is compiled once, in log.cpp, and not in each of them.
#pragma once

#include <fmt/core.h>

namespace mainstay::log {

enum class level { info, warn, error, critical };

/// Hands the line to the default logger of the process, which writes it from a thread of its own; nothing is formatted
/// below the level in force. By the functions below, whose formats are checked when they are compiled. A line for which
/// there is no memory is lost.
void write(level at, fmt::string_view format, fmt::format_args args) noexcept;

template <class... Ts>
void at(level l, fmt::format_string<Ts...> format, Ts&&... args) {
  write(l, format, fmt::make_format_args(args...));
}

template <class... Ts>
void info(fmt::format_string<Ts...> format, Ts&&... args) {
  write(level::info, format, fmt::make_format_args(args...));
}

template <class... Ts>
void warn(fmt::format_string<Ts...> format, Ts&&... args) {
  write(level::warn, format, fmt::make_format_args(args...));
}

template <class... Ts>
void error(fmt::format_string<Ts...> format, Ts&&... args) {
  write(level::error, format, fmt::make_format_args(args...));
}

template <class... Ts>
void critical(fmt::format_string<Ts...> format, Ts&&... args) {
  write(level::critical, format, fmt::make_format_args(args...));
}

} // namespace mainstay::log
