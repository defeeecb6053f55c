// The flight recorder: the latest requests that are over, to be asked after. The last thousand, and besides the last
// thousand of those that one asks after most: failed, degraded, retried or slow; a flood of good ones does not wash
// them away. Trials of an operator likewise. Bounded by number; a report is some kilobytes at most.
#pragma once

#include "core/run_report.hpp"

#include <deque>
#include <string_view>

namespace mainstay {

class recent_requests {
public:
  static constexpr std::size_t kept = 1000;

  /// `slow`: it took longer than this to call a request slow.
  void add(report_ptr, duration slow);

  struct found {
    report_ptr request; // null: it is not known, or not any more
    report_ptr call;    // that it shared with equal requests; null: it shared none

    /// Who made the calls that answered it: it, or the one it shared.
    const run_report& asked() const noexcept { return call ? *call : *request; }
  };
  /// By x-request-id, or by the name its caller gave to a durable one: the latest of that name.
  found find(std::string_view id) const;
  /// Newest first. Without those that only flew for others.
  std::vector<found> latest(std::size_t most, bool notable_only = false) const;

  /// Worth to be kept for longer.
  static bool notable(const run_report&, duration slow) noexcept;

private:
  found with_call(report_ptr) const;
  template <class Test>
  report_ptr latest_that(const Test&) const;

  std::deque<report_ptr> all_, notable_, trials_; // newest last
};

} // namespace mainstay
