// Dates as the project writes them: RFC 3339, UTC, with milliseconds.
#pragma once

#include "core/clock.hpp"

#include <string>

namespace mainstay {

/// "2026-03-04T12:00:00.005Z"
std::string date_text(utc_time);

} // namespace mainstay
