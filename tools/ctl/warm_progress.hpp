// What an operator sees of a warming: a live line on a terminal, a line now and then elsewhere, every problem with its
// line number on stderr, and at the end the sum; with --json the sum alone, as an object.
#pragma once

#include "tools/ctl/live_line.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace mainstay::ctl {

class warm_progress {
public:
  struct problem {
    std::uint64_t line = 0;
    std::string what;
  };
  struct counts { // the node's
    std::uint64_t warmed = 0, skipped = 0, failed = 0;
    std::string pause; // why it waits; empty: it does not
  };

  warm_progress(std::string file, bool json);
  const std::string& file() const noexcept { return file_; }

  void total(std::uint64_t lines) { total_ = lines; }
  void heard(counts c) { now_ = std::move(c); }
  /// Of those that heard() counts as failed.
  void add_problem(problem);
  /// A line that was not even sent.
  void add_failed(problem);
  /// A sentence on stderr.
  void say(const std::string&);
  void show();
  void end(bool interrupted);

  std::uint64_t failed() const noexcept { return now_.failed + failed_here_; }
  std::uint64_t finished() const noexcept { return now_.warmed + now_.skipped + failed(); }

private:
  using clock = std::chrono::steady_clock;
  double rate();
  std::string sentence();
  void print_json(bool interrupted) const;

  std::string file_;
  bool json_, live_;
  std::optional<std::uint64_t> total_;
  counts now_;
  std::uint64_t failed_here_ = 0, problems_ = 0;
  std::vector<problem> listed_; // for --json
  std::deque<std::pair<clock::time_point, std::uint64_t>> lately_;
  clock::time_point began_ = clock::now(), shown_{};
  live_line line_;
};

} // namespace mainstay::ctl
