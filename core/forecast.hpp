// The load to come, in tokens per minute: what this hour of the week had in earlier weeks (core/load_pattern), moved by
// how the last minutes differ from that. The further ahead, the less the last minutes say. Fed with what was used and
// with the time that passes; every answer is O(1), the memory constant. Where the clock was set or time went by
// unseen, the last minutes begin anew.
#pragma once

#include "core/load_pattern.hpp"

#include <deque>

namespace mainstay {

class forecast {
public:
  void count(std::uint64_t tokens, utc_time now);
  /// To be called at least once a minute: a minute without requests is one with no load, a gap is one nobody saw.
  void pass(utc_time now);

  /// Tokens used in the last 60 seconds.
  double now(utc_time now) const noexcept;
  /// Tokens per minute that are expected then.
  double ahead(duration, utc_time now) const noexcept;
  /// The most that is expected in any minute until then.
  double peak(duration within, utc_time now) const noexcept;

  const load_pattern& pattern() const noexcept { return pattern_; }
  void restore(const load_pattern::cells& earlier) { pattern_.restore(earlier); }
  /// How many hours the pattern has learned since this process began: it is written down when that has grown.
  std::uint64_t hours_learned() const noexcept { return hours_learned_; }

private:
  struct trend {
    double ratio = 1; // of the last minutes to the pattern, for as much as the pattern can explain
    double rest = 0;  // tokens per minute beyond that
  };
  trend latest(utc_time now) const noexcept;
  double expected(duration, const trend&, utc_time now) const noexcept;
  void begin(std::int64_t second);
  void end_minute();

  static constexpr std::size_t minutes_kept = 15;
  struct second_count {
    std::int64_t second = -1;
    double tokens = 0;
  };
  load_pattern pattern_;
  std::array<second_count, 60> seconds_{};
  std::deque<double> minutes_; // whole ones that were seen, the latest last
  std::int64_t second_ = -1;   // the latest time told; -1: none yet
  std::int64_t minute_ = 0;    // the one that runs, since 1970
  double minute_tokens_ = 0, hour_tokens_ = 0;
  int hour_minutes_ = 0;      // whole ones seen of the hour that runs
  bool whole_minute_ = false; // was seen from its beginning
  std::uint64_t hours_learned_ = 0;
};

} // namespace mainstay
