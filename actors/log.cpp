#include "actors/log.hpp"

#include <spdlog/spdlog.h>

namespace mainstay::log {

namespace {

spdlog::level::level_enum of_library(level l) {
  switch (l) {
  case level::info: return spdlog::level::info;
  case level::warn: return spdlog::level::warn;
  case level::error: return spdlog::level::err;
  case level::critical: return spdlog::level::critical;
  }
  return spdlog::level::critical;
}

} // namespace

void write(level at, fmt::string_view format, fmt::format_args args) noexcept {
  auto* log = spdlog::default_logger_raw();
  const auto l = of_library(at);
  if (!log->should_log(l)) return;
  try {
    fmt::memory_buffer line;
    fmt::vformat_to(fmt::appender(line), format, args);
    log->log(l, spdlog::string_view_t(line.data(), line.size()));
  } catch (...) {} // no memory: the line is lost, not who tells it
}

} // namespace mainstay::log
