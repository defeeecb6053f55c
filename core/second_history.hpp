// How the last five minutes went, second by second: for the plots of those who look on. A ring; seconds in which
// nothing happened are there too. No clock of its own.
#pragma once

#include "core/quantile_sketch.hpp"
#include "core/request_plan.hpp"
#include "core/run_report.hpp"

#include <array>
#include <deque>

namespace mainstay {

class second_history {
public:
  static constexpr std::size_t kept = 300; // seconds
  static constexpr std::size_t sources = static_cast<std::size_t>(answer_source::canned) + 1;

  struct cell {
    std::int64_t at = 0;                       // seconds since 1970
    std::uint32_t requests = 0;                // that came to their end
    std::uint32_t failed = 0;                  // of them: those that were lost
    std::uint32_t calls = 0, failed_calls = 0; // to providers
    std::uint64_t tokens = 0;                  // that keys were charged
    double usd = 0;                            // that calls cost
    double p50 = 0, p99 = 0;                   // seconds that requests took; 0: there were none
    std::array<std::uint32_t, sources> from{}; // answered requests, by answer_source
  };

  void count(const run_report&, utc_time now);
  /// Seconds that are over, oldest first, from that one on.
  std::vector<cell> since(std::int64_t at, utc_time now);

private:
  void go_to(std::int64_t second);

  cell now_;             // under way
  quantile_sketch took_; // of it
  std::deque<cell> over_;
};

} // namespace mainstay
