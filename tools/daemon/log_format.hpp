// How the log looks: words for people at a terminal, one JSON object a line for machines.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace mainstay {

/// {"time","level","message"}. A message of the logger `of_objects` is an object itself: its members follow the level.
std::unique_ptr<spdlog::formatter> json_log_format(std::string of_objects);

} // namespace mainstay
