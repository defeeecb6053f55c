#include "core/dates.hpp"

#include <cstdio>

namespace mainstay {

std::string date_text(utc_time when) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(when);
  const auto day = std::chrono::floor<std::chrono::days>(ms);
  const std::chrono::year_month_day date(day);
  const auto of_day = static_cast<unsigned>((ms - day).count());
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), of_day / 3'600'000,
                of_day / 60'000 % 60, of_day / 1000 % 60, of_day % 1000);
  return text;
}

} // namespace mainstay
