// A line in the log for a request that is over: the logger named "requests" takes it, as words or as one JSON object,
// whichever the rest of the log is.
#pragma once

#include "config/settings.hpp"
#include "core/run_report.hpp"

namespace mainstay {

class request_log {
public:
  static constexpr auto logger = "requests";
  static constexpr std::uint64_t most_failed = 100; // lines a second of those that failed

  explicit request_log(bool json) : json_(json) {}

  /// Writes a line if the configuration wants one. Of what its caller is to blame for, or left, only `all` has lines.
  void write(const run_report&, config::log_settings, instant now);
  /// A moment is over: says how many lines were too many.
  void tick(instant now);

private:
  const bool json_;
  std::int64_t second_ = 0;
  std::uint64_t lines_ = 0, too_many_ = 0; // in that second
};

} // namespace mainstay
