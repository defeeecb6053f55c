// What came of the requests: counts by kind, status, source and door, durations, and how it went second by second.
// Pure.
#pragma once

#include "tools/load/door.hpp"
#include "tools/load/histogram.hpp"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace mainstay::load {

struct counts {
  std::uint64_t requests = 0, ok = 0; // requests: those that came to an end
  std::array<std::uint64_t, fault_count> faults{};
  std::uint64_t errors() const noexcept { return requests - ok; }
};

struct second_row {
  std::uint64_t started = 0, ok = 0, errors = 0;
  duration p50{}, p99{}; // of those answered well within that second
};

/// The first answers of each kind of fault, for the reader's eye.
struct complaint {
  fault what;
  int status;
  std::string text;
};

class tally {
public:
  /// Everything counted before is forgotten; the clock of the timeline begins.
  void begin(instant now);

  void started(const flight&);
  void tokens_came(flight&, std::size_t events, instant now);
  void finished(flight&, fault, instant now);
  void surplus() { ++surplus_; }
  /// The seconds before `now` are over: their rows will not change.
  void close_seconds(instant now);
  void end(instant now);

  const counts& all() const noexcept { return all_; }
  const counts& of(door_kind d) const noexcept { return doors_[static_cast<std::size_t>(d)]; }
  const histogram& latency(door_kind d) const noexcept { return door_latency_[static_cast<std::size_t>(d)]; }
  const histogram& latency() const noexcept { return latency_; }         // intended start to end, of those that are ok
  const histogram& first_token() const noexcept { return first_token_; } // intended start to the first text
  const histogram& gap() const noexcept { return gap_; }                 // from one text to the next
  const histogram& lateness() const noexcept { return lateness_; }       // intended start to being sent
  const std::map<std::string, std::uint64_t, std::less<>>& sources() const noexcept { return sources_; }
  const std::map<int, std::uint64_t>& statuses() const noexcept { return statuses_; }
  const std::vector<second_row>& timeline() const noexcept { return timeline_; }
  const std::vector<complaint>& complaints() const noexcept { return complaints_; }
  std::uint64_t surplus_answers() const noexcept { return surplus_; }
  std::uint64_t started_requests() const noexcept { return started_; }
  duration elapsed() const noexcept { return ended_ - began_; } // to the last answer
  std::size_t seconds_over() const noexcept { return second_; } // whose rows are final

private:
  std::size_t second_of(instant) const noexcept;
  second_row& row(instant);
  void close_second();

  instant began_{}, ended_{};
  counts all_;
  std::array<counts, 2> doors_;
  histogram latency_, first_token_, gap_, lateness_, this_second_;
  std::array<histogram, 2> door_latency_;
  std::map<std::string, std::uint64_t, std::less<>> sources_;
  std::map<int, std::uint64_t> statuses_;
  std::vector<second_row> timeline_;
  std::size_t second_ = 0; // which one `this_second_` is about
  std::vector<complaint> complaints_;
  std::uint64_t surplus_ = 0, started_ = 0;
};

} // namespace mainstay::load
